"""The database: `read()`, `query()` and `write()` are the only ways to a connection; only leaving `write()` commits.

Events are written last, under a short lock, so that `sequence` has no gaps and follows commit order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tessera_gql.errors import Unavailable
from tessera_gql.policy.events import Event
from tessera_gql.store import events
from tessera_gql.store.drivers import Lane, Watch
from tessera_gql.store.engine import DEFAULT, Options, connect, connect_replica
from tessera_gql.store.faults import translated
from tessera_gql.store.replica import CHECK_SECONDS, Borrowed, Replica
from tessera_gql.store.session import Session, transaction

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """Where everything is kept. `committed` is called with the events of each commit that left any."""

    def __init__(self, url: str, *, clock: Clock = utc_now, options: Options = DEFAULT) -> None:
        self.url = url
        self.clock = clock
        self.committed: list[Callable[[Sequence[Event]], None]] = []
        self._watched: list[Watch] = []
        self._lanes = connect(url, options, self._watched)
        self._replica: Replica | None = None

    @property
    def dialect(self) -> str:
        return self._lanes.writer.dialect

    @property
    def name(self) -> str:
        """As messages name it: without user and password."""
        return self._lanes.writer.target.name

    def watch(self, watch: Watch) -> Callable[[], None]:
        """From now on, until what is returned is called, it is told of each statement but those of migrations."""
        self._watched.append(watch)
        return lambda: self._watched.remove(watch)

    def read(self) -> "Opening":
        """A read-only transaction that sees one state of the database throughout."""
        return Opening(self._lanes.reader, self.clock)

    def follow(self, replica_url: str, *, age: timedelta, options: Options = DEFAULT) -> None:
        """From now on queries are read from this replica where that makes no difference to who asks."""
        lane = connect_replica(replica_url, options, self._watched)
        self._replica = Replica(lane, replace(self._lanes.writer, begin=""), self.clock, age)

    def query(self, actor: str, *, single: bool = False) -> AbstractAsyncContextManager[Session]:
        """As `read`, or from the replica: only if that holds whatever this actor has written.

        A `single` statement needs no transaction of its own.
        """
        if self._replica is not None:
            return self._read_from(self._replica, actor)
        return Opening(self._lanes.single, self.clock) if single else self.read()

    @asynccontextmanager
    async def _read_from(self, replica: Replica, actor: str) -> AsyncGenerator[Session]:
        async with AsyncExitStack() as stack:
            session = await self._borrow(stack, replica, actor)
            yield await stack.enter_async_context(self.read()) if session is None else session

    async def _borrow(self, stack: AsyncExitStack, replica: Replica, actor: str) -> Session | None:
        if not replica.is_there:
            return None
        needed = await replica.needed(actor)
        try:
            async with AsyncExitStack() as trial:
                async with asyncio.timeout(CHECK_SECONDS):
                    begun = await trial.enter_async_context(transaction(replica.lane))
                    session = Borrowed(begun, self.clock(), replica)
                    if not await replica.holds(session, needed):
                        return None
                stack.push_async_exit(trial.pop_all())
                return session
        except Unavailable as error:
            replica.lose(error.__cause__ or error)
        except TimeoutError:
            replica.lose("it does not answer")
        return None

    @asynccontextmanager
    async def write(self, actor: str = "system", *, dry_run: bool = False) -> AsyncGenerator[Session]:
        """All of it or nothing: rows and events are committed together on leaving, unless something was raised."""
        async with transaction(self._lanes.writer) as begun:
            session = Session(begun, self.clock(), actor)
            yield session
            if dry_run:
                return
            await events.write(session, session.events)
            with translated(self.name, committing=True):
                await begun.commit()
        if session.events:
            for tell in self.committed:
                tell(session.events)

    async def erase_overwritten(self) -> None:
        """Write SQLite's log into its file, so that values that were overwritten are in neither of them."""
        if self.dialect == "sqlite":
            async with transaction(replace(self._lanes.writer, begin="")) as single:
                with translated(self.name):
                    await single.run("PRAGMA wal_checkpoint(TRUNCATE)", ())

    async def dispose(self) -> None:
        if self._replica is not None:
            await self._replica.dispose()
        await self._lanes.dispose()


class Opening(AbstractAsyncContextManager[Session]):
    """A session that is open for as long as it is entered."""

    def __init__(self, lane: Lane, clock: Clock) -> None:
        self._transaction = transaction(lane)
        self._clock = clock

    async def __aenter__(self) -> Session:
        return Session(await self._transaction.__aenter__(), self._clock())

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.__aexit__()
