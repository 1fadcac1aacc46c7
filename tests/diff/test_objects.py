"""The solver finds the simplest object that meets all constraints, or proves that there is none."""

import pytest

from tessera_gql.diff.prove.constraints import NoWitness, Witness
from tests.diff.engine import find_witness
from tests.diff.oracle import is_valid
from tests.diff.schemas import INTEGER, NUMBER, TEXT, obj

UNREADABLE = {"type": "string", "pattern": "(?=a)a"}


@pytest.mark.parametrize(
    ("old", "new", "document"),
    [
        (obj(patternProperties={"^a": INTEGER}), obj(patternProperties={"^a": TEXT}), {"a": 0}),
        (obj(patternProperties={"^a": INTEGER}, required=["ab"]), False, {"ab": 0}),
        (obj(patternProperties={"^a": INTEGER, "b$": NUMBER}, required=["ab"]), False, {"ab": 0}),
        (obj(patternProperties={"^a": INTEGER}, additionalProperties=TEXT, required=["b"]), False, {"b": ""}),
        (obj(patternProperties={"^a": INTEGER}, additionalProperties=False, required=["a"]), False, {"a": 0}),
        (
            obj(properties={"b": TEXT}, patternProperties={"^a": INTEGER}, additionalProperties=False, required=["b"]),
            False,
            {"b": ""},
        ),
        (
            obj(patternProperties={"^a": INTEGER, "^b": TEXT}, additionalProperties=False),
            obj(additionalProperties=INTEGER),
            {"b": ""},
        ),
        (obj(patternProperties={"^a": INTEGER, "a$": NUMBER}), obj(patternProperties={"^a": TEXT}), {"aA": 0}),
        (
            obj(patternProperties={"^a": INTEGER, "a$": TEXT}, additionalProperties=False),
            obj(patternProperties={"^a": TEXT}),
            {"aA": 0},
        ),
        (
            obj(patternProperties={f"^{c}": INTEGER for c in "abcde"}, additionalProperties=False),
            obj(maxProperties=0),
            {"e": 0},
        ),
        (
            obj(additionalProperties=INTEGER),
            obj(patternProperties={f"^{c}": NUMBER for c in "abcdef"}, additionalProperties=TEXT),
            {"other": 0},
        ),
        (
            obj(additionalProperties=INTEGER),
            obj(patternProperties={"^other": NUMBER}, additionalProperties=TEXT),
            {"": 0},
        ),
        (
            obj(additionalProperties=INTEGER),
            obj(patternProperties={"^o": NUMBER, "^x": TEXT}, additionalProperties=NUMBER),
            {"x": 0},
        ),
        (
            obj(additionalProperties=INTEGER),
            obj(properties={"other": NUMBER}, additionalProperties=TEXT),
            {"other1": 0},
        ),
        (
            obj(additionalProperties=INTEGER),
            obj(properties={"other": NUMBER, "other1": NUMBER}, additionalProperties=TEXT),
            {"other2": 0},
        ),
        (
            obj(properties={"a": INTEGER}, additionalProperties=INTEGER),
            obj(properties={"b": NUMBER}, additionalProperties=TEXT),
            {"a": 0},
        ),
        (
            obj(properties={"a": INTEGER}, additionalProperties=False),
            obj(properties={"b": NUMBER}, additionalProperties=TEXT),
            {"a": 0},
        ),
        (obj(propertyNames={"enum": ["a", "b"]}), obj(properties={"a": {}}, additionalProperties=False), {"b": None}),
        (obj(propertyNames={"enum": ["a", 1]}, minProperties=1), False, {"a": None}),
        (obj(propertyNames={"enum": ["a", "b"]}, minProperties=2), False, {"a": None, "b": None}),
        (
            obj(propertyNames={"enum": ["a", "b"]}, allOf=[{"propertyNames": {"enum": ["b", "c"]}}], minProperties=1),
            False,
            {"b": None},
        ),
        (obj(propertyNames={"maxLength": 1}, required=["b"]), False, {"b": None}),
        (obj(propertyNames=False), False, {}),
        (obj(propertyNames={"maxLength": 3}), obj(propertyNames={"maxLength": 2}), {"aaa": None}),
        (obj(propertyNames={"pattern": "^a"}), obj(propertyNames={"pattern": "^ab"}), {"a": None}),
        (obj(properties={"b": {}}, additionalProperties=False), obj(propertyNames={"pattern": "^a"}), {"b": None}),
        (obj(required=["a", "b"], maxProperties=2), False, {"a": None, "b": None}),
        (obj(required=["a"], maxProperties=2), obj(properties={"b": INTEGER}), {"b": None, "a": None}),
        (obj(required=["a"], maxProperties=1), obj(additionalProperties=INTEGER), {"a": None}),
        (
            obj(required=["a"], properties={"a": INTEGER}, maxProperties=2),
            obj(additionalProperties=INTEGER),
            {"other": None, "a": 0},
        ),
        (obj(maxProperties=1), obj(additionalProperties=INTEGER), {"other": None}),
        (obj(minProperties=2, maxProperties=2), False, {"other": None, "other1": None}),
        (obj(minProperties=1), obj(minProperties=2), {"other": None}),
        (obj(maxProperties=2), obj(maxProperties=1), {"other": None, "other1": None}),
        (obj(minProperties=3), obj(required=["a"]), {"other": None, "other1": None, "other2": None}),
        (obj(minProperties=1, properties={"a": INTEGER}, additionalProperties=False), False, {"a": 0}),
        (
            obj(minProperties=2, properties={"a": INTEGER, "b": TEXT, "c": TEXT}, additionalProperties=False),
            False,
            {"a": 0, "b": ""},
        ),
        (
            obj(
                minProperties=2,
                required=["b"],
                properties={"a": INTEGER, "b": TEXT, "c": TEXT},
                additionalProperties=False,
            ),
            False,
            {"b": "", "a": 0},
        ),
        (obj(minProperties=2, patternProperties={"^a": INTEGER}, additionalProperties=False), False, {"a": 0, "aa": 0}),
        (
            obj(minProperties=2, patternProperties={"^[ab]$": INTEGER}, additionalProperties=False),
            False,
            {"a": 0, "b": 0},
        ),
        (obj(minProperties=2, required=["a"]), obj(properties={"a": INTEGER}), {"a": None, "other": None}),
        (obj(dependentRequired={"a": ["b"]}, required=["a"]), False, {"a": None, "b": None}),
        (obj(), obj(dependentRequired={"a": ["b"]}), {"a": None}),
        (obj(required=["a"], properties={"b": False}), obj(dependentRequired={"a": ["b"]}), {"a": None}),
        (obj(properties={"a": INTEGER, "b": TEXT}), obj(properties={"a": NUMBER, "b": INTEGER}), {"b": ""}),
        (
            obj(properties={"a": {"enum": [1, 2, 3]}}),
            {"anyOf": [obj(properties={"a": {"const": 1}}), obj(properties={"a": {"const": 2}})]},
            {"a": 3},
        ),
        (
            obj(properties={"a": INTEGER, "b": INTEGER}),
            {"anyOf": [obj(properties={"a": TEXT}), obj(properties={"b": TEXT})]},
            {"b": 0, "a": 0},
        ),
        (
            obj(maxProperties=2),
            {"anyOf": [obj(properties={"a": TEXT}), obj(properties={"b": TEXT})]},
            {"b": None, "a": None},
        ),
        (obj(required=["a"], properties={"a": {"type": "array", "maxItems": 2}}), False, {"a": []}),
        (obj(required=["a"], properties={"a": {"type": ["integer", "null"]}}), False, {"a": 0}),
        (obj(required=["a"], properties={"a": {"title": "x"}}), False, {"a": None}),
        (obj(required=["a"], properties={"a": {"type": "string", "minLength": 1}}), False, {"a": "a"}),
        (obj(required=["a"], properties={"a": {"type": "object", "maxProperties": 0}}), False, {"a": {}}),
        (obj(required=["a"], properties={"a": True}), False, {"a": None}),
        (obj(required=["a"], properties={"a": TEXT}, patternProperties={"^a": {"minLength": 2}}), False, {"a": "aa"}),
        ({}, {"dependentRequired": {"a": ["b"]}}, {"a": None}),
        (
            obj(required=["a"], properties={"a": INTEGER, "b": TEXT}, maxProperties=2, additionalProperties=False),
            obj(additionalProperties=INTEGER),
            {"b": "", "a": 0},
        ),
        (obj(properties={"a": INTEGER}, additionalProperties=False), obj(patternProperties={"(?=a)": TEXT}), {"a": 0}),
        (
            obj(properties={f"a{n}": {"const": 1} for n in range(99)} | {"a": {"const": 1}}, additionalProperties=TEXT),
            obj(patternProperties={"^a": {"const": 1}}),
            {"aa": ""},
        ),
        (
            obj(patternProperties={"^[ab]$": INTEGER}, additionalProperties=False, minProperties=2),
            obj(maxProperties=1),
            {"a": 0, "b": 0},
        ),
        (
            obj(additionalProperties=INTEGER),
            obj(patternProperties={"^other": NUMBER, "^$": TEXT}, additionalProperties=NUMBER),
            {"": 0},
        ),
        (
            obj(patternProperties={"^a": INTEGER}, required=["ab"]),
            obj(patternProperties={"^a": {"enum": [1]}}),
            {"ab": 0},
        ),
    ],
)
def test_an_object_that_meets_every_demand_is_found(old, new, document):
    assert find_witness(old, new) == Witness(document)
    assert is_valid(old, document)
    assert not is_valid(new, document)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (obj(patternProperties={"^a": INTEGER, "b$": TEXT}, required=["ab"]), False),
        (obj(patternProperties={"^a": INTEGER}, additionalProperties=False, required=["b"]), False),
        (
            obj(patternProperties={"^a": INTEGER, "^b": INTEGER}, additionalProperties=False),
            obj(additionalProperties=INTEGER),
        ),
        (obj(patternProperties={"^a": INTEGER, "a$": TEXT}), obj(patternProperties={"^a$": False})),
        (
            obj(patternProperties={f"^{c}": INTEGER for c in "abcde"}, additionalProperties=TEXT),
            obj(additionalProperties={"type": ["integer", "string"]}),
        ),
        (
            obj(patternProperties={f"^{c}": INTEGER for c in "abcde"}, additionalProperties=INTEGER),
            obj(additionalProperties=NUMBER),
        ),
        (obj(additionalProperties=INTEGER), obj(patternProperties={f"^{c}": NUMBER for c in "abcdef"})),
        (obj(additionalProperties=INTEGER), obj(patternProperties={"": NUMBER}, additionalProperties=TEXT)),
        (
            obj(properties={"a": TEXT}, additionalProperties=False),
            obj(properties={"b": NUMBER}, additionalProperties=TEXT),
        ),
        (obj(propertyNames={"enum": ["a", "b"]}), obj(properties={"a": {}, "b": {}}, additionalProperties=False)),
        (obj(propertyNames={"enum": ["a", 1]}, minProperties=2), False),
        (obj(propertyNames={"enum": ["a", "b"]}, minProperties=3), False),
        (
            obj(propertyNames={"enum": ["a", "b"]}, allOf=[{"propertyNames": {"enum": ["b", "c"]}}], minProperties=2),
            False,
        ),
        (obj(propertyNames={"enum": ["a"]}, required=["b"]), False),
        (obj(propertyNames={"maxLength": 1}, required=["bb"]), False),
        (obj(propertyNames=False, required=["b"]), False),
        (obj(propertyNames={"maxLength": 2}), obj(propertyNames={"maxLength": 3})),
        (obj(propertyNames={"pattern": "^ab"}), obj(propertyNames={"pattern": "^a"})),
        (obj(properties={"a": {}}, additionalProperties=False), obj(propertyNames={"pattern": "^a"})),
        (obj(properties={"a": {}, "b": False}, additionalProperties=False), obj(propertyNames={"pattern": "^a"})),
        (obj(required=["a", "b"], maxProperties=1), False),
        (obj(required=["a"], maxProperties=1), obj(properties={"b": INTEGER})),
        (obj(required=["a"], properties={"a": INTEGER}, maxProperties=1), obj(additionalProperties=INTEGER)),
        (obj(maxProperties=0), obj(additionalProperties=INTEGER)),
        (obj(maxProperties=0), obj(propertyNames={"maxLength": 1})),
        (obj(maxProperties=0), obj(patternProperties={"^a": INTEGER})),
        (obj(minProperties=2, maxProperties=1), False),
        (obj(minProperties=2, properties={"a": INTEGER}, additionalProperties=False), False),
        (obj(minProperties=2, properties={"a": INTEGER, "b": False}, additionalProperties=False), False),
        (obj(minProperties=2, properties={"a": INTEGER, "b": TEXT}, additionalProperties=False), obj(required=["a"])),
        (obj(minProperties=2, patternProperties={"^a$": INTEGER}, additionalProperties=False), False),
        (obj(minProperties=3, patternProperties={"^[ab]$": INTEGER}, additionalProperties=False), False),
        (obj(dependentRequired={"a": ["b"]}, required=["a"], maxProperties=1), False),
        (obj(dependentSchemas={"a": False}, required=["a"]), False),
        (obj(dependentSchemas={"a": {"required": ["b"]}}), obj(dependentRequired={"a": ["b"]})),
        (obj(maxProperties=1), {"anyOf": [obj(properties={"a": TEXT}), obj(properties={"b": TEXT})]}),
        (obj(required=["a"], properties={"a": False}), False),
        (
            obj(patternProperties={"(?=a)": INTEGER}, additionalProperties=TEXT),
            obj(additionalProperties={"type": ["integer", "string"]}),
        ),
        (obj(additionalProperties=INTEGER), obj(patternProperties={"(?=a)": NUMBER})),
        (obj(propertyNames={"maxLength": 1}, properties={"bb": TEXT}, required=["bb"]), False),
        (
            obj(required=["a"], properties={"a": INTEGER, "b": TEXT}, maxProperties=1, additionalProperties=False),
            obj(additionalProperties=INTEGER),
        ),
        (
            obj(properties={"a": INTEGER}, additionalProperties=False),
            obj(properties={"a": NUMBER}, patternProperties={"^b": TEXT}),
        ),
        (obj(propertyNames={"pattern": "^(a|b)$"}, properties={"c": {}}), obj(properties={"c": TEXT})),
        (obj(required=["a", "b"], properties={"a": UNREADABLE, "b": False}), False),
        (obj(minProperties=2, required=["a"], properties={"a": UNREADABLE}, additionalProperties=False), False),
    ],
)
def test_an_object_that_cannot_be_is_proven_absent(old, new):
    assert find_witness(old, new) is NoWitness.EMPTY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (obj(minProperties=100), False),
        (obj(minProperties=101), False),
        (obj(required=["a"]), {"enum": [{"a": None}]}),
        (obj(required=["a"], maxProperties=1), {"enum": [{"a": None}]}),
        (obj(), {"enum": [{}]}),
        (obj(maxProperties=0), {"enum": [{}]}),
        (obj(additionalProperties=INTEGER), obj(patternProperties={"(?=a)": TEXT})),
        (obj(properties={"a": TEXT}), obj(patternProperties={"(?=a)": TEXT})),
        (
            obj(properties={"m": UNREADABLE}, patternProperties={"^a$": {}}, additionalProperties=False),
            {"anyOf": [obj(patternProperties={"^a$": TEXT}), obj(maxProperties=1)]},
        ),
        (
            obj(properties={"m": {"type": ["string", "integer"]}}, additionalProperties=False),
            {"anyOf": [obj(patternProperties={"^m": TEXT}), obj(patternProperties={"m$": INTEGER})]},
        ),
        (obj(minProperties=1, additionalProperties=UNREADABLE), False),
        (
            obj(
                properties={f"a{n}": {"const": 1} for n in range(100)} | {"a": {"const": 1}}, additionalProperties=TEXT
            ),
            obj(patternProperties={"^a": {"const": 1}}),
        ),
        (obj(propertyNames={"pattern": "^[ab]$"}), obj(maxProperties=2)),
        (obj(required=["a"], properties={"a": UNREADABLE}), False),
        (obj(properties={"a": UNREADABLE}, additionalProperties=False), obj(additionalProperties=INTEGER)),
        (obj(properties={"a": UNREADABLE, "b": UNREADABLE}, additionalProperties=False, minProperties=1), False),
    ],
)
def test_an_object_that_was_not_found_is_not_proven_absent(old, new):
    assert find_witness(old, new) is NoWitness.UNKNOWN


