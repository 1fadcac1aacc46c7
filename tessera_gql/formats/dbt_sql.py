"""Find the columns that a compiled query reads of its upstream tables.

Names are followed from the outermost query inwards, so that `select *` in a CTE reads no more than its readers do.
The result may contain columns that are not read, but never lacks one; None means all columns.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot.optimizer.scope import Scope

MAX_QUERY_LENGTH = 500_000
# The dbt adapters for which sqlglot has another name. An adapter that it doesn't know is read as plain SQL.
_DIALECTS = {"sqlserver": "tsql", "synapse": "tsql"}


@dataclass(frozen=True)
class ColumnUsage:
    """The declared columns that are read of one upstream table. None means all of them, for the given reason."""

    columns: tuple[str, ...] | None
    reason: str | None = None


def parse_query(query: str, adapter: str | None) -> "Scope":
    """Parse a query in the dialect of a dbt adapter; raises any error for one that can't be read."""
    import sqlglot  # noqa: PLC0415 - heavy, and only where a query is read
    from sqlglot.optimizer.scope import build_scope  # noqa: PLC0415

    dialect = _DIALECTS.get(adapter or "", adapter)
    known_dialect = dialect if dialect in {item.value for item in sqlglot.Dialects} else None
    root = build_scope(sqlglot.parse_one(query, read=known_dialect))
    if root is None:
        raise ValueError("this is no query")
    return root


def find_column_usage(
    query: str | None, adapter: str | None, upstream: Mapping[str, Sequence[str]]
) -> dict[str, ColumnUsage]:
    """Find the columns that a query reads, for each upstream fqn with its declared columns."""
    if query is None:
        return dict.fromkeys(upstream, ColumnUsage(None, "the manifest holds no compiled query"))
    if len(query) > MAX_QUERY_LENGTH:
        return dict.fromkeys(upstream, ColumnUsage(None, "the query is too long to be read"))
    try:
        analyzer = _QueryAnalyzer.analyze(query, adapter)
    except Exception as error:  # noqa: BLE001 - a parser of a hundred dialects fails in a hundred ways, and all mean: unknown
        return dict.fromkeys(upstream, ColumnUsage(None, f"the query could not be read ({type(error).__name__})"))
    return {fqn: _to_column_usage(analyzer.columns_of(fqn), columns) for fqn, columns in upstream.items()}


def _to_column_usage(used_names: "frozenset[str] | bool | None", declared: Sequence[str]) -> ColumnUsage:
    match used_names:
        case False:
            return ColumnUsage(None, "the query does not name it")
        case frozenset():
            matches = (name for full in declared for name in (full, full.split(".")[0]) if name.lower() in used_names)
            columns = tuple(dict.fromkeys(matches))
            return ColumnUsage(columns) if columns else ColumnUsage(None, "the query names no column that it declares")
        case _:
            return ColumnUsage(None, "the query reads all its columns")


@dataclass
class _ColumnSet:
    """The names of columns of a table or query; with `all` every column."""

    names: set[str] = field(default_factory=set[str])
    all: bool = False

    def add(self, columns: "_ColumnSet | str") -> bool:
        """Add columns. Returns whether the set has grown."""
        previous_size = (len(self.names), self.all)
        if isinstance(columns, str):
            self.names.add(columns)
        else:
            self.names |= columns.names
            self.all = self.all or columns.all
        return previous_size != (len(self.names), self.all)


_ALL_COLUMNS = _ColumnSet(all=True)


