"""Tests and constraints of dbt become parts of the schema or guarantees."""

import pytest

from tessera_gql.formats import dbt
from tests.formats.manifests import check, column, logical, manifest, read_column, read_one, source, table

ORDERS = table("orders", column("id", "int"), column("status", "text"))


def guarantees(*checks, on=ORDERS, **options):
    return read_one(on, *checks, **options).guarantees


def test_a_table_without_tests_guarantees_nothing():
    assert guarantees() is None


def test_the_basic_tests_are_keyed_by_the_column_as_declared():
    assert guarantees(
        check("not_null", "ID"), check("unique", '"id"'), check("accepted_values", "status", values=["b", "a", "a"])
    ) == {"nullability": {"id": "never"}, "uniqueness": {"id": "always"}, "accepted_values": {"status": ["a", "b"]}}


def test_a_relationship_names_the_table_and_column_it_points_to():
    points = check("relationships", "id", to="source('landing', 'people')", field="key")
    points["depends_on"]["nodes"].append("source.shop.people")
    people = source("people", identifier="PERSON")
    read = dbt.parse_manifest(manifest(ORDERS, people, points)).models[0]
    assert read.guarantees == {"relationships": {"id": ["analytics.core.person.key"]}}


def test_a_relationship_to_an_unknown_model_keeps_its_source_text():
    assert guarantees(check("relationships", "id", to="ref('gone')", field="key")) == {
        "relationships": {"id": ["ref('gone').key"]}
    }


@pytest.mark.parametrize(
    ("data_type", "arguments", "expected"),
    [
        ("text", {"values": ["b", "a"]}, ["a", "b", None]),
        ("int", {"values": [2, 1], "quote": False}, [1, 2, None]),
        ("int", {"values": ["2", "1"]}, [1, 2, None]),
        ("numeric(4,1)", {"values": [1.5, 1], "quote": False}, [1, 1.5, None]),
        ("boolean", {"values": ["true", "false"]}, [False, True, None]),
        ("boolean", {"values": [True]}, [True, None]),
        ("text", {"values": [1, 2]}, ["1", "2", None]),
        (None, {"values": [1, 2]}, ["1", "2", None]),
        (None, {"values": ["1", 2], "quote": False}, [1, 2, None]),
        ("text", {"arguments": {"values": ["a"]}}, ["a", None]),
    ],
)
def test_accepted_values_become_an_enum_of_the_columns_type_which_null_is_part_of(data_type, arguments, expected):
    read = read_column(column("id", data_type), check("accepted_values", "id", **arguments))
    assert sorted(map(repr, read["enum"])) == sorted(map(repr, expected))


def test_null_is_not_an_accepted_value_of_a_column_that_is_never_null():
    read = read_column(column("s", "text"), check("accepted_values", "s", values=["a"]), check("not_null", "s"))
    assert logical(read) == {"type": "string", "enum": ["a"]}


@pytest.mark.parametrize(
    ("data_type", "arguments"),
    [
        ("int", {"values": ["a", "1"]}),
        ("array<string>", {"values": ["a"]}),
        ("text", {"values": ["current_date"], "quote": False}),
        ("text", {"values": []}),
        ("text", {"values": "a"}),
        ("text", {"values": [["a"], None]}),
    ],
)
def test_accepted_values_that_are_no_values_of_the_type_make_no_enum_and_stay_a_guarantee(data_type, arguments):
    read = read_one(table("orders", column("id", data_type)), check("accepted_values", "id", **arguments))
    assert "enum" not in read.schema["properties"]["id"]
    assert read.guarantees is not None


def test_two_tests_of_accepted_values_accept_their_intersection():
    second = {**check("accepted_values", "status", values=["b", "c"]), "unique_id": "test.shop.second"}
    read = read_one(ORDERS, check("accepted_values", "status", values=["a", "b"]), second)
    assert read.schema["properties"]["status"]["enum"] == ["b", None]


