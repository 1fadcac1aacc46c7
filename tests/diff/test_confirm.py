"""The second opinion: given where the validator can be asked, withheld where its reading fails or may take too long."""

import pytest

from tessera_gql.diff import Certainty, Mode, compare
from tessera_gql.diff.confirm import Judge
from tests.diff.test_accept import node
from tests.diff.test_told import NULL, TEXT, WHOLE, array, obj

STALLING = "^(a+)+$"


def accepts(schema, value):
    return Judge(node(schema)).accepts(value)


@pytest.mark.parametrize(
    ("schema", "accepted", "refused"),
    [
        (TEXT, "a", 1),
        ({**TEXT, "nullable": True}, None, 1),
        ({"type": ["string"], "nullable": True}, None, 1),
        ({"type": ["string", "null"], "nullable": True}, None, 1),
        ({"anyOf": [{**TEXT, "nullable": True}]}, None, 1),
        ({**TEXT, "nullable": False}, "a", None),
        ({"nullable": True, "enum": ["a"]}, "a", None),
        (obj(properties={"a": {**TEXT, "nullable": True}}), {"a": None}, {"a": 1}),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 1, "exclusiveMaximum": True}, 0, 1),
        (True, 1, "none refused"),
        (False, "none accepted", 1),
    ],
)
def test_documents_are_read_as_the_draft_says_and_nullable_as_a_type(schema, accepted, refused):
    assert accepts(schema, accepted) is (schema is not False)
    assert accepts(schema, refused) is (schema is True)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": STALLING},
        {"allOf": [{"pattern": STALLING}]},
        {"patternProperties": {STALLING: True}},
        {"pattern": "^a|b"},
        {"pattern": "(?=a)"},
    ],
)
def test_a_pattern_that_may_stall_meets_texts_of_twelve_characters_at_most(schema):
    assert accepts(schema, "a" * 12) is True
    assert accepts(schema, "a" * 13) is None
    assert accepts(schema, ["a" * 13]) is None
    assert accepts(schema, {"b": {"b": "a" * 13}}) is None
    assert accepts(schema, {"a" * 13: 1}) is None
    assert accepts(schema, [10**13, None]) is True


def test_any_other_pattern_meets_longer_ones():
    assert accepts({"pattern": "^a+$"}, "a" * 100) is True
    assert accepts({"enum": ["^(a+)+$", "a" * 100]}, "a" * 100) is True


@pytest.mark.parametrize("value", [float("inf"), [float("nan")], {"a": [1, float("-inf")]}])
def test_a_number_that_is_none_is_not_shown(value):
    assert accepts(True, value) is None


def test_a_schema_that_asks_itself_is_not_asked():
    assert accepts({"anyOf": [{"$ref": "#"}, TEXT]}, "a") is None
    assert accepts(array(items={"$ref": "#"}), [[]]) is True


class Broken:
    def __init__(self, error):
        self.error = error

    def is_valid(self, _):
        raise self.error


def test_a_reading_that_fails_says_nothing_but_an_interrupt_is_one():
    judge = Judge(node(TEXT))
    for error in (ValueError(), RecursionError(), BaseException()):
        judge.validator = Broken(error)
        assert judge.accepts("a") is None
    judge.validator = Broken(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        judge.accepts("a")


@pytest.mark.parametrize("old", [{**TEXT, "nullable": True}, {"type": ["string"], "nullable": True}])
def test_null_that_is_no_longer_allowed_is_shown(old):
    (change,) = compare(old, TEXT).changes
    assert (change.certainty, change.counterexample) == (Certainty.PROVEN, None)
    (widened,) = compare(TEXT, old).breaking(Mode.FORWARD)
    assert (widened.certainty, widened.counterexample) == (Certainty.PROVEN, None)
    assert compare(old, {"anyOf": [TEXT, NULL]}).changes == ()
    assert not compare(old, WHOLE).is_compatible(Mode.BACKWARD)
