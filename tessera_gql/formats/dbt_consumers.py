"""Read the consumers that a manifest declares: exposures, semantic models, metrics and saved queries."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tessera_gql.formats import dbt_nodes
from tessera_gql.formats.untrusted_json import UntrustedJson

FindUpstreamTables: TypeAlias = Callable[[Iterable[UntrustedJson]], set[str]]

_TOKEN_PATTERN = re.compile(r"'(?:[^']|'')*'|[^\W\d][\w$]*(?:\s*\()?")
_MAX_EXPRESSION = 10_000
_KEYWORDS = frozenset(
    (
        *"and or not null is in like ilike between case when then else end as true false distinct over order".split(),  # noqa: SIM905
        *"partition by asc desc interval current_date current_timestamp year quarter month week day".split(),  # noqa: SIM905
        *"date timestamp int integer bigint float double precision numeric decimal varchar string text boolean".split(),  # noqa: SIM905
    )
)
"""Names in expressions that are no columns. An unknown one costs precision only: all columns count as read."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A dashboard, notebook or application that reads tables; also a semantic model, a metric or a saved query."""

    unique_id: str
    name: str
    type: str | None
    owner: str | None
    url: str | None
    description: str | None
    depends_on: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]] | None = None
    """The columns that are read, by the fqn of the table; every column of a table without an entry."""


def build_exposures(nodes: Mapping[str, UntrustedJson], find_upstream_tables: FindUpstreamTables) -> Iterator[Exposure]:
    """Build the exposures in the order of their ids."""
    for unique_id in sorted(nodes):
        node = nodes[unique_id]
        owner = node.object("owner")
        yield Exposure(
            unique_id=unique_id,
            name=node.text("name") or unique_id.rpartition(".")[2],
            type=node.text("type"),
            owner=owner.text("name") or owner.text("email"),
            url=node.text("url"),
            description=node.text("description"),
            depends_on=tuple(sorted(find_upstream_tables([node]))),
        )


def build_semantic_consumers(
    nodes: Mapping[str, UntrustedJson],
    find_upstream_tables: FindUpstreamTables,
    table_columns: Mapping[str, tuple[str, ...]],
) -> Iterator[Exposure]:
    """Build semantic models, metrics and saved queries in the order of their ids. `table_columns` are by fqn.

    A metric reads what its semantic models read, because its filters may name any of their dimensions, and so does a
    saved query.
    """
    reader = _SemanticReader(nodes, find_upstream_tables, table_columns)
    for unique_id in sorted(nodes):
        node = nodes[unique_id]
        tables = sorted(find_upstream_tables([node]))
        usage = reader.find_columns(unique_id)
        columns = {fqn: tuple(sorted(names)) for fqn in tables if (names := usage.get(fqn))}
        yield Exposure(
            unique_id=unique_id,
            name=node.text("name") or unique_id.rpartition(".")[2],
            type=unique_id.partition(".")[0],
            owner=dbt_nodes.owner(node),
            url=None,
            description=node.text("description"),
            depends_on=tuple(tables),
            columns=columns or None,
        )


@dataclass(frozen=True)
class _SemanticReader:
    nodes: Mapping[str, UntrustedJson]
    find_upstream_tables: FindUpstreamTables
    table_columns: Mapping[str, tuple[str, ...]]

    def find_columns(self, unique_id: str) -> dict[str, set[str] | None]:
        """Find the columns that a semantic model or metric reads, by fqn; None for every column."""
        usage: dict[str, set[str] | None] = {}
        waiting, visited = [unique_id], set[str]()
        while waiting:
            current_id = waiting.pop()
            if current_id in visited or (node := self.nodes.get(current_id)) is None:
                continue
            visited.add(current_id)
            waiting += node.object("depends_on").texts("nodes")
            expressions = self._list_expressions(node)
            tables = self.find_upstream_tables([node]) if expressions != [] else ()
            for fqn in tables:
                names = self._find_names(expressions, fqn) if len(tables) == 1 else None
                previous = usage.get(fqn, set())
                usage[fqn] = None if names is None or previous is None else previous | names
        return usage

    def _list_expressions(self, node: UntrustedJson) -> list[str] | None:
        """Return the SQL expressions of the node itself; None if it reads its tables in another way."""
        if node.name.startswith("semantic_model."):
            sections = ("entities", "dimensions", "measures")
            return [_read_expression(item, item) for section in sections for item in node.objects(section)]
        parameters = node.object("type_params")
        if parameters.object("metric_aggregation_params").value:
            return [_read_expression(parameters, node)]
        has_semantic_upstream = any(item in self.nodes for item in node.object("depends_on").texts("nodes"))
        return [] if has_semantic_upstream else None

    def _find_names(self, expressions: Iterable[str] | None, fqn: str) -> set[str] | None:
        """Return the columns of the table in the expressions; None if an expression may read any of them."""
        if expressions is None:
            return None
        by_key = dbt_nodes.by_lower_case(self.table_columns.get(fqn, ()))
        names: set[str] = set()
        for expression in expressions:
            matches = _find_names_in(expression, by_key)
            if matches is None:
                return None
            names |= matches
        return names


def _read_expression(holder: UntrustedJson, owner: UntrustedJson) -> str:
    """Return the expression of a part; without one it is the column of the same name."""
    return holder.label("expr") or owner.text("name") or ""


def _find_names_in(expression: str, by_key: Mapping[str, str]) -> set[str] | None:
    """Return the columns that an expression of SQL names; None if it names anything that is no known column."""
    if len(expression) > _MAX_EXPRESSION:
        return None
    tokens = _TOKEN_PATTERN.findall(expression.replace('"', " ").replace("`", " "))
    names = {token.lower() for token in tokens if not token.startswith("'") and not token.endswith("(")}
    columns = {name for name in names if name in by_key}
    return None if names - columns - _KEYWORDS else {by_key[name] for name in columns}
