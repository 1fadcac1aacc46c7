"""What the routes know of the application, and how what is open on them is asked to end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple, TypeAlias

import strawberry
from graphql import GraphQLError, GraphQLSchema
from starlette.datastructures import UploadFile

from tessera_gql.executor import Tally
from tessera_gql.graphql.connection_limits import ConnectionLimiter, Reason
from tessera_gql.graphql.documents import Documents, Operation, Prepared, Profile
from tessera_gql.graphql.fanout import Fanout
from tessera_gql.graphql.limit_values import Limits
from tessera_gql.graphql.turns import Turns
from tessera_gql.graphql.uploads import Uploads
from tessera_gql.workflows.manifest_progress import Tell

Identity: TypeAlias = Any
"""Whatever `authenticate` returned. An `ended: asyncio.Event` on it, once set, ends its sockets and streams."""


class Unauthenticated(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The credential is missing, unknown, expired or revoked; the message says which and what next."""


class Ending(Enum):
    """Why the server closes a socket or an event stream; SLOW is a client that does not read what it is sent."""

    NO_INIT = "no init"
    RESTART = "restart"
    REVOKED = "revoked"
    SLOW = "slow"


class Executor(StrEnum):
    """PLANNED answers queries level by level, REFERENCE has graphql-core answer them; what they answer is the same."""

    PLANNED = "planned"
    REFERENCE = "reference"


class Message(NamedTuple):
    """A reply as JSON: a whole response, or, of an operation that ended in failure, the list of its errors.

    `progress` is how far an operation has come; only an event stream tells it, as a comment.
    """

    kind: Literal["next", "error", "progress"]
    body: bytes
    position: int | None = None
    """In the log that the operation follows, of the event it tells of."""


class Answer(NamedTuple):
    """A reply as it is sent; without `data` in it, `why` has the extensions of its first error."""

    body: bytes
    why: dict[str, Any] | None


@dataclass(frozen=True)
class Job:
    """A request for a worker process: its JSON, and its files by their places in the variables, which `operation` is
    left without.
    """

    operation: Operation
    text: bytes
    files: Mapping[str, UploadFile]
    identity: Identity
    account: str
    """Of the caller; no caller has all worker processes to itself."""


Work: TypeAlias = Callable[[Job, dict[str, Any], Tell], Awaitable[Answer]]
"""Executes a job; the dict is for the reply's `extensions`. Raises a coded GraphQLError when that was impossible."""


def _account(_identity: Identity, address: str) -> str:
    return address


def _alone(_identity: Identity) -> None:
    return None


def _admitted(_identity: Identity, _operation: Operation) -> dict[str, Any]:
    return {}


def _once(_context: Any) -> bool:
    return False


def _untranslated(_error: Exception) -> GraphQLError | None:
    return None


Watch: TypeAlias = Callable[[Prepared, Identity], AbstractContextManager[Callable[[dict[str, Any]], None]]]
"""Entered as an operation begins, left as it ends; what it yields is told of each reply."""


def _unwatched(_prepared: Prepared, _identity: Identity) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:
    return nullcontext(_untold)


def _untold(_reply: dict[str, Any]) -> None: ...


@dataclass(frozen=True, eq=False)
class Transport:
    """All that the routes need to know of the application.

    Schema extensions are not run: a thin pipeline of our own replaces the one that would run them.
    """

    schema: strawberry.Schema
    authenticate: Callable[[str | None], Awaitable[Identity]]
    """The `Authorization` value, or None, to who is asking. Raises Unauthenticated."""
    context: Callable[[Identity], AbstractAsyncContextManager[Any]]
    """One per operation: yields what resolvers get, and closes once the answer, or the last of them, is computed."""
    translate: Callable[[Exception], GraphQLError | None] = _untranslated
    """Failures of ours that a client should see as they are, such as a database that is away; None masks."""
    scope: Callable[[Identity], Hashable | None] = _alone
    """Subscriptions that ask the same in the same scope must get the same: they are executed and written once.
    None has those of an identity executed for itself."""
    caller: Callable[[Identity], Hashable | None] = _alone
    """Who takes turns with others, and whose sockets and event streams are counted together; None where callers are
    not distinguished."""
    admit: Callable[[Identity, Operation], dict[str, Any]] = _admitted
    """What an operation takes of its caller's budget, for the reply's `extensions`; raises a coded GraphQLError."""
    worker: Work | None = None
    """Executes large requests in another process, so that this one serves other clients meanwhile."""
    upload_account: Callable[[Identity, str], str] = _account
    """Whose limit of large requests counts: by the identity, and by the address that the request came from."""
    repeat: Callable[[Any], bool] = _once
    """Whether a query that found the database away is worth asking once more, by the context it had."""
    watch: Watch = _unwatched
    limits: Limits = field(default_factory=Limits)
    profile: Profile = Profile.LOCKED
    executor: Executor = Executor.PLANNED
    turns: Turns = field(default_factory=Turns, repr=False)
    """Of queries."""
    tally: Tally = field(default_factory=Tally, repr=False)
    """How queries were executed."""
    live: set[asyncio.Future[Ending]] = field(default_factory=set[asyncio.Future[Ending]], repr=False)
    """One per open socket or event stream; done when the server wants it closed."""
    streams: Counter[Hashable] = field(default_factory=Counter[Hashable], repr=False)
    """Open sockets and event streams by account."""
    closing: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    revocable: dict[asyncio.Event, Revocable] = field(default_factory=dict[asyncio.Event, "Revocable"], repr=False)
    """By the `ended` of an identity: what lives on it."""

    def __post_init__(self) -> None:
        if self.schema.extensions or self.schema.directives:
            raise ValueError("The transports run neither schema extensions nor operation directives: remove them.")

    @cached_property
    def documents(self) -> Documents:
        return Documents(self.core, self.limits, self.profile)

    @cached_property
    def fanout(self) -> Fanout[Message]:
        return Fanout(self.limits.send_queue)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.limits)

    @cached_property
    def connections(self) -> ConnectionLimiter:
        return ConnectionLimiter(self.limits)

    @property
    def core(self) -> GraphQLSchema:
        return self.schema._schema  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it has no public name


