"""Properties by their name, by a pattern of names, and those that depend on another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.differences import Difference, digest_sides
from tessera_gql.diff.keywords.difference_builders import constraint_difference
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import format_value
from tessera_gql.diff.values.json import Json, compute_digest, escape_token
from tessera_gql.diff.values.json_types import OBJECT

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View

DEPENDENCY_KEYWORDS = ("dependentRequired", "dependentSchemas", "dependencies")


def _compare_entries(old: View, new: View, keyword: str, noun: str) -> Iterator[Difference]:
    """Yield added and removed entries of a keyword that maps names to restrictions."""
    before, after = (_list_entries(view, keyword) for view in (old, new))
    for entries, peers, is_new in ((after, before, True), (before, after, False)):
        for name in sorted(entries.keys() - peers.keys()):
            message = f"{noun} {format_value(name)} was {'added' if is_new else 'removed'}"
            values = (None, name) if is_new else (name, None)
            nodes = entries[name]
            pointer = f"{nodes[-1].pointer}/{keyword}/{escape_token(name)}"
            difference = constraint_difference(pointer, values, message, is_tighter=is_new)
            contents: list[Json] = [*sorted(_digest_entry(node, keyword, name) for node in nodes)]
            difference.digest = digest_sides(*((None, contents) if is_new else (contents, None)))
            yield difference


def _list_entries(view: View, keyword: str) -> dict[str, list[Schema]]:
    """Map the names of the entries to the schemas that have them."""
    nodes_by_name: dict[str, list[Schema]] = {}
    for node in view.schemas:
        for name in cast("dict[str, Json]", node.keywords.get(keyword, {})):
            nodes_by_name.setdefault(name, []).append(node)
    return nodes_by_name


def _digest_entry(node: Schema, keyword: str, name: str) -> str:
    """Hash the names that an entry requires, or its schema."""
    raw = cast("dict[str, Json]", node.keywords[keyword])[name]
    if isinstance(raw, list):
        return compute_digest(sorted(cast("list[str]", raw)))
    return node.subschema(raw, keyword, name).digest


def _compare_dependencies(old: View, new: View) -> Iterator[Difference]:
    for keyword in DEPENDENCY_KEYWORDS:
        yield from _compare_entries(old, new, keyword, "dependency on")


PROPERTIES = Keyword(
    {"properties": {4: "map"}},
    "The schemas of properties by name. These are the declared fields.",
    constrained_types=OBJECT,
)
PATTERN_PROPERTIES = Keyword(
    {"patternProperties": {4: "pattern map"}},
    "The schemas of properties, by a pattern of their names.",
    constrained_types=OBJECT,
    compare=lambda old, new: _compare_entries(old, new, "patternProperties", "rule for fields that match"),
)
DEPENDENCIES = Keyword(
    {
        "dependentRequired": {2019: "names map"},
        "dependentSchemas": {2019: "map"},
        "dependencies": {4: "some dependencies", 6: "dependencies"},
    },
    "The properties that must be present, or the schema that must hold, if a property is present.",
    constrained_types=OBJECT,
    compare=_compare_dependencies,
)
