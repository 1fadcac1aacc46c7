"""`minLength`, `maxItems`, `minProperties` and the like: lengths of texts, numbers of items and properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tessera_gql.diff.keywords.difference_builders import compare_lower_limit, compare_upper_limit
from tessera_gql.diff.keywords.record import Keyword, RawSchema, read_attribute
from tessera_gql.diff.values.json_types import ARRAY, OBJECT, STRING

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View

LENGTHS = ("minLength", "maxLength")
ITEM_COUNTS = ("minItems", "maxItems")
PROPERTY_COUNTS = ("minProperties", "maxProperties")


def _lower_limit(keyword: str, attribute: str, constrained_types: int, description: str) -> Keyword:
    def write(view: View, _: str | None) -> RawSchema:
        return {keyword: view.lower_limit(attribute)}

    return Keyword(
        {keyword: {4: "count"}},
        description,
        constrained_types=constrained_types,
        has_subschemas=False,
        read=read_attribute(keyword, attribute),
        compare=lambda old, new: compare_lower_limit(old, new, keyword, attribute),
        write=write,
    )


def _upper_limit(keyword: str, attribute: str, constrained_types: int, description: str) -> Keyword:
    def write(view: View, _: str | None) -> RawSchema | None:
        limit = view.upper_limit(attribute)
        return None if limit is None else {keyword: limit}

    return Keyword(
        {keyword: {4: "count"}},
        description,
        constrained_types=constrained_types,
        has_subschemas=False,
        read=read_attribute(keyword, attribute),
        compare=lambda old, new: compare_upper_limit(old, new, keyword, attribute),
        write=write,
    )


COUNTS = (
    _lower_limit("minLength", "min_length", STRING, "The smallest number of characters."),
    _upper_limit("maxLength", "max_length", STRING, "The largest number of characters."),
    _lower_limit("minItems", "min_items", ARRAY, "The smallest number of items."),
    _upper_limit("maxItems", "max_items", ARRAY, "The largest number of items."),
    _lower_limit("minProperties", "min_properties", OBJECT, "The smallest number of properties."),
    _upper_limit("maxProperties", "max_properties", OBJECT, "The largest number of properties."),
)
