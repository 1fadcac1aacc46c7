"""Both databases, spoken to by their drivers: a transaction on a connection that a pool lends, statements as text."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import asyncpg
from sqlalchemy import PoolProxiedConnection, QueuePool, event
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.ext.asyncio import AsyncEngine

from tessera_gql.store.encryption import Keyring
from tessera_gql.store.sqlite_file import SQLiteFile
from tessera_gql.store.statements import Writer

T = TypeVar("T")

LAST_WORDS = ("08", "57P")
"""SQLSTATE classes of what a PostgreSQL says before it hangs up."""

ENDING_SECONDS = 5.0
"""A database that does not even take back what was begun is given up so much later."""

THREAD_SECONDS = 0.02

Watch: TypeAlias = Callable[[str, float], None]
"""Told of each statement when it has ended, with the seconds it took."""


class Driver(Protocol):
    async def script(self, text: str) -> None:
        """Runs statements that have no values."""
        ...

    async def fetch(self, text: str, values: Sequence[Any], row: type[Any] | None) -> list[Any]: ...

    async def run(self, text: str, values: Sequence[Any]) -> int:
        """The number of rows changed."""
        ...

    async def run_many(self, text: str, values: Sequence[Sequence[Any]]) -> None: ...

    async def take_back(self) -> None:
        """Ends the transaction, if one was begun."""
        ...

    def survives(self, error: BaseException) -> bool:
        """Whether the connection is good for more after this."""
        ...


@dataclass(frozen=True)
class PostgreSQL:
    connection: Any

    async def script(self, text: str) -> None:
        await self.connection.execute(text)

    async def fetch(self, text: str, values: Sequence[Any], row: type[Any] | None) -> list[Any]:
        return cast("list[Any]", await self.connection.fetch(text, *values, record_class=row))

    async def run(self, text: str, values: Sequence[Any]) -> int:
        said: str = await self.connection.execute(text, *values)
        number = said.rpartition(" ")[2]
        return int(number) if number.isdecimal() else 0

    async def run_many(self, text: str, values: Sequence[Sequence[Any]]) -> None:
        await self.connection.executemany(text, values)

    async def take_back(self) -> None:
        if self.connection.is_in_transaction():
            async with asyncio.timeout(ENDING_SECONDS):
                await self.connection.execute("ROLLBACK")

    def survives(self, error: BaseException) -> bool:
        if not isinstance(error, asyncpg.PostgresError) or self.connection.is_closed():
            return False
        return not str(getattr(error, "sqlstate", None) or "").startswith(LAST_WORDS)


@dataclass(frozen=True)
class SQLite:
    connection: Any

    async def script(self, text: str) -> None:
        await self.connection.execute_fetchall(text)

    async def fetch(self, text: str, values: Sequence[Any], row: type[Any] | None) -> list[Any]:
        found = await self.connection.execute_fetchall(text, values)
        return [*found] if row is None else [*map(row, found)]

    async def run(self, text: str, values: Sequence[Any]) -> int:
        async with self.connection.execute(text, values) as cursor:
            return max(0, int(cursor.rowcount))

    async def run_many(self, text: str, values: Sequence[Sequence[Any]]) -> None:
        async with self.connection.executemany(text, values):
            pass

    async def take_back(self) -> None:
        await self.connection.rollback()

    def survives(self, error: BaseException) -> bool:
        """Its thread goes on, though nobody may wait for it any more."""
        del error
        return True


class Opened:
    """Keeps count of an engine's connections. One that waits in the pool is had at once; only to open one, SQLAlchemy's
    greenlets are needed, which take longer than a short query. A connection that was lost leaves its place in the pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        if not isinstance(engine.pool, QueuePool):
            raise TypeError("an engine whose connections wait in a queue is needed")
        self._pool = engine.pool
        self._number = 0
        event.listen(engine.sync_engine, "connect", self._note)

    def _note(self, *_: object) -> None:
        self._number += 1

    def lose(self) -> None:
        self._number -= 1

    @property
    def one_waits(self) -> bool:
        return self._pool.checkedin() > 0 and self._number == self._pool.size() + self._pool.overflow()


