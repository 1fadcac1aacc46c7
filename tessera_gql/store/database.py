"""The database: `read()` and `write()` are the only ways to a connection, and only leaving `write()` commits.

Events are written last, under a short lock, so that `sequence` has no gaps and follows commit order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tessera_gql.policy.events import Event
from tessera_gql.store import events
from tessera_gql.store.engine import DEFAULT, Options, connect
from tessera_gql.store.session import Session, translated

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Database:
    """Where everything is kept. `committed` is called with the events of each commit that left any."""

    def __init__(self, url: str, *, clock: Clock = utc_now, options: Options = DEFAULT) -> None:
        self.url = url
        self.clock = clock
        self.committed: list[Callable[[Sequence[Event]], None]] = []
        self._engines = connect(url, options)

    @property
    def dialect(self) -> str:
        return self._engines.writer.dialect.name

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Session]:
        """A read-only transaction that sees one state of the database throughout."""
        async with _connection(self._engines.reader) as connection:
            yield Session(connection, self.clock())

    @asynccontextmanager
    async def write(self, actor: str = "system", *, dry_run: bool = False) -> AsyncGenerator[Session]:
        """All of it or nothing: rows and events are committed together on leaving, unless something was raised."""
        async with _connection(self._engines.writer) as connection:
            session = Session(connection, self.clock(), actor)
            yield session
            if dry_run:
                return
            await events.write(session, session.events)
            with translated(committing=True):
                await connection.commit()
        if session.events:
            for tell in self.committed:
                tell(session.events)

    async def dispose(self) -> None:
        await self._engines.dispose()


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    with translated():
        connection = await engine.connect()
    try:
        yield connection
    finally:
        await asyncio.shield(_give_back(connection))


async def _give_back(connection: AsyncConnection) -> None:
    """What was done is done, and what was not is not: a connection that breaks only now is thrown away, no more."""
    try:
        await connection.close()
    except DBAPIError:
        if not connection.closed:
            with suppress(DBAPIError):
                await connection.invalidate()
                await connection.close()
