"""A promise that gets weaker breaks; a stronger one hurts nobody."""

import pytest

from tessera_gql.diff import Certainty, ChangeKind, Mode, SchemaError, compare_guarantees

W, S, C = ChangeKind.GUARANTEE_WEAKENED, ChangeKind.GUARANTEE_STRENGTHENED, ChangeKind.GUARANTEE_CHANGED


@pytest.mark.parametrize(
    ("old", "new", "kind", "counterexample"),
    [
        ({"volume": {"min_rows": 10}}, {"volume": {"min_rows": 5}}, W, {"rows": 5}),
        ({"volume": {"min_rows": 10}}, {"volume": {}}, W, {"rows": 0}),
        ({"volume": {"min_rows": 10}}, {"volume": {"min_rows": 20}}, S, None),
        ({"volume": {"max_rows": 10}}, {"volume": {"max_rows": 20}}, W, {"rows": 20}),
        ({"volume": {"max_rows": 10}}, {"volume": {"max_rows": 5}}, S, None),
        ({"nullability": {"a": "never"}}, {"nullability": {}}, W, {"a": None}),
        ({"nullability": {"a": "never"}}, {"nullability": {"a": "sometimes"}}, W, {"a": None}),
        ({}, {"nullability": {"a": "never"}}, S, None),
        ({"accepted_values": {"a": ["x"]}}, {"accepted_values": {"a": ["x", "y"]}}, W, {"a": "y"}),
        ({"accepted_values": {"a": ["x", "y"]}}, {"accepted_values": {"a": ["x"]}}, S, None),
        ({"accepted_values": {"a": ["x"]}}, {"accepted_values": {}}, W, None),
        ({"custom": {"checksum": "md5"}}, {"custom": {}}, W, None),
        ({"custom": {}}, {"custom": {"checksum": "md5"}}, S, None),
        ({"custom": {"checksum": "md5"}}, {"custom": {"checksum": "sha"}}, C, None),
        ({"uniqueness": ["id"]}, {"uniqueness": []}, W, None),
        ({"uniqueness": []}, {"uniqueness": ["id"]}, S, None),
        ({"sla": "gold"}, {"sla": "lead"}, C, None),
        (
            {"freshness": {"error_after": {"count": 12, "period": "hour"}}},
            {"freshness": {"error_after": {"count": 1, "period": "day"}}},
            W,
            {"age_seconds": 86400},
        ),
        (
            {"freshness": {"error_after": {"count": 1, "period": "day"}}},
            {"freshness": {"error_after": {"count": 120, "period": "minute"}}},
            S,
            None,
        ),
        ({"freshness": {"error_after": "soon"}}, {"freshness": {"error_after": 5}}, C, None),
    ],
)
def test_each_promise_is_ranked(old, new, kind, counterexample):
    (change,) = compare_guarantees(old, new)
    assert change.kind is kind
    assert change.breaks == (frozenset() if kind is S else {Mode.BACKWARD, Mode.FORWARD, Mode.FULL})
    assert change.counterexample == counterexample
    assert (change.certainty is Certainty.PROVEN) == (counterexample is not None)


def test_sixty_minutes_are_an_hour():
    hour, minutes = {"count": 1, "period": "hour"}, {"count": 60, "period": "minute"}
    assert not compare_guarantees({"freshness": {"warn_after": hour}}, {"freshness": {"warn_after": minutes}})
    assert not compare_guarantees({"freshness": hour}, {"freshness": 3600})


def test_the_order_of_accepted_values_means_nothing():
    assert not compare_guarantees({"accepted_values": {"a": [1, 2]}}, {"accepted_values": {"a": [2, 1.0]}})


def test_a_column_promise_belongs_to_its_column_and_a_table_promise_to_everyone():
    (column,) = compare_guarantees({"nullability": {"a": "never"}}, None)
    (table,) = compare_guarantees({"volume": {"min_rows": 1}}, None)
    assert (column.fields, column.pointer) == (("a",), "/nullability/a")
    assert (table.fields, table.pointer) == (("",), "/volume/min_rows")


def test_no_guarantees_on_either_side_is_no_change():
    assert compare_guarantees(None, {}) == ()


@pytest.mark.parametrize("document", [[], 1, "x", True])
def test_guarantees_that_are_no_object_are_refused(document):
    with pytest.raises(SchemaError, match="object") as caught:
        compare_guarantees({}, document)
    assert caught.value.side == "new"
