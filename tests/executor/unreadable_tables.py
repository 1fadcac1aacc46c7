"""Make tables of a database unreadable for the server: each statement that reads them fails, in any executor.

PostgreSQL withdraws the right from the server's role; SQLite asks an authorizer whether a statement may read a table.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import event
from sqlalchemy.util import await_only

from tessera_gql.store.database import Clock, Database
from tessera_gql.store.engine import parse_url, to_asyncpg_url
from tessera_gql.store.tables.base import Base

TABLES = sorted(Base.metadata.tables)
SCHEMAS = sorted({str(table.schema) for table in Base.metadata.tables.values()})
ROLE = f"executor_{os.getpid()}"


class SQLiteFaults:
    """An SQLite file of which some tables can be made unreadable."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.database = Database(url, clock=clock)
        self.connections: list[Any] = []
        self.unreadable: frozenset[str] = frozenset()
        for source in (self.database._sources.reader, self.database._sources.single):
            event.listen(source.engine.sync_engine, "connect", self._watch)

    def _watch(self, connection: Any, _record: Any) -> None:
        self.connections.append(connection.driver_connection)
        await_only(connection.driver_connection.set_authorizer(self._authorize))

    def _authorize(self, action: int, table: str | None, *_: object) -> int:
        is_refused = action == sqlite3.SQLITE_READ and table in self.unreadable
        return sqlite3.SQLITE_DENY if is_refused else sqlite3.SQLITE_OK

    async def make_unreadable(self, tables: Iterable[str]) -> None:
        self.unreadable = frozenset(name.rpartition(".")[2] for name in tables)
        for connection in self.connections:  # prepared statements are authorized again
            await connection.set_authorizer(self._authorize)


class PostgreSQLFaults:
    """A PostgreSQL database of which some tables can be made unreadable, for a role that is not its owner."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.owner_url = url
        self.database = Database(parse_url(url).set(username=ROLE).render_as_string(hide_password=False), clock=clock)
        self.unreadable: frozenset[str] = frozenset()

    async def make_unreadable(self, tables: Iterable[str]) -> None:
        before, self.unreadable = self.unreadable, frozenset(tables)
        await _run_as_owner(
            self.owner_url,
            *(f"GRANT SELECT ON {name} TO {ROLE}" for name in before - self.unreadable),
            *(f"REVOKE SELECT ON {name} FROM {ROLE}" for name in self.unreadable - before),
        )


TableFaults: TypeAlias = SQLiteFaults | PostgreSQLFaults


@asynccontextmanager
async def open_faults(url: str, clock: Clock) -> AsyncIterator[TableFaults]:
    """Open a database of which tables can be made unreadable with `make_unreadable`."""
    if url.startswith("sqlite"):
        faults: TableFaults = SQLiteFaults(url, clock)
    else:
        schemas = ", ".join(SCHEMAS)
        await _run_as_owner(
            url,
            f"CREATE ROLE {ROLE} LOGIN",
            f"GRANT USAGE ON SCHEMA {schemas} TO {ROLE}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO {ROLE}",
        )
        faults = PostgreSQLFaults(url, clock)
    try:
        yield faults
    finally:
        await faults.database.dispose()
        if isinstance(faults, PostgreSQLFaults):
            await _run_as_owner(url, f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")


async def _run_as_owner(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(to_asyncpg_url(url))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
