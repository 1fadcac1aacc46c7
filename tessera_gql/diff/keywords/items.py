"""`items`, `prefixItems`, `unevaluatedItems`: the schemas of array items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.differences import Difference
from tessera_gql.diff.keywords.difference_builders import compare_rule
from tessera_gql.diff.keywords.record import MIXED_YEAR, Keyword
from tessera_gql.diff.values.json_types import ARRAY

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View


def _compare_items(old: View, new: View) -> Iterator[Difference]:
    yield from compare_rule(old, new, "additionalItems", "further items")
    yield from compare_rule(old, new, "items", "items")


ITEMS = Keyword(
    {
        "prefixItems": {2020: "schemas"},
        "items": {4: "items", 2020: "schema", MIXED_YEAR: "items"},
        "additionalItems": {4: "flag or schema", 6: "schema", 2020: None, MIXED_YEAR: "schema"},
    },
    "The schemas of the first items, and of the items after them. Older drafts list the first ones in `items`.",
    constrained_types=ARRAY,
    compare=_compare_items,
)
UNEVALUATED_ITEMS = Keyword(
    {"unevaluatedItems": {2019: "schema"}},
    "The schema of items that no applied schema describes.",
    constrained_types=ARRAY,
    compare=lambda old, new: compare_rule(old, new, "unevaluatedItems", "further items"),
)
