"""A live server, and clients of the SDK: the sync client is wrapped so that one test serves both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tessera_gql.client import AsyncTesseraClient, TesseraClient
from tests.e2e.server import Running, serving


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("live")) as running:
        yield running


class SyncInThreads:
    """The sync client with each call in a thread, so that a test can await it like the async client."""

    def __init__(self, client: TesseraClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = asyncio.to_thread(method, *args, **kwargs)
            return _Pending(result)

        return call


class _Pending:
    """The result of a call: awaitable as a value, iterable as items."""

    def __init__(self, result: Awaitable[Any]) -> None:
        self._result = result

    def __await__(self) -> Any:
        return self._result.__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        items = await self._result
        end = object()
        try:
            while (item := await asyncio.to_thread(next, items, end)) is not end:
                yield item
        finally:
            await asyncio.to_thread(items.close)


Open = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["sync", "async"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Open a sync or an async client, and close it after the test."""
    async with AsyncExitStack() as stack:

        async def open_client(url: str, **options: Any) -> Any:
            if request.param == "sync":
                return SyncInThreads(stack.enter_context(TesseraClient(url, **options)))
            return await stack.enter_async_context(AsyncTesseraClient(url, **options))

        yield open_client


@pytest.fixture
async def tessera(connect: Open, server: Running) -> Any:
    return await connect(server.url)
