"""Which columns of its upstream tables a compiled query reads. Where that can't be told, the answer is None: all.

Names are followed from the outermost query inwards, so that `select *` in a CTE reads no more than its readers do.
What is named without being read is counted as read: the answer may be too much, never too little.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot.optimizer.scope import Scope

_LONGEST = 500_000
# dbt's adapters whose dialect sqlglot calls otherwise; those it does not know are read as plain SQL.
_DIALECTS = {"sqlserver": "tsql", "synapse": "tsql"}


@dataclass(frozen=True)
class Reading:
    """The columns read of one upstream table, as it declares them; None is everything, and `why` says why."""

    columns: tuple[str, ...] | None
    why: str | None = None


def columns_read(query: str | None, adapter: str | None, upstream: Mapping[str, Sequence[str]]) -> dict[str, Reading]:
    """For each upstream fqn, given with the columns it declares."""
    if query is None:
        return dict.fromkeys(upstream, Reading(None, "the manifest holds no compiled query"))
    if len(query) > _LONGEST:
        return dict.fromkeys(upstream, Reading(None, "the query is too long to be read"))
    try:
        demands = _Demands.of(query, _DIALECTS.get(adapter or "", adapter))
    except Exception as error:  # noqa: BLE001 - a parser of a hundred dialects fails in a hundred ways, and all mean: unknown
        return dict.fromkeys(upstream, Reading(None, f"the query could not be read ({type(error).__name__})"))
    return {fqn: _reading(demands.of_table(fqn), columns) for fqn, columns in upstream.items()}


def _reading(demanded: "frozenset[str] | bool | None", declared: Sequence[str]) -> Reading:
    match demanded:
        case False:
            return Reading(None, "the query does not name it")
        case frozenset():
            named = (name for full in declared for name in (full, full.split(".")[0]) if name.lower() in demanded)
            columns = tuple(dict.fromkeys(named))
            return Reading(columns) if columns else Reading(None, "the query names no column that it declares")
        case _:
            return Reading(None, "the query reads all its columns")


@dataclass
class _Demand:
    """Names wanted of a table or query; `all` wants every one."""

    names: set[str] = field(default_factory=set[str])
    all: bool = False

    def add(self, other: "_Demand | str") -> bool:
        """Whether that was anything new."""
        before = (len(self.names), self.all)
        if isinstance(other, str):
            self.names.add(other)
        else:
            self.names |= other.names
            self.all = self.all or other.all
        return before != (len(self.names), self.all)


_EVERYTHING = _Demand(all=True)


class _Demands:
    """What a query wants of each table, found by passing wants down from scope to scope until nothing is new."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, ...], _Demand] = defaultdict(_Demand)
        self._scopes: dict[int, _Demand] = defaultdict(_Demand)
        self._seen: set[int] = set()
        self._waiting: list[Scope] = []

    @classmethod
    def of(cls, query: str, dialect: str | None) -> "_Demands":
        import sqlglot  # noqa: PLC0415 - heavy, and only where a query is read
        from sqlglot.optimizer.scope import build_scope  # noqa: PLC0415

        known = dialect if dialect in {one.value for one in sqlglot.Dialects} else None
        root = build_scope(sqlglot.parse_one(query, read=known))
        if root is None:
            raise ValueError("this is no query")
        found = cls()
        found._want(root, _EVERYTHING)
        while found._waiting:
            found._visit(found._waiting.pop())
        return found

    def of_table(self, fqn: str) -> frozenset[str] | bool | None:
        """Names; None for all; False where the query names no such table."""
        parts = tuple(fqn.lower().split("."))
        met = [demand for name, demand in self._tables.items() if len(name) > 1 and parts[-len(name) :] == name]
        if not met:
            return False
        return None if any(demand.all for demand in met) else frozenset().union(*(demand.names for demand in met))

    def _want(self, source: Any, wanted: "_Demand | str") -> None:
        """Passes a want to a table or to the scope of a query."""
        if hasattr(source, "parts"):
            if source.args.get("pivots"):
                wanted = _EVERYTHING
            self._tables[tuple(part.name.lower() for part in source.parts)].add(wanted)
        elif self._scopes[id(source)].add(wanted) or id(source) not in self._seen:
            self._seen.add(id(source))
            self._waiting.append(source)

    def _visit(self, scope: "Scope") -> None:
        demand = self._scopes[id(scope)]
        for part in (*scope.set_operation_scopes, *scope.subquery_scopes, *scope.udtf_scopes):
            self._want(part, _EVERYTHING)
        sources = {name.lower(): source for name, (_, source) in scope.selected_sources.items()}
        for source in sources.values():
            self._want(source, _Demand())
        self._stars(scope, sources, demand)
        self._joins(scope, sources)
        for column in _columns(scope):
            self._column(column, sources)

    def _stars(self, scope: "Scope", sources: Mapping[str, Any], demand: _Demand) -> None:
        """`select *` passes on what is wanted of the query; a star anywhere else, but in `count(*)`, is everything."""
        from sqlglot import exp  # noqa: PLC0415

        projections = {id(one) for one in getattr(scope.expression, "selects", ())}
        for star in scope.find_all(exp.Star):
            if isinstance(star.parent, exp.Count):
                continue
            holder = star.parent if isinstance(star.parent, exp.Column) else star
            table = holder.text("table").lower()
            for source in [sources[table]] if table in sources else sources.values():
                self._want(source, demand if id(holder) in projections else _EVERYTHING)

    def _joins(self, scope: "Scope", sources: Mapping[str, Any]) -> None:
        for join in scope.expression.args.get("joins") or ():
            natural = "NATURAL" in (join.method or "").upper()
            wanted = [_EVERYTHING] if natural else [key.name.lower() for key in join.args.get("using") or ()]
            for one in wanted:
                for source in sources.values():
                    self._want(source, one)

    def _column(self, column: Any, sources: Mapping[str, Any]) -> None:
        """A name without a table, or with one that is not here, may be a column of any source, or a source itself."""
        if column.is_star:
            return
        parts = [part.name.lower() for part in column.parts]
        known = next((part for part in parts if part in sources), None)
        if known is None:
            for source in sources.values():
                self._want(source, parts[0])
        elif known == parts[-1]:
            self._want(sources[known], _EVERYTHING)
        else:
            self._want(sources[known], parts[parts.index(known) + 1])


def _columns(scope: "Scope") -> Iterator[Any]:
    """Those named in the scope itself, and in queries inside it that may look out of themselves."""
    from sqlglot import exp  # noqa: PLC0415

    yield from scope.find_all(exp.Column)
    correlated = (one for one in scope.derived_table_scopes if one.can_be_correlated)
    for inner in (*scope.subquery_scopes, *scope.udtf_scopes, *correlated):
        yield from inner.expression.find_all(exp.Column)
