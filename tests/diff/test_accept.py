"""Our own reading of a value agrees with `jsonschema`, wherever it has an answer."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera_gql.diff import SchemaError
from tessera_gql.diff.accept import accepts, count, every, some
from tessera_gql.diff.documents import read
from tessera_gql.diff.guard import Identities
from tessera_gql.diff.schema import Schema, Space
from tests.diff.generators import boundary_documents, schemas
from tests.diff.oracle import asks_itself, is_valid
from tests.diff.test_laws import law


def node(schema: Any) -> Schema:
    return Space().root(read(schema, Identities()))


@law(3_000, 60)
@given(schemas, st.randoms(use_true_random=False))
def test_reading_agrees_with_jsonschema(schema, random):
    try:
        root = node(schema)
    except SchemaError:
        assume(False)
        raise
    assume(not asks_itself(schema))
    documents = boundary_documents(schema)
    for document in random.sample(documents, min(60, len(documents))):
        verdict = accepts(root, document)
        assert verdict is None or verdict == is_valid(schema, document), document


UNREADABLE = {"pattern": "(?=a)"}


@pytest.mark.parametrize(
    ("schema", "document", "verdict"),
    [
        (UNREADABLE, "a", None),
        (UNREADABLE, 1, True),
        ({"not": UNREADABLE}, "a", None),
        ({"anyOf": [UNREADABLE, {"type": "string"}]}, "a", True),
        ({"anyOf": [UNREADABLE, {"type": "integer"}]}, "a", None),
        ({"allOf": [UNREADABLE, {"type": "integer"}]}, "a", False),
        ({"oneOf": [UNREADABLE, {"type": "string"}, {"minLength": 1}]}, "a", False),
        ({"oneOf": [UNREADABLE, {"type": "string"}]}, "a", None),
        ({"if": UNREADABLE, "then": {"minLength": 1}, "else": {"minLength": 1}}, "a", True),
        ({"if": UNREADABLE, "then": {"minLength": 2}, "else": {"minLength": 1}}, "a", None),
        ({"patternProperties": {"(?=a)": {"type": "string"}}}, {"a": "x"}, True),
        ({"patternProperties": {"(?=a)": {"type": "string"}}}, {"a": 1}, None),
        ({"patternProperties": {"(?=a)": True}, "additionalProperties": False}, {"a": 1}, None),
        ({"patternProperties": {"(?=a)": True}, "additionalProperties": True}, {"a": 1}, True),
        ({"patternProperties": {"^a": True}, "additionalProperties": False}, {"a": 1}, True),
        (
            {"properties": {"a": True}, "patternProperties": {"(?=a)": True}, "additionalProperties": False},
            {"a": 1},
            True,
        ),
        ({"unevaluatedProperties": False}, {"a": 1}, None),
        ({"unevaluatedProperties": False}, {}, True),
        ({"unevaluatedProperties": False}, "a", True),
        ({"$ref": "#"}, 1, None),
    ],
)
def test_what_cannot_be_read_is_unknown_unless_the_rest_decides(schema, document, verdict):
    assert accepts(node(schema), document) is verdict


def test_three_valued_words():
    assert every([True, None]) is None
    assert every([None, False]) is False
    assert every([]) is True
    assert some([None, True]) is True
    assert some([None, False]) is None
    assert some([]) is False
    assert count([True, None], 1, 1) is None
    assert count([True, True], 1, 1) is False
    assert count([None], 2, None) is False
    assert count([True, None], 1, None) is True
    assert count([True], 1, 1) is True
