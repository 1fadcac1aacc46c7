"""The interface between the GraphQL routes and the application, and the registry of open sockets and streams."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Generator, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple, TypeAlias

from graphql import GraphQLError, GraphQLSchema
from starlette.datastructures import UploadFile

from tessera_gql.config import Executor, Profile
from tessera_gql.executor import ExecutorCounts, PlanPushdown
from tessera_gql.server.broadcast import Broadcaster
from tessera_gql.server.codec import RequestParams
from tessera_gql.server.concurrency import ConcurrencyLimiter
from tessera_gql.server.connection_limits import ConnectionLimiter, RefusalReason
from tessera_gql.server.documents import DocumentCache, Operation, PrepareResult
from tessera_gql.server.limits import Limits
from tessera_gql.server.persisted_queries import PersistedQueryCache
from tessera_gql.server.uploads import UploadLimiter
from tessera_gql.workflows.dbt.progress import ReportProgress

Identity: TypeAlias = Any
"""The value that `authenticate` returned. Its `ended: asyncio.Event`, if any, closes its sockets and streams."""


MAX_CLOSED_AT_ONCE = 25
"""Sockets and streams that are closed in one turn of the event loop."""


class Unauthenticated(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """The credential is missing, unknown, expired or revoked. The message is for the client."""


class CloseReason(Enum):
    """The reason why the server closes a socket or an event stream. SLOW is a client that does not read."""

    NO_INIT = "no init"
    RESTART = "restart"
    REVOKED = "revoked"
    SLOW = "slow"


class Message(NamedTuple):
    """An encoded message of an operation.

    `next` has a response as JSON, `error` a list of errors. Event streams send `progress` as a comment.
    """

    kind: Literal["next", "error", "progress"]
    body: bytes
    position: int | None = None
    """Position of the reported event in the event log."""


class EncodedReply(NamedTuple):
    """An encoded reply. Without `data` in it, `error_extensions` has the extensions of its first error."""

    body: bytes
    error_extensions: dict[str, Any] | None


@dataclass(frozen=True)
class Job:
    """A request for a worker process: its JSON, and its files by variable path. `operation` has no variables."""

    operation: Operation
    text: bytes
    files: Mapping[str, UploadFile]
    identity: Identity
    account: str
    """Account of the caller, which bounds its share of the worker processes."""


RunJob: TypeAlias = Callable[[Job, dict[str, Any], ReportProgress], Awaitable[EncodedReply]]
"""Executes a job with the `extensions` for its reply. Raises a coded GraphQLError if no worker could execute it."""


async def _refuse_job(_job: Job, _extensions: dict[str, Any], _report_progress: ReportProgress) -> EncodedReply:
    extensions = {"code": "UNAVAILABLE", "retryable": False}
    raise GraphQLError("This server takes no large requests. Send less at once.", extensions=extensions)


ObserveOperation: TypeAlias = Callable[
    [PrepareResult, Identity], AbstractContextManager[Callable[[dict[str, Any]], None]]
]
"""Creates a context manager around an operation. It yields a function to call with each reply."""


@dataclass(frozen=True, eq=False, repr=False)
class Transport:
    """The schema, callbacks, limits and open streams that the routes share.

    `components.create_components` binds the callbacks for a server, `upload_process.main` those for an upload worker.
    """

    schema: GraphQLSchema
    authenticate: Callable[[str | None], Awaitable[Identity]]
    """Resolves the `Authorization` value, or None, to an identity. Raises Unauthenticated."""
    open_operation_context: Callable[[Identity], AbstractAsyncContextManager[Any]]
    """Opens the GraphQL context of one operation, until its last reply is computed."""
    to_graphql_error: Callable[[Exception], GraphQLError | None] = lambda _error: None
    """Converts a failure that clients may see, such as an unavailable database; None masks it."""
    find_sharing_scope: Callable[[Identity], Hashable | None] = lambda _identity: None
    """Returns the visibility scope of an identity: equal subscriptions of one scope share an execution.
    None disables sharing."""
    find_caller_account: Callable[[Identity], Hashable | None] = lambda _identity: None
    """Returns the account for the concurrency limit and the limit of sockets and streams; None for no limits."""
    charge_rate_limit: Callable[[Identity, Operation], dict[str, Any]] = lambda _identity, _operation: {}
    """Charges the rate limit and returns the reply's `extensions`. Raises a coded GraphQLError."""
    execute_in_worker: RunJob = _refuse_job
    """Executes large requests in another process, so that this one serves other clients meanwhile."""
    get_upload_account: Callable[[Identity, str], str] = lambda _identity, address: address
    """Returns the account for the limit of large requests, from the identity and the client's address."""
    should_retry: Callable[[Any], bool] = lambda _context: False
    """Returns whether to retry a query after an unavailable database, given its context."""
    observe_operation: ObserveOperation = lambda _prepared, _identity: nullcontext(lambda _reply: None)
    limits: Limits = field(default_factory=Limits)
    profile: Profile = Profile.LOCKED
    executor: Executor = Executor.PUSHDOWN
    plan_pushdown: PlanPushdown | None = None
    """Decides which parts of a query the database returns as JSON, for the executor `pushdown`."""
    concurrency_limiter: ConcurrencyLimiter = field(default_factory=ConcurrencyLimiter)
    executor_counts: ExecutorCounts = field(default_factory=ExecutorCounts)
    open_streams: set[asyncio.Future[CloseReason]] = field(default_factory=set[asyncio.Future[CloseReason]])
    """A future for each open socket and event stream; it is done when the server wants the stream closed."""
    stream_counts: Counter[Hashable] = field(default_factory=Counter[Hashable])
    """Open sockets and event streams by account."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is to stop: it still serves, and is no longer ready."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    credential_streams: dict[asyncio.Event, CredentialStreams] = field(
        default_factory=dict[asyncio.Event, "CredentialStreams"]
    )
    """Open sockets and streams by the `ended` event of their identity."""

    @cached_property
    def document_cache(self) -> DocumentCache:
        return DocumentCache(self.schema, self.limits, self.profile)

    @cached_property
    def persisted_queries(self) -> PersistedQueryCache:
        return PersistedQueryCache(self.limits.persisted_query_bytes)

    def prepare(self, params: RequestParams) -> PrepareResult:
        """Return the operation of a request, or its errors. The request may name its document by a hash."""
        return self.persisted_queries.prepare(params, self.document_cache.prepare)

    @cached_property
    def broadcaster(self) -> Broadcaster[Message]:
        return Broadcaster(self.limits.send_queue)

    @cached_property
    def upload_limiter(self) -> UploadLimiter:
        return UploadLimiter(self.limits)

    @cached_property
    def connection_limiter(self) -> ConnectionLimiter:
        return ConnectionLimiter(self.limits)


@contextmanager
def open_stream(transport: Transport) -> Generator[asyncio.Future[CloseReason]]:
    """Register an open socket or event stream. The future is done when the server must close it."""
    future: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()
    transport.open_streams.add(future)
    if transport.closing.is_set():
        request_close(future, CloseReason.RESTART)
    try:
        yield future
    finally:
        future.cancel()
        transport.open_streams.discard(future)


def request_close(ended: asyncio.Future[CloseReason], reason: CloseReason) -> None:
    """Request the close of a socket or event stream, unless a close was requested before."""
    if not ended.done():
        ended.set_result(reason)


@dataclass(eq=False, slots=True)
class CredentialStreams:
    """The sockets and streams of one credential, with one task that waits for its revocation."""

    task: asyncio.Task[None]
    streams: set[asyncio.Future[CloseReason]] = field(default_factory=set[asyncio.Future[CloseReason]])


def bind_to_credential(transport: Transport, identity: Identity, ended: asyncio.Future[CloseReason]) -> None:
    """Count a socket or event stream for its caller, and close it when the credential ends. Requires `open_stream`.

    Raises the coded GraphQLError RATE_LIMITED if the caller has reached its limit.
    """
    _count_stream(transport, transport.find_caller_account(identity), ended)
    revoked: asyncio.Event | None = getattr(identity, "ended", None)
    if revoked is None:
        return
    if revoked.is_set():
        request_close(ended, CloseReason.REVOKED)
        return
    if (streams := transport.credential_streams.get(revoked)) is None:
        streams = transport.credential_streams[revoked] = CredentialStreams(
            asyncio.create_task(_end_on_revocation(transport, revoked))
        )
    streams.streams.add(ended)
    ended.add_done_callback(partial(_unregister, transport, revoked))


def _count_stream(transport: Transport, account: Hashable | None, ended: asyncio.Future[CloseReason]) -> None:
    if account is None:
        return
    limit = transport.limits.key_streams
    if transport.stream_counts[account] >= limit:
        transport.connection_limiter.refusals[RefusalReason.KEY] += 1
        raise GraphQLError(
            f"This key has {limit:,} sockets and streams, which is the limit. Close some of them first.",
            extensions={"code": "RATE_LIMITED", "limit": "key_streams", "allowed": limit, "retryAfter": 1},
        )
    transport.stream_counts[account] += 1

    def uncount(_ended: asyncio.Future[CloseReason]) -> None:
        transport.stream_counts[account] -= 1
        if not transport.stream_counts[account]:
            del transport.stream_counts[account]

    ended.add_done_callback(uncount)


async def _close_all(streams: Collection[asyncio.Future[CloseReason]], reason: CloseReason) -> None:
    """Request the close of many sockets and streams, a few in each turn of the event loop."""
    for number, ended in enumerate([*streams], start=1):
        request_close(ended, reason)
        if number % MAX_CLOSED_AT_ONCE == 0:
            await asyncio.sleep(0)


async def _end_on_revocation(transport: Transport, revoked: asyncio.Event) -> None:
    await revoked.wait()
    await _close_all(transport.credential_streams[revoked].streams, CloseReason.REVOKED)


def _unregister(transport: Transport, revoked: asyncio.Event, ended: asyncio.Future[CloseReason]) -> None:
    streams = transport.credential_streams[revoked]
    streams.streams.discard(ended)
    if not streams.streams:
        streams.task.cancel()
        del transport.credential_streams[revoked]


async def close_streams(transport: Transport, *, timeout_seconds: float = 5.0) -> None:
    """Close every socket and event stream, so that their clients reconnect to another process.

    Call it before the server waits for its connections to end, since open streams never end by themselves.
    """
    transport.closing.set()
    await _close_all(transport.open_streams, CloseReason.RESTART)
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            while transport.open_streams:  # noqa: ASYNC110 - an event per stream would serve this moment alone
                await asyncio.sleep(0.01)
