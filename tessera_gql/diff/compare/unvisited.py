"""Find changes of physical types and defaults in schemas that the walk did not visit, such as the items of long tuples.

No proof finds them, so the walk alone would be silent about them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import cast

from tessera_gql.diff.differences import Difference, Rule
from tessera_gql.diff.keywords.default import compare_defaults
from tessera_gql.diff.keywords.groups import NON_ASSERTING
from tessera_gql.diff.keywords.physical_type import compare_physical_types
from tessera_gql.diff.read.annotations import MAP_SHAPES, SCHEMA_SHAPES
from tessera_gql.diff.read.schema import Keywords, Schema
from tessera_gql.diff.read.view import View
from tessera_gql.diff.values.physical_types import KEYWORD

COMPARED_BY_RULE = (KEYWORD, "default")
APPLIED_MAP_SHAPES = MAP_SHAPES | {"dependencies"}


@dataclass
class Visits:
    """The pointers of schemas that were compared, and of parts that were equal with all they consist of."""

    compared: set[str] = field(default_factory=set[str])
    equal: set[str] = field(default_factory=set[str])

    def __contains__(self, pointer: str) -> bool:
        if pointer in self.compared:
            return True
        while pointer and pointer not in self.equal:
            pointer = pointer.rpartition("/")[0]
        return pointer in self.equal


def find_unvisited_differences(old: Schema, new: Schema, old_visits: Visits, new_visits: Visits) -> list[Difference]:
    """Return the differences at pointers that both documents apply and that were visited on neither side."""
    pointers = [
        pointer
        for pointer in _pointers_that_may_differ(old, new)
        if pointer not in old_visits and pointer not in new_visits
    ]
    if not pointers:
        return []
    before, after = _applied_schemas(old), _applied_schemas(new)
    return [
        replace(difference, message=f"{difference.message} (at {pointer})", evidence_schemas=())
        for pointer in pointers
        if pointer in before and pointer in after
        for compare in (compare_physical_types, compare_defaults)
        for difference in compare(View((before[pointer],)), View((after[pointer],)))
        if difference.rule is Rule.ALWAYS
    ]


def _pointers_that_may_differ(old: Schema, new: Schema) -> Iterator[str]:
    peers = new.document.schemas
    for pointer, raw in old.document.schemas.items():
        peer = peers.get(pointer)
        if isinstance(raw, dict) and isinstance(peer, dict):
            was, now = cast("Keywords", raw), cast("Keywords", peer)
            if any(was.get(keyword) != now.get(keyword) for keyword in COMPARED_BY_RULE):
                yield pointer


def _applied_schemas(root: Schema) -> dict[str, Schema]:
    """Map the pointers of all schemas that apply to a value or a part of it to their nodes."""
    schemas: dict[str, Schema] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        if node.pointer not in schemas:
            schemas[node.pointer] = node
            stack += _applied_children(node)
    return schemas


def _applied_children(node: Schema) -> Iterator[Schema]:
    if (target := node.target()) is not None:
        yield target
    for keyword in node.keywords.keys() - NON_ASSERTING:
        value, shape = node.keywords[keyword], node.document.dialect.shapes.get(keyword)
        if shape in APPLIED_MAP_SHAPES:
            entries = cast("Keywords", value)
            yield from (node.subschema(raw, keyword, name) for name, raw in entries.items() if isinstance(raw, dict))
        elif shape in SCHEMA_SHAPES:
            yield from filter(None, (node.child(keyword), *node.children(keyword)))
