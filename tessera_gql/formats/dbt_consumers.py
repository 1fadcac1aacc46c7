"""Read the consumers that a manifest declares beside its tables: exposures, semantic models and metrics."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tessera_gql.formats import dbt_nodes
from tessera_gql.formats.untrusted_json import UntrustedJson

FindUpstreamTables: TypeAlias = Callable[[Iterable[UntrustedJson]], set[str]]

_NAME_PATTERN = re.compile(r"[^\W\d][\w$]*")
_TOKEN_PATTERN = re.compile(r"'(?:[^']|'')*'|[^\W\d][\w$]*(?:\s*\()?")
_MAX_EXPRESSION = 10_000


@dataclass(frozen=True, slots=True)
class Exposure:
    """A dashboard, notebook or application that reads tables; also a semantic model or a metric, by its `type`."""

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
    """Build the semantic models and metrics in the order of their ids. `table_columns` are by fqn.

    A metric reads what its semantic models read, because its filters may name any of their dimensions.
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
            upstream_ids = node.object("depends_on").texts("nodes")
            waiting += upstream_ids
            if any(upstream_id in self.nodes for upstream_id in upstream_ids):
                continue  # a metric reads its tables through these
            tables = self.find_upstream_tables([node])
            for fqn in tables:
                names = self._read_expressions(node, fqn) if _is_semantic_model(node) and len(tables) == 1 else None
                previous = usage.get(fqn, set())
                usage[fqn] = None if names is None or previous is None else previous | names
        return usage

    def _read_expressions(self, node: UntrustedJson, fqn: str) -> set[str] | None:
        """Return the columns of the table in the expressions; None if an expression may read any of them."""
        by_key = dbt_nodes.by_lower_case(self.table_columns.get(fqn, ()))
        names: set[str] = set()
        for section in ("entities", "dimensions", "measures"):
            for item in node.objects(section):
                expression = item.label("expr") or item.text("name") or ""
                matches = _find_names(expression, by_key)
                if matches is None:
                    return None
                names |= matches
        return names


def _is_semantic_model(node: UntrustedJson) -> bool:
    return node.name.startswith("semantic_model.")


def _find_names(expression: str, by_key: Mapping[str, str]) -> set[str] | None:
    """Return the columns that an expression of SQL may name; None if these can't be told from other names."""
    if len(expression) > _MAX_EXPRESSION:
        return None
    if _NAME_PATTERN.fullmatch(expression):
        return {by_key.get(expression.lower(), expression)}
    tokens = _TOKEN_PATTERN.findall(expression.replace('"', " ").replace("`", " "))
    names = {token.lower() for token in tokens if not token.startswith("'") and not token.endswith("(")}
    matches = {by_key[name] for name in names if name in by_key}
    return None if names and not matches else matches
