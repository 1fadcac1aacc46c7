"""Compatibility of alternatives, conditions and conjunctions is proven or left undecided."""

import pytest

from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tests.diff.engine import find_witness, is_backward_compatible
from tests.diff.schemas import INTEGER, NUMBER, TEXT, obj

UNREADABLE = {"pattern": "(?=a)"}
YES, NO = {"const": True}, {"const": False}


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        # a condition without branches has no effect, even an unreadable one
        ({"if": UNREADABLE, **TEXT}, TEXT, True),
        (TEXT, {"if": UNREADABLE}, True),
        ({"if": UNREADABLE, "then": TEXT, "else": TEXT}, TEXT, True),
        ({"if": INTEGER, "then": {"minimum": 3}, **NUMBER}, {"anyOf": [{"minimum": 3}, {"not": INTEGER}]}, True),
        ({"if": INTEGER, "then": {"minimum": 3}, **NUMBER}, {"minimum": 3}, False),
        ({"if": INTEGER, "else": False}, INTEGER, True),
        ({"if": INTEGER, "else": False}, {"minimum": 0}, False),
        ({"if": INTEGER, "then": False}, {"not": INTEGER}, True),
        ({"if": INTEGER, "then": False}, INTEGER, False),
        (INTEGER, {"if": INTEGER, "then": {"minimum": 0}}, False),
        (INTEGER, {"if": INTEGER, "else": False}, True),
        (INTEGER, {"if": TEXT, "else": False}, False),
        (INTEGER, {"if": TEXT, "then": False}, True),
        ({"if": {"minimum": 1}, "then": {"minimum": 2}, **INTEGER}, {"not": {"const": 1}}, True),
        ({"if": {"minimum": 1}, "then": {"minimum": 2}, **INTEGER}, {"not": {"const": 2}}, False),
        # alternatives
        ({"oneOf": [{"minimum": 0}, {"maximum": 5}], **INTEGER}, {"not": {"minimum": 0, "maximum": 5}}, True),
        ({"oneOf": [{"minimum": 0}, {"maximum": 5}], **INTEGER}, {"minimum": 0}, False),
        ({"oneOf": [INTEGER, INTEGER]}, False, True),
        ({"oneOf": [INTEGER, NUMBER, TEXT]}, {"anyOf": [{"not": INTEGER}, TEXT]}, True),
        (INTEGER, {"oneOf": [INTEGER, {"minimum": 3}]}, False),
        (INTEGER, {"oneOf": [INTEGER, {"type": "integer", "minimum": 3}, TEXT]}, False),
        ({"maximum": 2, **INTEGER}, {"oneOf": [INTEGER, {"type": "integer", "minimum": 3}, TEXT]}, True),
        ({"anyOf": [{"minimum": 3}, {"maximum": 1}], **INTEGER}, {"not": {"const": 2}}, True),
        ({"anyOf": [{"minimum": 3}, {"maximum": 1}], **INTEGER}, {"not": {"const": 3}}, False),
        ({"anyOf": [False, INTEGER]}, INTEGER, True),
        ({"anyOf": [False, False]}, INTEGER, True),
        ({"anyOf": [{"enum": [1, 2]}, {"enum": [3]}]}, {"enum": [1, 2, 3]}, True),
        ({"anyOf": [{"enum": [1, 2]}, {"enum": [3]}]}, {"enum": [1, 2]}, False),
        # enums against enums
        ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, {"const": 2}, True),
        ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, {"const": 3}, False),
        ({"enum": [1, 2], "not": {"enum": [2]}}, {"const": 1}, True),
        ({"enum": [1, 2], "not": {"enum": [2], "minimum": 3}}, {"const": 1}, False),
        ({"enum": [1, 2]}, {"enum": [2], "maximum": 1}, False),
        ({"enum": [1, True, "a"]}, {"anyOf": [INTEGER, TEXT, {"type": "boolean"}]}, True),
        ({"enum": ["a"], "not": UNREADABLE}, {"const": "b"}, False),
        ({"type": "boolean"}, {"enum": [True]}, False),
        ({"type": "boolean", "not": NO}, YES, True),
        ({"type": ["boolean", "null"]}, {"enum": [True, False, None]}, True),
        ({"type": "null"}, {"not": {"const": None}}, False),
        # double negation
        ({"not": {"not": INTEGER}}, NUMBER, True),
        ({"not": {"minimum": 0}, **NUMBER}, {"exclusiveMaximum": 0}, True),
        ({"not": {"anyOf": [INTEGER, TEXT]}}, {"not": INTEGER}, True),
        ({"not": {"allOf": [INTEGER, {"minimum": 0}]}}, {"not": {"minimum": 0, **INTEGER}}, True),
        ({"not": {"allOf": [INTEGER, {"minimum": 0}]}}, {"not": INTEGER}, False),
        (TEXT, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": TEXT}}, True),
        (TEXT, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"minLength": 1}}}, False),
        # dependents
        (obj(dependentSchemas={"a": {"minProperties": 2}}, required=["a"]), obj(minProperties=2), True),
        (obj(dependentSchemas={"a": {"minProperties": 2}}), obj(minProperties=2), False),
        (obj(dependentSchemas={"a": False}), obj(properties={"a": False}), True),
        (obj(dependentRequired={"a": ["b", "c"]}, required=["a"]), obj(required=["b", "c"]), True),
        (obj(required=["a", "b"]), obj(dependentRequired={"a": ["b"]}), True),
        (obj(required=["a", "b"]), obj(dependentRequired={"a": ["c"]}), False),
        (obj(required=["a"]), obj(dependentSchemas={"a": {"minProperties": 1}}), True),
        (obj(required=["a"]), obj(dependentSchemas={"a": {"minProperties": 2}}), False),
        (obj(maxProperties=1), obj(dependentSchemas={"a": {"maxProperties": 1}}), True),
        (TEXT, {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": False}}, True),
    ],
)
def test_every_document_of_the_old_schema_is_valid_under_the_new_schema(old, new, holds):
    assert is_backward_compatible(old, new) == holds


