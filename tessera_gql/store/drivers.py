"""Both databases, spoken to by their drivers: a transaction on a connection that a pool lends, statements as text."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import asyncpg
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from tessera_gql.store.statements import Writer

HEALTHY = (asyncpg.PostgresError, sqlite3.Error)
"""What a database says of a statement it has refused: the connection is as good as before."""

ENDING_SECONDS = 5.0
"""A database that does not even take back what was begun is given up so much later."""

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

    def is_closed(self) -> bool: ...


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

    def is_closed(self) -> bool:
        return bool(self.connection.is_closed())


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

    def is_closed(self) -> bool:
        return False


@dataclass(frozen=True)
class Lane:
    """One way to a database: whose connections, and how a transaction on them begins; without that, each statement
    is one by itself.
    """

    engine: AsyncEngine
    begin: str
    writer: Writer
    watched: Sequence[Watch]

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    async def begun(self) -> "Transaction":
        """To be ended, whatever comes. Raises what the driver does."""
        held = await self.engine.raw_connection()
        driver = (PostgreSQL if self.dialect == "postgresql" else SQLite)(held.driver_connection)
        transaction = Transaction(driver, self, held)
        try:
            await transaction.begin()
        except BaseException:
            await transaction.end()
            raise
        return transaction


class Transaction:
    """Statements of concurrent tasks queue up on the one connection."""

    def __init__(self, driver: Driver, lane: Lane, held: PoolProxiedConnection) -> None:
        self.lane = lane
        self._driver = driver
        self._held = held
        self._turn = asyncio.Lock()
        self._is_open = False
        self._is_broken = False

    async def begin(self) -> None:
        if self.lane.begin:
            await self._said(None, self._driver.script(self.lane.begin))
            self._is_open = True

    async def fetch(self, text: str, values: Sequence[Any], row: type[Any] | None) -> list[Any]:
        return cast("list[Any]", await self._said(text, self._driver.fetch(text, values, row)))

    async def run(self, text: str, values: Sequence[Any]) -> int:
        return cast("int", await self._said(text, self._driver.run(text, values)))

    async def run_many(self, text: str, values: Sequence[Sequence[Any]]) -> None:
        await self._said(text, self._driver.run_many(text, values))

    async def commit(self) -> None:
        await self._said(None, self._driver.script("COMMIT"))
        self._is_open = False

    async def _said(self, text: str | None, work: Any) -> Any:
        async with self._turn:
            started = time.perf_counter()
            try:
                return await work
            except HEALTHY:
                self._is_broken |= self._driver.is_closed()
                raise
            except BaseException:
                self._is_broken = True
                raise
            finally:
                if text is not None:
                    for watch in self.lane.watched:
                        watch(text, time.perf_counter() - started)

    async def end(self) -> None:
        """What was not committed is taken back, even if nobody waits for that."""
        await asyncio.shield(self._give_back())

    async def _give_back(self) -> None:
        """A connection that is broken, or becomes so now, is thrown away, and that is no failure."""
        try:
            if self._is_open and not self._is_broken:
                async with asyncio.timeout(ENDING_SECONDS):
                    await self._driver.script("ROLLBACK")
        except Exception:  # noqa: BLE001 - what was not committed is not kept, whatever it says
            self._is_broken = True
        if self._is_broken or self._driver.is_closed():
            self._held.invalidate()
        await greenlet_spawn(self._held.close)
