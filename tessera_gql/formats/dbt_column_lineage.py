"""Find which columns of a table its compiled query makes from which columns of its upstream tables.

Each query scope is resolved once, from the innermost outwards: to its output columns with what they are made from, and
to the columns that decide about its rows. A name that could be of several tables counts for each of them, so that no
column is missed. Of a table whose columns are not known, a star passes on every column under its own name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tessera_gql.formats.dbt_sql import MAX_QUERY_LENGTH, parse_query

if TYPE_CHECKING:
    from sqlglot.optimizer.scope import Scope

MAX_EDGES = 20_000
"""Edges of one query; a query that makes more of them has unknown lineage."""
MAX_DEPTH = 100
"""Scopes inside of each other."""


class EdgeKind(StrEnum):
    """How a column is made from another one: copied as it is, computed from it, or by rows that it selects."""

    COPIED = "COPIED"
    DERIVED = "DERIVED"
    FILTER = "FILTER"


Reference = tuple[str, str]
"""A table, by its fqn or its name in the query, and the name of a column in lower case; an empty one is any column."""
Edge = tuple[str, str, EdgeKind]
"""The source column, the target column (empty: every column) and the kind."""


@dataclass(frozen=True)
class QueryLineage:
    """The edges of a query by the fqn of the upstream table; a table without edges has unknown lineage.

    `stars` are the tables of which other columns pass through under their own names. `reason` says why nothing is known
    of the whole query.
    """

    edges: Mapping[str, frozenset[Edge]] = field(default_factory=dict[str, frozenset[Edge]])
    stars: frozenset[str] = frozenset()
    reason: str | None = None


class UnknownLineage(Exception):  # noqa: N818 - not an error of this program
    """The query has a construct whose columns can't be followed."""


def find_column_lineage(
    query: str | None, adapter: str | None, columns: Sequence[str], upstream: Mapping[str, Sequence[str]]
) -> QueryLineage:
    """Find the edges from upstream tables, by fqn with their known columns, to the `columns` of the query's table."""
    if query is None:
        return QueryLineage(reason="the manifest holds no compiled query")
    if len(query) > MAX_QUERY_LENGTH:
        return QueryLineage(reason="the query is too long to be read")
    try:
        resolver = _Resolver(upstream)
        output = resolver.resolve(parse_query(query, adapter))
        return QueryLineage(_build_edges(output, columns, upstream), frozenset(output.stars.intersection(upstream)))
    except UnknownLineage as error:
        return QueryLineage(reason=str(error))
    except Exception as error:  # noqa: BLE001 - a parser of a hundred dialects fails in a hundred ways, and all mean: unknown
        return QueryLineage(reason=f"the query could not be read ({type(error).__name__})")


@dataclass
class _ColumnOrigin:
    """What a column is made from; `is_copy` if it is one column as it is."""

    references: set[Reference] = field(default_factory=set[Reference])
    is_copy: bool = False


@dataclass
class _Output:
    """The columns of a query in order, with the references that decide about its rows.

    `stars` are tables of which every other column passes through under its own name, `is_open` if columns that are
    known nowhere may exist.
    """

    columns: dict[str, _ColumnOrigin] = field(default_factory=dict[str, _ColumnOrigin])
    filters: set[Reference] = field(default_factory=set[Reference])
    stars: set[str] = field(default_factory=set[str])

    def find(self, name: str) -> _ColumnOrigin | None:
        """Find a column that is known to exist."""
        return self.columns.get(name)

    def pass_through(self, name: str) -> _ColumnOrigin:
        """Return a column that only a star may bring."""
        return _ColumnOrigin({(table, name) for table in self.stars}, is_copy=len(self.stars) == 1)

    def all_references(self) -> set[Reference]:
        references = {item for origin in self.columns.values() for item in origin.references}
        return references | self.filters | {(table, "") for table in self.stars}


