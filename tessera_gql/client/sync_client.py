"""Synchronous client. Keep it equal to the asynchronous one except for `await`; both perform the same effects."""

import time
from collections.abc import Generator
from contextlib import ExitStack, closing, suppress
from typing import Self, TypeVar, cast

import httpx
from typing_extensions import Unpack
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect
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
from tessera_gql.client.fair_semaphore import FairSemaphore
from tessera_gql.client.http_exchange import (
    build_connection_limits,
    build_timeout,
    execute_operation,
    to_transport_failure,
)
from tessera_gql.client.multipart import ResponseReader
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.websocket_exchange import (
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    run_subscription,
    to_handshake_failure,
    to_socket_closed,
)

T = TypeVar("T")


class BaseClient:
    """Executes operations and subscriptions, and blocks until they end."""

    def __init__(self, url: str | None = None, api_key: str | None = None, **options: Unpack[ClientOptions]) -> None:
        """TESSERA_URL and TESSERA_API_KEY are the defaults. Raises InvalidCall, InvalidArgument or BadRequest."""
        self.endpoint = resolve_endpoint(url, api_key, options)
        self._options = options
        self._connections = _Connections(options.get("max_connections", MAX_CONNECTIONS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._connections.close()

    def run(self, operation: Operation[T]) -> T:
        """Execute one operation and return its typed result; raises a TesseraError."""
        effects, transport = execute_operation(operation, self.endpoint), self._create_transport()
        result: Result = None
        try:
            while True:
                result = transport.perform(effects.send(result))
        except StopIteration as stop:
            return cast("T", stop.value)

    def iterate(self, query: PaginatedQuery[T]) -> Generator[T]:
        """Iterate over all items, loading each page when it is needed."""
        page = self.run(query.first_page)
        yield from page.items
        while page.next_cursor:
            page = self.run(query.page_after(page.next_cursor))
            yield from page.items

    def listen(self, subscription: Subscription[T]) -> Generator[T]:
        """Iterate over the messages of a subscription; reconnects and resumes when the connection is lost."""
        with (
            closing(self._create_transport()) as transport,
            closing(run_subscription(subscription, self.endpoint)) as effects,
        ):
            result: Result = None
            while True:
                effect = effects.send(result)
                if isinstance(effect, Emit):
                    yield effect.value
                    result = None
                else:
                    result = transport.perform(effect)

    def _create_transport(self) -> "_Transport":
        return _Transport(self._connections, self._options.get("on_disconnect") or (lambda _reason: None))


class _Connections:
    """The HTTP connections of a client. A request waits for its turn without a limit, then its time begins."""

    def __init__(self, max_connections: int) -> None:
        try:
            self._http_client = httpx.Client(limits=build_connection_limits(max_connections))
        except (ValueError, ImportError) as error:  # the environment has an unusable proxy
            raise InvalidArgument(f"The request can't be sent: {error}.") from None
        self._turns = FairSemaphore(max_connections)

    def close(self) -> None:
        self._http_client.close()

    def post(self, post: Post) -> Result:
        """Send a request and receive its response. Raises TesseraError after `close`."""
        with self._turns:
            if self._http_client.is_closed:
                raise TesseraError("This client is closed. Open another one.")
            return self._post(post)

    def _post(self, post: Post) -> Result:
        content = post.content if isinstance(post.content, bytes) else post.content.iter_chunks()
        request = self._http_client.stream(
            "POST", post.url, headers=post.headers, content=content, timeout=build_timeout(post)
        )
        deadline = time.monotonic() + post.timeout_seconds
        reader = ResponseReader(post.on_progress)
        try:
            with request as response:
                for chunk in response.iter_bytes():
                    reader.feed(chunk)
                    if time.monotonic() > deadline:  # the timeouts of httpx are for each chunk
                        raise TimeoutError
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return to_transport_failure(error)
        return HttpResponse(response.status_code, bytes(reader.body), response.headers.get("retry-after"))


class _Transport:
    """Performs the effects of one operation or subscription; each Connect replaces the WebSocket."""

    def __init__(self, connections: _Connections, on_disconnect: DisconnectCallback) -> None:
        self._connections = connections
        self._on_disconnect = on_disconnect
        self._connection: ClientConnection | None = None
        self._stack = ExitStack()

    def close(self) -> None:
        self._connection = None
        self._stack.close()

    def perform(self, effect: Effect) -> Result:
        match effect:
            case Post():
                return self._connections.post(effect)
            case Pause(seconds=seconds, reason=reason):
                self._on_disconnect(reason)
                time.sleep(seconds)
                return None
            case Connect():
                return self._connect(effect)
            case Send(text=text):
                return self._send(text)
            case Receive(timeout_seconds=seconds):
                return self._receive(seconds)
            case Emit():
                raise AssertionError(effect)

    def _connect(self, effect: Connect) -> Result:
        self.close()
        try:
            connection = connect(
                effect.url,
                subprotocols=[Subprotocol(PROTOCOL)],
                open_timeout=effect.timeout_seconds,
                max_size=MAX_MESSAGE_BYTES,
            )
            self._connection = self._stack.enter_context(connection)
        except (OSError, EOFError, WebSocketException) as error:
            return to_handshake_failure(error)
        except (ValueError, ImportError) as error:
            raise InvalidArgument(f"The request can't be sent: {error}.") from None
        return None

    def _send(self, text: str) -> Result:
        if self._connection is not None:
            with suppress(ConnectionClosed):  # reported by the next receive
                self._connection.send(text)
        return None

    def _receive(self, seconds: float | None) -> Result:
        if self._connection is None:
            return SocketClosed(1006, "")
        try:
            return TextMessage(cast("str", self._connection.recv(seconds)))
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            return to_socket_closed(error)
