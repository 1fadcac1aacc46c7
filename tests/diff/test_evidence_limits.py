"""Number and size of counterexamples and the effort to find them are limited."""

from dataclasses import FrozenInstanceError

import pytest

from tessera_gql.diff import Certainty, canonical_json, compare, list_fields
from tests.diff.schemas import INTEGER, TEXT, array, obj


def table_of_columns(count, schema, parts=0):
    """A table with `count` columns; `parts` is the number of all its subschemas, if more are needed."""
    spare = {f"d{index}": {} for index in range(parts - count - 1)}
    return obj(properties={f"c{index:05}": schema for index in range(count)}, **{"$defs": spare})


def list_proven(old, new):
    return [change.certainty is Certainty.PROVEN for change in compare(old, new).changes]


def test_two_hundred_breaks_get_a_counterexample():
    assert (
        list_proven(table_of_columns(101, {**TEXT, "default": "x"}), table_of_columns(101, INTEGER))
        == [True] * 200 + [False] * 2
    )


@pytest.mark.parametrize(("parts", "proven_count"), [((1_000, 1_000), 30), ((1_034, 1_035), 28), ((10_001, 10_001), 3)])
def test_larger_schemas_get_fewer_counterexamples_but_at_least_three(parts, proven_count):
    found = list_proven(table_of_columns(31, TEXT, parts[0]), table_of_columns(31, INTEGER, parts[1]))
    assert found == [True] * proven_count + [False] * (31 - proven_count)


def enumerated_texts(*lengths):
    """Schemas whose counterexamples have these lengths, and one property with a short counterexample."""
    texts = {f"c{index:05}": "a" * (length - len('{"c00000":""}')) for index, length in enumerate(lengths)}
    old = obj(properties={**{name: {"enum": ["", text]} for name, text in texts.items()}, "d": TEXT})
    new = obj(properties={**{name: {"enum": [""]} for name in texts}, "d": INTEGER})
    return old, new


def test_counterexamples_have_twenty_thousand_characters_at_most():
    old, new = enumerated_texts(20_000)
    change = compare(old, new).changes[0]
    assert len(canonical_json(change.counterexample)) == 20_000
    assert list_proven(old, new) == [True, True]
    assert list_proven(*enumerated_texts(20_001)) == [False, True]


def test_all_counterexamples_together_have_two_hundred_thousand_characters_at_most():
    assert list_proven(*enumerated_texts(*[20_000] * 10)) == [True] * 10 + [False]
    assert list_proven(*enumerated_texts(*[20_000] * 9, 19_999)) == [True] * 11


@pytest.mark.parametrize("index", [1, 63, 64])
def test_a_counterexample_has_the_item_at_its_position(index):
    old, new = (array(prefixItems=[*[{}] * index, item]) for item in (TEXT, INTEGER))
    (change,) = compare(old, new).changes
    assert change.pointer == f"/prefixItems/{index}/type"
    assert change.counterexample == [*[None] * index, ""]


def test_items_beyond_the_64th_are_reported_together():
    old, new = (array(prefixItems=[*[{}] * 65, each]) for each in (TEXT, INTEGER))
    (change,) = compare(old, new).changes
    assert (change.pointer, change.counterexample) == ("", [*[None] * 65, ""])


def test_reported_records_are_immutable():
    diff = compare(TEXT, INTEGER)
    (field,) = list_fields(obj(properties={"a": TEXT}))
    for record, name in ((diff, "changes"), (diff.changes[0], "breaks"), (field, "path")):
        with pytest.raises(FrozenInstanceError):
            setattr(record, name, ())


@pytest.mark.parametrize(("fewer", "document"), [(False, {"x": {}}), (True, {"x": {"b": ""}})])
def test_a_change_shared_by_two_paths_is_reported_once_with_a_counterexample(fewer, document):
    def twice(**keywords):
        places = {"x": {"$ref": "#/$defs/p"}, "y": {"$ref": "#/$defs/p", "minProperties": 0}}
        return obj(properties=places, **{"$defs": {"p": obj(**keywords)}})

    old, new = twice(properties={"a": TEXT}), twice(properties={"a": TEXT, "b": TEXT}, required=["b"])
    (change,) = compare(new, old).changes if fewer else compare(old, new).changes
    assert (change.fields, change.counterexample) == (("x.b", "y.b"), document)
