"""Asynchronous client. Keep it equal to the synchronous one except for `await`; both perform the same effects."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
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
    SocketOpened,
    TextMessage,
    TransportFailure,
)
from tessera_gql.client.http_exchange import (
    describe_connection_error,
    execute_operation,
    resolve_endpoint,
    to_transport_failure,
)
from tessera_gql.client.multipart import MultipartForm, ResponseReader
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.operations import catalog, manifests, publishing, subscriptions
from tessera_gql.client.websocket_exchange import MAX_MESSAGE_BYTES, PROTOCOL, DisconnectCallback, run_subscription

P = ParamSpec("P")
T = TypeVar("T")


class AsyncBaseClient:
    """Performs the effects of operations and subscriptions on the event loop."""

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
        effects = execute_operation(operation, self.endpoint)
        result: Result = None
        try:
            while True:
                result = await self._perform(effects.send(result))
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
        async with aclosing(_WebSocket()) as socket:
            with closing(run_subscription(subscription, self.endpoint, self._on_disconnect)) as effects:
                async for value in self._iter_messages(effects, socket):
                    yield value

    async def _iter_messages(
        self, effects: Generator[Effect, Result, None], socket: "_WebSocket"
    ) -> AsyncGenerator[Any]:
        result: Result = None
        while True:
            match effect := effects.send(result):
                case Emit(value=value):
                    yield value
                    result = None
                case Connect() | Send() | Receive():
                    result = await socket.perform(effect)
                case _:
                    result = await self._perform(effect)

    async def _perform(self, effect: Effect) -> Result:
        match effect:
            case Post():
                return await self._post(effect)
            case Pause(seconds=seconds):
                await asyncio.sleep(seconds)
                return None
            case _:
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


async def _iter_chunks(form: MultipartForm) -> AsyncGenerator[bytes]:
    for chunk in form.iter_chunks():
        yield chunk


class _WebSocket:
    """The WebSocket of one subscription, replaced by each Connect."""

    def __init__(self) -> None:
        self._connection: ClientConnection | None = None

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def perform(self, effect: Connect | Send | Receive) -> Result:
        match effect:
            case Connect():
                return await self._connect(effect)
            case Send(text=text):
                return await self._send(text)
            case Receive(timeout_seconds=seconds):
                return await self._receive(seconds)

    async def _connect(self, effect: Connect) -> Result:
        await self.aclose()
        try:
            self._connection = await connect(
                effect.url,
                subprotocols=[Subprotocol(PROTOCOL)],
                open_timeout=effect.timeout_seconds,
                max_size=MAX_MESSAGE_BYTES,
            )
        except InvalidStatus as error:
            return TransportFailure(
                describe_connection_error(error), maybe_sent=False, status=error.response.status_code
            )
        except (OSError, InvalidHandshake, EOFError) as error:
            return TransportFailure(describe_connection_error(error), maybe_sent=False)
        except WebSocketException as error:  # invalid URL of the server or of a proxy
            return TransportFailure(type(error).__name__, maybe_sent=False)
        return SocketOpened()

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
            frame = error.rcvd
            return SocketClosed(frame.code, frame.reason) if frame else SocketClosed(1006, "")


def operation_method(build: Callable[P, Operation[T]]) -> Callable[Concatenate[AsyncBaseClient, P], Awaitable[T]]:
    """Make a client method from a function that builds an operation."""

    @wraps(build)
    async def method(client: AsyncBaseClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client.run(build(*args, **kwargs))

    return method


def pagination_method(
    build: Callable[P, PaginatedQuery[T]],
) -> Callable[Concatenate[AsyncBaseClient, P], AsyncGenerator[T]]:
    """Make a client method from a function that builds a paginated query."""

    @wraps(build)
    def method(client: AsyncBaseClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T]:
        return client.iterate(build(*args, **kwargs))

    return method


def subscription_method(
    build: Callable[P, Subscription[T]],
) -> Callable[Concatenate[AsyncBaseClient, P], AsyncGenerator[T]]:
    """Make a client method from a function that builds a subscription."""

    @wraps(build)
    def method(client: AsyncBaseClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T]:
        return client.listen(build(*args, **kwargs))

    return method


class AsyncTesseraClient(AsyncBaseClient):
    """Asynchronous client: `async with AsyncTesseraClient() as tessera: …`. Use one per event loop."""

    viewer = operation_method(catalog.viewer)
    create_team = operation_method(catalog.create_team)
    get_team = operation_method(catalog.get_team)
    find_team = operation_method(catalog.find_team)
    teams = pagination_method(catalog.teams)
    create_asset = operation_method(catalog.create_asset)
    update_asset = operation_method(catalog.update_asset)
    get_asset = operation_method(catalog.get_asset)
    find_asset = operation_method(catalog.find_asset)
    assets = pagination_method(catalog.assets)
    add_dependency = operation_method(catalog.add_dependency)
    register = operation_method(catalog.register)
    update_registration = operation_method(catalog.update_registration)
    unregister = operation_method(catalog.unregister)
    registrations = pagination_method(catalog.registrations)
    publish_contract = operation_method(publishing.publish_contract)
    contracts = pagination_method(publishing.contracts)
    get_contract = operation_method(publishing.get_contract)
    export_contract = operation_method(publishing.export_contract)
    retire_contract = operation_method(publishing.retire_contract)
    impact = operation_method(publishing.impact)
    diff = operation_method(publishing.diff)
    get_proposal = operation_method(publishing.get_proposal)
    proposals = pagination_method(publishing.proposals)
    acknowledge = operation_method(publishing.acknowledge)
    withdraw_proposal = operation_method(publishing.withdraw_proposal)
    publish_proposal = operation_method(publishing.publish_proposal)
    inbox = pagination_method(publishing.inbox)
    sync_dbt = operation_method(manifests.sync_dbt)
    dbt_impact = operation_method(manifests.dbt_impact)
    events = pagination_method(subscriptions.events)
    subscribe = subscription_method(subscriptions.subscribe)
    acknowledgment_requests = subscription_method(subscriptions.acknowledgment_requests)
    status_changes = subscription_method(subscriptions.status_changes)
