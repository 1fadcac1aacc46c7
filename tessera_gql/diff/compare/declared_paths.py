"""Compare declared field paths. A removed or added path breaks regardless of the accepted values."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from tessera_gql.diff.compare.routes import explore
from tessera_gql.diff.differences import ItemStep, OtherPropertyStep, PropertyStep, Step
from tessera_gql.diff.keywords.groups import SCALAR_KEYWORDS
from tessera_gql.diff.read.in_place import DeclaredProperties, changed_properties, declared_properties, in_place_schemas
from tessera_gql.diff.read.schema import Keywords, Schema, count_schemas

Key = tuple[frozenset[int], frozenset[int]]
NON_DECLARING = SCALAR_KEYWORDS | {"nullable"}


@dataclass
class DeclarationPair:
    """All subschemas of one value, on both sides, and the properties only one side declares."""

    old: list[Schema]
    new: list[Schema]
    removed: list[tuple[str, Schema]] = field(default_factory=list[tuple[str, Schema]])
    added: list[tuple[str, Schema]] = field(default_factory=list[tuple[str, Schema]])
    edges: list[tuple[Step, Key]] = field(default_factory=list[tuple[Step, Key]])
    is_cut: bool = False


def compare_declarations(old: Schema, new: Schema) -> dict[Key, DeclarationPair]:
    """Return all pairs where the declared paths may differ, the root first."""

    def visit(pair: DeclarationPair) -> Iterator[tuple[Step, DeclarationPair]]:
        before, after = declared_properties(pair.old), declared_properties(pair.new)
        pair.removed = [(name, _first_declaration(nodes, name)) for name, nodes in before.items() if name not in after]
        pair.added = [(name, _first_declaration(nodes, name)) for name, nodes in after.items() if name not in before]
        for step, left, right in _child_declarations(pair, before, after):
            yield step, _make_pair(left, right)

    return explore(_make_pair([old], [new]), _key, visit, count_schemas(old, new))


def _make_pair(old: list[Schema], new: list[Schema]) -> DeclarationPair:
    return DeclarationPair(_expand_all(old), _expand_all(new))


def _expand_all(nodes: list[Schema]) -> list[Schema]:
    """Return the subschemas of one value. Bare references declare nothing, and would make equal pairs differ."""
    schemas = (schema for node in nodes for schema in in_place_schemas(node))
    return [*{id(schema): schema for schema in schemas if not schema.is_bare_reference}.values()]


def _key(pair: DeclarationPair) -> Key:
    return frozenset(map(id, pair.old)), frozenset(map(id, pair.new))


def _first_declaration(nodes: tuple[Schema, ...], name: str) -> Schema:
    return min(nodes, key=lambda node: node.pointer).property_schema(name)


def _child_declarations(
    pair: DeclarationPair, before: DeclaredProperties, after: DeclaredProperties
) -> Iterator[tuple[Step, list[Schema], list[Schema]]]:
    for name, nodes, new_nodes in changed_properties(before, after):
        if not all(_declares_nothing(schema.properties[name]) for schema in (*nodes, *new_nodes)):
            yield (
                PropertyStep(name),
                [node.property_schema(name) for node in nodes],
                [node.property_schema(name) for node in new_nodes],
            )
    for step, select in ((ItemStep(0), Schema.item_schemas), (OtherPropertyStep(), Schema.undeclared_schemas)):
        left, right = ([schema for node in side for schema in select(node)] for side in (pair.old, pair.new))
        if {node.key for node in left} != {node.key for node in right}:
            yield step, left, right


def _declares_nothing(raw: object) -> bool:
    return NON_DECLARING.issuperset(cast("Keywords", raw)) if isinstance(raw, dict) else True
