"""Compiled statements: SQLAlchemy compiles each shape of a statement once per dialect, and drivers get text and values.

A `PreparedQuery` is also built only once. A statement that is built anew is found in a cache by its shape.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import ColumnElement, Dialect, Executable, UnaryExpression, bindparam, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeDecorator, TypeEngine

from tessera_gql.compute.collection_pause import pause_until_next_callback
from tessera_gql.store.rows import Converter, get_row_class

WITHOUT_SCHEMAS = {"core": None, "workflow": None, "audit": None}
MAX_CACHED_QUERIES = 2_000
"""Compiled prepared queries, each for one dialect and one set of columns: about 4 kB of memory each."""
MAX_CACHED_STATEMENTS = 1_000
"""Compiled statements per dialect: about one for each statement in the code and each combination of its filters."""


class ValueList(TypeDecorator[Sequence[Any]]):
    """Any number of values of one type as one parameter: an array on PostgreSQL, a JSON list on SQLite."""

    impl = sa.String
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        self.item = item
        super().__init__()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.ARRAY(self.item) if dialect.name == "postgresql" else sa.String())

    def bind_processor(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return list
        return _as_json


def _as_json(values: Iterable[Any]) -> str:
    return orjson.dumps([value.hex if isinstance(value, UUID) else value for value in values]).decode()


def in_values(dialect: str, column: ColumnElement[Any], values: sa.BindParameter[Any]) -> ColumnElement[bool]:
    """Build the condition that the column is one of the values of a `ValueList` parameter."""
    if dialect == "postgresql":
        return column == sa.any_(values)
    listed = sa.func.json_each(values).table_valued(sa.column("value", sa.String))
    return column.in_(select(listed.c.value))


def order_rows(dialect: str, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Order the requested rows by a column. SQLite would else read all rows in the order of an index of the column."""
    return column if dialect == "postgresql" else UnaryExpression(column, operator=custom_op("+"))


