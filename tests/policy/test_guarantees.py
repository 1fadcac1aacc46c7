"""A weaker guarantee is a breaking change and a stronger guarantee is not."""

import pytest

from tessera_gql.diff import Certainty, ChangeKind, Mode, SchemaError
from tessera_gql.policy.guarantees import compare_guarantees

W, S, C = ChangeKind.GUARANTEE_WEAKENED, ChangeKind.GUARANTEE_STRENGTHENED, ChangeKind.GUARANTEE_CHANGED
HOUR = {"count": 1, "period": "hour"}


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
        ({"freshness": {"error_after": 5}}, {"freshness": {"error_after": "soon"}}, C, None),
        ({"freshness": {"error_after": "soon"}}, {"freshness": {}}, W, None),
        ({"freshness": {}}, {"freshness": {"error_after": "soon"}}, S, None),
        ({"freshness": {"error_after": 3600}}, {"freshness": {}}, W, {"age_seconds": 3601}),
        ({"freshness": {}}, {"freshness": {"error_after": 3600}}, S, None),
        ({"freshness": 3600}, {"freshness": 7200}, W, {"age_seconds": 7200}),
        ({"freshness": {"error_after": {"count": 1, "period": "age"}}}, {"freshness": {"error_after": 5}}, C, None),
        ({"volume": {"max_rows": 10}}, {"volume": {}}, W, {"rows": 11}),
        ({"volume": {}}, {"volume": {"max_rows": 10}}, S, None),
        ({"volume": {}}, {"volume": {"min_rows": 10}}, S, None),
        ({"volume": {"min_rows": 2}}, {"volume": {"min_rows": 0}}, W, {"rows": 0}),
        ({"volume": {"min_rows": 10}}, {"volume": {"min_rows": "few"}}, C, None),
        ({"volume": {"min_rows": "few"}}, {"volume": {"min_rows": 10}}, C, None),
        ({"volume": {"max_rows": True}}, {"volume": {"max_rows": 5}}, C, None),
        ({"volume": {"rows": 5}}, {"volume": {"rows": 4}}, C, None),
        ({"volume": {"minRows": 5}}, {"volume": {"minRows": 4}}, W, {"rows": 4}),
        ({"volume": {"MIN_ROWS": 5}}, {"volume": {"MIN_ROWS": 6}}, S, None),
        ({"volume": {"minimum rows": 5}}, {"volume": {"minimum rows": 4}}, W, {"rows": 4}),
        ({"volume": {"maximumRows": 5}}, {"volume": {"maximumRows": 4}}, S, None),
        ({"volume": {"minutes_between_loads": 5}}, {"volume": {"minutes_between_loads": 60}}, C, None),
        ({"volume": {"minutesBetweenLoads": 5}}, {"volume": {"minutesBetweenLoads": 4}}, C, None),
        ({"volume": {"maxi_packs": 5}}, {"volume": {"maxi_packs": 4}}, C, None),
        ({"volume": {"10": 5}}, {"volume": {"10": 4}}, C, None),
        ({"volume": {"rows": 0}}, {"volume": {}}, W, None),
        ({"volume": 5}, {"volume": 4}, C, None),
        ({"nullability": {"a": "sometimes"}}, {"nullability": {"a": "never"}}, S, None),
        # a duration is a single guarantee; an object with more than count and period is no duration
        ({"freshness": HOUR}, {"freshness": {"count": 2, "period": "hour"}}, W, {"age_seconds": 7200}),
        ({"freshness": {"a": {**HOUR, "of": "x"}}}, {"freshness": {"a": {**HOUR, "of": "y"}}}, C, None),
        ({"freshness": {"a": {"count": True, "period": "hour"}}}, {"freshness": {"a": HOUR}}, C, None),
        ({"freshness": {"a": {"count": 1e300, "period": "day"}}}, {}, W, {"age_seconds": int(1e300) * 86400 + 1}),
        ({"volume": {"max_rows": 1e17}}, {}, W, {"rows": 10**17 + 1}),
        ({"accepted_values": ["x"]}, {"accepted_values": ["x", "y"]}, W, {"accepted_values": "y"}),
        ({"nullability": {"a": "often"}}, {"nullability": {"a": "sometimes"}}, C, None),
        ({"nullability": {"a": "never", "b": "never"}}, {"nullability": {"a": "never"}}, W, {"b": None}),
        ({"nullability": {"a": "often"}}, {"nullability": {}}, W, None),
        ({"accepted_values": {"a": ["x", "x", "y"]}}, {"accepted_values": {"a": ["x"]}}, S, None),
        ({"accepted_values": {"a": ["x"]}}, {"accepted_values": {"a": "x"}}, C, None),
        ({"accepted_values": {"a": "x"}}, {"accepted_values": {"a": ["x"]}}, C, None),
        ({"accepted_values": {"a": ["x", "z"]}}, {"accepted_values": {"a": ["y", "w", "x"]}}, W, {"a": "y"}),
        ({"uniqueness": ["id"]}, None, W, None),
        ({"uniqueness": ["id"]}, {"uniqueness": {"a": 1}}, C, None),
        ({"uniqueness": {"a": 1}}, {"uniqueness": ["id"]}, C, None),
        ({"sla": "gold"}, {}, W, None),
        ({}, {"sla": "gold"}, S, None),
    ],
)
def test_each_guarantee_is_ranked(old, new, kind, counterexample):
    (change,) = compare_guarantees(old, new)
    assert change.kind is kind
    assert change.breaks == (frozenset() if kind is S else set(Mode) - {Mode.NONE})
    assert change.counterexample == counterexample
    assert (change.certainty is Certainty.PROVEN) == (counterexample is not None)


