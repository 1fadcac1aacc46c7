"""Synchronous client. Keep it equal to the asynchronous one except for `await`; both perform the same effects."""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
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
from tessera_gql.client.multipart import ResponseReader
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tessera_gql.client.operations import catalog, manifests, publishing, subscriptions
from tessera_gql.client.websocket_exchange import MAX_MESSAGE_BYTES, PROTOCOL, DisconnectCallback, run_subscription

P = ParamSpec("P")
T = TypeVar("T")


class BaseClient:
    """Performs the effects of operations and subscriptions, blocking."""

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
        effects = execute_operation(operation, self.endpoint)
        result: Result = None
        try:
            while True:
                result = self._perform(effects.send(result))
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
            closing(_WebSocket()) as socket,
            closing(run_subscription(subscription, self.endpoint, self._on_disconnect)) as effects,
        ):
            yield from self._iter_messages(effects, socket)

    def _iter_messages(self, effects: Generator[Effect, Result, None], socket: "_WebSocket") -> Generator[Any]:
        result: Result = None
        while True:
            match effect := effects.send(result):
                case Emit(value=value):
                    yield value
                    result = None
                case Connect() | Send() | Receive():
                    result = socket.perform(effect)
                case _:
                    result = self._perform(effect)

    def _perform(self, effect: Effect) -> Result:
        match effect:
            case Post():
                return self._post(effect)
            case Pause(seconds=seconds):
                time.sleep(seconds)
                return None
            case _:
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


class _WebSocket:
    """The WebSocket of one subscription, replaced by each Connect."""

    def __init__(self) -> None:
        self._connection: ClientConnection | None = None
        self._stack = ExitStack()

    def close(self) -> None:
        self._connection = None
        self._stack.close()

    def perform(self, effect: Connect | Send | Receive) -> Result:
        match effect:
            case Connect():
                return self._connect(effect)
            case Send(text=text):
                return self._send(text)
            case Receive(timeout_seconds=seconds):
                return self._receive(seconds)

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
        except InvalidStatus as error:
            return TransportFailure(
                describe_connection_error(error), maybe_sent=False, status=error.response.status_code
            )
        except (OSError, InvalidHandshake, EOFError) as error:
            return TransportFailure(describe_connection_error(error), maybe_sent=False)
        except WebSocketException as error:  # invalid URL of the server or of a proxy
            return TransportFailure(type(error).__name__, maybe_sent=False)
        return SocketOpened()

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
            frame = error.rcvd
            return SocketClosed(frame.code, frame.reason) if frame else SocketClosed(1006, "")


def operation_method(build: Callable[P, Operation[T]]) -> Callable[Concatenate[BaseClient, P], T]:
    """Make a client method from a function that builds an operation."""

    @wraps(build)
    def method(client: BaseClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.run(build(*args, **kwargs))

    return method


def pagination_method(build: Callable[P, PaginatedQuery[T]]) -> Callable[Concatenate[BaseClient, P], Generator[T]]:
    """Make a client method from a function that builds a paginated query."""

    @wraps(build)
    def method(client: BaseClient, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        return client.iterate(build(*args, **kwargs))

    return method


def subscription_method(build: Callable[P, Subscription[T]]) -> Callable[Concatenate[BaseClient, P], Generator[T]]:
    """Make a client method from a function that builds a subscription."""

    @wraps(build)
    def method(client: BaseClient, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        return client.listen(build(*args, **kwargs))

    return method


class TesseraClient(BaseClient):
    """Synchronous client: `with TesseraClient() as tessera: …`. Use one per thread."""

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