@pytest.mark.parametrize(("count", "holds"), [(12, True), (13, False)])
def test_disjoint_alternatives_are_proven_up_to_twelve(count, holds):
    old, options = {**TEXT, "pattern": "^a"}, [{"pattern": f"^{letter}"} for letter in "abcdefghijklm"[:count]]
    assert is_backward_compatible(old, {"anyOf": options})
    assert is_backward_compatible(old, {"oneOf": options}) == holds
    assert not is_backward_compatible(old, {"oneOf": [{"pattern": "^a"}, *options[1:], {"pattern": "^ab"}]})
    assert not is_backward_compatible(old, {"oneOf": options[1:]})


def tree(leaf, **keywords):
    return {"type": "object", "properties": {"leaf": leaf, "left": {"$ref": "#"}, "right": {"$ref": "#"}}, **keywords}


def nested_lists(*links):
    """Lists nested in a cycle of definitions, each with its own constraints."""
    names = [f"d{n}" for n in range(len(links))]
    nexts = [*names[1:], names[0]]
    defs = {
        name: {"type": "array", "items": {"$ref": f"#/$defs/{then}"}, **link}
        for name, then, link in zip(names, nexts, links, strict=True)
    }
    return {"$ref": "#/$defs/d0", "$defs": defs}


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        (tree(INTEGER), tree(NUMBER), True),
        (tree(NUMBER), tree(INTEGER), False),
        (tree(INTEGER, required=["leaf"]), tree(NUMBER), True),
        (tree(INTEGER), tree(NUMBER, required=["leaf"]), False),
        (tree(INTEGER, required=["left"]), False, True),
        (tree(INTEGER, required=["left"], anyOf=[{"required": ["leaf"]}]), False, True),
        (nested_lists({}), nested_lists({}, {}), True),
        (nested_lists({}, {}), nested_lists({}, {}, {}), True),
        (nested_lists({}, {"maxItems": 2}), nested_lists({}, {"maxItems": 2}, {}, {"maxItems": 2}), True),
        (nested_lists({}, {"maxItems": 2}), nested_lists({}, {"maxItems": 2}, {}, {"maxItems": 1}), False),
        (nested_lists({}, {}, {"maxItems": 2}), nested_lists({}, {"maxItems": 2}), False),
        (nested_lists({"maxItems": 1}, {"maxItems": 2}), nested_lists({"maxItems": 2}), True),
        (nested_lists({"minItems": 1}), False, True),
        (nested_lists({"minItems": 1}, {}), nested_lists({}), True),
        (nested_lists({"minItems": 1}, {}), False, False),
        (nested_lists({"minItems": 1}, {"minItems": 1}, {"minItems": 1}), False, True),
        (nested_lists({"minItems": 1}, {"minItems": 1}, {}), False, False),
    ],
)
def test_recursive_schemas_are_compared_to_any_depth(old, new, holds):
    assert (find_witness(old, new) is NoWitness.EMPTY) == holds


def test_a_result_that_depends_on_an_open_query_is_searched_again_afterwards():
    ways = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
    old = {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": obj(properties=ways, anyOf=[{"required": ["a"]}, {"required": ["b"]}]),
            "b": obj(properties={**ways, "c": TEXT}, anyOf=[{"required": ["a"]}, {"required": ["c"]}]),
        },
    }
    witness = find_witness(old, False)
    assert isinstance(witness, Witness)
    assert witness.value == {"a": {"c": ""}}


def test_a_chain_of_references_is_followed_to_its_end():
    defs = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(30)}
    old = {"$ref": "#/$defs/d0", "$defs": {**defs, "d30": INTEGER}}
    assert is_backward_compatible(old, NUMBER)
    assert is_backward_compatible(INTEGER, old)
    assert not is_backward_compatible(NUMBER, old)


def test_references_in_a_ring_accept_nothing_that_is_proven():
    ring = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    assert not is_backward_compatible(TEXT, ring)
    assert find_witness(TEXT, ring) is not NoWitness.EMPTY


@pytest.mark.parametrize("order", ["bec", "ebc", "bce", "ecb", "cbe"])
def test_a_witness_hidden_by_an_open_query_is_found_afterwards(order):
    """`a` may contain `b` or `e`, which require `a`: both have a witness only after the search for `a` has ended."""
    a, b, e = ({"$ref": f"#/$defs/{name}"} for name in "abe")
    defs = {
        "a": obj(properties={"b": b, "c": TEXT, "e": e}, anyOf=[{"required": [name]} for name in order]),
        "b": obj(properties={"a": a}, required=["a"]),
        "e": obj(properties={"b": b}, required=["b"]),
    }
    witness = find_witness(obj(properties={"x": a, "y": b, "z": e}, required=["x", "y", "z"], **{"$defs": defs}), False)
    plain = {"c": ""}
    assert witness == Witness({"x": plain, "y": {"a": plain}, "z": {"b": {"a": plain}}})
