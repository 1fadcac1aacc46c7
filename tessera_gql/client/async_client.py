"""Asynchronous client. Keep it equal to the synchronous one except for `await`; both perform the same effects."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing, suppress
from typing import Self, TypeVar, cast

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from tessera_gql.client.effects import (
    Connect,
    Effect,
    Emit,
    HttpResponse,
    Pause,
    Post,
    Receive,
    Result,
    Send,
    SocketClosed,
    TextMessage,
)
from tessera_gql.client.http_exchange import execute_operation, resolve_endpoint, to_transport_failure
from tessera_gql.client.multipart import MultipartForm, ResponseReader
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.websocket_exchange import (
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    DisconnectCallback,
    run_subscription,
    to_handshake_failure,
    to_socket_closed,
)

T = TypeVar("T")


class AsyncBaseClient:
    """Executes operations and subscriptions on the event loop."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        retries: int = 4,
        on_disconnect: DisconnectCallback | None = None,
    ) -> None:
        """TESSERA_URL and TESSERA_API_KEY are the defaults. `retries` do not count the first attempt."""
        self.endpoint = resolve_endpoint(url, api_key, timeout_seconds=timeout_seconds, retries=retries)
        self._on_disconnect: DisconnectCallback = on_disconnect or (lambda _reason: None)
        self._http_client = httpx.AsyncClient()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http_client.aclose()

    async def run(self, operation: Operation[T]) -> T:
        """Execute one operation and return its typed result; raises a TesseraError."""
        effects, transport = execute_operation(operation, self.endpoint), _Transport(self._http_client)
        result: Result = None
        try:
            while True:
                result = await transport.perform(effects.send(result))
        except StopIteration as stop:
            return cast("T", stop.value)

    async def iterate(self, query: PaginatedQuery[T]) -> AsyncGenerator[T]:
        """Iterate over all items, loading each page when it is needed."""
        page = await self.run(query.first_page)
        for item in page.items:
            yield item
        while page.next_cursor:
            page = await self.run(query.page_after(page.next_cursor))
            for item in page.items:
                yield item

    async def listen(self, subscription: Subscription[T]) -> AsyncGenerator[T]:
        """Iterate over the messages of a subscription; reconnects and resumes when the connection is lost."""
        async with aclosing(_Transport(self._http_client)) as transport:
            with closing(run_subscription(subscription, self.endpoint, self._on_disconnect)) as effects:
                result: Result = None
                while True:
                    effect = effects.send(result)
                    if isinstance(effect, Emit):
                        yield effect.value
                        result = None
                    else:
                        result = await transport.perform(effect)


class _Transport:
    """Performs the effects of one operation or subscription; each Connect replaces the WebSocket."""

    def __init__(self, http_client: httpx.AsyncClient) -> None:
        self._http_client = http_client
        self._connection: ClientConnection | None = None

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def perform(self, effect: Effect) -> Result:
        match effect:
            case Post():
                return await self._post(effect)
            case Pause(seconds=seconds):
                await asyncio.sleep(seconds)
                return None
            case Connect():
                return await self._connect(effect)
            case Send(text=text):
                return await self._send(text)
            case Receive(timeout_seconds=seconds):
                return await self._receive(seconds)
            case Emit():
                raise AssertionError(effect)

    async def _post(self, post: Post) -> Result:
        content = post.content if isinstance(post.content, bytes) else _iter_chunks(post.content)
        request = self._http_client.stream(
            "POST", post.url, headers=post.headers, content=content, timeout=post.timeout_seconds
        )
        reader = ResponseReader(post.on_progress)
        try:
            async with request as response:
                async for chunk in response.aiter_bytes():
                    reader.feed(chunk)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return to_transport_failure(error)
        return HttpResponse(response.status_code, bytes(reader.body), response.headers.get("retry-after"))

    async def _connect(self, effect: Connect) -> Result:
        await self.aclose()
        try:
            self._connection = await connect(
                effect.url,
                subprotocols=[Subprotocol(PROTOCOL)],
                open_timeout=effect.timeout_seconds,
                max_size=MAX_MESSAGE_BYTES,
            )
        except (OSError, EOFError, WebSocketException) as error:
            return to_handshake_failure(error)
        return None

    async def _send(self, text: str) -> Result:
        if self._connection is not None:
            with suppress(ConnectionClosed):  # reported by the next receive
                await self._connection.send(text)
        return None

    async def _receive(self, seconds: float | None) -> Result:
        if self._connection is None:
            return SocketClosed(1006, "")
        try:
            async with asyncio.timeout(seconds):
                return TextMessage(cast("str", await self._connection.recv()))
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            return to_socket_closed(error)


async def _iter_chunks(form: MultipartForm) -> AsyncGenerator[bytes]:
    for chunk in form.iter_chunks():
        yield chunk
