"""Run a server or a sync without one of the optimizations of the store: `python -m bench._store_variants NAME …`.

Each variant replaces code of the store by what it would be without the optimization, before anything is started. With
`serve` it is the server; with `sync URL` it prints the CPU time of a dbt sync for each line of standard input.
"""

# ruff: noqa: SLF001 - the variants replace private members

import asyncio
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Executable, Select, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.bulk import TEAMS, build_manifest, sync_manifest
from tessera_gql.cli import main as run_command
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt import Manifest
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.concurrency import ConcurrencyLimiter
from tessera_gql.store import compiled, engine, events, rows
from tessera_gql.store.compiled import PreparedQuery, StatementCompiler, compile_statement
from tessera_gql.store.connections import ConnectionSource, PostgreSQLDriver
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.workflows import teams

Cache = dict[Hashable, Any]
Replacements = list[tuple[Any, str, Any]]
"""Objects, the names of their attributes, and the new values."""
MODELS = 1_000
"""Tables of the synchronized manifest."""


class EmptyCache(Cache):
    """A cache that keeps nothing."""

    def __setitem__(self, key: Hashable, value: Any) -> None:
        del key, value


def keep_everything() -> Replacements:
    """Change nothing, for the server that the others are compared with."""
    return []


def build_prepared_queries() -> Replacements:
    """Build a prepared query for each execution, and find its text by its shape, as for any other statement."""
    cache: Cache = {}

    def compile_built(
        self: PreparedQuery, dialect: Dialect, parameters: Mapping[str, Any], columns: frozenset[str] | None = None
    ) -> tuple[compiled.CompiledStatement, list[Any]]:
        statement = self._select_columns(self._build(dialect.name), columns)
        cache_key: Any = statement._generate_cache_key()
        if (entry := cache.get(cache_key.key)) is None:
            entry = cache[cache_key.key] = compile_statement(statement, dialect, cache_key=cache_key)
        text, compiler = entry
        return text, text.bind(parameters, compiler.construct_params(None, cache_key.bindparams, _check=False))

    return [(PreparedQuery, "compile", compile_built)]


def compile_every_statement() -> Replacements:
    """Compile a statement for each execution, unless it is a prepared query."""

    def initialize(self: Any, dialect: Dialect) -> None:
        self.dialect, self._cache, self._bulk_inserts = dialect, EmptyCache(), EmptyCache()

    return [(StatementCompiler, "__init__", initialize)]


class SQLAlchemyTransaction:
    """A transaction on an AsyncConnection, with SQLAlchemy's own cache of statements and its rows."""

    def __init__(self, source: ConnectionSource, connection: AsyncConnection) -> None:
        self.source = source
        self._connection = connection
        self._lock = asyncio.Lock()

    async def execute(self, statement: Executable, parameters: Any = None) -> Any:
        async with self._lock:
            started_at = time.perf_counter()
            try:
                return await self._connection.execute(statement, parameters)
            finally:
                for observe in self.source.observers:
                    observe("", time.perf_counter() - started_at)

    async def commit(self) -> None:
        await self._connection.commit()

    async def end(self) -> None:
        await self._connection.close()


async def begin_on_async_connection(self: ConnectionSource) -> SQLAlchemyTransaction:
    if self.target.file is not None:
        self.target.file.check()
    connection = await self.engine.connect()
    if self.dialect == "postgresql":
        if not self.begin_sql:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
        elif "READ ONLY" in self.begin_sql:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return SQLAlchemyTransaction(self, connection)


def use_async_connections() -> Replacements:
    """Execute statements with SQLAlchemy's AsyncConnection; the built statements of prepared queries are kept."""
    statements: dict[Hashable, Select[Any]] = {}

    async def execute(self: Any, statement: Executable, rows: Sequence[Mapping[str, Any]] = ()) -> int:
        result = await self._transaction.execute(statement, [*rows] or None)
        return 0 if len(rows) > 1 else max(0, result.rowcount)

    async def fetch_rows(self: Any, statement: Executable) -> Any:
        return (await self._transaction.execute(statement)).all()

    async def fetch(self: Any, query: PreparedQuery, **parameters: Any) -> Any:
        columns = self.selected_columns.get(query.source) if self.selected_columns else None
        key = (query, self.dialect, columns)
        if (statement := statements.get(key)) is None:
            statement = statements[key] = query._select_columns(query._build(self.dialect), columns)
        return (await self._transaction.execute(statement, parameters)).all()

    async def value(self: Any, statement: Executable) -> Any:
        return (await self._transaction.execute(statement)).scalar()

    methods = {"execute": execute, "rows": fetch_rows, "fetch": fetch, "value": value}
    return [
        (ConnectionSource, "begin_transaction", begin_on_async_connection),
        *((Session, name, method) for name, method in methods.items()),
        *insert_row_by_row(),
    ]


def take_connections_in_greenlets() -> Replacements:
    """Take each connection through the asynchronous pool."""
    return [(ConnectionSource, "_take_idle", lambda _: None)]


def begin_for_single_statements() -> Replacements:
    """Begin a transaction for a single statement too."""
    return [(Database, "query", lambda self, _actor, **_: self.read())]


