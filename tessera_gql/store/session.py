"""Sessions: the statements of one transaction. A session never commits itself.

Queries return Core rows, typed as the table class they were selected from: the same attributes, but read-only and
without lazy loading.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ColumnElement,
    Dialect,
    Executable,
    FromClause,
    Select,
    Table,
    bindparam,
    literal,
    select,
    text,
    update,
)
from sqlmodel import SQLModel

from tessera_gql.compute import Computer
from tessera_gql.errors import Conflict, NotFound
from tessera_gql.policy.events import Event
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import search_index
from tessera_gql.store.compiled import (
    CompiledStatement,
    PreparedQuery,
    ValueList,
    in_values,
    list_parameter,
    order_rows,
)
from tessera_gql.store.connections import ConnectionSource, Transaction
from tessera_gql.store.faults import FAULTS, to_unavailable, translate_faults
from tessera_gql.store.lookups import RowLookup
from tessera_gql.store.rows import create_value_class
from tessera_gql.store.tables import Project, Team, Webhook, table

T = TypeVar("T")
M = TypeVar("M", bound=SQLModel)

DUPLICATE = "Somebody did the same at this moment."
RETRY_ADVICE = "Read it again, then decide whether to try again."

SAVEPOINT, ROLLBACK_TO_SAVEPOINT, RELEASE_SAVEPOINT = (
    text(f"{command}SAVEPOINT part") for command in ("", "ROLLBACK TO ", "RELEASE ")
)
INTEGRITY_ERRORS = (asyncpg.IntegrityConstraintViolationError, sqlite3.IntegrityError)
"""Errors of both drivers for a violated constraint, such as a second row with the same unique key."""


class TooMuchJson(Exception):  # noqa: N818 - a refusal
    """The rows hold more JSON than one operation may read."""


class BeforeCommit(Protocol):
    """Work to do in a session before its events are written and it is committed."""

    async def __call__(self, session: "Session") -> None: ...


class Session:
    """The statements of one transaction. `now` is the time of all its changes, `actor` the name on its events."""

    from_replica = False
    computer = Computer()
    """Runs CPU-bound functions; without a pool, in this process."""
    json_characters: int | None = None
    """Characters of JSON that may still be read; None for any number."""
    has_failed = False
    """Whether a statement has failed; PostgreSQL executes no other one in the transaction then."""
    may_defer = False
    """Whether the caller runs the transaction again when a computation is deferred."""

    def __init__(self, transaction: Transaction, now: datetime, actor: str = "system") -> None:
        self.now = now
        self.actor = actor
        self.events: list[Event] = []
        self.before_commit: dict[str, BeforeCommit] = {}
        """Work, by name, to do before the events are written: what sums up a transaction."""
        self.locked_asset_ids: set[UUID] = set()
        """The assets that `store.assets` has locked in this transaction."""
        self.asset_fqns: dict[UUID, str] = {}
        """The names of locked assets, as they were read with the lock."""
        self.new_terms: set[str] = set()
        """Terms of the search that the transaction inserts; `known_terms` has them after the commit."""
        self.search_notes: list[search_index.Note] = []
        """What `store.search_index` writes before the commit."""
        self.selected_columns: Mapping[FromClause | None, frozenset[str]] = {}
        """For some tables the columns that `Context.select_columns` has chosen; queries select only these."""
        self.dialect = transaction.source.dialect
        self.keyring = transaction.source.target.keyring
        """Encrypts secrets before they are stored."""
        self.known_terms = transaction.source.target.known_terms
        self.frequency_cache = transaction.source.target.frequencies
        self.long_lists = transaction.source.target.long_lists
        self._transaction = transaction
        self._compiler = transaction.source.compiler

    async def execute(self, statement: Executable, rows: Sequence[Mapping[str, Any]] = ()) -> int:
        """Execute a statement and return the number of rows changed, or 0 if it is executed for several `rows`."""
        compiled, values = self._compiler.compile(statement, rows)
        if len(values) > 1:
            await self._translate_faults(self._transaction.run_many(compiled.text, values))
            return 0
        return await self._translate_faults(self._transaction.run(compiled.text, values[0]))

    async def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows that all have values for the same columns."""
        if self.dialect == "postgresql" and len(rows) > 1:
            compiled, values = self._compiler.bulk_insert(table, rows)
            await self._translate_faults(self._transaction.run(compiled.text, values))
        elif rows:
            insertion, row_values = self._compiler.insert(table, rows)
            if len(rows) == 1:
                await self._translate_faults(self._transaction.run(insertion.text, row_values[0]))
            else:
                await self._translate_faults(self._transaction.run_many(insertion.text, row_values))

    async def rows(self, statement: Executable) -> Sequence[Any]:
        """Execute a statement and return its rows, whose attributes are converted when read; see `store.rows`."""
        compiled, (values,) = self._compiler.compile(statement)
        return await self._fetch(compiled, values)

    def _charge_json(self, rows: Sequence[Any], indexes: tuple[int, ...]) -> None:
        """Subtract the JSON in the rows from `json_characters`; raise TooMuchJson when it is used up."""
        characters = sum(len(row[index] or "") for row in rows for index in indexes)
        self.json_characters = cast("int", self.json_characters) - characters
        if self.json_characters < 0:
            raise TooMuchJson

    @property
    def sql_dialect(self) -> Dialect:
        return self._compiler.dialect

    async def fetch_compiled(self, compiled: CompiledStatement, values: Sequence[Any]) -> Sequence[Any]:
        """Execute a statement that was compiled for `sql_dialect`, with its values in order, and return its rows."""
        return await self._fetch(compiled, values)

    async def fetch(self, query: PreparedQuery, **parameters: Any) -> Sequence[Any]:
        """Execute a prepared query and return its rows; faster than `rows`."""
        columns = self.selected_columns.get(query.source) if self.selected_columns else None
        if not query.is_compiled(self._compiler.dialect, columns):
            await asyncio.sleep(0)  # others get their turn between two statements that are compiled
        compiled, values = query.compile(self._compiler.dialect, parameters, columns)
        return await self._fetch(compiled, values)

    async def run(self, change: PreparedQuery, **parameters: Any) -> int:
        """Execute a prepared change and return the number of rows changed; faster than `execute`."""
        compiled, values = change.compile(self._compiler.dialect, parameters)
        return await self._translate_faults(self._transaction.run(compiled.text, values))

    async def run_many(self, change: PreparedQuery, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute a prepared change for each of the rows, which have the same parameters."""
        compiled, values = change.compile_many(self._compiler.dialect, rows)
        await self._translate_faults(self._transaction.run_many(compiled.text, values))

    async def _fetch(self, compiled: CompiledStatement, values: Sequence[Any]) -> Sequence[Any]:
        rows = await self._translate_faults(self._transaction.fetch(compiled.text, values, compiled.row_class))
        if self.json_characters is not None and compiled.row_class is not None and compiled.row_class.json_indexes:
            self._charge_json(rows, compiled.row_class.json_indexes)
        return rows

    async def list(self, statement: Executable, model: type[M]) -> list[M]:
        """Execute a statement that selects whole rows of a model's table, and type its rows as the model."""
        del model
        return cast("list[M]", await self.rows(statement))

    async def find(self, statement: Executable, model: type[M]) -> M | None:
        """Return the first row of a statement, as `list` does, or None."""
        rows = await self.list(statement, model)
        return rows[0] if rows else None

    async def value(self, statement: Executable) -> Any:
        """Return the first column of the first row, or None without rows."""
        compiled, (values,) = self._compiler.compile(statement)
        rows = await self._fetch(compiled, values)
        if not rows:
            return None
        return getattr(rows[0], compiled.first_column) if compiled.first_column else rows[0][0]

    async def _translate_faults(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except FAULTS as error:
            self.has_failed = True
            if (unavailable := to_unavailable(error, self._transaction.source.target.name)) is None:
                raise
            raise unavailable from error

    async def insert(self, row: SQLModel, *, conflict_message: str = DUPLICATE) -> None:
        """Insert a row; raise Conflict with the `conflict_message` if a row with its unique key exists already."""
        await self.insert_all([row], conflict_message=conflict_message)

    async def insert_all(self, rows: Sequence[SQLModel], *, conflict_message: str = DUPLICATE) -> None:
        """Insert rows of one table in one statement; see `insert`."""
        if not rows:
            return
        names = table(type(rows[0])).columns.keys()
        values = [{name: getattr(row, name) for name in names} for row in rows]
        await self._insert(type(rows[0]), values, conflict_message)

    async def insert_many(
        self, model: type[M], values: Sequence[dict[str, Any]], *, conflict_message: str = DUPLICATE
    ) -> Sequence[M]:
        """Insert rows from values of every column, in half the time that `insert_all` takes for as many entities.

        Returns them as rows that a query would return.
        """
        if not values:
            return []
        await self._insert(model, values, conflict_message)
        names = tuple(values[0])
        value_class = create_value_class(names)
        return cast("list[M]", [*map(value_class, map(itemgetter(*names), values))])

    async def _insert(self, model: type[SQLModel], values: Sequence[dict[str, Any]], conflict_message: str) -> None:
        try:
            await self.append(table(model), values)
            search_index.note_inserts(self, model, values)
        except INTEGRITY_ERRORS as error:
            raise Conflict(f"{conflict_message} {RETRY_ADVICE}") from error

    async def update(self, model: type[SQLModel], condition: ColumnElement[bool], **values: Any) -> int:
        """Update rows and return their number; raise Conflict if another row has the new unique key.

        Rows that have it get the time of the transaction as `updated_at`.
        """
        if "updated_at" in table(model).c:
            values.setdefault("updated_at", self.now)
        try:
            return await self.execute(update(table(model)).where(condition).values(**values))
        except INTEGRITY_ERRORS as error:
            raise Conflict(f"{DUPLICATE} {RETRY_ADVICE}") from error

    async def update_row(self, model: type[SQLModel], row_id: UUID, **values: Any) -> None:
        """Update the row with this id; see `update`."""
        await self.update(model, table(model).c.id == row_id, **values)
        search_index.note_update(self, model, row_id, values)

    async def update_unchanged(self, model: type[SQLModel], row: Project | Team | Webhook, **values: Any) -> bool:
        """Update a row and raise its row version; return False if it was changed since it was read."""
        columns = table(model).c
        is_unchanged = (columns.id == row.id) & (columns.row_version == row.row_version)
        if not await self.update(model, is_unchanged, **values, row_version=row.row_version + 1):
            return False
        search_index.note_update(self, model, row.id, values)
        return True

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Begin a part of the transaction; an exception rolls back only this part and its events."""
        events, notes, locked = len(self.events), len(self.search_notes), set(self.locked_asset_ids)
        fqns = dict(self.asset_fqns)
        await self.execute(SAVEPOINT)
        try:
            yield
        except Exception:
            await self.execute(ROLLBACK_TO_SAVEPOINT)
            del self.events[events:]
            del self.search_notes[notes:]
            self.locked_asset_ids, self.asset_fqns = locked, fqns  # the others are unlocked again
            raise
        await self.execute(RELEASE_SAVEPOINT)

    async def compute(
        self,
        function: Callable[..., T],
        *args: Any,
        key: Hashable = None,
        local_function: Callable[[], T] | None = None,
    ) -> T:
        """Call a CPU-bound pure function with picklable arguments; see `Computer.run`."""
        return await self.computer.run(
            function, *args, key=key, local_function=local_function, may_defer=self.may_defer
        )

    def in_values(self, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
        """Build the condition that the column is one of the values, passed as one parameter."""
        return in_values(self.dialect, column, literal([*values], ValueList(column.type)))

    def record(self, event: Event) -> None:
        """Collect an event, which is written at the end of the transaction."""
        self.events.append(event)


class RowQuery(Generic[M]):
    """Load the rows of a table whose column has one of the values, by default in any order."""

    def __init__(
        self, model: type[M], column: str, *conditions: ColumnElement[bool], order_by: Sequence[Any] = ()
    ) -> None:
        source = table(model)
        self.lookup = RowLookup(source.c[column], conditions)
        self._type_name = model.__name__

        key = source.c[column]

        def build(dialect: str, is_requested: ColumnElement[bool]) -> Select[Any]:
            statement = select(source).where(is_requested, *conditions)
            return statement.order_by(*(order_rows(dialect, item) for item in order_by))

        def build_any(dialect: str) -> Select[Any]:
            return build(dialect, in_values(dialect, key, list_parameter("values", key)))

        def build_one(dialect: str) -> Select[Any]:
            return build(dialect, key == bindparam("value", type_=key.type))

        self._query = PreparedQuery(build_any, source, [column])
        self._query_of_one = PreparedQuery(build_one, source, [column])
        """For one value: PostgreSQL plans a list anew each time, since it expects ten values where it does not know."""

    async def __call__(self, session: Session, values: Sequence[Any]) -> list[M]:
        if len(values) == 1:
            return [*await session.fetch(self._query_of_one, value=values[0])]
        return [*await session.fetch(self._query, values=values)]

    async def find(self, session: Session, value: Any) -> M | None:
        """Return the first row with this value, or None."""
        rows = await self(session, [value])
        return rows[0] if rows else None

    async def get(self, session: Session, value: Any, noun: str, advice: str) -> M:
        """Return the row with this value; raise NotFound for the input field of the noun if there is none."""
        row = await self.find(session, value)
        if row is None:
            raise NotFound(f"There is no {noun} {self._describe(value)}. {advice}", field=(noun,))
        return row

    def _describe(self, value: Any) -> str:
        """Describe a value for a client: an id as the API writes it."""
        return encode_global_id(self._type_name, value) if isinstance(value, UUID) else str(value)


class transaction:  # noqa: N801 - used as a function; a generator would take three times as long
    """Begin a transaction on a connection of the source; roll it back on leaving unless it was committed."""

    __slots__ = ("_source", "_transaction")

    def __init__(self, source: ConnectionSource) -> None:
        self._source = source

    async def __aenter__(self) -> Transaction:
        with translate_faults(self._source.target.name):
            self._transaction = await self._source.begin_transaction()
        return self._transaction

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.end()


def ids(rows: Iterable[Any]) -> list[UUID]:
    return [row.id for row in rows]
