"""`uniqueItems`: whether the items of an array must differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.differences import Difference
from tessera_gql.diff.keywords.difference_builders import constraint_difference
from tessera_gql.diff.keywords.record import Keyword, read_attribute
from tessera_gql.diff.values.json_types import ARRAY

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View


def compare_uniqueness(old: View, new: View) -> Iterator[Difference]:
    before, after = any(node.unique for node in old.schemas), any(node.unique for node in new.schemas)
    if before != after:
        pointer = (new if after else old).pointer_to("uniqueItems")
        message = f"duplicate items are {'not allowed any more' if after else 'allowed now'}"
        yield constraint_difference(pointer, (before, after), message, is_tighter=after)


UNIQUE_ITEMS = Keyword(
    {"uniqueItems": {4: "flag"}},
    "Whether all items of an array must differ.",
    constrained_types=ARRAY,
    has_subschemas=False,
    read=read_attribute("uniqueItems", "unique"),
    compare=compare_uniqueness,
    write=lambda _, __: {"uniqueItems": True},
)
