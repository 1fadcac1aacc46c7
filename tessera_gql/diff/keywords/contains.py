"""`contains`, `minContains`, `maxContains`: how many items must match a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.differences import Difference, digest_sides
from tessera_gql.diff.keywords.difference_builders import compare_upper_limit, limit_difference, presence_difference
from tessera_gql.diff.keywords.record import Keyword, read_attribute
from tessera_gql.diff.values.json import Json
from tessera_gql.diff.values.json_types import ARRAY

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View


def compare_contains(old: View, new: View) -> Iterator[Difference]:
    old_rule, new_rule = old.child_view("contains"), new.child_view("contains")
    if old_rule and new_rule:
        before, after = old.lower_limit("min_contains"), new.lower_limit("min_contains")
        if before != after:
            pointer = new.pointer_to("minContains")
            yield limit_difference(pointer, (before, after), "minContains", is_tighter=after > before)
        yield from compare_upper_limit(old, new, "maxContains", "max_contains")
    elif old_rule or new_rule:
        message = "must contain a certain item now" if new_rule else "need not contain a certain item any more"
        difference = presence_difference(old, new, "contains", message)
        difference.digest = digest_sides(*(_describe_rule(view) for view in (old, new)))
        yield difference


def _describe_rule(view: View) -> Json:
    """Return the digests of the items that an array must contain, and how many there must be."""
    limits = view.lower_limit("min_contains"), view.upper_limit("max_contains")
    return [view.digests_of("contains"), *limits]


CONTAINS = Keyword(
    {"contains": {6: "schema"}},
    "The schema of items of which an array must contain at least one, or as many as `minContains` says.",
    constrained_types=ARRAY,
    triggers=("minContains", "maxContains"),
    compare=compare_contains,
)
MIN_CONTAINS = Keyword(
    {"minContains": {2019: "count"}},
    "The smallest number of items that match `contains`; 1 if absent.",
    constrained_types=ARRAY,
    read=read_attribute("minContains", "min_contains"),
)
MAX_CONTAINS = Keyword(
    {"maxContains": {2019: "count"}},
    "The largest number of items that match `contains`.",
    constrained_types=ARRAY,
    read=read_attribute("maxContains", "max_contains"),
)