class _Resolver:
    """Resolves the scopes of one query, each once."""

    def __init__(self, upstream: Mapping[str, Sequence[str]]) -> None:
        self._names = {fqn: tuple(fqn.lower().split(".")) for fqn in upstream}
        self._columns = {fqn: [name.lower() for name in names] for fqn, names in upstream.items()}
        self._outputs: dict[int, _Output | None] = {}
        self._depth = 0

    def resolve(self, scope: "Scope") -> _Output:
        """Return the columns of a scope."""
        if id(scope) in self._outputs:
            output = self._outputs[id(scope)]
            if output is None:
                raise UnknownLineage("the query reads itself")
            return output
        self._outputs[id(scope)] = None
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnknownLineage("the query is nested too deeply")
        output = self._outputs[id(scope)] = self._resolve_scope(scope)
        self._depth -= 1
        return output

    def _resolve_scope(self, scope: "Scope") -> _Output:
        from sqlglot import exp  # noqa: PLC0415 - heavy, and only where a query is read

        if scope.expression.find(exp.MatchRecognize):
            raise UnknownLineage("the query has MATCH_RECOGNIZE")
        if isinstance(scope.expression, exp.SetOperation):
            return _rename_outputs(scope, self._combine(scope))
        if isinstance(scope.expression, exp.Select):
            return _rename_outputs(scope, _SelectResolver(self, scope).resolve())
        return self._resolve_other(scope)

    def _resolve_other(self, scope: "Scope") -> _Output:
        """Resolve a scope that is no query, such as LATERAL FLATTEN: each column is made from all that it names."""
        select = _SelectResolver(self, scope)
        return _Output(filters=select.collect(scope.expression))

    def _combine(self, scope: "Scope") -> _Output:
        """Combine the sides of a set operation by position; a distinct one compares every column."""
        from sqlglot import exp  # noqa: PLC0415

        left, right = (self.resolve(side) for side in scope.set_operation_scopes)
        expression = scope.expression
        is_by_name = bool(expression.args.get("by_name"))
        output = _Output(filters=left.filters | right.filters, stars=left.stars | right.stars)
        rights = [*right.columns.values()]
        has_stars = bool(output.stars)
        for number, (name, origin) in enumerate(left.columns.items()):
            opposite = right.columns.get(name) if is_by_name or has_stars else None
            if opposite is None and not is_by_name and number < len(rights):
                opposite = rights[number]
            references = origin.references | (opposite.references if opposite else set())
            is_copy = origin.is_copy and (opposite is None or opposite.is_copy)
            output.columns[name] = _ColumnOrigin(references, is_copy=is_copy)
        if is_by_name or has_stars:
            for name, origin in right.columns.items():
                output.columns.setdefault(name, origin)
        if expression.args.get("distinct") or isinstance(expression, exp.Except | exp.Intersect):
            output.filters |= output.all_references()
        return output

    def read_table(self, table: Any) -> _Output:
        """Return the columns of a table: of an upstream one those that are known, and any other by its name."""
        parts = tuple(part.name.lower() for part in table.parts)
        fqn = next((fqn for fqn, name in self._names.items() if len(parts) > 1 and name[-len(parts) :] == parts), None)
        fqn = fqn or next((fqn for fqn, name in self._names.items() if name[-1:] == parts), None)
        if fqn is None:  # not one of the upstream tables, such as a lookup that dbt does not know
            return _Output(stars={".".join(parts)})
        if table.args.get("pivots"):
            return _Output(filters={(fqn, "")})
        columns = {name: _ColumnOrigin({(fqn, name)}, is_copy=True) for name in self._columns[fqn]}
        return _Output(columns, stars={fqn})