class _QueryAnalyzer:
    """Computes the columns read of each table by passing them down from scope to scope until no set grows."""

    def __init__(self) -> None:
        self._columns_by_table: dict[tuple[str, ...], _ColumnSet] = defaultdict(_ColumnSet)
        self._columns_by_scope: dict[int, _ColumnSet] = defaultdict(_ColumnSet)
        self._visited_scopes: set[int] = set()
        self._pending_scopes: list[Scope] = []

    @classmethod
    def analyze(cls, query: str, adapter: str | None) -> "_QueryAnalyzer":
        root = parse_query(query, adapter)
        analyzer = cls()
        analyzer._require(root, _ALL_COLUMNS)
        while analyzer._pending_scopes:
            analyzer._visit_scope(analyzer._pending_scopes.pop())
        return analyzer

    def columns_of(self, fqn: str) -> frozenset[str] | bool | None:
        """Return the names of the columns read of a table; None for all; False if the query doesn't name the table."""
        parts = tuple(fqn.lower().split("."))
        tables = self._columns_by_table.items()
        matches = [columns for name, columns in tables if len(name) > 1 and parts[-len(name) :] == name]
        if not matches:
            return False
        is_all = any(columns.all for columns in matches)
        return None if is_all else frozenset().union(*(columns.names for columns in matches))

    def _require(self, source: Any, columns: "_ColumnSet | str") -> None:
        """Mark columns of a table or of a query's scope as read."""
        if hasattr(source, "parts"):
            if source.args.get("pivots"):
                columns = _ALL_COLUMNS
            self._columns_by_table[tuple(part.name.lower() for part in source.parts)].add(columns)
        elif self._columns_by_scope[id(source)].add(columns) or id(source) not in self._visited_scopes:
            self._visited_scopes.add(id(source))
            self._pending_scopes.append(source)

    def _visit_scope(self, scope: "Scope") -> None:
        columns = self._columns_by_scope[id(scope)]
        for subscope in (*scope.set_operation_scopes, *scope.subquery_scopes, *scope.udtf_scopes):
            self._require(subscope, _ALL_COLUMNS)
        sources = {name.lower(): source for name, (_, source) in scope.selected_sources.items()}
        for source in sources.values():
            self._require(source, _ColumnSet())
        self._visit_stars(scope, sources, columns)
        self._visit_joins(scope, sources)
        for column in _iterate_columns(scope):
            self._visit_column(column, sources)

    def _visit_stars(self, scope: "Scope", sources: Mapping[str, Any], columns: _ColumnSet) -> None:
        """Pass the columns of the query on to `select *`. Any other star reads all columns, except in `count(*)`."""
        from sqlglot import exp  # noqa: PLC0415

        projections = {id(projection) for projection in getattr(scope.expression, "selects", ())}
        for star in scope.find_all(exp.Star):
            if isinstance(star.parent, exp.Count):
                continue
            expression = star.parent if isinstance(star.parent, exp.Column) else star
            table = expression.text("table").lower()
            for source in [sources[table]] if table in sources else sources.values():
                self._require(source, columns if id(expression) in projections else _ALL_COLUMNS)

    def _visit_joins(self, scope: "Scope", sources: Mapping[str, Any]) -> None:
        for join in scope.expression.args.get("joins") or ():
            is_natural = "NATURAL" in (join.method or "").upper()
            join_columns = [_ALL_COLUMNS] if is_natural else [key.name.lower() for key in join.args.get("using") or ()]
            for column in join_columns:
                for source in sources.values():
                    self._require(source, column)

    def _visit_column(self, column: Any, sources: Mapping[str, Any]) -> None:
        """Mark a column as read in its table, or in every source if it names none. It may name a whole source."""
        if column.is_star:
            return
        parts = [part.name.lower() for part in column.parts]
        source_name = next((part for part in parts if part in sources), None)
        if source_name is None:
            for source in sources.values():
                self._require(source, parts[0])
        elif source_name == parts[-1]:
            self._require(sources[source_name], _ALL_COLUMNS)
        else:
            self._require(sources[source_name], parts[parts.index(source_name) + 1])


def _iterate_columns(scope: "Scope") -> Iterator[Any]:
    """Iterate over the columns named in the scope, and in the queries inside it that may be correlated."""
    from sqlglot import exp  # noqa: PLC0415

    yield from scope.find_all(exp.Column)
    correlated_scopes = (subscope for subscope in scope.derived_table_scopes if subscope.can_be_correlated)
    for subscope in (*scope.subquery_scopes, *scope.udtf_scopes, *correlated_scopes):
        yield from subscope.expression.find_all(exp.Column)
