"""Asynchronous client. Keep it equal to the synchronous one except for `await`; both perform the same effects."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing, suppress
from typing import Self, TypeVar, cast

import httpx
from typing_extensions import Unpack
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
from tessera_gql.client.endpoint import MAX_CONNECTIONS, ClientOptions, DisconnectCallback, resolve_endpoint
from tessera_gql.client.errors import InvalidArgument, TesseraError
from tessera_gql.client.http_exchange import (
    build_connection_limits,
    build_timeout,
    execute_operation,
    to_transport_failure,
)
from tessera_gql.client.multipart import MultipartForm, ResponseReader
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.websocket_exchange import (
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    run_subscription,
    to_handshake_failure,
    to_socket_closed,
)

T = TypeVar("T")


class AsyncBaseClient:
    """Executes operations and subscriptions on the event loop."""

    def __init__(self, url: str | None = None, api_key: str | None = None, **options: Unpack[ClientOptions]) -> None:
        """TESSERA_URL and TESSERA_API_KEY are the defaults. Raises InvalidCall, InvalidArgument or BadRequest."""
        self.endpoint = resolve_endpoint(url, api_key, options)
        self._options = options
        self._connections = _Connections(options.get("max_connections", MAX_CONNECTIONS))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connections.close()

    async def run(self, operation: Operation[T]) -> T:
        """Execute one operation and return its typed result; raises a TesseraError."""
        effects, transport = execute_operation(operation, self.endpoint), self._create_transport()
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
        async with aclosing(self._create_transport()) as transport:
            with closing(run_subscription(subscription, self.endpoint)) as effects:
                result: Result = None
                while True:
                    effect = effects.send(result)
                    if isinstance(effect, Emit):
                        yield effect.value
                        result = None
                    else:
                        result = await transport.perform(effect)

    def _create_transport(self) -> "_Transport":
        return _Transport(self._connections, self._options.get("on_disconnect") or (lambda _reason: None))


class _Connections:
    """The HTTP connections of a client. A request waits for its turn without a limit, then its time begins."""

    def __init__(self, max_connections: int) -> None:
        try:
            self._http_client = httpx.AsyncClient(limits=build_connection_limits(max_connections))
        except (ValueError, ImportError) as error:  # the environment has an unusable proxy
            raise InvalidArgument(f"The request can't be sent: {error}.") from None
        self._turns = asyncio.Semaphore(max_connections)

    async def close(self) -> None:
        await self._http_client.aclose()

    async def post(self, post: Post) -> Result:
        """Send a request and receive its response. Raises TesseraError after `close`."""
        async with self._turns:
            if self._http_client.is_closed:
                raise TesseraError("This client is closed. Open another one.")
            return await self._post(post)

    async def _post(self, post: Post) -> Result:
        content = post.content if isinstance(post.content, bytes) else _iter_chunks(post.content)
        request = self._http_client.stream(
            "POST", post.url, headers=post.headers, content=content, timeout=build_timeout(post)
        )
        reader = ResponseReader(post.on_progress)
        try:
            async with asyncio.timeout(post.timeout_seconds), request as response:
                async for chunk in response.aiter_bytes():
                    reader.feed(chunk)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return to_transport_failure(error)
        return HttpResponse(response.status_code, bytes(reader.body), response.headers.get("retry-after"))


class _Transport:
    """Performs the effects of one operation or subscription; each Connect replaces the WebSocket."""

    def __init__(self, connections: _Connections, on_disconnect: DisconnectCallback) -> None:
        self._connections = connections
        self._on_disconnect = on_disconnect
        self._connection: ClientConnection | None = None

    async def aclose(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def perform(self, effect: Effect) -> Result:
        match effect:
            case Post():
                return await self._connections.post(effect)
            case Pause(seconds=seconds, reason=reason):
                self._on_disconnect(reason)
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
        except (ValueError, ImportError) as error:
            raise InvalidArgument(f"The request can't be sent: {error}.") from None
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
