"""The GraphQL context of one operation: database sessions, dataloaders and the event stream.

Queries share one read-only transaction per operation. A write discards everything that was read before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

import strawberry
from graphql import GraphQLError, OperationDefinitionNode

from tessera_gql.compute import Computer, Pool
from tessera_gql.diff import Mode
from tessera_gql.errors import Unavailable
from tessera_gql.executor import AttributeReads
from tessera_gql.executor.streams import StreamStart
from tessera_gql.graphql import type_registry
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.policy.access import Actor
from tessera_gql.policy.visibility import redact_event, visibility_of
from tessera_gql.store.database import Database
from tessera_gql.store.events import with_actor
from tessera_gql.store.rows import TableLike
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventRow
from tessera_gql.workflows.dbt.progress import ReportProgress, ignore_progress

MAX_JSON_CHARACTERS = 32_000_000
"""Maximum characters of JSON columns, such as schemas and metadata, that one operation may read."""


class EventSource(Protocol):
    """Source of committed events: those after a sequence number, then live ones, in order and exactly once."""

    def subscribe(
        self, after: int | None, on_caught_up: Callable[[int], bool], /
    ) -> AbstractAsyncContextManager[AsyncIterator[EventRow]]:
        """Open a stream of events. `on_caught_up` gets the position after each backlog; True ends the stream."""
        ...


FindOperation: TypeAlias = Callable[[str, dict[str, Any]], OperationDefinitionNode | GraphQLError]
"""Checks a query with its variables and returns its only operation, or its first error."""


def refuse_documents(_query: str, _variables: dict[str, Any]) -> GraphQLError:
    return GraphQLError("This process checks no documents.")


@dataclass(frozen=True)
class Resources:
    """The resources of a process that its operations use, besides the database."""

    event_relay: EventSource | None = None
    git_sync_path: Path | None = None
    pool: Pool | None = None
    """The worker processes that compare schemas; None compares them in this process."""
    observe_batch: Callable[[int], None] | None = None
    """Called with the size of each batch of keys that is loaded."""
    find_operation: FindOperation = refuse_documents
    report_progress: ReportProgress = ignore_progress
    default_mode: Mode | None = None
    """The compatibility mode of new assets; None leaves it to the mutation."""
    usage_retention_days: int | None = None
    """The number of days for which imported reads are kept by day; None keeps them."""


NO_RESOURCES = Resources()


class Context(AbstractAsyncContextManager["Context"]):
    """The state that the resolvers of one operation share. Close it when the reply is computed."""

    def __init__(self, database: Database, actor: Actor, resources: Resources = NO_RESOURCES) -> None:
        self.database = database
        self.computer = Computer(resources.pool, actor.account)
        self.actor = actor
        self.git_sync_path = resources.git_sync_path
        self.report_progress = resources.report_progress
        self.find_operation = resources.find_operation
        self.default_mode = resources.default_mode
        self.usage_retention_days = resources.usage_retention_days
        self._event_relay = resources.event_relay
        self.listed_changes = 0
        """Number of schema changes listed in the reply so far."""
        self.computed_alternatives = 0
        self._observe_batch = resources.observe_batch
        self._session: Session | None = None
        self._source: AbstractAsyncContextManager[Any] | None = None
        """The source of the open session, to be left when it is closed."""
        self._session_lock = asyncio.Lock()
        self._selected_columns: Mapping[TableLike | None, frozenset[str]] = {}
        self._is_single = False
        self._is_live = False
        self._has_written = False
        self.from_replica = False
        """Whether a replica was read, so that a failed query may be retried on the primary."""

    @cached_property
    def loaders(self) -> Loaders:
        """The dataloaders, created on first use because they form a reference cycle with the context."""
        return Loaders(self.read_session, self.actor, self._observe_batch)

    async def read(self) -> Session:
        """Return the shared session of the operation, so that a reply is read from one database snapshot."""
        if self._session is not None:
            return self._session
        async with self._session_lock:
            return await self._open_session()

    async def _open_session(self) -> Session:
        if self._session is not None:  # a concurrent resolver has opened it while this one waited
            return self._session
        if self._has_written:
            source: AbstractAsyncContextManager[Session] = self.database.read()
        else:
            source = self.database.query(self.actor.name, single=self._is_single)
        self._session = session = await source.__aenter__()
        self._source = source
        session.selected_columns = self._selected_columns
        session.computer = self.computer
        session.json_characters = MAX_JSON_CHARACTERS
        self.from_replica |= session.from_replica
        return session

    async def subscribe(self, start: StreamStart) -> AsyncGenerator[EventRow]:
        """Stream committed events that the caller may see: those after the start, then live ones.

        Each query about an event opens its own session, so that an idle subscriber holds no connection.
        """
        if self._event_relay is None:
            raise Unavailable("This server delivers no events. Read `events(after:)` instead.")
        await self.close()
        visibility = visibility_of(self.actor)
        async with self._event_relay.subscribe(start.after, start.on_caught_up) as stream:
            async for row in stream:
                if (event := redact_event(visibility, row, with_actor)) is not None:
                    yield event

    def read_session(self) -> AbstractAsyncContextManager[Session]:
        """Return a context manager for the session of one query."""
        return self.database.read() if self._is_live else _SharedSession(self.read)

    @asynccontextmanager
    async def write(self, *, dry_run: bool = False, may_defer: bool = False) -> AsyncGenerator[Session]:
        """Open a write transaction. A dry run stays open for reading and is rolled back when the context closes.

        With `may_defer`, the caller must run the block again when it raises Deferred.
        """
        await self.close()
        self._has_written = True
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self.database.write(self.actor.name, dry_run=dry_run))
            session.computer, session.may_defer = self.computer, may_defer
            yield session
            session.may_defer = False
            if dry_run:
                self._source, self._session = stack.pop_all(), session

    def use_separate_sessions(self) -> None:
        """Switch to one session per query, because a slow subscriber must not hold a connection."""
        self._is_live = True
        if (loaders := vars(self).pop("loaders", None)) is not None:
            loaders.clear()

    def select_columns(self, reads: AttributeReads) -> None:
        """Load only the columns that the plan reads, by `Session.selected_columns`."""
        self._selected_columns = type_registry.columns_to_read(reads)
        self._is_single = reads.are_known and reads.load_count == 1

    async def reset(self) -> None:
        """Discard the dataloaders and the selection of columns but keep the database snapshot, if it can be read."""
        if "loaders" in vars(self):
            await self.loaders.close()
            vars(self).pop("loaders", None)
        self._selected_columns = {}
        self.listed_changes = 0
        self.computed_alternatives = 0
        has_failed = self._session is not None and self._session.has_failed and not self._has_written
        if self._session is not None:
            self._session.selected_columns = {}
        if self._is_single or has_failed:  # a single-statement session has no snapshot to keep
            self._is_single = False
            await self._close_session()

    async def close(self) -> None:
        """Close the open session. The context stays usable and opens a new one when needed."""
        await self.reset()
        await self._close_session()

    async def _close_session(self) -> None:
        source, self._source, self._session = self._source, None, None
        if source is not None:
            await source.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _SharedSession(AbstractAsyncContextManager[Session]):
    """The shared session of an operation. Leaving it does not close the session."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Awaitable[Session]]) -> None:
        self._read = read

    async def __aenter__(self) -> Session:
        return await self._read()

    async def __aexit__(self, *_: object) -> None: ...


Info: TypeAlias = strawberry.Info[Context, Any]
