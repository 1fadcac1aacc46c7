"""The interface between the GraphQL routes and the application, and the registry of open sockets and streams."""

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
"""The value that `authenticate` returned. Its `ended: asyncio.Event`, if any, closes its sockets and streams."""


class Unauthenticated(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The credential is missing, unknown, expired or revoked. The message is for the client."""


class Ending(Enum):
    """The reason why the server closes a socket or an event stream. SLOW is a client that does not read."""

    NO_INIT = "no init"
    RESTART = "restart"
    REVOKED = "revoked"
    SLOW = "slow"


class Executor(StrEnum):
    """The executor of queries: PLANNED works level by level, REFERENCE is graphql-core. Their results are equal."""

    PLANNED = "planned"
    REFERENCE = "reference"


class Message(NamedTuple):
    """An encoded message of an operation.

    `next` has a response as JSON, `error` a list of errors. Event streams send `progress` as a comment.
    """

    kind: Literal["next", "error", "progress"]
    body: bytes
    position: int | None = None
    """Position of the reported event in the event log."""


class Answer(NamedTuple):
    """An encoded reply. Without `data` in it, `why` has the extensions of its first error."""

    body: bytes
    why: dict[str, Any] | None


@dataclass(frozen=True)
class Job:
    """A request for a worker process: its JSON, and its files by variable path. `operation` has no variables."""

    operation: Operation
    text: bytes
    files: Mapping[str, UploadFile]
    identity: Identity
    account: str
    """Account of the caller, which bounds its share of the worker processes."""


Work: TypeAlias = Callable[[Job, dict[str, Any], Tell], Awaitable[Answer]]
"""Executes a job with the `extensions` for its reply. Raises a coded GraphQLError if no worker could execute it."""


def _use_address(_identity: Identity, address: str) -> str:
    return address


def _return_none(_identity: Identity) -> None:
    return None


def _admit_all(_identity: Identity, _operation: Operation) -> dict[str, Any]:
    return {}


def _never_retry(_context: Any) -> bool:
    return False


def _mask_all(_error: Exception) -> GraphQLError | None:
    return None


Watch: TypeAlias = Callable[[Prepared, Identity], AbstractContextManager[Callable[[dict[str, Any]], None]]]
"""Creates a context manager around an operation. It yields a function to call with each reply."""


def _observe_nothing(
    _prepared: Prepared, _identity: Identity
) -> AbstractContextManager[Callable[[dict[str, Any]], None]]:
    return nullcontext(_ignore_reply)


def _ignore_reply(_reply: dict[str, Any]) -> None: ...


@dataclass(frozen=True, eq=False)
class Transport:
    """The schema, callbacks, limits and open streams that the routes share.

    Operations bypass Strawberry's pipeline, so schema extensions are rejected.
    """

    schema: strawberry.Schema
    authenticate: Callable[[str | None], Awaitable[Identity]]
    """Resolves the `Authorization` value, or None, to an identity. Raises Unauthenticated."""
    context: Callable[[Identity], AbstractAsyncContextManager[Any]]
    """Opens the GraphQL context of one operation, until its last reply is computed."""
    translate: Callable[[Exception], GraphQLError | None] = _mask_all
    """Converts a failure that clients may see, such as an unavailable database; None masks it."""
    scope: Callable[[Identity], Hashable | None] = _return_none
    """Returns the visibility scope of an identity: equal subscriptions of one scope share an execution.
    None disables sharing."""
    caller: Callable[[Identity], Hashable | None] = _return_none
    """Returns the account for the concurrency limit and the limit of sockets and streams; None for no limits."""
    admit: Callable[[Identity, Operation], dict[str, Any]] = _admit_all
    """Charges the rate limit and returns the reply's `extensions`. Raises a coded GraphQLError."""
    worker: Work | None = None
    """Executes large requests in another process, so that this one serves other clients meanwhile."""
    upload_account: Callable[[Identity, str], str] = _use_address
    """Returns the account for the limit of large requests, from the identity and the client's address."""
    repeat: Callable[[Any], bool] = _never_retry
    """Returns whether to retry a query after an unavailable database, given its context."""
    watch: Watch = _observe_nothing
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
    """Open sockets and streams by the `ended` event of their identity."""

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
    """Register an open socket or event stream. The future is done when the server must close it."""
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
    """Request the close of a socket or event stream, unless a close was requested before."""
    if not ended.done():
        ended.set_result(reason)


@dataclass(eq=False, slots=True)
class Revocable:
    """The sockets and streams of one credential, with one task that waits for its revocation."""

    watch: asyncio.Task[None]
    live: set[asyncio.Future[Ending]] = field(default_factory=set[asyncio.Future[Ending]])


def end_with(transport: Transport, identity: Identity, ended: asyncio.Future[Ending]) -> None:
    """Count a socket or event stream for its caller and close it when the credential ends. Call it within `ending`.

    Raises the coded GraphQLError RATE_LIMITED if the caller has reached its limit.
    """
    _count_stream(transport, transport.caller(identity), ended)
    revoked: asyncio.Event | None = getattr(identity, "ended", None)
    if revoked is None:
        return
    if revoked.is_set():
        end(ended, Ending.REVOKED)
        return
    if (streams := transport.revocable.get(revoked)) is None:
        streams = transport.revocable[revoked] = Revocable(asyncio.create_task(_end_on_revocation(transport, revoked)))
    streams.live.add(ended)
    ended.add_done_callback(partial(_unregister, transport, revoked))


def _count_stream(transport: Transport, account: Hashable | None, ended: asyncio.Future[Ending]) -> None:
    if account is None:
        return
    limit = transport.limits.key_streams
    if transport.streams[account] >= limit:
        transport.connections.refusals[Reason.KEY] += 1
        raise GraphQLError(
            f"This key has {limit:,} sockets and streams, which is the limit. Close some of them first.",
            extensions={"code": "RATE_LIMITED", "limit": "key_streams", "allowed": limit, "retryAfter": 1},
        )
    transport.streams[account] += 1

    def uncount(_ended: asyncio.Future[Ending]) -> None:
        transport.streams[account] -= 1
        if not transport.streams[account]:
            del transport.streams[account]

    ended.add_done_callback(uncount)


async def _end_on_revocation(transport: Transport, revoked: asyncio.Event) -> None:
    await revoked.wait()
    for ended in [*transport.revocable[revoked].live]:
        end(ended, Ending.REVOKED)


def _unregister(transport: Transport, revoked: asyncio.Event, ended: asyncio.Future[Ending]) -> None:
    streams = transport.revocable[revoked]
    streams.live.discard(ended)
    if not streams.live:
        streams.watch.cancel()
        del transport.revocable[revoked]


async def drain(transport: Transport, *, patience_seconds: float = 5.0) -> None:
    """Close every socket and event stream, so that their clients reconnect to another process.

    Call it before the server waits for its connections to end, since open streams never end by themselves.
    """
    transport.closing.set()
    for ended in transport.live:
        end(ended, Ending.RESTART)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_seconds):
            while transport.live:  # noqa: ASYNC110 - an event per stream would serve this moment alone
                await asyncio.sleep(0.01)
