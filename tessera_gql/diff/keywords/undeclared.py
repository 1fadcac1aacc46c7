"""`additionalProperties`, `unevaluatedProperties`, `propertyNames`: properties not declared by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.differences import Difference, Rule, digest_sides
from tessera_gql.diff.keywords.difference_builders import compare_rule, constraint_difference
from tessera_gql.diff.keywords.record import Keyword, RawSchema
from tessera_gql.diff.values.json_types import OBJECT

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View

CLOSING_KEYWORDS = ("additionalProperties", "unevaluatedProperties")


def _compare_closing(old: View, new: View, keyword: str) -> Iterator[Difference]:
    """Yield a difference if one view is closed, or if only one has a rule for undeclared properties.

    Closing an object breaks even if producers never write undeclared properties, because consumers may expect them.
    """
    before, after = old.child_view(keyword), new.child_view(keyword)
    closed = [child is not None and any(node.is_false for node in child.nodes) for child in (before, after)]
    if closed[0] == closed[1]:
        yield from compare_rule(old, new, keyword, "undeclared fields")
        return
    pointer = (new if closed[1] else old).pointer_to(keyword)
    message = f"undeclared fields are {'not allowed any more' if closed[1] else 'allowed now'}"
    difference = constraint_difference(pointer, (not closed[0], not closed[1]), message, is_tighter=closed[1])
    difference.rule = Rule.OPEN
    difference.digest = digest_sides(*(view.digests_of(keyword) for view in (old, new)))
    yield difference


def _write_closed(view: View, _: str | None) -> RawSchema:
    names: RawSchema = dict.fromkeys(view.properties, True)
    patterns: RawSchema = {pattern: True for node in view.schemas for pattern in node.pattern_properties}
    return {"type": "object", "properties": names, "patternProperties": patterns, "additionalProperties": False}


ADDITIONAL_PROPERTIES = Keyword(
    {"additionalProperties": {4: "flag or schema", 6: "schema"}},
    "The schema of properties that are not declared; false forbids them.",
    constrained_types=OBJECT,
    compare=lambda old, new: _compare_closing(old, new, "additionalProperties"),
    write=_write_closed,
)
UNEVALUATED_PROPERTIES = Keyword(
    {"unevaluatedProperties": {2019: "schema"}},
    "The schema of properties that no applied schema declares; false forbids them.",
    constrained_types=OBJECT,
    compare=lambda old, new: _compare_closing(old, new, "unevaluatedProperties"),
    write=_write_closed,
)
PROPERTY_NAMES = Keyword(
    {"propertyNames": {6: "schema"}},
    "The schema of the names of all properties.",
    constrained_types=OBJECT,
    compare=lambda old, new: compare_rule(old, new, "propertyNames", "names of fields"),
)