def expect_few(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Build a condition for SQLite that all keys meet, and of which it expects few to.

    SQLite takes a list of keys for long: it would begin with the other table of a join and read all its rows.
    """
    return cast("ColumnElement[bool]", sa.func.likelihood(key.is_not(None), sa.literal_column("0.00002")))


class OnSQLite(ColumnElement[bool]):
    """A condition that only SQLite checks, since the statement says the same to PostgreSQL in another way."""

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, condition: ColumnElement[bool]) -> None:
        self.condition = condition


@compiles(OnSQLite)
def _compile_on_sqlite(element: OnSQLite, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.condition.self_group(), **options) if compiler.dialect.name == "sqlite" else "true"


@dataclass(frozen=True, eq=False)
class CompiledStatement:
    """A statement's text, and the name and converter of each of its parameters in the driver's order."""

    text: str
    names: tuple[str, ...]
    converters: tuple[Converter | None, ...]
    row_class: type[Any] | None = None
    """The class of the rows; None if the statement returns none, or doesn't declare their columns."""
    first_column: str = ""

    def bind(self, parameters: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Any]:
        """Convert the values for one execution; `defaults` has those that `parameters` lacks."""
        values = [parameters[name] if name in parameters else defaults[name] for name in self.names]
        converted = zip(self.converters, values, strict=True)
        return [value if convert is None else convert(value) for convert, value in converted]

    def bind_columns(self, rows: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
        """Convert the values for many executions, parameter by parameter."""
        for name, convert in zip(self.names, self.converters, strict=True):
            values = [row[name] for row in rows] if name in rows[0] else [defaults[name]] * len(rows)
            yield values if convert is None else [*map(convert, values)]


def compile_statement(statement: Executable, dialect: Dialect, **options: Any) -> tuple[CompiledStatement, SQLCompiler]:
    """Compile a statement to SQL. The compiler takes three times the memory of its result: keep it only if needed."""
    schemas = {"schema_translate_map": WITHOUT_SCHEMAS, "render_schema_translate": True}
    if dialect.name == "sqlite":
        options |= schemas
    compiler = cast("SQLCompiler", cast("Any", statement).compile(dialect=dialect, **options))
    converters = {name: _bind_converter(bind.type, dialect) for bind, name in compiler.bind_names.items()}
    names = tuple(compiler.positiontup or ())
    columns = [*cast("Any", statement).exported_columns] if isinstance(statement, ReturnsRows) else []
    compiled = CompiledStatement(
        text=str(compiler),
        names=names,
        converters=tuple(converters[name] for name in names),
        row_class=get_row_class(columns, dialect) if columns else None,
        first_column=str(columns[0].key) if columns else "",
    )
    return compiled, compiler


def _bind_converter(type_: TypeEngine[Any], dialect: Dialect) -> Converter | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


_statement_caches: dict[
    str, tuple[dict[Hashable, tuple[CompiledStatement, SQLCompiler]], dict[Hashable, CompiledStatement]]
] = {}
"""The compiled statements of each dialect, least recently used first, and its inserts, of which the code has few."""


class StatementCompiler:
    """Compiles statements for a dialect and caches the most recent ones; all databases of the dialect share the cache.

    Measured: without the cache a sync or a publish takes 1.2 to 1.3 x the CPU on PostgreSQL.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._cache, self._bulk_inserts = _statement_caches.setdefault(dialect.name, ({}, {}))

    def compile(
        self, statement: Executable, rows: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[CompiledStatement, list[list[Any]]]:
        """Return the compiled statement and its values: one list, or one for each of the rows."""
        cache_key: Any = cast("Any", statement)._generate_cache_key()  # noqa: SLF001 - the key of SQLAlchemy's own cache
        columns = [*rows[0]] if rows else []
        key = (cache_key.key, *columns)
        if (entry := self._cache.pop(key, None)) is None:
            with pause_until_next_callback():
                entry = compile_statement(statement, self.dialect, cache_key=cache_key, column_keys=columns or None)
            if len(self._cache) >= MAX_CACHED_STATEMENTS:
                del self._cache[next(iter(self._cache))]
        self._cache[key] = entry
        compiled, compiler = entry
        defaults = compiler.construct_params(dict(rows[0]) if rows else None, cache_key.bindparams)
        if len(rows) > 1:
            return compiled, [[*row] for row in zip(*compiled.bind_columns(rows, defaults), strict=True)]
        return compiled, [compiled.bind(rows[0] if rows else {}, defaults)]

    def insert(
        self, table: sa.Table, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[CompiledStatement, list[Sequence[Any]]]:
        """Return the insertion of one row, and the values of each of the rows, which have the same columns.

        It is found by the columns, which takes less time than to build it and to find it by its shape.
        """
        key = ("insert", table, *rows[0])
        if (insertion := self._bulk_inserts.get(key)) is None:
            insertion, _ = compile_statement(sa.insert(table).inline(), self.dialect, column_keys=[*rows[0]])
            self._bulk_inserts[key] = insertion
        return insertion, [*zip(*insertion.bind_columns(rows, {}), strict=True)]

    def bulk_insert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> tuple[CompiledStatement, list[Any]]:
        """Return one statement that inserts all the rows, which have the same columns, and its values by column."""
        key = (table, *rows[0])
        if (insertion := self._bulk_inserts.get(key)) is None:
            compiled, _ = compile_statement(bulk_insert_statement(table, rows[0]), self.dialect)
            converters = tuple(_bind_converter(table.c[name].type, self.dialect) for name in compiled.names)
            insertion = self._bulk_inserts[key] = replace(compiled, converters=converters)
        return insertion, [*insertion.bind_columns(rows, {})]


def bulk_insert_statement(table: sa.Table, names: Iterable[str]) -> sa.Insert:
    """Build the insertion of any number of rows for PostgreSQL, with one parameter for all values of a column.

    Measured: with the driver's `executemany` a sync takes as much CPU in the server, but 1.6 x in the database.
    """
    columns = [table.c[name] for name in names]
    parameters = [bindparam(column.key, type_=ValueList(column.type)) for column in columns]
    targets = [sa.column(column.key, column.type) for column in columns]
    source = sa.func.unnest(*parameters).table_valued(*targets).render_derived()
    return sa.insert(table).from_select(columns, select(*source.c), include_defaults=False)


_query_cache: dict[Hashable, tuple[CompiledStatement, Mapping[str, Any]]] = {}
"""Compiled prepared queries and their default values, least recently used first.

One limit holds for all queries together, because clients choose the sets of columns.
"""


class PreparedQuery:
    """A query or change that is compiled once per dialect; its values are passed by name with each execution.

    Measured: built anew and found by its shape, a page takes 2.1 x the CPU on PostgreSQL and 1.5 x on SQLite.

    With a `source` it selects whole rows of that table, or only the columns that are asked for. The `required_columns`
    are then selected too, and with the id the `cursor_column`, since both make up a cursor.
    Measured: with all columns a page takes 1.2 x the CPU.
    """

    def __init__(
        self,
        build: Callable[[str], Any],
        source: sa.FromClause | None = None,
        required_columns: Iterable[str] = (),
        *,
        cursor_column: str = "id",
    ) -> None:
        """Prepare a query; `build` creates its statement for a dialect's name."""
        self._build = build
        self._required_columns = frozenset(required_columns)
        self._cursor_column = cursor_column
        self.source = source

    def is_compiled(self, dialect: Dialect, columns: frozenset[str] | None = None) -> bool:
        """Return whether `compile` finds the statement; otherwise it takes milliseconds."""
        return (self, dialect.name, columns) in _query_cache

    def compile(
        self, dialect: Dialect, parameters: Mapping[str, Any], columns: frozenset[str] | None = None
    ) -> tuple[CompiledStatement, list[Any]]:
        """Return the compiled statement and its values; without `columns` it selects all."""
        compiled, defaults = self._find(dialect, columns)
        return compiled, compiled.bind(parameters, defaults)

    def compile_many(
        self, dialect: Dialect, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[CompiledStatement, list[Sequence[Any]]]:
        """Return the compiled statement, and the values of each of the rows, which have the same parameters."""
        compiled, defaults = self._find(dialect, None)
        return compiled, [*zip(*compiled.bind_columns(rows, defaults), strict=True)]

    def _find(self, dialect: Dialect, columns: frozenset[str] | None) -> tuple[CompiledStatement, Mapping[str, Any]]:
        key = (self, dialect.name, columns)
        if (entry := _query_cache.pop(key, None)) is None:
            with pause_until_next_callback():  # statements have cycles
                statement = self._select_columns(self._build(dialect.name), columns)
                compiled, compiler = compile_statement(statement, dialect)
            entry = (compiled, compiler.params)
            if len(_query_cache) >= MAX_CACHED_QUERIES:
                del _query_cache[next(iter(_query_cache))]
        _query_cache[key] = entry
        return entry

    def _select_columns(self, statement: Any, columns: frozenset[str] | None) -> Any:
        if columns is None:
            return statement
        # The id is among the columns if a cursor may be built from the row; that needs the column of the order as well.
        names = columns | self._required_columns | ({self._cursor_column} if "id" in columns else set())
        return statement.with_only_columns(*(column for column in statement.selected_columns if column.key in names))


def list_parameter(name: str, column: ColumnElement[Any]) -> sa.BindParameter[Any]:
    """Build the parameter of a prepared query for any number of the column's values."""
    return bindparam(name, type_=ValueList(column.type))
