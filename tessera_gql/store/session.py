"""A `Session` is one transaction on one connection, with the moment it began; it never commits itself.

Rows come back as Core rows, typed as the table class they were selected from: the same attributes, read-only, nothing
to lazy-load.
"""

import asyncio
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

import orjson
from sqlalchemy import ARRAY, ColumnElement, CursorResult, Executable, String, func, insert, literal, select, update
from sqlalchemy import any_ as any_of
from sqlalchemy import column as sql_column
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from tessera_gql.errors import Conflict, Unavailable
from tessera_gql.policy.events import Event
from tessera_gql.store.rows import rows_of
from tessera_gql.store.tables import table

M = TypeVar("M", bound=SQLModel)

# Values that SQLite is handed one by one: a statement of its own for each number of them, and quicker for few.
MANY = 500

CLASH = "Somebody did the same at this moment."
AGAIN = "Read it again, then decide whether to try again."

# SQLSTATE classes that say "not now": connection, transaction rollback, resources, lock or statement timeout, shutdown.
PASSING = ("08", "40", "53", "55", "57")
# Those of a server that lets nobody in: a password that was changed, a database that is being restored.
SHUT = ("28", "3D000")
# The same of SQLite: busy, locked, out of memory, input/output, disk full, can't open, locking protocol.
SQLITE_PASSING = frozenset({5, 6, 7, 10, 13, 14, 15})


class Session:
    """One transaction. `now` is one moment for everything in it; `actor` is the name that its events bear.

    Statements of concurrent tasks queue up on the one connection.
    """

    from_replica = False

    def __init__(self, connection: AsyncConnection, now: datetime, actor: str = "system") -> None:
        self.now = now
        self.actor = actor
        self.events: list[Event] = []
        self.dialect = connection.dialect.name
        self._connection = connection
        self._turn = asyncio.Lock()

    async def execute(self, statement: Executable, rows: Any = None) -> CursorResult[Any]:
        async with self._turn:
            with translated():
                return await self._connection.execute(statement, rows)

    async def list(self, statement: Executable, as_: type[M]) -> list[M]:
        """The rows of a statement that selects whole rows of `as_`'s table."""
        del as_
        return cast("list[M]", await self.rows(statement))

    async def rows(self, statement: Executable) -> Sequence[Any]:
        """As many as there are; see `store.rows` for how they are read."""
        return rows_of(await self.execute(statement))

    async def find(self, statement: Executable, as_: type[M]) -> M | None:
        found = await self.list(statement, as_)
        return found[0] if found else None

    async def insert(self, row: SQLModel, *, clash: str = CLASH) -> None:
        """`clash` tells the person who lost a race for a unique place what happened."""
        await self.insert_all([row], clash=clash)

    async def insert_all(self, rows: Sequence[SQLModel], *, clash: str = CLASH) -> None:
        """Rows of one table, in one statement."""
        if not rows:
            return
        names = table(type(rows[0])).columns.keys()
        values = [{name: getattr(row, name) for name in names} for row in rows]
        await self._insert(type(rows[0]), values, clash)

    async def insert_many(self, model: type[M], values: Sequence[dict[str, Any]], *, clash: str = CLASH) -> Sequence[M]:
        """As `insert_all`, from values of every column; many rows take half the time of as many entities."""
        if values:
            await self._insert(model, values, clash)
        return cast("Sequence[M]", [SimpleNamespace(**one) for one in values])

    async def _insert(self, model: type[SQLModel], values: Sequence[dict[str, Any]], clash: str) -> None:
        try:
            await self.execute(insert(table(model)), values)
        except IntegrityError as error:
            raise Conflict(f"{clash} {AGAIN}") from error

    async def update(self, model: type[SQLModel], where: ColumnElement[bool], **values: Any) -> int:
        """The number of rows changed; raises Conflict if another call took the unique place at this moment."""
        try:
            return (await self.execute(update(table(model)).where(where).values(**values))).rowcount
        except IntegrityError as error:
            raise Conflict(f"{CLASH} {AGAIN}") from error

    def among(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        """`column` is one of `values`: one parameter, however many values there are (SQLite takes 32,766 of them)."""
        wanted = list(values)
        if self.dialect == "postgresql":
            return column == any_of(literal(wanted, ARRAY(column.type)))
        if len(wanted) < MANY:
            return column.in_(wanted)
        texts = [one.hex if isinstance(one, UUID) else one for one in wanted]
        given = func.json_each(literal(orjson.dumps(texts).decode(), String)).table_valued(sql_column("value", String))
        return column.in_(select(given.c.value))

    def record(self, happened: Event) -> None:
        """Kept until the verb has ended, then written with its rows or not at all."""
        self.events.append(happened)


@contextmanager
def translated(*, committing: bool = False) -> Generator[None]:
    """Faults of the database become Unavailable where trying again can help; mistakes of ours stay what they are."""
    try:
        yield
    except (IntegrityError, Unavailable):
        raise
    except (DBAPIError, PoolTimeoutError, OSError, TimeoutError) as error:
        if not _is_passing(error):
            raise
        if committing:
            raise Unavailable(
                "The connection to the database broke while the change was being committed, so it may or may not have"
                " been kept. Repeat the call with the same idempotencyKey to learn which."
            ) from error
        raise Unavailable(
            "The database can't be reached or is too busy now; nothing was changed. Try again in a few seconds."
        ) from error


def _is_passing(error: Exception) -> bool:
    match error:
        case DBAPIError():
            state = str(getattr(error.orig, "sqlstate", None) or "")
            code = getattr(error.orig, "sqlite_errorcode", None)
            if code is not None:
                return code & 0xFF in SQLITE_PASSING
            if isinstance(getattr(error.orig, "__cause__", None), ValueError):  # asyncpg: a value of the wrong type
                return False
            return (
                isinstance(error, OperationalError | InterfaceError)
                or error.connection_invalidated
                or state.startswith(PASSING + SHUT)
            )
        case _:
            return True


def refused(error: Unavailable) -> str | None:
    """What a PostgreSQL said that is there and lets nobody in; None if it is away or busy."""
    fault = getattr(error.__cause__, "orig", None)
    return str(fault).removesuffix(".") if str(getattr(fault, "sqlstate", "") or "").startswith(SHUT) else None


def ids(rows: Iterable[Any]) -> list[UUID]:
    return [row.id for row in rows]
