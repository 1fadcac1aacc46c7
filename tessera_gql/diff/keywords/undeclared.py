"""Properties and items that are not declared one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.compare.differences import Difference, Rule
from tessera_gql.diff.keywords.differences import constraint_difference, presence_difference
from tessera_gql.diff.keywords.record import Keyword, RawSchema
from tessera_gql.diff.read.json_types import ALL_TYPES, ARRAY, OBJECT

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
        yield from _compare_rule(old, new, keyword, "undeclared fields")
        return
    pointer = (new if closed[1] else old).pointer_to(keyword)
    message = f"undeclared fields are {'not allowed any more' if closed[1] else 'allowed now'}"
    difference = constraint_difference(pointer, (not closed[0], not closed[1]), message, is_tighter=closed[1])
    difference.rule = Rule.OPEN
    yield difference


def _compare_rule(old: View, new: View, keyword: str, noun: str) -> Iterator[Difference]:
    before, after = old.child_view(keyword), new.child_view(keyword)
    rule = after or before
    if rule is None or (before and after):
        return
    if not rule.types:
        message = f"{noun} are {'not allowed any more' if after else 'allowed now'}"
    else:
        message = f"{noun} are restricted now" if after else f"{noun} are not restricted any more"
    yield presence_difference(old, new, keyword, message)


def _write_closed(view: View, _: str | None) -> RawSchema:
    names: RawSchema = dict.fromkeys(view.properties, True)
    patterns: RawSchema = {pattern: True for node in view.schemas for pattern in node.pattern_properties}
    return {"type": "object", "properties": names, "patternProperties": patterns, "additionalProperties": False}


def _closing(keyword: str, constrained_types: int, description: str) -> Keyword:
    return Keyword(
        (keyword,),
        description,
        constrained_types=constrained_types,
        compare=lambda old, new: _compare_closing(old, new, keyword),
        write=_write_closed,
    )


def _rule(keyword: str, constrained_types: int, noun: str, description: str) -> Keyword:
    return Keyword(
        (keyword,),
        description,
        constrained_types=constrained_types,
        compare=lambda old, new: _compare_rule(old, new, keyword, noun),
    )


UNDECLARED = (
    _closing("additionalProperties", OBJECT, "The schema of properties that are not declared; false forbids them."),
    _closing("unevaluatedProperties", ALL_TYPES, "The schema of properties that no applied schema declares."),
    _rule("items", ARRAY, "items", "The schema of all items, or of those after `prefixItems`. A list in older drafts."),
    _rule("additionalItems", ARRAY, "further items", "The schema of the items after a list in `items`."),
    _rule("unevaluatedItems", ALL_TYPES, "further items", "The schema of items that no applied schema describes."),
    _rule("propertyNames", OBJECT, "names of fields", "The schema of the names of all properties."),
)