class _SelectResolver:
    """Resolves one SELECT by the outputs of its sources."""

    def __init__(self, resolver: _Resolver, scope: "Scope", without: "Scope | None" = None) -> None:
        self.resolver = resolver
        self.scope = scope
        self.sources = {
            name.lower(): self.read(node, source)
            for name, (node, source) in scope.selected_sources.items()
            if without is None or source is not without
        }
        subscopes = (*scope.subquery_scopes, *scope.udtf_scopes)
        self.subscopes = {id(subscope.expression): subscope for subscope in subscopes}

    def read(self, node: Any, source: Any) -> _Output:
        if hasattr(source, "parts"):
            return self.resolver.read_table(source)
        output = self.resolver.resolve(source)
        return _Output(filters=output.all_references()) if node.args.get("pivots") else output

    def resolve(self) -> _Output:
        select = self.scope.expression
        output = _Output()
        for source in self.sources.values():
            output.filters |= source.filters
        for number, projection in enumerate(select.expressions):
            if projection.is_star:
                self._expand_star(projection, output)
            else:
                name = (projection.alias_or_name or f"_{number}").lower()
                output.columns[name] = self._resolve_projection(projection.unalias())
        for clause in self._list_clauses():
            output.filters |= self._collect_clause(clause, output)
        if select.args.get("distinct"):
            output.filters |= output.all_references()
        return output

    def _list_clauses(self) -> list[Any]:
        """List what decides about the rows of the query: joins, conditions, groups, order and the like."""
        skipped = {"expressions", "with_", "from_", "hint", "kind", "distinct"}
        parts = [part for key, part in self.scope.expression.args.items() if key not in skipped]
        nodes = [node for part in parts for node in (part if isinstance(part, list) else [part])]
        return [node for node in nodes if hasattr(node, "args")]

    def _resolve_projection(self, expression: Any) -> _ColumnOrigin:
        from sqlglot import exp  # noqa: PLC0415

        if isinstance(expression, exp.Column) and not expression.is_star:
            origin = self._find(expression)
            return _ColumnOrigin(set(origin.references), is_copy=origin.is_copy)
        return _ColumnOrigin(self.collect(expression))

    def _expand_star(self, projection: Any, output: _Output) -> None:
        """Add every column of the sources that a star stands for, without those that it excludes or replaces."""
        from sqlglot import exp  # noqa: PLC0415

        star = projection if isinstance(projection, exp.Star) else projection.this
        table = projection.text("table").lower() if isinstance(projection, exp.Column) else ""
        sources = [self.sources[table]] if table in self.sources else [*self.sources.values()]
        excluded = {item.name.lower() for item in star.args.get("except_") or star.args.get("except") or ()}
        renamed = {
            item.this.name.lower(): item.alias.lower()
            for item in star.args.get("rename") or ()
            if item.args.get("alias")
        }
        for source in sources:
            for name, origin in source.columns.items():
                if name not in excluded:
                    previous = output.columns.get(renamed.get(name, name))
                    joined = _ColumnOrigin(origin.references | previous.references) if previous else origin
                    output.columns[renamed.get(name, name)] = joined
            output.stars |= source.stars
        for item in star.args.get("replace") or ():
            output.columns[item.alias_or_name.lower()] = self._resolve_projection(item.unalias())
        for name in excluded:
            output.columns.setdefault(name, _ColumnOrigin()) if output.stars and len(sources) == 1 else None

    def _collect_clause(self, node: Any, output: _Output) -> set[Reference]:
        """Collect what a clause reads. A name may be that of an output column, and USING names one of each side."""
        from sqlglot import exp  # noqa: PLC0415

        references = self.collect(node, aliases=output.columns)
        if isinstance(node, exp.Join):
            keys = [key.name.lower() for key in node.args.get("using") or ()]
            if "NATURAL" in (node.method or "").upper():
                keys = [name for source in self.sources.values() for name in source.columns]
            for name in keys:
                for source in self.sources.values():
                    origin = source.find(name)
                    references |= origin.references if origin else source.pass_through(name).references
        for number in node.find_all(exp.Literal) if isinstance(node, exp.Group | exp.Order) else ():
            position = int(number.this) - 1 if number.is_int else -1
            if 0 <= position < len(output.columns):
                references |= [*output.columns.values()][position].references
        return references

    def collect(self, expression: Any, aliases: Mapping[str, _ColumnOrigin] | None = None) -> set[Reference]:
        """Collect all references in an expression, and those of the queries inside of it."""
        from sqlglot import exp  # noqa: PLC0415
        from sqlglot.optimizer.scope import walk_in_scope  # noqa: PLC0415

        references: set[Reference] = set()
        for node in walk_in_scope(expression):
            if isinstance(node, exp.Column) and not node.is_star:
                references |= self._find(node).references
                if aliases and not node.table and (origin := aliases.get(node.name.lower())):
                    references |= origin.references
            elif isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count | exp.Column):
                references |= self.read_all()
            elif isinstance(node, exp.Column) and not isinstance(node.parent, exp.Count):
                references |= self.read_all(node.text("table").lower())
            elif (subscope := self._find_subscope(node)) is not None:
                references |= self.resolver.resolve(subscope).all_references()
        return references

    def _find_subscope(self, node: Any) -> "Scope | None":
        from sqlglot import exp  # noqa: PLC0415

        if not isinstance(node, exp.Query | exp.UDTF):
            return None
        if (subscope := self.subscopes.get(id(node))) is not None:
            return subscope
        return self.subscopes.get(id(node.unnest())) if isinstance(node, exp.Subquery) else None

    def read_all(self, name: str = "") -> set[Reference]:
        sources = [self.sources[name]] if name in self.sources else self.sources.values()
        return {reference for source in sources for reference in source.all_references()}

    def _find(self, column: Any) -> _ColumnOrigin:
        """Find what a column is made from. It may name a source, a field of a column, or a source as a whole."""
        parts = [part.name.lower() for part in column.parts]
        for resolver in self._list_queries():
            alias = next((part for part in parts[:-1] if part in resolver.sources), None)
            if alias is not None:
                position = parts.index(alias) + 1
                return _find_in([resolver.sources[alias]], parts[position], is_whole=position == len(parts) - 1)
        origin = _ColumnOrigin()
        for resolver in self._list_queries():
            if len(parts) == 1 and parts[0] in resolver.sources and not resolver.is_column(parts[0]):
                return _ColumnOrigin(resolver.read_all(parts[0]))
            origin = _find_in([*resolver.sources.values()], parts[0], is_whole=len(parts) == 1)
            if origin.references or resolver.is_column(parts[0]):
                return origin
        return origin

    def _list_queries(self) -> "Iterator[_SelectResolver]":
        """List this query and, if it is correlated, those around it."""
        resolver: _SelectResolver | None = self
        while resolver is not None:
            yield resolver
            resolver = resolver.find_outer()

    def is_column(self, name: str) -> bool:
        return any(name in source.columns for source in self.sources.values())

    def find_outer(self) -> "_SelectResolver | None":
        """Return the query around a correlated one."""
        parent = self.scope.parent
        if parent is None or not self.scope.can_be_correlated or not hasattr(parent, "selected_sources"):
            return None
        return _SelectResolver(self.resolver, parent, without=self.scope)