def patterned(count, others):
    return obj(patternProperties={f"^{letter}": INTEGER for letter in "abcdef"[:count]}, additionalProperties=others)


def test_five_patterns_are_distinguished_and_six_are_not():
    wider = obj(additionalProperties=NUMBER)
    assert find_witness(patterned(5, INTEGER), wider) is NoWitness.EMPTY
    assert find_witness(patterned(6, INTEGER), wider) is not NoWitness.EMPTY
    assert find_witness(obj(additionalProperties=INTEGER), patterned(6, NUMBER)) is NoWitness.EMPTY
    assert find_witness(patterned(5, False), obj(maxProperties=0)) == Witness({"e": 0})


def test_ninety_nine_names_are_made_up_and_no_more():
    witness = find_witness(obj(minProperties=99), False)
    assert isinstance(witness, Witness)
    assert len(witness.value) == 99
    assert find_witness(obj(minProperties=100), False) is NoWitness.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "plainest"),
    [
        ("null", None),
        ("boolean", False),
        ("integer", 0),
        ("number", 0),
        ("string", ""),
        ("array", []),
        ("object", {}),
        (["string", "null"], ""),
    ],
)
def test_a_property_with_few_constraints_has_the_simplest_value(kind, plainest):
    found = find_witness(obj(required=["a"], properties={"a": {"type": kind}}), False)
    assert isinstance(found, Witness)
    assert repr(found.value) == repr({"a": plainest})