def test_sixty_minutes_are_an_hour():
    hour, minutes = {"count": 1, "period": "hour"}, {"count": 60, "period": "minute"}
    assert not compare_guarantees({"freshness": {"warn_after": hour}}, {"freshness": {"warn_after": minutes}})
    assert not compare_guarantees({"freshness": hour}, {"freshness": 3600})


@pytest.mark.parametrize(
    ("period", "seconds"), [("second", 1), ("minute", 60), ("hours", 3_600), ("day", 86_400), ("weeks", 604_800)]
)
def test_a_period_is_converted_to_seconds(period, seconds):
    half = {"count": 0.5, "period": period}
    assert not compare_guarantees({"freshness": {"error_after": half}}, {"freshness": {"error_after": seconds / 2}})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"nullability": {"a": "never"}}, {"nullability": {"a": "not_null"}}),
        ({"volume": {"min_rows": 0}}, {"volume": {}}),
        ({"volume": {}}, {"volume": {"min_rows": 0}}),
        ({"custom": {"a": [1, 2]}}, {"custom": {"a": [2, 1]}}),
        ({"custom": {}}, {}),
    ],
)
def test_equivalent_guarantees_do_not_differ(old, new):
    assert compare_guarantees(old, new) == ()


def test_guarantees_in_a_list_are_added_and_removed_by_value():
    changes = compare_guarantees({"uniqueness": ["id", 1]}, {"uniqueness": [1.0, "no"]})
    deltas = [(change.pointer, change.path, change.before, change.after) for change in changes]
    assert deltas == [
        ('/uniqueness/"id"', 'uniqueness."id"', "id", None),
        ('/uniqueness/"no"', 'uniqueness."no"', None, "no"),
    ]


def test_a_change_of_a_guarantee_is_described_with_both_values():
    (less,) = compare_guarantees({"freshness": {"error_after": 5}}, {"freshness": {"error_after": 6}})
    assert less.message == "The guarantee freshness error_after promises less than before."
    assert (less.before, less.after) == (5, 6)
    (added,) = compare_guarantees({}, {"sla": "gold"})
    assert added.message == "The guarantee sla promises more than before."
    (extended,) = compare_guarantees({"accepted_values": {"a": "x"}}, {"accepted_values": {"a": ["x"]}})
    assert extended.message == "The guarantee accepted_values a promises something else than before."
    assert (extended.before, extended.after) == ("x", ["x"])