@dataclass(frozen=True)
class Target:
    """The database that connections lead to: `name` as in messages, `file` if it is SQLite."""

    name: str
    keyring: Keyring
    file: SQLiteFile | None = None


@dataclass(frozen=True)
class Lane:
    """One way to a database: whose connections, and how a transaction on them begins; without that, each statement
    is one by itself.
    """

    engine: AsyncEngine
    begin: str
    writer: Writer
    watched: Sequence[Watch]
    opened: Opened
    target: Target

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    async def begun(self) -> "Transaction":
        """To be ended, whatever comes. Raises what the driver does, and FileLost."""
        if self.target.file is not None:
            self.target.file.check()
        held = self._idle() or await self._had()
        driver = (PostgreSQL if self.dialect == "postgresql" else SQLite)(held.driver_connection)
        transaction = Transaction(driver, self, held)
        try:
            await transaction.begin()
        except BaseException:
            await transaction.end()
            raise
        return transaction

    async def _had(self) -> PoolProxiedConnection:
        """From the pool, once it has one, or can open one."""
        try:
            return await self.engine.raw_connection()
        except Exception:
            if self.dialect == "sqlite":  # the driver's thread goes on for a moment, and may not outlive the event loop
                await asyncio.sleep(THREAD_SECONDS)
            raise

    def _idle(self) -> PoolProxiedConnection | None:
        try:
            return self.engine.sync_engine.raw_connection() if self.opened.one_waits else None
        except MissingGreenlet:  # one was lost unseen, and would have to be opened
            self.opened.lose()
            return None


class Transaction:
    """Statements of concurrent tasks queue up on the one connection."""

    def __init__(self, driver: Driver, lane: Lane, held: PoolProxiedConnection) -> None:
        self.lane = lane
        self._driver = driver
        self._held = held
        self._turn = asyncio.Lock()
        self._is_over = not lane.begin
        self._is_broken = False

    async def begin(self) -> None:
        if self.lane.begin:
            await self._said(None, self._driver.script, self.lane.begin)

    async def fetch(self, text: str, values: Sequence[Any], row: type[Any] | None) -> list[Any]:
        return await self._said(text, self._driver.fetch, text, values, row)

    async def run(self, text: str, values: Sequence[Any]) -> int:
        return await self._said(text, self._driver.run, text, values)

    async def run_many(self, text: str, values: Sequence[Sequence[Any]]) -> None:
        await self._said(text, self._driver.run_many, text, values)

    async def commit(self) -> None:
        if self.lane.target.file is not None:
            self.lane.target.file.check(is_committing=True)
        await self._said(None, self._driver.script, "COMMIT")
        self._is_over = True

    async def _said(self, text: str | None, work: Callable[..., Awaitable[T]], *given: Any) -> T:
        async with self._turn:
            started = time.perf_counter()
            try:
                return await work(*given)
            except BaseException as error:
                self._is_broken |= not self._driver.survives(error)
                raise
            finally:
                if text is not None:
                    for watch in self.lane.watched:
                        watch(text, time.perf_counter() - started)

    async def end(self) -> None:
        """What was not committed is taken back; if not even that can be done, the connection is thrown away."""
        try:
            if not (self._is_over or self._is_broken):
                await self._driver.take_back()
        except Exception:  # noqa: BLE001 - what was not committed is not kept, whatever it says
            self._is_broken = True
        except BaseException as error:
            self._is_broken = not self._driver.survives(error)
            raise
        finally:
            self._give_back()

    def _give_back(self) -> None:
        if self._is_broken:
            self._held.invalidate()
            self.lane.opened.lose()
        self._held.close()