@pytest.mark.parametrize(
    "config",
    [
        {"where": "id > 7"},
        {"severity": "warn"},
        {"severity": "ERROR", "error_if": ">10"},
        {"fail_calc": "sum(failures)"},
    ],
)
@pytest.mark.parametrize("kind", ["not_null", "accepted_values", "unique"])
def test_a_restricted_test_is_a_custom_guarantee_and_not_part_of_the_schema(kind, config):
    weak = check(kind, "status", config=config, values=["a"])
    read = read_one(ORDERS, weak)
    assert read.schema == read_one(ORDERS).schema
    assert list(read.guarantees) == ["custom"]
    (guarantee,) = read.guarantees["custom"].values()
    assert guarantee["test"] == kind
    assert {key: guarantee[key] for key in config if key != "severity" or config[key] == "warn"} == {
        key: value for key, value in config.items() if value != "ERROR"
    }


def test_dbts_own_defaults_are_no_limits():
    config = {
        "severity": "error",
        "error_if": "!= 0",
        "warn_if": "!= 0",
        "fail_calc": "count(*)",
        "where": None,
        "limit": 5,
    }
    assert guarantees(check("not_null", "id", config=config)) == {"nullability": {"id": "never"}}


def test_a_disabled_test_is_no_guarantee():
    assert guarantees(check("not_null", "id", config={"enabled": False})) is None


def test_a_test_of_another_package_is_kept_under_its_name_with_its_arguments():
    assert guarantees(check("expression_is_true", namespace="dbt_utils", expression="a > 0")) == {
        "custom": {
            "expression_is_true_orders_None": {
                "test": "dbt_utils.expression_is_true",
                "arguments": {"expression": "a > 0"},
            }
        }
    }


def test_a_singular_test_is_a_guarantee_of_each_table_it_reads_and_changes_with_its_sql():
    def singular(sql):
        return {
            "unique_id": "test.shop.no_refund",
            "resource_type": "test",
            "name": "no_refund",
            "depends_on": {"nodes": ["model.shop.orders", "source.shop.raw_orders"]},
            "raw_code": sql,
        }

    def read(sql):
        return [model.guarantees for model in dbt.parse_manifest(manifest(ORDERS, source(), singular(sql))).models]

    first, same, different = read("select 1\n from x"), read("select 1 from x"), read("select 2 from x")
    assert first == same != different
    assert [list(by_section["custom"]) for by_section in first] == [["no_refund"], ["no_refund"]]


def test_a_combination_is_unique_in_whichever_order_it_is_written():
    dbt_utils = {"namespace": "dbt_utils", "combination_of_columns": ["status", "ID"]}
    assert guarantees(check("unique_combination_of_columns", **dbt_utils)) == {"uniqueness": {"id, status": "always"}}


def test_row_counts_are_a_volume_guarantee_unless_they_are_grouped():
    between = {"namespace": "dbt_expectations", "min_value": 1, "max_value": 9}
    whole = guarantees(check("expect_table_row_count_to_be_between", **between))
    assert whole == {"volume": {"max_rows": 9, "min_rows": 1}}
    by_group = guarantees(check("expect_table_row_count_to_be_between", group_by=["status"], **between))
    assert list(by_group) == ["custom"]


def test_the_freshness_of_a_source_is_a_guarantee_if_its_block_has_a_count():
    block = {"warn_after": {"count": 12, "period": "hour"}, "error_after": {"count": None, "period": None}}
    guarantee = {"freshness": {"warn_after": {"count": 12, "period": "hour"}}}
    assert guarantees(on=source(freshness=block)) == guarantee
    assert guarantees(on=source(config={"freshness": block})) == guarantee
    assert guarantees(on=table(freshness=block)) is None


@pytest.mark.parametrize(
    "node",
    [
        table("orders", column("id", "int", constraints=[{"type": "not_null"}])),
        table("orders", column("id", "int"), constraints=[{"type": "not_null", "columns": ["ID"]}]),
    ],
)
def test_a_not_null_constraint_on_the_column_or_the_model_makes_it_required(node):
    read = read_one(node)
    assert (logical(read.schema["properties"]["id"]), read.schema["required"]) == ({"type": "integer"}, ["id"])