def test_accepted_values_are_reported_as_deltas():
    old, new = ({"accepted_values": {"a": values}} for values in (["x", "y"], ["x", "z"]))
    (change,) = compare_guarantees(old, new)
    assert (change.before, change.after) == (["y"], ["z"])


def test_the_order_of_accepted_values_means_nothing():
    assert not compare_guarantees({"accepted_values": {"a": [1, 2]}}, {"accepted_values": {"a": [2, 1.0]}})


def test_a_column_guarantee_belongs_to_its_column_and_a_table_guarantee_to_all_fields():
    (column,) = compare_guarantees({"nullability": {"a": "never"}}, None)
    (table,) = compare_guarantees({"volume": {"min_rows": 1}}, None)
    assert (column.fields, column.pointer) == (("a",), "/nullability/a")
    assert (table.fields, table.pointer) == (("",), "/volume/min_rows")
    (whole,) = compare_guarantees({"nullability": "never"}, None)
    assert whole.fields == ("",)


def test_no_guarantees_on_either_side_is_no_change():
    assert compare_guarantees(None, {}) == ()


@pytest.mark.parametrize("document", [[], 1, "x", True])
def test_guarantees_that_are_no_object_are_refused(document):
    with pytest.raises(SchemaError, match="object") as caught:
        compare_guarantees({}, document)
    assert caught.value.side == "new"


@pytest.mark.parametrize("kind", ["dbt_utils.expression_is_true", "singular"])
def test_a_custom_test_under_another_name_is_no_change(kind: str) -> None:
    promise = {"test": kind, "arguments": {"expression": "a > 0"}}
    assert compare_guarantees({"custom": {"old name": promise}}, {"custom": {"new name": dict(promise)}}) == ()


def test_a_custom_test_that_is_renamed_and_changed_breaks() -> None:
    old, new = ({"custom": {name: {"test": "x", "arguments": {"n": name}}}} for name in "ab")
    (removed, added) = compare_guarantees(old, new)
    assert (removed.kind, added.kind) == (ChangeKind.GUARANTEE_WEAKENED, ChangeKind.GUARANTEE_STRENGTHENED)
    assert Mode.CONSUMER in removed.breaks


def test_two_equal_custom_tests_of_which_only_one_is_renamed_leave_one_removed() -> None:
    promise = {"test": "x"}
    changes = compare_guarantees({"custom": {"a": promise, "b": promise}}, {"custom": {"c": promise}})
    assert [change.path for change in changes] == ["custom.b"]


@pytest.mark.parametrize("after", [None, {"test": "not_null", "severity": "warn", "where": "a > 0"}])
def test_a_test_that_only_warns_may_go_or_change(after: dict[str, str] | None) -> None:
    before = {"custom": {"t": {"test": "not_null", "severity": "warn"}}}
    (change,) = compare_guarantees(before, {"custom": {"t": after}} if after else None)
    assert change.breaks == frozenset()
    assert change.message.endswith("than before; it only warned.")


def test_a_test_that_only_warns_from_now_on_breaks() -> None:
    before = {"custom": {"t": {"test": "x"}}}
    (change,) = compare_guarantees(before, {"custom": {"t": {"test": "x", "severity": "warn"}}})
    assert Mode.CONSUMER in change.breaks


@pytest.mark.parametrize(
    ("before", "after", "removed"),
    [
        (["a", "a, b"], ["a"], []),
        (["a, b"], ["b"], []),
        (["a, b"], ["a, c"], ["a, b"]),
        (["a"], ["a, b"], ["a"]),
        (["a, b, c"], ["c, a"], []),
    ],
)
def test_a_unique_set_of_columns_that_contains_another_one_may_go(
    before: list[str], after: list[str], removed: list[str]
) -> None:
    changes = compare_guarantees(
        {"uniqueness": dict.fromkeys(before, "always")}, {"uniqueness": dict.fromkeys(after, "always")}
    )
    assert [change.path.removeprefix("uniqueness.") for change in changes if change.breaks] == removed
