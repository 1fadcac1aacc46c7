"""Changes of the type of a warehouse column, as dbt and SQL name it, under each mode."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Certainty, Change, ChangeKind, Family, Mode, PhysicalType, compare
from tessera_gql.diff.keywords.physical_type import Relation, relate
from tessera_gql.formats.physical_types import parse_physical_type
from tessera_gql.formats.warehouse_types import allow_null, parse_type
from tests.diff.schemas import table

K = ChangeKind
BACKWARD, FORWARD, CONSUMER, FULL = Mode.BACKWARD, Mode.FORWARD, Mode.CONSUMER, Mode.FULL
WIDENED = (K.TYPE_WIDENED, {FORWARD, FULL})
NARROWED = (K.TYPE_NARROWED, {BACKWARD, FULL})
CHANGED = (K.TYPE_CHANGED, {BACKWARD, FORWARD, CONSUMER, FULL})
RESPELLED = (K.ANNOTATION_CHANGED, set[Mode]())
EVERYDAY_CHANGES = [
    # dialect, type before, type after, kind and the modes that it breaks
    ("snowflake", "varchar(10)", "varchar(100)", WIDENED),
    ("snowflake", "varchar(100)", "varchar", WIDENED),
    ("snowflake", "varchar", "varchar(16777216)", RESPELLED),
    ("snowflake", "varchar", "string", RESPELLED),
    ("snowflake", "varchar(100)", "varchar(10)", NARROWED),
    ("snowflake", "number(10,2)", "number(12,2)", WIDENED),
    ("snowflake", "number(12,2)", "number(10,2)", NARROWED),
    ("snowflake", "number(10,2)", "number(10,4)", CHANGED),
    ("snowflake", "number(10,2)", "number(12,4)", CHANGED),
    ("snowflake", "number(10,0)", "number(38,0)", WIDENED),
    ("snowflake", "number(10,0)", "number(10,2)", CHANGED),
    ("snowflake", "int", "number(38,0)", RESPELLED),
    ("snowflake", "int", "bigint", RESPELLED),
    ("snowflake", "number(38,0)", "float", CHANGED),
    ("snowflake", "timestamp_ntz", "timestamp_tz", CHANGED),
    ("snowflake", "timestamp_ntz", "timestamp_ltz", CHANGED),
    ("snowflake", "timestamp_ntz(3)", "timestamp_ntz(9)", WIDENED),
    ("snowflake", "date", "timestamp_ntz", CHANGED),
    ("snowflake", "varchar", "date", CHANGED),
    ("snowflake", "variant", "geography", CHANGED),
    ("snowflake", "variant", "varchar", CHANGED),
    ("bigquery", "int64", "numeric", CHANGED),
    ("bigquery", "int64", "float64", CHANGED),
    ("bigquery", "integer", "int64", RESPELLED),
    ("bigquery", "numeric", "bignumeric", CHANGED),
    ("bigquery", "numeric(10,2)", "numeric(12,2)", WIDENED),
    ("bigquery", "string(10)", "string", WIDENED),
    ("bigquery", "string", "bytes", CHANGED),
    ("bigquery", "datetime", "timestamp", CHANGED),
    ("bigquery", "json", "string", CHANGED),
    ("redshift", "varchar(10)", "varchar", WIDENED),
    ("redshift", "varchar(1000)", "varchar", NARROWED),
    ("redshift", "text", "varchar(256)", RESPELLED),
    ("redshift", "smallint", "int", WIDENED),
    ("redshift", "int4", "integer", RESPELLED),
    ("redshift", "bigint", "int", NARROWED),
    ("redshift", "timestamp", "timestamptz", CHANGED),
    ("redshift", "super", "varchar", CHANGED),
    ("postgres", "int", "bigint", WIDENED),
    ("postgres", "serial", "int", RESPELLED),
    ("postgres", "bigint", "double precision", CHANGED),
    ("postgres", "real", "double precision", WIDENED),
    ("postgres", "numeric(10,2)", "numeric(12,2)", WIDENED),
    ("postgres", "numeric(10,2)", "numeric", CHANGED),
    ("postgres", "varchar(10)", "text", WIDENED),
    ("postgres", "text", "varchar(10)", NARROWED),
    ("postgres", "timestamp", "timestamp(6) without time zone", RESPELLED),
    ("postgres", "timestamp(3)", "timestamp", WIDENED),
    ("postgres", "text", "uuid", CHANGED),
    ("postgres", "boolean", "int", CHANGED),
    ("databricks", "int", "bigint", WIDENED),
    ("databricks", "float", "double", WIDENED),
    ("databricks", "timestamp", "timestamp_ntz", CHANGED),
    ("databricks", "date", "timestamp", CHANGED),
    ("databricks", "array<int>", "array<bigint>", WIDENED),
    ("databricks", "map<string, int>", "map<string, bigint>", WIDENED),
    ("databricks", "struct<a: int>", "struct<a: bigint>", WIDENED),
    ("databricks", "struct<a: bigint>", "struct<a: int>", NARROWED),
    ("sqlserver", "varchar(10)", "nvarchar(10)", WIDENED),
    ("sqlserver", "nvarchar(10)", "varchar(20)", CHANGED),
    ("sqlserver", "datetime", "datetime2", WIDENED),
    ("clickhouse", "UInt8", "UInt16", WIDENED),
    ("clickhouse", "UInt8", "Int16", WIDENED),
    ("clickhouse", "UInt8", "Int8", CHANGED),
    ("clickhouse", "LowCardinality(String)", "String", RESPELLED),
    ("mysql", "int", "int unsigned", CHANGED),
    ("duckdb", "timestamp_ms", "timestamp_ns", WIDENED),
    ("trino", "timestamp(3)", "timestamp", RESPELLED),
]


def column(data_type: str, dialect: str | None = None) -> dict[str, Any]:
    """A table with a nullable column of a type."""
    return table(price=allow_null(parse_type(data_type, dialect).schema))


def record(**attributes: Any) -> dict[str, Any]:
    """A table with a column that has only a physical type."""
    return table(price={"x-physical-type": attributes})


def only_change(old: Any, new: Any) -> Change:
    (change,) = compare(old, new).changes
    return change


@pytest.mark.parametrize(("dialect", "before", "after", "expected"), EVERYDAY_CHANGES)
def test_an_everyday_change_of_a_type_is_one_change_that_breaks_these_modes(dialect, before, after, expected):
    change = only_change(column(before, dialect), column(after, dialect))
    assert (change.kind, {*change.breaks}) == expected
    assert change.path.startswith("price")
    assert change.certainty is (Certainty.PROVEN if change.breaks and "uuid" not in after else Certainty.UNPROVEN)


@pytest.mark.parametrize(("dialect", "before", "after", "expected"), EVERYDAY_CHANGES)
def test_the_reverse_of_a_change_breaks_the_reverse_modes(dialect, before, after, expected):
    change = only_change(column(after, dialect), column(before, dialect))
    assert (change.kind, {*change.breaks}) == {K.TYPE_WIDENED: NARROWED, K.TYPE_NARROWED: WIDENED}.get(
        expected[0], expected
    )


def test_a_change_of_type_and_physical_type_is_one_change_that_breaks_what_either_breaks():
    old = table(price={"type": "integer", "x-physical-type": parse_physical_type("int").as_json()})
    new = table(price={"type": "number", "x-physical-type": parse_physical_type("bigint").as_json()})
    change = only_change(old, new)
    assert change.kind is K.TYPE_WIDENED
    assert {FORWARD, FULL} <= change.breaks
    assert change.message == "price: physical type widened from int to bigint."
    assert change.counterexample is not None


def test_the_first_physical_type_of_a_column_breaks_nothing_and_neither_does_its_disappearance():
    bare, typed = table(price={"type": "number"}), column("decimal(10,2)")
    typed["properties"]["price"]["type"] = "number"
    for old, new in ((bare, typed), (typed, bare)):
        change = only_change(old, new)
        assert (change.kind, change.breaks) == (K.ANNOTATION_CHANGED, frozenset())


@pytest.mark.parametrize(
    ("before", "after"),
    [("varchar(10)", {"family": "text", "text": "text"}), ({"family": "money"}, {"family": "text"}), (7, 8),
     ("varchar(100)", "date"), ({"family": "varchar", "length": 100}, {"family": "varchar", "length": 10}),
     ({"family": "text", "length": "10"}, {"family": "text", "length": 5}), ({"family": ["text"]}, {"family": {}}),
     ({"family": "text", "length": -1}, {"family": "text", "length": True}), ({"text": 1}, {"text": 2}), ([], [1]),
     ({"family": "array", "element": 7}, {"family": "struct", "fields": []}),
     ({"family": "integer", "precision": 10**9}, {"family": "integer", "precision": 1})],
)  # fmt: skip
def test_a_value_of_another_form_is_a_type_that_is_not_understood(before, after):
    old, new = (table(price={"x-physical-type": value}) for value in (before, after))
    change = only_change(old, new)
    assert ((change.kind, {*change.breaks}), change.certainty) == (CHANGED, Certainty.UNPROVEN)


@pytest.mark.parametrize(("before", "after"), [(7, None), ([], {}), ({"text": 1}, {"text": ""})])
def test_a_value_of_another_form_that_disappears_breaks_nothing(before, after):
    old, new = (table(price={"x-physical-type": value}) for value in (before, after))
    assert not only_change(old, new).breaks


def test_types_that_are_not_understood_break_unproven_if_their_texts_differ():
    change = only_change(record(text="hllsketch"), record(text="tsvector"))
    assert (change.kind, {*change.breaks}) == CHANGED
    assert change.certainty is Certainty.UNPROVEN
    assert change.message.endswith("it is unknown whether they hold the same values.")
    assert not compare(record(text="hllsketch"), {**record(text="hllsketch"), "title": "x"}).breaking_changes(FULL)


def test_a_type_that_is_understood_later_with_the_same_text_is_an_annotation():
    change = only_change(record(text="geography"), record(family="geography", text="geography"))
    assert (change.kind, change.breaks) == (K.ANNOTATION_CHANGED, frozenset())


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            {"family": "text", "text": "text"},
            {"family": "text", "text": "string"},
            "physical type is spelled string now.",
        ),
        (None, {"family": "text", "text": "text"}, "physical type is text now."),
        ({"family": "text", "text": "text"}, None, "physical type is not given any more."),
    ],
)
def test_a_change_that_breaks_nothing_says_what_is_different(before, after, message):
    old, new = (table(price={} if value is None else {"x-physical-type": value}) for value in (before, after))
    assert only_change(old, new).message == f"price: {message}"


def test_a_container_that_does_not_say_what_is_in_it_breaks_unproven_if_its_text_differs():
    old, new = (record(family="struct", text=f"struct<a {name}>") for name in ("int", "bigint"))
    change = only_change(old, new)
    assert ((change.kind, {*change.breaks}), change.certainty) == (CHANGED, Certainty.UNPROVEN)


INT, BIGINT = {"family": "integer", "bits": 32}, {"family": "integer", "bits": 64}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": INT}, {"a": INT, "b": INT}, [("price.b", K.PROPERTY_ADDED, {FORWARD, FULL})]),
        ({"a": INT, "b": INT}, {"a": INT}, [("price.b", K.PROPERTY_REMOVED, {BACKWARD, CONSUMER, FULL})]),
        (
            {"a": INT, "b": BIGINT},
            {"a": BIGINT, "b": INT},
            [("price.a", K.TYPE_WIDENED, {FORWARD, FULL}), ("price.b", K.TYPE_NARROWED, {BACKWARD, FULL})],
        ),
        (
            {"a": {"family": "struct", "fields": {"b": INT}}},
            {"a": {"family": "struct", "fields": {"b": BIGINT}}},
            [("price.a.b", K.TYPE_WIDENED, {FORWARD, FULL})],
        ),
        (
            {"a": {"family": "array", "element": INT}},
            {"a": {"family": "array", "element": {"family": "text"}}},
            [("price", K.TYPE_CHANGED, {BACKWARD, FORWARD, CONSUMER, FULL})],
        ),
    ],
)
def test_the_fields_of_a_struct_change_as_columns_do(before, after, expected):
    old, new = (record(family="struct", fields=fields) for fields in (before, after))
    assert [(change.path, change.kind, {*change.breaks}) for change in compare(old, new).changes] == expected


def test_a_field_of_the_structs_in_an_array_is_named_by_its_position():
    old, new = (
        record(family="array", element={"family": "struct", "fields": dict.fromkeys(names, INT)})
        for names in (("a", "b"), ("a",))
    )
    (removed,), (added,) = compare(old, new).changes, compare(new, old).changes
    assert (removed.kind, {*removed.breaks}) == (K.TYPE_CHANGED, {BACKWARD, CONSUMER, FULL})
    assert removed.message == "price: physical type lost /element/fields/b."
    assert (added.kind, {*added.breaks}) == (K.TYPE_WIDENED, {FORWARD, FULL})


def test_a_field_that_is_a_property_as_well_is_reported_once():
    old, new = (
        table(
            price={
                "type": "object",
                "properties": {name: {"type": "integer"} for name in names},
                "x-physical-type": {"family": "struct", "fields": dict.fromkeys(names, INT)},
            }
        )
        for names in (("a", "b"), ("a",))
    )
    assert [change.kind for change in compare(old, new).changes] == [K.PROPERTY_REMOVED, K.ANNOTATION_CHANGED]


def test_a_field_with_a_physical_type_of_its_own_is_reported_once():
    old, new = (
        table(
            price={
                "properties": {"a": {"x-physical-type": leaf}},
                "x-physical-type": {"family": "struct", "fields": {"a": leaf}},
            }
        )
        for leaf in (INT, BIGINT)
    )
    changes = [(change.path, change.kind) for change in compare(old, new).changes if change.breaks]
    assert changes == [("price.a", K.TYPE_WIDENED)]


def test_a_deeply_nested_physical_type_is_compared():
    def nest(leaf: dict[str, Any]) -> dict[str, Any]:
        for _ in range(90):
            leaf = {"family": "array", "element": leaf}
        return table(price={"x-physical-type": leaf})

    assert (only_change(nest(INT), nest(BIGINT)).kind, compare(nest(INT), nest(INT)).changes) == (K.TYPE_CHANGED, ())


numbers = st.none() | st.integers(-2, 40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([*Family, "", "a"])
)
records = st.recursive(
    st.fixed_dictionaries(
        {"family": st.sampled_from([*map(str, Family), "money"])},
        optional={
            "bits": numbers,
            "precision": numbers,
            "scale": numbers,
            "length": numbers,
            "unsigned": st.booleans(),
            "timezone": st.sampled_from(["with", "local"]) | scalars,
            "text": st.sampled_from(["int", "money", ""]),
        },
    ),
    lambda parts: (
        st.dictionaries(st.sampled_from(["element", "key", "value"]), parts)
        | st.builds(
            lambda fields, text: {"family": "struct", "fields": fields, "text": text},
            st.dictionaries(st.sampled_from("ab"), parts),
            st.sampled_from("st"),
        )
        | st.builds(lambda element: {"family": "array", "element": element}, parts)
    ),
    max_leaves=5,
)
values = records | st.recursive(
    scalars, lambda items: st.lists(items) | st.dictionaries(st.sampled_from(["family", "text", "fields"]), items)
)


@given(values, values)
def test_any_two_values_are_compared_and_the_reverse_breaks_the_reverse_modes(before, after):
    old, new = (table(price={"x-physical-type": value}) for value in (before, after))
    there, back = compare(old, new), compare(new, old)
    assert not compare(old, old).changes
    assert there.is_compatible(BACKWARD) == back.is_compatible(FORWARD)
    assert there.is_compatible(FORWARD) == back.is_compatible(BACKWARD)
    assert not there.is_compatible(FULL) or (there.is_compatible(BACKWARD) and there.is_compatible(FORWARD))
    assert [change.as_json() for change in there.changes] == [change.as_json() for change in compare(old, new).changes]


def test_the_hint_is_a_new_column_of_the_new_type():
    change = only_change(column("varchar(100)"), column("varchar(10)"))
    assert change.hint == "Keep price as it was and add a new column of type varchar(10)."


@pytest.mark.parametrize(
    ("before", "after", "value"),
    [
        ("bigint", "int", 2**31),
        ("int", "bigint", 2**31),
        ("uint8", "int16", 256),
        ("decimal(12,2)", "decimal(10,2)", 10**8),
        ("date", "timestamp", ""),
    ],
)
def test_a_proven_change_shows_a_value_that_only_the_larger_type_holds(before, after, value):
    change = only_change(column(before), column(after))
    assert (change.certainty, change.counterexample) == (Certainty.PROVEN, {"price": value})


def test_a_shorter_text_shows_a_value_that_is_too_long():
    document = only_change(column("varchar(20)"), column("varchar(10)")).counterexample
    assert isinstance(document, dict)
    assert isinstance(document["price"], str)
    assert len(document["price"]) == 11


def test_an_integer_of_digits_and_one_of_bits_compare_by_their_range():
    bits, digits = PhysicalType(Family.INTEGER, bits=32), PhysicalType(Family.INTEGER, precision=9)
    assert relate(digits, bits) is Relation.WIDER
    assert relate(PhysicalType(Family.INTEGER, precision=10), bits) is Relation.NARROWER
    assert relate(PhysicalType(Family.INTEGER, bits=64, unsigned=True), bits) is Relation.DIFFERENT
    assert relate(bits, PhysicalType(Family.INTEGER)) is Relation.WIDER
