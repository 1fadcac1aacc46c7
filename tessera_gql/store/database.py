"""The database: `read()`, `query()` and `write()` open sessions, and only leaving `write()` commits.

Events are written last, under a short lock, so that `sequence` has no gaps and follows commit order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from tessera_gql.errors import Unavailable
from tessera_gql.policy.events import Event
from tessera_gql.store import events, search_index
from tessera_gql.store.connections import ConnectionSource, StatementObserver
from tessera_gql.store.engine import DEFAULT_OPTIONS, DatabaseOptions, create_replica_source, create_sources
from tessera_gql.store.faults import translate_faults
from tessera_gql.store.replica import CHECK_SECONDS, Replica, ReplicaSession
from tessera_gql.store.session import Session, transaction

Clock = Callable[[], datetime]
CommitObserver: TypeAlias = Callable[[Sequence[Event]], None]
"""Called with the events of a commit; with none after a commit of another process."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """A database and its optional replica."""

    def __init__(self, url: str, *, clock: Clock = utc_now, options: DatabaseOptions = DEFAULT_OPTIONS) -> None:
        self.url = url
        self.clock = clock
        self._commit_observers: list[CommitObserver] = []
        self._observers: list[StatementObserver] = []
        self._sources = create_sources(url, options, self._observers)
        self._replica: Replica | None = None

    @property
    def dialect(self) -> str:
        return self._sources.writer.dialect

    @property
    def name(self) -> str:
        """The database as messages name it, without user and password."""
        return self._sources.writer.target.name

    def observe_statements(self, observer: StatementObserver) -> Callable[[], None]:
        """Observe every statement except those of migrations; the returned function ends it."""
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    def observe_commits(self, observer: CommitObserver) -> Callable[[], None]:
        """Observe every commit that wrote events; the returned function ends it.

        The observers of a server are `EventRelay.wake`, `WebhookWorker.wake` and `Authenticator.on_commit`, which
        rejects a revoked key at once.
        """
        self._commit_observers.append(observer)
        return lambda: self._commit_observers.remove(observer)

    def notify_commit_observers(self, committed: Sequence[Event] = ()) -> None:
        """Call the observers after a commit. The pool of upload workers calls it without events after theirs."""
        self._forget_long_lists()
        for observe in self._commit_observers:
            observe(committed)

    def _forget_long_lists(self) -> None:
        self._sources.writer.target.long_lists.clear()
        if self._replica is not None:
            self._replica.source.target.long_lists.clear()

    def read(self) -> "SessionContext":
        """Begin a read-only transaction, which sees one snapshot of the primary."""
        return SessionContext(self._sources.reader, self.clock)

    def use_replica(self, replica_url: str, *, max_age: timedelta, options: DatabaseOptions = DEFAULT_OPTIONS) -> None:
        """Read queries from this replica while it is no older than `max_age` and holds the caller's own changes."""
        source = create_replica_source(replica_url, options, self._observers)
        self._replica = Replica(source, replace(self._sources.writer, begin_sql=""), self.clock, max_age)

    def query(self, actor: str, *, single: bool = False) -> AbstractAsyncContextManager[Session]:
        """Begin a read-only transaction on the replica if it holds all of the actor's changes, else on the primary.

        With `single` the session runs one statement, which needs no BEGIN.
        """
        if self._replica is not None:
            return self._read_from(self._replica, actor)
        return SessionContext(self._sources.single, self.clock) if single else self.read()

    @asynccontextmanager
    async def _read_from(self, replica: Replica, actor: str) -> AsyncGenerator[Session]:
        async with AsyncExitStack() as stack:
            session = await self._begin_on_replica(stack, replica, actor)
            yield await stack.enter_async_context(self.read()) if session is None else session

    async def _begin_on_replica(self, stack: AsyncExitStack, replica: Replica, actor: str) -> Session | None:
        if not replica.is_available:
            return None
        sequence = await replica.required_sequence(actor)
        try:
            async with AsyncExitStack() as trial:
                async with asyncio.timeout(CHECK_SECONDS):
                    replica_transaction = await trial.enter_async_context(transaction(replica.source))
                    session = ReplicaSession(replica_transaction, self.clock(), replica)
                    if not await replica.has_sequence(session, sequence):
                        return None
                stack.push_async_exit(trial.pop_all())
                return session
        except Unavailable as error:
            replica.suspend(error.__cause__ or error)
        except TimeoutError:
            replica.suspend("it does not answer")
        return None

    @asynccontextmanager
    async def write(self, actor: str = "system", *, dry_run: bool = False) -> AsyncGenerator[Session]:
        """Begin a transaction that commits its rows and events on leaving, unless an exception is raised."""
        async with transaction(self._sources.writer) as write_transaction:
            session = Session(write_transaction, self.clock(), actor)
            yield session
            if dry_run:
                return
            for work in [*session.before_commit.values()]:
                await work(session)
            await search_index.flush(session)
            await events.append(session, session.events)
            with translate_faults(self.name, is_committing=True):
                await write_transaction.commit()
            session.known_terms.update(session.new_terms)
        self._forget_long_lists()
        if session.events:
            self.notify_commit_observers(session.events)

    async def erase_overwritten(self) -> None:
        """Write SQLite's WAL into the database file, so that neither holds overwritten values any more."""
        if self.dialect == "sqlite":
            async with transaction(replace(self._sources.writer, begin_sql="")) as connection:
                with translate_faults(self.name):
                    await connection.run("PRAGMA wal_checkpoint(TRUNCATE)", ())

    async def dispose(self) -> None:
        if self._replica is not None:
            await self._replica.dispose()
        await self._sources.dispose()


class SessionContext(AbstractAsyncContextManager[Session]):
    """Opens a read-only session on entering and ends its transaction on leaving."""

    def __init__(self, source: ConnectionSource, clock: Clock) -> None:
        self._transaction = transaction(source)
        self._clock = clock

    async def __aenter__(self) -> Session:
        return Session(await self._transaction.__aenter__(), self._clock())

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.__aexit__()
