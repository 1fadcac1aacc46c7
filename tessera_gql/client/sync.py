"""`TesseraClient`: the verbs, each waited for. Only the waiting is here; its twin is `awaited`."""

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tessera_gql.client.exchange import exchange, lost, target, why_lost
from tessera_gql.client.forms import Hearing
from tessera_gql.client.operation import Listing, Operation, Subscription
from tessera_gql.client.operations import catalog, listening, manifests, publishing
from tessera_gql.client.steps import (
    Came,
    Closed,
    Connect,
    Emit,
    Lost,
    Opened,
    Pause,
    Post,
    Receive,
    Result,
    Send,
    Step,
    Text,
)
from tessera_gql.client.stream import MAX_MESSAGE_BYTES, PROTOCOL, Notice, listen

P = ParamSpec("P")
T = TypeVar("T")


class Connection:
    """Does the waiting, nothing else."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        retries: int = 4,
        on_disconnect: Notice | None = None,
    ) -> None:
        """What is not given comes from TESSERA_URL and TESSERA_API_KEY. `retries` come after the first attempt."""
        self.target = target(url, api_key, timeout_seconds=timeout_seconds, retries=retries)
        self._notice: Notice = on_disconnect or (lambda _reason: None)
        self._http = httpx.Client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def run(self, operation: Operation[T]) -> T:
        """The typed answer of one operation; raises a TesseraError."""
        steps = exchange(operation, self.target)
        result: Result = None
        try:
            while True:
                result = self._do(steps.send(result))
        except StopIteration as done:
            return cast("T", done.value)

    def iterate(self, listing: Listing[T]) -> Generator[T]:
        """All of it, a page at a time as it is read."""
        page = self.run(listing.first)
        yield from page.items
        while page.next:
            page = self.run(listing.behind(page.next))
            yield from page.items

    def listen(self, subscription: Subscription[T]) -> Generator[T]:
        """What happens, for as long as one listens; goes on by itself when the connection is lost."""
        with closing(_Socket()) as socket, closing(listen(subscription, self.target, self._notice)) as steps:
            yield from self._heard(steps, socket)

    def _heard(self, steps: Generator[Step, Result, None], socket: "_Socket") -> Generator[Any]:
        result: Result = None
        while True:
            match step := steps.send(result):
                case Emit(value=value):
                    yield value
                    result = None
                case Connect() | Send() | Receive():
                    result = socket.do(step)
                case _:
                    result = self._do(step)

    def _do(self, step: Step) -> Result:
        match step:
            case Post():
                return self._post(step)
            case Pause(seconds=seconds):
                time.sleep(seconds)
                return None
            case _:
                raise AssertionError(step)

    def _post(self, post: Post) -> Result:
        content = post.content if isinstance(post.content, bytes) else post.content.chunks()
        sent = self._http.stream("POST", post.url, headers=post.headers, content=content, timeout=post.timeout_seconds)
        heard = Hearing(post.hear)
        try:
            with sent as answer:
                for chunk in answer.iter_bytes():
                    heard.take(chunk)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return lost(error)
        return Came(answer.status_code, bytes(heard.body), answer.headers.get("retry-after"))


class _Socket:
    """The websocket of one subscription; another after each Connect."""

    def __init__(self) -> None:
        self._connection: ClientConnection | None = None
        self._stack = ExitStack()

    def close(self) -> None:
        self._connection = None
        self._stack.close()

    def do(self, step: Connect | Send | Receive) -> Result:
        match step:
            case Connect():
                return self._connect(step)
            case Send(text=text):
                return self._send(text)
            case Receive(timeout_seconds=seconds):
                return self._receive(seconds)

    def _connect(self, step: Connect) -> Result:
        self.close()
        try:
            opening = connect(
                step.url,
                subprotocols=[Subprotocol(PROTOCOL)],
                open_timeout=step.timeout_seconds,
                max_size=MAX_MESSAGE_BYTES,
            )
            self._connection = self._stack.enter_context(opening)
        except InvalidStatus as error:
            return Lost(why_lost(error), sent=False, status=error.response.status_code)
        except (OSError, InvalidHandshake, EOFError) as error:
            return Lost(why_lost(error), sent=False)
        except WebSocketException as error:  # an address, or that of a proxy, that websockets does not take
            return Lost(type(error).__name__, sent=False)
        return Opened()

    def _send(self, text: str) -> Result:
        if self._connection is not None:
            with suppress(ConnectionClosed):  # it is learnt by receiving
                self._connection.send(text)
        return None

    def _receive(self, seconds: float | None) -> Result:
        if self._connection is None:
            return Closed(1006, "")
        try:
            return Text(cast("str", self._connection.recv(seconds)))
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            closed = error.rcvd
            return Closed(closed.code, closed.reason) if closed else Closed(1006, "")


def verb(build: Callable[P, Operation[T]]) -> Callable[Concatenate[Connection, P], T]:
    """A method that runs the operation it is built from."""

    @wraps(build)
    def method(client: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client.run(build(*args, **kwargs))

    return method


def listing(build: Callable[P, Listing[T]]) -> Callable[Concatenate[Connection, P], Generator[T]]:
    @wraps(build)
    def method(client: Connection, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        return client.iterate(build(*args, **kwargs))

    return method


def listened(build: Callable[P, Subscription[T]]) -> Callable[Concatenate[Connection, P], Generator[T]]:
    @wraps(build)
    def method(client: Connection, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        return client.listen(build(*args, **kwargs))

    return method


class TesseraClient(Connection):
    """A client for programs that wait; `with TesseraClient() as tessera: …`. One per thread."""

    viewer = verb(catalog.viewer)
    create_team = verb(catalog.create_team)
    get_team = verb(catalog.get_team)
    find_team = verb(catalog.find_team)
    teams = listing(catalog.teams)
    create_asset = verb(catalog.create_asset)
    update_asset = verb(catalog.update_asset)
    get_asset = verb(catalog.get_asset)
    find_asset = verb(catalog.find_asset)
    assets = listing(catalog.assets)
    add_dependency = verb(catalog.add_dependency)
    register = verb(catalog.register)
    update_registration = verb(catalog.update_registration)
    unregister = verb(catalog.unregister)
    registrations = listing(catalog.registrations)
    publish_contract = verb(publishing.publish_contract)
    contracts = listing(publishing.contracts)
    get_contract = verb(publishing.get_contract)
    export_contract = verb(publishing.export_contract)
    retire_contract = verb(publishing.retire_contract)
    impact = verb(publishing.impact)
    diff = verb(publishing.diff)
    get_proposal = verb(publishing.get_proposal)
    proposals = listing(publishing.proposals)
    acknowledge = verb(publishing.acknowledge)
    withdraw_proposal = verb(publishing.withdraw_proposal)
    publish_proposal = verb(publishing.publish_proposal)
    inbox = listing(publishing.inbox)
    sync_dbt = verb(manifests.sync_dbt)
    dbt_impact = verb(manifests.dbt_impact)
    events = listing(listening.events)
    subscribe = listened(listening.subscribe)
    acknowledgment_requests = listened(listening.acknowledgment_requests)
    status_changes = listened(listening.status_changes)
