"""What resolvers are given: one read-only transaction a request; after a write, nothing read before counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias

import strawberry
from sqlalchemy import FromClause

from tessera_gql.compute import Computer, Pool
from tessera_gql.errors import Unavailable
from tessera_gql.executor import Reads
from tessera_gql.graphql import nouns
from tessera_gql.graphql.fanout import Course
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.policy.access import Actor
from tessera_gql.policy.visibility import view_of, visible_event
from tessera_gql.store.database import Database
from tessera_gql.store.events import renamed
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventRow
from tessera_gql.workflows.manifest_progress import Tell, silent

MAX_JSON_CHARACTERS = 32_000_000
"""Of schemas, metadata and other JSON columns that one operation may read."""


class Bus(Protocol):
    """Where committed events come from: first everything after the sequence given, then live; in order, each once."""

    def subscribe(
        self, after: int | None, caught_up: Callable[[int], bool]
    ) -> AbstractAsyncContextManager[AsyncIterator[EventRow]]:
        """`caught_up` is told the place whenever there is nothing more for now; if True, the events end there."""
        ...


class Context:
    """One per operation; `close` it when the answer is computed. `asking` is told of each batch of keys."""

    def __init__(
        self,
        database: Database,
        actor: Actor,
        bus: Bus | None = None,
        git_sync_path: Path | None = None,
        asking: Callable[[int], None] | None = None,
        pool: Pool | None = None,
    ) -> None:
        self.database = database
        self.computer = Computer(pool, actor.account)
        self.actor = actor
        self._bus = bus
        self.git_sync_path = git_sync_path
        self.tell: Tell = silent
        self.course = Course()
        self.changes_listed = 0
        """Changes of schemas that the answer holds so far."""
        self._asking = asking
        self._session: Session | None = None
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._narrowed: Mapping[FromClause | None, frozenset[str]] = {}
        self._is_single = False
        self._live = False
        self._wrote = False
        self.from_replica = False
        """Whether anything was read there: what failed may be had from the primary."""

    @cached_property
    def loaders(self) -> Loaders:
        """Made when first used, so that a closed context is in no cycle: its loaders refer to it."""
        return Loaders(self.reading, self.actor, self._asking)

    async def read(self) -> Session:
        """The request's session; everything in one answer is read from one state of the database."""
        if self._session is not None:
            return self._session
        async with self._opening:
            return await self._opened()

    async def _opened(self) -> Session:
        if self._session is not None:  # by another, meanwhile
            return self._session
        if self._wrote:
            source: AbstractAsyncContextManager[Session] = self.database.read()
        else:
            source = self.database.query(self.actor.name, single=self._is_single)
        self._session = session = await self._open.enter_async_context(source)
        session.narrowed = self._narrowed
        session.computer = self.computer
        session.json_characters = MAX_JSON_CHARACTERS
        self.from_replica |= session.from_replica
        return session

    async def happened(self, after: int | None) -> AsyncGenerator[EventRow]:
        """Committed events as the caller sees them: those behind a sequence, then live ones.

        Each question about an event opens a session of its own, so that a waiting subscriber holds no connection.
        """
        if self._bus is None:
            raise Unavailable("This server delivers no events. Read `events(after:)` instead.")
        await self.close()
        view = view_of(self.actor)
        async with self._bus.subscribe(after, self.course.caught_up) as stream:
            async for row in stream:
                if (event := visible_event(view, row, renamed)) is not None:
                    yield event

    def reading(self) -> AbstractAsyncContextManager[Session]:
        """To be entered for one question."""
        return self.database.read() if self._live else _Shared(self.read)

    @asynccontextmanager
    async def write(self, *, dry_run: bool = False, may_defer: bool = False) -> AsyncGenerator[Session]:
        """One transaction. A dry run stays open so that its answer can be read, and is rolled back with the context.

        `may_defer`: the caller runs it again when it raises Deferred.
        """
        await self.close()
        self._wrote = True
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(self.database.write(self.actor.name, dry_run=dry_run))
            session.computer, session.may_defer = self.computer, may_defer
            yield session
            session.may_defer = False
            if dry_run:
                self._open, self._session = stack.pop_all(), session

    def live(self) -> None:
        """For a subscription: each question opens its own session, because a slow reader must not hold a connection."""
        self._live = True
        if (loaders := self.__dict__.pop("loaders", None)) is not None:
            loaders.forget()

    def narrow(self, reads: Reads) -> None:
        """Nobody will look at more than this."""
        self._narrowed = nouns.columns(reads)
        self._is_single = reads.are_known and reads.questions == 1

    async def renew(self) -> None:
        """Forgets what was read and who wanted what of it, but not the state it was read from."""
        if "loaders" in self.__dict__:
            await self.loaders.close()
            self.__dict__.pop("loaders", None)
        self._narrowed = {}
        self.changes_listed = 0
        if self._session is not None:
            self._session.narrowed = {}
        if self._is_single:  # there is no state that two statements would share
            self._is_single, self._session = False, None
            await self._open.aclose()

    async def close(self) -> None:
        """Ends what is open; the context can still be used, and reads anew."""
        await self.renew()
        self._session = None
        await self._open.aclose()


class _Shared(AbstractAsyncContextManager[Session]):
    """The request's session, which stays open."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Awaitable[Session]]) -> None:
        self._read = read

    async def __aenter__(self) -> Session:
        return await self._read()

    async def __aexit__(self, *_: object) -> None: ...


Info: TypeAlias = strawberry.Info[Context, None]


@asynccontextmanager
async def opened(
    database: Database,
    actor: Actor,
    bus: Bus | None = None,
    git_sync_path: Path | None = None,
    asking: Callable[[int], None] | None = None,
    pool: Pool | None = None,
) -> AsyncGenerator[Context]:
    context = Context(database, actor, bus, git_sync_path, asking, pool)
    try:
        yield context
    finally:
        await context.close()
