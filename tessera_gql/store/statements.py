"""Statements as the drivers take them: SQLAlchemy writes each shape once, and is not asked again to run it.

A `Question` is also built only once; of a statement built anew, what was written for one of its shape is found again.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    Dialect,
    Executable,
    FromClause,
    Insert,
    Select,
    String,
    Table,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy import any_ as any_of
from sqlalchemy import column as sql_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import ReturnsRows
from sqlalchemy.types import TypeDecorator, TypeEngine

from tessera_gql.store.rows import Make, row_kind

WITHOUT_SCHEMAS = {"core": None, "workflow": None, "audit": None}
PREPARED = 2_000
"""Questions that stay written, each for one database and one set of columns: about 4 kB of memory each."""
KEPT = 1_000
"""Shapes of statements; there are about as many as places in the code, times the conditions lists are filtered by."""


class Many(TypeDecorator[Sequence[Any]]):
    """Any number of values of one type, as one parameter: an array on PostgreSQL, a JSON list on SQLite."""

    impl = String
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        self.item = item
        super().__init__()

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.item) if dialect.name == "postgresql" else String())

    def bind_processor(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return list
        return _as_json


def _as_json(values: Iterable[Any]) -> str:
    return orjson.dumps([one.hex if isinstance(one, UUID) else one for one in values]).decode()


def among(dialect: str, column: ColumnElement[Any], given: BindParameter[Any]) -> ColumnElement[bool]:
    """`column` is one of those in a parameter of the type Many."""
    if dialect == "postgresql":
        return column == any_of(given)
    listed = func.json_each(given).table_valued(sql_column("value", String))
    return column.in_(select(listed.c.value))


@dataclass(frozen=True, eq=False)
class Written:
    """A statement's text, and for each of its parameters, in order, its name and what the driver is given for it."""

    text: str
    names: tuple[str, ...]
    makers: tuple[Make | None, ...]
    row: type[Any] | None = None
    """The class of its rows; None if it tells nothing of them, or has none."""
    first: str = ""
    """The first column."""

    def values(self, given: Mapping[str, Any], more: Mapping[str, Any]) -> list[Any]:
        """For one run; `more` has what `given` lacks."""
        found = [given[name] if name in given else more[name] for name in self.names]
        return [value if make is None else make(value) for make, value in zip(self.makers, found, strict=True)]

    def columns(self, rows: Sequence[Mapping[str, Any]], more: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
        """The same for many runs, parameter by parameter."""
        for name, make in zip(self.names, self.makers, strict=True):
            found = [row[name] for row in rows] if name in rows[0] else [more[name]] * len(rows)
            yield found if make is None else [*map(make, found)]


def write(statement: Executable, dialect: Dialect, **options: Any) -> tuple[Written, SQLCompiler]:
    """Compile a statement. The compiler takes three times the memory of what it has written: keep it only if needed."""
    schemas = {"schema_translate_map": WITHOUT_SCHEMAS, "render_schema_translate": True}
    if dialect.name == "sqlite":
        options |= schemas
    compiled = cast("SQLCompiler", cast("Any", statement).compile(dialect=dialect, **options))
    makers = {name: _given_as(bind.type, dialect) for bind, name in compiled.bind_names.items()}
    names = tuple(compiled.positiontup or ())
    columns = [*cast("Any", statement).exported_columns] if isinstance(statement, ReturnsRows) else []
    written = Written(
        text=str(compiled),
        names=names,
        makers=tuple(makers[name] for name in names),
        row=row_kind(columns, dialect) if columns else None,
        first=str(columns[0].key) if columns else "",
    )
    return written, compiled


def _given_as(kind: TypeEngine[Any], dialect: Dialect) -> Make | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


class Writer:
    """Writes for one database, and keeps the last shapes it wrote."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._kept: dict[Hashable, tuple[Written, SQLCompiler]] = {}
        self._poured: dict[Hashable, Written] = {}

    def write(self, statement: Executable, given: Sequence[Mapping[str, Any]] = ()) -> tuple[Written, list[list[Any]]]:
        """The statement, and its values for each run: one, or as many as rows are given."""
        found: Any = cast("Any", statement)._generate_cache_key()  # noqa: SLF001 - what SQLAlchemy's own cache goes by
        columns = [*given[0]] if given else []
        key = (found.key, *columns)
        if (entry := self._kept.pop(key, None)) is None:
            entry = write(statement, self.dialect, cache_key=found, column_keys=columns or None)
            if len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
        self._kept[key] = entry
        written, compiled = entry
        more = compiled.construct_params(dict(given[0]) if given else None, found.bindparams)
        if len(given) > 1:
            return written, [[*row] for row in zip(*written.columns(given, more), strict=True)]
        return written, [written.values(given[0] if given else {}, more)]

    def pour(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> tuple[Written, list[Any]]:
        """The insertion of the rows, which have the same columns, and its values, column by column."""
        key = (table, *rows[0])
        if (written := self._poured.get(key)) is None:
            made, _ = write(pouring(table, rows[0]), self.dialect)
            makers = tuple(_given_as(table.c[name].type, self.dialect) for name in made.names)
            written = self._poured[key] = replace(made, makers=makers)
        return written, [*written.columns(rows, {})]


def pouring(table: Table, names: Iterable[str]) -> Insert:
    """Any number of rows in one statement, for PostgreSQL: a parameter for each column, which holds its values."""
    columns = [table.c[name] for name in names]
    given = [bindparam(one.key, type_=Many(one.type)) for one in columns]
    source = func.unnest(*given).table_valued(*(sql_column(one.key, one.type) for one in columns)).render_derived()
    return insert(table).from_select(columns, select(*source.c), include_defaults=False)


_prepared: dict[Hashable, tuple[Written, Mapping[str, Any]]] = {}
"""What questions have written, with the values that are part of it, the latest used last.

One limit holds for all of them, since clients choose the sets of columns.
"""


class Question:
    """A query that is written once for each database; `build` is told its name, and values are given by name later.

    With a `source` it asks for whole rows of that, or for some of their columns: at least those that it `needs` itself,
    and where the id is wanted, the column `beside_id` that makes a cursor with it.
    """

    def __init__(
        self,
        build: Callable[[str], Select[Any]],
        source: FromClause | None = None,
        needs: Iterable[str] = (),
        *,
        beside_id: str = "id",
    ) -> None:
        self._build = build
        self._needs = frozenset(needs)
        self._beside_id = beside_id
        self.source = source

    def asked(
        self, dialect: Dialect, given: Mapping[str, Any], only: frozenset[str] | None = None
    ) -> tuple[Written, list[Any]]:
        """`only` are the columns that are wanted; None for all."""
        key = (self, dialect.name, only)
        if (found := _prepared.pop(key, None)) is None:
            written, compiled = write(self._narrow(self._build(dialect.name), only), dialect)
            found = (written, compiled.params)
            if len(_prepared) >= PREPARED:
                del _prepared[next(iter(_prepared))]
        _prepared[key] = found
        written, fixed = found
        return written, written.values(given, fixed)

    def _narrow(self, statement: Select[Any], only: frozenset[str] | None) -> Select[Any]:
        if only is None:
            return statement
        wanted = only | self._needs | ({self._beside_id} if "id" in only else set())
        return statement.with_only_columns(*(one for one in statement.selected_columns if one.key in wanted))


def whole(by: Column[Any], *where: ColumnElement[bool], order_by: Sequence[Any] = ()) -> Question:
    """Whole rows of a table: those with one of `wanted` in the column."""

    def build(dialect: str) -> Select[Any]:
        return select(by.table).where(among(dialect, by, many("wanted", by)), *where).order_by(*order_by)

    return Question(build, by.table, [by.key])


def many(name: str, column: ColumnElement[Any]) -> BindParameter[Any]:
    """The parameter of a Question for any number of the column's values."""
    return bindparam(name, type_=Many(column.type))
