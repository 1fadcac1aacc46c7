"""The items of an array, by position or all alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tessera_gql.diff.compare.differences import Difference
from tessera_gql.diff.keywords.differences import compare_rule
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.prove.constraints import Alternative, ItemViolates, LaterItemViolates
from tessera_gql.diff.read.json_types import ARRAY

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View


def _compare_items(old: View, new: View) -> Iterator[Difference]:
    yield from compare_rule(old, new, "additionalItems", "further items")
    yield from compare_rule(old, new, "items", "items")


def _list_items(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    prefix, remaining = node.prefix_items, node.remaining_items
    for index, schema in enumerate(prefix):
        yield [ItemViolates(index, schema)]
    if remaining is not None:
        yield [LaterItemViolates(len(prefix), remaining)]


def _list_unevaluated(_: Schema, __: Sequence[Schema]) -> Iterator[Alternative]:
    """Yield a way without conjuncts, because items are not followed through the schemas that evaluate them."""
    yield []


ITEMS = Keyword(
    ("prefixItems", "items", "additionalItems"),
    "The schemas of the first items, and of the items after them. Older drafts list the first ones in `items`.",
    constrained_types=ARRAY,
    compare=_compare_items,
    violations=_list_items,
)
UNEVALUATED_ITEMS = Keyword(
    ("unevaluatedItems",),
    "The schema of items that no applied schema describes.",
    constrained_types=ARRAY,
    compare=lambda old, new: compare_rule(old, new, "unevaluatedItems", "further items"),
    violations=_list_unevaluated,
)