def test_a_primary_key_is_never_null_and_unique_as_a_whole():
    node = table(
        "orders", column("b", "int"), column("a"), constraints=[{"type": "primary_key", "columns": ["b", "a"]}]
    )
    read = read_one(node)
    assert read.schema["required"] == ["a", "b"]
    assert read.guarantees == {"nullability": {"a": "never", "b": "never"}, "uniqueness": {"a, b": "always"}}


def test_other_constraints_are_kept_as_written():
    constraint = {"type": "check", "expression": "id > 0", "columns": ["id"]}
    assert guarantees(on=table(constraints=[constraint])) == {
        "custom": {
            "check id > 0": {"test": "check constraint", "arguments": {"columns": ["id"], "expression": "id > 0"}}
        }
    }


def test_a_test_of_a_column_that_is_not_declared_is_a_guarantee_and_adds_no_column():
    read = read_one(ORDERS, check("not_null", "hidden"))
    assert read.guarantees == {"nullability": {"hidden": "never"}}
    assert "hidden" not in {*read.schema["properties"], *read.schema["required"]}


def test_a_test_without_a_table_is_reported():
    lost = check("relationships", "id", on="model.shop.gone")
    (warning,) = dbt.parse_manifest(manifest(ORDERS, lost)).warnings
    assert warning.startswith("These tests name no table of this manifest and were left out: test.shop.")


def test_an_exact_row_count_is_both_bounds():
    exact = check("expect_table_row_count_to_equal", namespace="dbt_expectations", value=7)
    assert guarantees(exact) == {"volume": {"max_rows": 7, "min_rows": 7}}


def test_arguments_that_no_database_can_store_are_left_out_with_a_warning():
    deep: object = 1
    for _ in range(100):
        deep = {"x": deep}
    read = dbt.parse_manifest(manifest(ORDERS, check("custom", "id", depth=deep)))
    assert read.models[0].guarantees == {"custom": {"custom_orders_id": {"test": "custom", "column": "id"}}}
    assert "nested too deep" in read.warnings[0]


def test_two_tests_of_one_name_are_both_kept():
    second = {**check("custom", "id", namespace="other"), "unique_id": "test.other.second"}
    assert len(guarantees(check("custom", "id"), second)["custom"]) == 2


def test_a_test_of_an_ephemeral_model_is_a_custom_guarantee_of_the_tables_that_read_it():
    ephemeral = {"config": {"materialized": "ephemeral"}}
    nodes = [
        table("inner", **ephemeral),
        table("outer", depends_on={"nodes": ["model.shop.inner"]}, **ephemeral),
        table("a", column("id"), depends_on={"nodes": ["model.shop.outer"]}),
        table("b", column("id"), depends_on={"nodes": ["model.shop.inner"]}),
        table("c", column("id"), depends_on={"nodes": ["model.shop.b"]}),
    ]
    read = dbt.parse_manifest(manifest(*nodes, check("not_null", "id", on="model.shop.inner")))
    promise = {"test": "not_null", "column": "id", "ephemeral_model": "model.shop.inner"}
    expected = {"custom": {"not_null_inner_id": promise}}
    assert {model.name: model.guarantees for model in read.models} == {"a": expected, "b": expected, "c": None}
    assert all(model.schema["required"] == [] for model in read.models)
    assert read.warnings == (
        "Tests of these ephemeral models became custom guarantees of their readers: model.shop.inner.",
    )


def test_an_enforced_contract_is_a_guarantee():
    for fields in ({"contract": {"enforced": True}}, {"config": {"contract": {"enforced": True}}}):
        assert guarantees(on=table(**fields)) == {"custom": {"dbt contract": {"test": "enforced contract"}}}
    assert guarantees(on=table(contract={"enforced": False})) is None


def test_unit_tests_are_no_guarantees():
    unit_test = {"unit_test.shop.orders.u": {"model": "orders", "depends_on": {"nodes": ["model.shop.orders"]}}}
    assert guarantees(unit_tests=unit_test) is None
