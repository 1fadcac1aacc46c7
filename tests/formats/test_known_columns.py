"""What earlier manifests and catalogs showed of a table stays known with its contract, column by column."""

from typing import Any

import pytest

from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import parse_catalog
from tessera_gql.formats.dbt_known_columns import KnownColumns
from tests.formats.manifests import catalog, catalog_table, check, column, logical, manifest, table


def model(*columns: dict[str, Any], observed: dict[str, str] | None = None, **options: Any) -> dbt.Model:
    tests = options.pop("tests", ())
    document = manifest(table("orders", *columns), *tests, **options)
    tables = {} if observed is None else {"model.shop.orders": catalog_table("orders", **observed)}
    return dbt.parse_manifest(document, parse_catalog(catalog(**tables)) if tables else None).models[0]


def sync(*models: dbt.Model) -> dbt.Model:
    """Apply the models in turn and return the last result."""
    known_columns: KnownColumns | None = None
    for item in models:
        last = dbt.apply_known_columns(item, known_columns)
        known_columns = last.known_columns
    return last


def types(result: dbt.Model) -> dict[str, str | None]:
    return {name: part.get("x-physical-type", {}).get("text") for name, part in result.schema["properties"].items()}


def test_without_known_columns_the_model_stays_as_it_was_read():
    read = model(column("id", "int"))
    assert dbt.apply_known_columns(read, None) is read
    assert dbt.apply_known_columns(read, read.known_columns) is read


def test_a_column_that_only_a_catalog_showed_stays_with_its_type():
    covered = model(column("id"), observed={"id": "integer", "note": "text"})
    result = sync(covered, model(column("id")))
    assert types(result) == {"id": "integer", "note": "text"}
    assert result == dbt.apply_known_columns(result, covered.known_columns)
    assert result.known_columns == covered.known_columns


def test_a_new_declaration_adds_a_column_and_keeps_the_observed_ones():
    result = sync(model(observed={"id": "integer"}), model(column("fresh", "text")))
    assert types(result) == {"fresh": "text", "id": "integer"}
    assert result.columns == ("fresh", "id")


def test_a_column_that_is_declared_no_longer_goes_even_if_it_was_observed():
    before = model(column("id"), column("note"), observed={"id": "integer", "note": "text"})
    after = model(column("id"))
    assert list(types(sync(before, after))) == ["id"]
    assert dbt.find_undocumented(before.known_columns, after) == ("note",)


def test_a_catalog_decides_what_is_dropped_so_nothing_is_undocumented_then():
    before = model(column("id"), column("note"), observed={"id": "integer", "note": "text"})
    assert dbt.find_undocumented(before.known_columns, model(column("id"), observed={"id": "integer"})) == ()
    assert dbt.find_undocumented(None, model(column("id"))) == ()


def test_a_column_that_was_declared_only_and_goes_is_remembered_until_a_catalog_comes():
    with_note = sync(model(observed={"id": "integer"}), model(column("note")))
    without_note = dbt.apply_known_columns(model(), with_note.known_columns)
    assert without_note.known_columns == {"id": {"observed": "integer"}, "note": {"undocumented": None}}
    assert dbt.apply_known_columns(model(), without_note.known_columns).known_columns == without_note.known_columns
    assert list(types(without_note)) == ["id"]
    decided = dbt.apply_known_columns(model(observed={"id": "integer"}), without_note.known_columns)
    assert decided.known_columns == {"id": {"observed": "integer"}}
    back = dbt.apply_known_columns(model(column("note")), without_note.known_columns)
    assert list(types(back)) == ["id", "note"]


def test_a_declared_column_that_the_catalog_lacks_stays_out_until_a_catalog_has_it():
    declared = (column("id"), column("phantom"))
    without = sync(model(*declared, observed={"id": "integer"}), model(*declared))
    assert (list(types(without)), without.missing_columns) == (["id"], ("phantom",))
    built = model(*declared, observed={"id": "integer", "phantom": "text"})
    assert list(types(dbt.apply_known_columns(built, without.known_columns))) == ["id", "phantom"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, "integer"),
        (None, "bigint", "integer"),
        ("int", None, "integer"),
        ("int", "int", "integer"),
        ("int", "INT", "integer"),
        ("int", "bigint", "bigint"),
    ],
)
def test_the_observed_type_counts_unless_another_one_is_declared(before, after, expected):
    result = sync(model(column("id", before), observed={"id": "integer"}), model(column("id", after)))
    assert types(result) == {"id": expected}
    again = dbt.apply_known_columns(model(column("id", after)), result.known_columns)
    assert types(again) == {"id": expected}


def test_a_known_spelling_stays_in_the_schema_and_in_the_guarantees():
    first = model(observed={"ORDER_ID": "NUMBER", "NOTE": "TEXT"})
    checks = (
        check("not_null", "order_id"),
        check("unique_combination_of_columns", namespace="dbt_utils", combination_of_columns=["order_id", "note"]),
        check("accepted_values", "note", values=["a"]),
    )
    second = model(column("order_id"), column("note"), tests=checks)
    result = sync(first, second)
    assert list(types(result)) == ["NOTE", "ORDER_ID"]
    assert result.schema["required"] == ["ORDER_ID"]
    assert result.guarantees == {
        "nullability": {"ORDER_ID": "never"},
        "uniqueness": {"NOTE, ORDER_ID": "always"},
        "accepted_values": {"NOTE": ["a"]},
    }


def test_a_column_that_is_carried_over_has_the_tests_and_descriptions_of_the_new_manifest():
    second = model(column("id", description="The key."), tests=(check("not_null", "note"),))
    result = sync(model(observed={"id": "integer", "note": "text"}), second)
    assert logical(result.schema["properties"]) == {
        "id": {"type": ["integer", "null"], "description": "The key."},
        "note": {"type": "string"},
    }
    assert result.schema["required"] == ["note"]


def test_fields_of_records_are_carried_over_and_spelled_like_their_record():
    first = model(observed={"ITEMS": "ARRAY<STRUCT<sku STRING>>", "ITEMS.sku": "STRING"}, adapter="bigquery")
    result = sync(first, model(column("items.SKU", description="The article."), adapter="bigquery"))
    assert list(result.schema["properties"]) == ["ITEMS"]
    record = result.schema["properties"]["ITEMS"]["items"]["properties"]
    assert logical(record) == {"sku": {"type": ["string", "null"], "description": "The article."}}
    assert result.known_columns["ITEMS.sku"] == {"declared": None, "observed": "STRING"}


def test_compiled_code_is_known_only_where_the_manifest_has_it():
    with_code, without = (
        dbt.parse_manifest(manifest(table("orders", **fields))).models[0] for fields in ({"compiled_code": "x"}, {})
    )
    assert (with_code.has_compiled_code, without.has_compiled_code) == (True, False)
