"""A fingerprint identifies what changes, where, and for which fields, and nothing else."""

from typing import Any

import pytest

from tessera_gql.diff import ChangeKind, compare

Raw = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
LONG = "a" * 250


def column(schema: Raw, **siblings: Any) -> Raw:
    return {"$schema": DRAFT, "type": "object", "properties": {"e": schema}, **siblings}


def fingerprints(old: Raw, new: Raw) -> set[str]:
    changes = compare(old, new).changes
    assert changes
    return {change.fingerprint for change in changes}


def event(kind: str, **annotations: Any) -> Raw:
    return {**annotations, "type": "object", "properties": {"kind": {"const": kind}}, "required": ["kind"]}


def events(*kinds: str) -> Raw:
    return column({"type": "object", "anyOf": [event(kind) for kind in kinds]})


def ring(size: int, marked: int) -> Raw:
    """Definitions that refer to each other in a ring, one of which is different, and a condition on the first."""
    nodes = {
        f"n{index}": {
            "properties": {"next": {"$ref": f"#/$defs/n{(index + 1) % size}"}},
            "required": ["last"] if index == marked else ["next"],
        }
        for index in range(size)
    }
    return {**column({"not": {"$ref": "#/$defs/n0"}}), "$defs": nodes}


def recursive(payload: Raw, name: str) -> Raw:
    """A column that must not be a tree, whose nodes refer to a payload."""
    children = {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}
    node = {"type": "object", "properties": {"payload": {"$ref": f"#/$defs/{name}Payload"}, "children": children}}
    return {**column({"not": {"$ref": f"#/$defs/{name}"}}), "$defs": {name: node, f"{name}Payload": payload}}