def decode_json_at_once() -> Replacements:
    """Decode the JSON of all rows: with asyncpg's codecs, and on SQLite when a row is created."""
    create_postgresql_engine, get_row_class = engine._create_postgresql_engine, rows.get_row_class

    def create_engine(*arguments: Any) -> Any:
        created: Any = create_postgresql_engine(*arguments)
        del created.dialect.setup_asyncpg_json_codec, created.dialect.setup_asyncpg_jsonb_codec
        created.dialect.supports_native_json_deserialization = True
        return created

    def create_class(columns: Iterable[Any], dialect: Dialect) -> type[Any]:
        columns = [*columns]
        row_class = get_row_class(columns, dialect)
        if dialect.name == "postgresql":
            return row_class
        decoders = [(index, rows._result_converter(columns[index].type, dialect)) for index in row_class.json_indexes]
        members = {columns[index].key: property(itemgetter(index)) for index in row_class.json_indexes}
        return type("Row", (row_class,), {**members, "__new__": _converting_constructor(decoders)})

    return [
        (engine, "_create_postgresql_engine", create_engine),
        (compiled, "get_row_class", create_class),
        (Session, "_charge_json", lambda *_: None),
    ]


def _converting_constructor(converters: Sequence[tuple[int, Callable[[Any], Any] | None]]) -> Callable[..., Any]:
    used = [(index, convert) for index, convert in converters if convert is not None]

    def create(cls: type[Any], values: Iterable[Any]) -> Any:
        converted = [*values]
        for index, convert in used:
            converted[index] = convert(converted[index])
        return tuple.__new__(cls, converted)

    return create


def convert_rows_at_once() -> Replacements:
    """Convert all values of each row when it is fetched, into a tuple with the columns as attributes."""

    def create_class(columns: Iterable[Any], dialect: Dialect) -> type[Any]:
        columns = [*columns]
        members: dict[str, Any] = {str(column.key): property(itemgetter(i)) for i, column in enumerate(columns)}
        converters = [(i, rows._result_converter(column.type, dialect)) for i, column in enumerate(columns)]
        constructor = _converting_constructor(converters)
        return type("Row", (tuple,), {"__slots__": (), **members, "json_indexes": (), "__new__": constructor})

    async def fetch_postgresql(self: PostgreSQLDriver, text: str, values: Sequence[Any], row: type[Any] | None) -> Any:
        records = await self.connection.fetch(text, *values)
        return records if row is None else [*map(row, records)]

    return [(compiled, "get_row_class", create_class), (PostgreSQLDriver, "fetch", fetch_postgresql)]


def insert_row_by_row() -> Replacements:
    """Insert many rows with the drivers' `executemany` on PostgreSQL too."""

    async def append(self: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await self.execute(insert(table), rows)

    return [(Session, "append", append)]


def select_all_columns() -> Replacements:
    """Select all columns of a row, whatever the document reads."""
    return [(PreparedQuery, "_select_columns", lambda _self, statement, _columns: statement)]


def admit_all_queries() -> Replacements:
    """Execute any number of queries at a time."""
    return [(ConcurrencyLimiter.__init__, "__defaults__", (10_000, 20))]


VARIANTS: dict[str, Callable[[], Replacements]] = {
    "all": keep_everything,
    "prepared queries": build_prepared_queries,
    "statement cache": compile_every_statement,
    "text to drivers": use_async_connections,
    "idle connections": take_connections_in_greenlets,
    "single statements": begin_for_single_statements,
    "lazy JSON": decode_json_at_once,
    "lazy rows": convert_rows_at_once,
    "bulk insert": insert_row_by_row,
    "selected columns": select_all_columns,
    "concurrency limit": admit_all_queries,
}
"""By the name of an optimization, the replacements that take it away."""


async def measure_syncs(url: str) -> None:
    """Sync a manifest into an empty database for each line, or sync again if it says so, and roll back."""
    manifest = dbt.parse_manifest(build_manifest(MODELS))
    database = Database(url)
    try:
        for line in sys.stdin:
            async with database.write(dry_run=True) as session:
                for team in TEAMS:
                    await teams.create(session, ANONYMOUS, name=team)
                costs = await _measure_sync(session, manifest)
                if line.startswith("unchanged"):
                    costs = await _measure_sync(session, manifest)
            print(*costs, flush=True)
    finally:
        await database.dispose()


async def _measure_sync(session: Session, manifest: Manifest) -> tuple[float, float]:
    """Sync and write the events; return the seconds of CPU, and the seconds."""
    cpu_before, start_time = time.process_time(), time.perf_counter()
    await sync_manifest(session, manifest)
    await events.append(session, session.events)
    session.events.clear()
    return time.process_time() - cpu_before, time.perf_counter() - start_time


def main() -> None:
    name, command, *arguments = sys.argv[1:]
    for owner, attribute, value in VARIANTS[name]():
        setattr(owner, attribute, value)
    if command == "sync":
        tune_runtime()
        asyncio.run(measure_syncs(*arguments))
    else:
        sys.argv[1:] = ["serve"]
        run_command()


if __name__ == "__main__":
    main()