@contextmanager
def ending(transport: Transport) -> Generator[asyncio.Future[Ending]]:
    """For as long as a socket or event stream is open: done when it must close."""
    future: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    transport.live.add(future)
    if transport.closing.is_set():
        end(future, Ending.RESTART)
    try:
        yield future
    finally:
        future.cancel()
        transport.live.discard(future)


def end(ended: asyncio.Future[Ending], reason: Ending) -> None:
    if not ended.done():
        ended.set_result(reason)


@dataclass(eq=False, slots=True)
class Revocable:
    """What ends with one credential: a task watches for all of it, because thousands may share one."""

    watch: asyncio.Task[None]
    live: set[asyncio.Future[Ending]] = field(default_factory=set[asyncio.Future[Ending]])


def end_with(transport: Transport, identity: Identity, ended: asyncio.Future[Ending]) -> None:
    """Count a socket or event stream for its caller and end it when the credential ends. To be called within `ending`.

    Raises the coded GraphQLError RATE_LIMITED if the caller has as many as it may.
    """
    _count(transport, transport.caller(identity), ended)
    revoked: asyncio.Event | None = getattr(identity, "ended", None)
    if revoked is None:
        return
    if revoked.is_set():
        end(ended, Ending.REVOKED)
        return
    if (found := transport.revocable.get(revoked)) is None:
        found = transport.revocable[revoked] = Revocable(asyncio.create_task(_watch(transport, revoked)))
    found.live.add(ended)
    ended.add_done_callback(partial(_leave, transport, revoked))


def _count(transport: Transport, account: Hashable | None, ended: asyncio.Future[Ending]) -> None:
    if account is None:
        return
    most = transport.limits.key_streams
    if transport.streams[account] >= most:
        transport.connections.refusals[Reason.KEY] += 1
        raise GraphQLError(
            f"This key has {most:,} sockets and streams, which is the limit. Close some of them first.",
            extensions={"code": "RATE_LIMITED", "limit": "key_streams", "allowed": most, "retryAfter": 1},
        )
    transport.streams[account] += 1

    def uncount(_ended: asyncio.Future[Ending]) -> None:
        transport.streams[account] -= 1
        if not transport.streams[account]:
            del transport.streams[account]

    ended.add_done_callback(uncount)


async def _watch(transport: Transport, revoked: asyncio.Event) -> None:
    await revoked.wait()
    for ended in [*transport.revocable[revoked].live]:
        end(ended, Ending.REVOKED)


def _leave(transport: Transport, revoked: asyncio.Event, ended: asyncio.Future[Ending]) -> None:
    found = transport.revocable[revoked]
    found.live.discard(ended)
    if not found.live:
        found.watch.cancel()
        del transport.revocable[revoked]


async def drain(transport: Transport, *, patience_seconds: float = 5.0) -> None:
    """Close every socket and event stream, so that their clients reconnect elsewhere.

    To be called before the server waits for its connections to end: it would wait for streams forever.
    """
    transport.closing.set()
    for ended in transport.live:
        end(ended, Ending.RESTART)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            while transport.live:  # noqa: ASYNC110 - an event per stream would serve this moment alone
                await asyncio.sleep(0.01)
