"""A `Session` is one transaction on one connection, with the moment it began; it never commits itself.

Rows come back as Core rows, typed as the table class they were selected from: the same attributes, read-only, nothing
to lazy-load.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, Executable, FromClause, Table, insert, literal, update
from sqlmodel import SQLModel

from tessera_gql.compute import Computer
from tessera_gql.errors import Conflict
from tessera_gql.policy.events import Event
from tessera_gql.store.drivers import Lane, Transaction
from tessera_gql.store.faults import FAULTS, to_unavailable, translated
from tessera_gql.store.statements import Many, Question, among
from tessera_gql.store.tables import table

T = TypeVar("T")
M = TypeVar("M", bound=SQLModel)

CLASH = "Somebody did the same at this moment."
AGAIN = "Read it again, then decide whether to try again."

CLASHES = (asyncpg.IntegrityConstraintViolationError, sqlite3.IntegrityError)
"""A row that may not be there, beside those that are."""


class TooMuchJson(Exception):  # noqa: N818 - a refusal
    """The rows hold more JSON than one operation may read."""


class Session:
    """One transaction. `now` is one moment for everything in it; `actor` is the name that its events bear."""

    from_replica = False
    computer = Computer()
    """Where CPU-bound functions run; without a pool, in this process."""
    json_characters: int | None = None
    """Characters of JSON that may still be read; None for any number."""
    may_defer = False
    """Whether the caller runs the transaction again for a result that takes long to compute."""

    def __init__(self, transaction: Transaction, now: datetime, actor: str = "system") -> None:
        self.now = now
        self.actor = actor
        self.events: list[Event] = []
        self.narrowed: Mapping[FromClause | None, frozenset[str]] = {}
        """The columns that anybody will read, of the tables of which that is known."""
        self.dialect = transaction.lane.dialect
        self.keyring = transaction.lane.target.keyring
        """What secrets are encrypted with before they are stored."""
        self._transaction = transaction
        self._writer = transaction.lane.writer

    async def execute(self, statement: Executable, rows: Sequence[Mapping[str, Any]] = ()) -> int:
        """How many rows it changed; with several `rows` of values it runs for each of them, and that is not told."""
        written, values = self._writer.write(statement, rows)
        if len(values) > 1:
            await self._answered(self._transaction.run_many(written.text, values))
            return 0
        return await self._answered(self._transaction.run(written.text, values[0]))

    async def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Inserts rows, each with a value for the same columns."""
        if self.dialect == "postgresql" and len(rows) > 1:
            written, values = self._writer.pour(table, rows)
            await self._answered(self._transaction.run(written.text, values))
        elif rows:
            await self.execute(insert(table), rows)

    async def rows(self, statement: Executable) -> Sequence[Any]:
        """As many as there are; see `store.rows` for how they are read."""
        written, (values,) = self._writer.write(statement)
        fetched = await self._answered(self._transaction.fetch(written.text, values, written.row))
        if self.json_characters is not None and written.row is not None and written.row.json_places:
            self._count(fetched, written.row.json_places)
        return fetched

    def _count(self, rows: Sequence[Any], places: tuple[int, ...]) -> None:
        """Take the JSON in the rows off what may still be read."""
        read = sum(len(row[place] or "") for row in rows for place in places)
        self.json_characters = cast("int", self.json_characters) - read
        if self.json_characters < 0:
            raise TooMuchJson

    async def ask(self, question: Question, **given: Any) -> Sequence[Any]:
        """As `rows`, in less time; `given` are the values of its parameters."""
        only = self.narrowed.get(question.source) if self.narrowed else None
        written, values = question.asked(self._writer.dialect, given, only)
        fetched = await self._answered(self._transaction.fetch(written.text, values, written.row))
        if self.json_characters is not None and written.row is not None and written.row.json_places:
            self._count(fetched, written.row.json_places)
        return fetched

    async def list(self, statement: Executable, as_: type[M]) -> list[M]:
        """The rows of a statement that selects whole rows of `as_`'s table."""
        del as_
        return cast("list[M]", await self.rows(statement))

    async def find(self, statement: Executable, as_: type[M]) -> M | None:
        found = await self.list(statement, as_)
        return found[0] if found else None

    async def value(self, statement: Executable) -> Any:
        """The first column of the first row; None where there is none."""
        written, (values,) = self._writer.write(statement)
        found = await self._answered(self._transaction.fetch(written.text, values, written.row))
        if not found:
            return None
        return getattr(found[0], written.first) if written.first else found[0][0]

    async def _answered(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except FAULTS as error:
            if (unavailable := to_unavailable(error, self._transaction.lane.target.name)) is None:
                raise
            raise unavailable from error

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
            await self.append(table(model), values)
        except CLASHES as error:
            raise Conflict(f"{clash} {AGAIN}") from error

    async def update(self, model: type[SQLModel], where: ColumnElement[bool], **values: Any) -> int:
        """The number of rows changed; raises Conflict if another call took the unique place at this moment."""
        try:
            return await self.execute(update(table(model)).where(where).values(**values))
        except CLASHES as error:
            raise Conflict(f"{CLASH} {AGAIN}") from error

    async def compute(
        self, function: Callable[..., T], *args: Any, key: Hashable = None, here: Callable[[], T] | None = None
    ) -> T:
        """Call a CPU-bound pure function with picklable arguments; see `Computer.run`."""
        return await self.computer.run(function, *args, key=key, here=here, defers=self.may_defer)

    def among(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        """`column` is one of `values`: one parameter, however many values there are."""
        return among(self.dialect, column, literal([*values], Many(column.type)))

    def record(self, happened: Event) -> None:
        """Kept until the verb has ended, then written with its rows or not at all."""
        self.events.append(happened)


class transaction:  # noqa: N801 - used as a function; a generator would take three times as long
    """A transaction on a connection of the lane, taken back on leaving unless it was committed."""

    __slots__ = ("_begun", "_lane")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def __aenter__(self) -> Transaction:
        with translated(self._lane.target.name):
            self._begun = await self._lane.begun()
        return self._begun

    async def __aexit__(self, *_: object) -> None:
        await self._begun.end()


def ids(rows: Iterable[Any]) -> list[UUID]:
    return [row.id for row in rows]
