"""Every description in the schema is a sentence that stands alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLNamedType, build_schema, is_introspection_type, is_specified_scalar_type

from tessera_gql.graphql.schema import print_sdl

MINIMUM_WORDS = 4
TYPES = [
    type_
    for type_ in build_schema(print_sdl()).type_map.values()
    if not is_introspection_type(type_) and not is_specified_scalar_type(type_)
]


def described(type_: GraphQLNamedType) -> Iterator[tuple[str, Any]]:
    """Yield the path of a type, its enum values, fields and their arguments, each with the element."""
    yield type_.name, type_
    for name, value in getattr(type_, "values", {}).items():
        yield f"{type_.name}.{name}", value
    for name, field in getattr(type_, "fields", {}).items():
        yield f"{type_.name}.{name}", field
        for argument, value in getattr(field, "args", {}).items():
            yield f"{type_.name}.{name}({argument}:)", value


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_descriptions_have_four_words_a_capital_and_a_full_stop(type_: GraphQLNamedType) -> None:
    descriptions = {path: element.description or "" for path, element in described(type_)}
    assert {path: text for path, text in descriptions.items() if len(text.split()) < MINIMUM_WORDS} == {}
    assert {path: text for path, text in descriptions.items() if not text[0].isupper()} == {}
    assert {path: text for path, text in descriptions.items() if not text.endswith(".")} == {}
