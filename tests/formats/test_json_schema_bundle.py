"""A JSON Schema that is split over files becomes one document, or keeps the references that can't be followed."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tessera_gql.diff import Mode, SchemaError, compare
from tessera_gql.formats.json_schema_bundle import MAX_FILES, bundle_schema
from tessera_gql.formats.parsed_schema import DocumentError

ADDRESS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ORDER = {"type": "object", "properties": {"to": {"$ref": "address.json"}}}


def bundle(document: Any, **files: Any) -> Any:
    """Bundle a document with files, whose names have `_` for `.` and `__` for `/`."""
    return bundle_schema(document, lookup({name.replace("__", "/").replace("_", "."): v for name, v in files.items()}))


def lookup(files: Mapping[str, Any]) -> Any:
    return files.get


def accepts(schema: Any, value: Any) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def test_a_file_becomes_a_definition_and_means_the_same():
    result = bundle(ORDER, address_json=ADDRESS)
    assert result["$defs"] == {"address.json": ADDRESS}
    assert accepts(result, {"to": {"city": "Bern"}})
    assert not accepts(result, {"to": {}})


def test_a_document_of_one_file_stays_the_same_object():
    schema = {"$defs": {"id": {"type": "integer"}}, "properties": {"id": {"$ref": "#/$defs/id"}}}
    assert bundle(schema) is schema


def test_a_change_in_another_file_is_a_change_of_the_schema():
    changed = copy.deepcopy(ADDRESS)
    del changed["properties"]["city"], changed["required"]
    diff = compare(bundle(ORDER, address_json=ADDRESS), bundle(ORDER, address_json=changed))
    assert [change.message for change in diff.breaking_changes(Mode.FORWARD)] == [
        "to.city was removed (it was required)."
    ]


def test_files_refer_to_parts_of_each_other_in_a_circle_and_by_anchors():
    node = {"$defs": {"leaf": {"$anchor": "leaf", "type": "integer"}}, "properties": {"up": {"$ref": "../tree.json"}}}
    tree = {"properties": {"node": {"$ref": "parts/node.json"}, "leaf": {"$ref": "parts/node.json#leaf"}}}
    files = {"parts/node.json": node, "tree.json": tree}
    result = bundle_schema(tree, lookup(files))
    assert not accepts(result, {"leaf": "x"})
    assert not accepts(result, {"node": {"up": {"leaf": "x"}}})
    assert accepts(result, {"node": {"up": {"leaf": 1}}})


def test_absolute_references_lead_to_files_as_the_identifier_of_the_document_says():
    root = {"$id": "https://example.com/a/order.json", "$ref": "https://example.com/b/address.json#/properties/city"}
    address = {"$id": "https://example.com/b/address.json", **ADDRESS}
    result = bundle_schema(root, lookup({"../b/address.json": address}))
    assert not accepts(result, 1)
    assert accepts(result, "Bern")


@pytest.mark.parametrize(
    ("document", "files"),
    [
        ({"$ref": "gone.json"}, {}),
        ({"$ref": "https://elsewhere.example/x.json"}, {"x.json": {"type": "string"}}),
        ({"$ref": "list.json"}, {"list.json": ["no schema"]}),
        ({"$ref": "other.json#/nowhere"}, {"other.json": {}}),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "other.json"},
            {"other.json": {"$schema": "https://json-schema.org/draft/2020-12/schema"}},
        ),
        ({"$ref": "scoped.json"}, {"scoped.json": {"$defs": {"a": {"$id": "inner", "type": "string"}}}}),
    ],
)
def test_a_reference_that_can_t_be_followed_is_refused_by_its_name(document: Any, files: Mapping[str, Any]):
    with pytest.raises(SchemaError, match=r"leads (outside the document|nowhere)"):
        compare(bundle_schema(document, lookup(files)), True)


def test_values_that_look_like_references_stay():
    schema = {
        "properties": {"$ref": {"$ref": "address.json"}, "default": {"$ref": "address.json"}},
        "const": {"$ref": "address.json"},
        "examples": [{"$ref": "address.json"}],
    }
    result = bundle(schema, address_json=ADDRESS)
    assert (result["const"], result["examples"]) == (schema["const"], schema["examples"])
    assert result["properties"]["default"] == result["properties"]["$ref"] == {"$ref": "#/$defs/address.json"}


def test_no_document_grows_or_nests_without_limit():
    with pytest.raises(DocumentError, match="more than 500 files"):
        bundle_schema({"allOf": [{"$ref": f"{number}.json"} for number in range(MAX_FILES + 1)]}, lambda _: {})
    deep: Any = {}
    for _ in range(300):
        deep = {"not": deep}
    with pytest.raises(DocumentError, match="nested deeper"):
        bundle_schema(deep, lambda _: None)


def schemas(*names: str) -> st.SearchStrategy[Any]:
    """Schemas that refer to these files."""
    leaves = [{"type": "string"}, {"type": "integer"}, {}, *({"$ref": name} for name in names)]
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            st.dictionaries(st.sampled_from("xy"), inner, min_size=1).map(lambda parts: {"properties": parts}),
            inner.map(lambda part: {"items": part}),
        ),
        max_leaves=5,
    )


FILES = st.fixed_dictionaries({"a.json": schemas("b.json", "c.json"), "b.json": schemas("c.json"), "c.json": schemas()})
VALUES = st.recursive(
    st.sampled_from(["s", 1]),
    lambda inner: st.one_of(st.dictionaries(st.sampled_from("xy"), inner), st.lists(inner, max_size=2)),
    max_leaves=6,
)


@given(FILES, VALUES)
def test_a_bundle_accepts_what_the_files_together_accept(files: dict[str, Any], value: Any):
    root = {"properties": {"x": {"$ref": "a.json"}}, "items": {"$ref": "b.json"}}
    assert accepts(bundle_schema(root, lookup(files)), value) == conforms(value, root, files)


def conforms(value: Any, schema: Any, files: Mapping[str, Any]) -> bool:
    """Validate by following the references to the files."""
    if name := schema.get("$ref"):
        return conforms(value, files[name], files)
    if kind := schema.get("type"):
        return isinstance(value, {"string": str, "integer": int}[kind])
    if isinstance(value, dict):
        parts = schema.get("properties", {})
        return all(conforms(value[key], parts[key], files) for key in value.keys() & parts.keys())
    return not isinstance(value, list) or all(conforms(item, schema.get("items", {}), files) for item in value)
