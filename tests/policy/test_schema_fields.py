"""Fields are removed from a schema by their paths, as a producer drops columns."""

from typing import Any

import pytest

from tessera_gql.errors import Invalid
from tessera_gql.policy.schema_fields import MAX_REMOVED, remove_fields

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"sku": {"type": "string"}, "count": {}}, "required": ["sku"]},
        },
        "address": {"type": "object", "properties": {"city": {}, "street": {}}},
    },
    "required": ["id", "items"],
}


def test_a_column_goes_with_its_requirement_and_the_schema_itself_stays() -> None:
    result = remove_fields(SCHEMA, ["id"])
    assert (sorted(result["properties"]), result["required"]) == (["address", "items"], ["items"])
    assert "id" in SCHEMA["properties"]


def test_nested_fields_and_fields_of_items_are_removed() -> None:
    result = remove_fields(SCHEMA, ["address.city", "items[].sku"])
    assert result["properties"]["address"]["properties"] == {"street": {}}
    assert result["properties"]["items"]["items"] == {"type": "object", "properties": {"count": {}}, "required": []}


@pytest.mark.parametrize("path", ["", "none", "id.x", "items[]", "items[].none", "[]", "x" * 5_000])
def test_an_unknown_path_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match="declares no field"):
        remove_fields(SCHEMA, [path])


@pytest.mark.parametrize("schema", [True, {}, {"properties": []}, {"type": "object", "properties": {"a": True}}])
def test_a_schema_of_another_form_is_refused(schema: Any) -> None:
    with pytest.raises(Invalid):
        remove_fields(schema, ["a.b"])


def test_too_many_paths_are_refused() -> None:
    with pytest.raises(Invalid, match="more than the 500"):
        remove_fields(SCHEMA, ["id"] * (MAX_REMOVED + 1))