def _find_in(sources: Iterable[_Output], name: str, *, is_whole: bool) -> _ColumnOrigin:
    """Find a column in the sources that have it, else in all that may have it."""
    sources = [*sources]
    candidates = [origin for source in sources if (origin := source.find(name)) is not None]
    if not candidates:
        candidates = [origin for source in sources if (origin := source.pass_through(name)).references]
        # The outputs of a table function have no names here, but come from what it reads.
        nameless = [source for source in sources if not source.columns and not source.stars]
        candidates += [_ColumnOrigin(set(source.filters)) for source in nameless]
    references = {reference for origin in candidates for reference in origin.references}
    return _ColumnOrigin(references, is_copy=is_whole and len(candidates) == 1 and candidates[0].is_copy)


def _rename_outputs(scope: "Scope", output: _Output) -> _Output:
    """Give the columns the names of an alias with a list of columns, as in `with t(a, b) as ...`."""
    names = [str(getattr(name, "name", name)).lower() for name in scope.outer_columns or ()]
    if not names:
        return output
    if len(names) != len(output.columns):
        raise UnknownLineage("the query renames columns that are not known")
    return _Output(dict(zip(names, output.columns.values(), strict=True)), output.filters, output.stars)


def _build_edges(
    output: _Output, columns: Sequence[str], upstream: Mapping[str, Sequence[str]]
) -> dict[str, frozenset[Edge]]:
    """Build edges with the names as the tables spell them."""
    spelling = {(fqn, name.lower()): name for fqn, names in upstream.items() for name in names}
    targets = {name.lower(): name for name in columns}
    edges: dict[str, set[Edge]] = {fqn: set() for fqn in upstream}
    for source, target, kind in _list_edges(output, targets):
        if source[0] in edges:
            edges[source[0]].add((spelling.get(source, source[1]), target, kind))
    if sum(map(len, edges.values())) > MAX_EDGES:
        raise UnknownLineage("the query has too many columns")
    return {fqn: frozenset(items) for fqn, items in edges.items()}


def _list_edges(output: _Output, targets: Mapping[str, str]) -> Iterator[tuple[Reference, str, EdgeKind]]:
    origins_by_name = dict(output.columns)
    for name in targets:
        top_level = name.split(".")[0]
        if top_level not in origins_by_name:
            origins_by_name[top_level] = output.pass_through(top_level)
    for name, origin in origins_by_name.items():
        kind = EdgeKind.COPIED if origin.is_copy else EdgeKind.DERIVED
        for reference in origin.references:
            yield reference, targets.get(name, name), kind
    for reference in output.filters:
        yield reference, "", EdgeKind.FILTER
