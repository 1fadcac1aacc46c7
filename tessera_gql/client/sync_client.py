"""Synchronous client. Keep it equal to the asynchronous one except for `await`; both perform the same effects."""

import time
from collections.abc import Generator
from contextlib import ExitStack, closing, suppress
from typing import Self, TypeVar, cast

import httpx
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
from tessera_gql.client.http_exchange import execute_operation, resolve_endpoint, to_transport_failure
from tessera_gql.client.multipart import ResponseReader
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


class BaseClient:
    """Executes operations and subscriptions, and blocks until they end."""

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
        self._http_client = httpx.Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._http_client.close()

    def run(self, operation: Operation[T]) -> T:
        """Execute one operation and return its typed result; raises a TesseraError."""
        effects, transport = execute_operation(operation, self.endpoint), _Transport(self._http_client)
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
            closing(_Transport(self._http_client)) as transport,
            closing(run_subscription(subscription, self.endpoint, self._on_disconnect)) as effects,
        ):
            result: Result = None
            while True:
                effect = effects.send(result)
                if isinstance(effect, Emit):
                    yield effect.value
                    result = None
                else:
                    result = transport.perform(effect)


class _Transport:
    """Performs the effects of one operation or subscription; each Connect replaces the WebSocket."""

    def __init__(self, http_client: httpx.Client) -> None:
        self._http_client = http_client
        self._connection: ClientConnection | None = None
        self._stack = ExitStack()

    def close(self) -> None:
        self._connection = None
        self._stack.close()

    def perform(self, effect: Effect) -> Result:
        match effect:
            case Post():
                return self._post(effect)
            case Pause(seconds=seconds):
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

    def _post(self, post: Post) -> Result:
        content = post.content if isinstance(post.content, bytes) else post.content.iter_chunks()
        request = self._http_client.stream(
            "POST", post.url, headers=post.headers, content=content, timeout=post.timeout_seconds
        )
        reader = ResponseReader(post.on_progress)
        try:
            with request as response:
                for chunk in response.iter_bytes():
                    reader.feed(chunk)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return to_transport_failure(error)
        return HttpResponse(response.status_code, bytes(reader.body), response.headers.get("retry-after"))

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