OPPOSITES = {
    "not": ({}, {"not": {"const": "a"}}, {"not": {"const": "b"}}),
    "if": ({}, {"if": {"const": 1}, "then": False}, {"if": {"const": 2}, "then": False}),
    "contains": ({}, {"contains": {"const": 1}}, {"contains": {"const": 2}}),
    "minContains": ({}, {"contains": {"const": 1}}, {"contains": {"const": 1}, "minContains": 2}),
    "items": ({"type": "array"}, {"type": "array", "items": TEXT}, {"type": "array", "items": NUMBER}),
    "unevaluatedItems": ({}, {"unevaluatedItems": TEXT}, {"unevaluatedItems": NUMBER}),
    "propertyNames": ({}, {"propertyNames": {"maxLength": 1}}, {"propertyNames": {"maxLength": 2}}),
    "patternProperties": ({}, {"patternProperties": {"^x": TEXT}}, {"patternProperties": {"^x": NUMBER}}),
    "additionalProperties": ({}, {"additionalProperties": TEXT}, {"additionalProperties": NUMBER}),
    "enum": (TEXT, {"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}),
    "dependentRequired": ({}, {"dependentRequired": {"x": ["y"]}}, {"dependentRequired": {"x": ["z"]}}),
    "dependentSchemas": ({}, {"dependentSchemas": {"x": event("A")}}, {"dependentSchemas": {"x": event("B")}}),
    "pattern": (TEXT, {"type": "string", "pattern": f"^{LONG}b$"}, {"type": "string", "pattern": f"^{LONG}c$"}),
    "multipleOf": (
        {},
        {"allOf": [{"multipleOf": 4}, {"multipleOf": 6}]},
        {"allOf": [{"multipleOf": 4}, {"multipleOf": 10}]},
    ),
    "x-physical-type": (
        {"x-physical-type": {"family": "decimal", "precision": 10, "scale": 2, "text": "number"}},
        {"x-physical-type": {"family": "decimal", "precision": 10, "scale": 4, "text": "number"}},
        {"x-physical-type": {"family": "decimal", "precision": 10, "scale": 6, "text": "number"}},
    ),
    "examples": ({}, {"examples": ["a"]}, {"examples": ["b"]}),
}


@pytest.mark.parametrize(("old", "new", "other"), OPPOSITES.values(), ids=OPPOSITES.keys())
def test_other_content_of_a_keyword_is_another_change(old: Raw, new: Raw, other: Raw) -> None:
    assert fingerprints(column(old), column(new)).isdisjoint(fingerprints(column(old), column(other)))
    assert fingerprints(column(new), column(old)).isdisjoint(fingerprints(column(other), column(old)))


def test_the_removal_of_other_alternatives_is_another_change() -> None:
    removed = fingerprints(events("A", "B", "C"), events("A", "B"))
    assert removed.isdisjoint(fingerprints(events("A", "B", "C", "D"), events("A", "B")))
    assert removed.isdisjoint(fingerprints(events("A", "B", "D"), events("A", "B")))
    assert removed == fingerprints(events("C", "A"), events("A"))


def test_adding_alternatives_is_not_the_same_change_as_removing_them() -> None:
    assert fingerprints(events("A", "B"), events("A")).isdisjoint(fingerprints(events("A"), events("A", "B")))


def test_a_removed_column_with_other_fields_in_it_is_another_change() -> None:
    address: Raw = {"type": "object", "properties": {"zip": TEXT}}
    larger: Raw = {"type": "object", "properties": {"zip": TEXT, "city": TEXT}}
    empty: Raw = {"$schema": DRAFT, "type": "object", "properties": {}}
    assert fingerprints(column(address), empty).isdisjoint(fingerprints(column(larger), empty))


def test_what_is_undecided_between_other_schemas_is_another_change() -> None:
    def dynamic(name: str, limit: int) -> Raw:
        node = {"$id": "b", "$dynamicAnchor": "node", "properties": {"g": {"$dynamicRef": "#node"}}, "required": [name]}
        outer = column({"type": "array", "items": {"$ref": "b"}, "maxItems": limit}, **{"$dynamicAnchor": "node"})
        return {**outer, "$id": "https://example.org/a", "$defs": {"b": node}}

    def undecided(limit: int) -> set[str]:
        changes = compare(dynamic("x", limit), dynamic("y", limit)).changes
        return {change.fingerprint for change in changes if change.kind is ChangeKind.UNDECIDED}

    assert undecided(1)
    assert undecided(1) == undecided(1)
    assert undecided(1).isdisjoint(undecided(2))


def test_a_value_that_is_refused_for_an_unlisted_reason_is_another_change_if_the_reason_is_another() -> None:
    def rule(*names: str) -> Raw:
        return {**column({}), "dependentRequired": {"e": [*names]}}

    assert fingerprints(rule("x"), rule("x", "y")).isdisjoint(fingerprints(rule("x"), rule("x", "z")))


@pytest.mark.parametrize(
    "spelling",
    [
        {"not": {**event("A", title="An event", description="excluded"), "x-owner": "team"}},
        {"not": dict(reversed(event("A").items()))},
        {"not": {"$ref": "#/$defs/First"}},
        {"not": {"allOf": [{"$ref": "#/$defs/Second"}]}},
    ],
)
def test_annotations_key_order_and_names_of_definitions_do_not_change_a_fingerprint(spelling: Raw) -> None:
    definitions = {"First": event("A"), "Second": {"$ref": "#/$defs/First", "title": "the same"}}
    new = {**column(spelling), "$defs": definitions}
    assert fingerprints(column({}), new) == fingerprints(column({}), column({"not": event("A")}))


def test_a_change_keeps_its_fingerprint_when_the_rest_of_the_base_changes() -> None:
    base = column({"type": "array"})
    later = {**column({"type": "array"}), "title": "orders", "required": ["e"], "maxProperties": 7}
    later["properties"] |= {"added": TEXT}
    proposed = {**later, "properties": {"e": {"type": "array", "items": event("A")}, "added": TEXT}}
    assert fingerprints(later, proposed) == fingerprints(base, column({"type": "array", "items": event("A")}))


def test_what_a_recursive_definition_holds_belongs_to_the_fingerprint_and_its_name_does_not() -> None:
    assert fingerprints(column({}), recursive(TEXT, "Tree")) == fingerprints(column({}), recursive(TEXT, "Node"))
    assert fingerprints(column({}), recursive(TEXT, "Tree")).isdisjoint(
        fingerprints(column({}), recursive(NUMBER, "Tree"))
    )


@pytest.mark.parametrize("size", [2, 15, 16, 17, 60])
def test_a_definition_anywhere_on_a_cycle_of_references_belongs_to_the_fingerprint(size: int) -> None:
    by_position = [fingerprints(column({}), ring(size, marked)) for marked in range(size)]
    assert len(set[str]().union(*by_position)) == sum(map(len, by_position))


def test_a_cycle_that_is_written_out_twice_has_the_same_fingerprint() -> None:
    def cycle(size: int) -> Raw:
        return ring(size, marked=-1)

    assert fingerprints(column({}), cycle(3)) == fingerprints(column({}), cycle(1))


def test_a_change_that_meets_more_fields_is_another_change() -> None:
    def orders(zip_code: Raw, *names: str) -> Raw:
        address = {"type": "object", "properties": {"zip": zip_code}}
        properties = {name: {"$ref": "#/$defs/Address"} for name in names}
        return {"type": "object", "properties": properties, "$defs": {"Address": address}}

    billing = compare(orders(TEXT, "billing"), orders(NUMBER, "billing")).changes[0]
    both = compare(orders(TEXT, "billing", "shipping"), orders(NUMBER, "billing", "shipping")).changes[0]
    swapped = compare(orders(TEXT, "shipping", "billing"), orders(NUMBER, "shipping", "billing")).changes[0]
    assert (billing.path, billing.pointer) == (both.path, both.pointer)
    assert billing.fingerprint != both.fingerprint
    assert both.fingerprint == swapped.fingerprint
