"""A catalog shows the columns that tables have, and a manifest is read with it."""

from typing import Any

import orjson
import pytest

from tessera_gql.formats import dbt
from tessera_gql.formats.dbt_catalog import Catalog, CatalogError, ColumnBasis, parse_catalog
from tests.formats.manifests import catalog, catalog_table, check, column, logical, manifest, source, table


def read(*nodes: dict[str, Any], observed: Catalog, **options: Any) -> dbt.Model:
    (model,) = dbt.parse_manifest(manifest(*nodes, **options), observed).models
    return model


def test_columns_are_in_the_order_of_the_warehouse_with_their_types():
    columns = {"b": {"type": "text", "index": 2, "name": "b"}, "a": {"type": "integer", "index": 1, "name": "a"}}
    parsed = parse_catalog(catalog(**{"model.shop.orders": {"metadata": {}, "columns": columns}}))
    assert list(parsed.columns_by_id["model.shop.orders"].items()) == [("a", "integer"), ("b", "text")]


def test_sources_are_read_and_tables_are_found_by_id_and_by_name_in_any_case():
    document = catalog(**{"model.other.x": catalog_table("ORDERS", id="integer")})
    document["sources"] = {"source.shop.raw_orders": catalog_table("raw_orders", id="text")}
    parsed = parse_catalog(orjson.dumps(document))
    assert parsed.find_columns(["source.shop.raw_orders"], "nowhere") == {"id": "text"}
    assert parsed.find_columns(["model.shop.orders"], "analytics.core.orders") == {"id": "integer"}
    assert parsed.find_columns(["model.shop.lost"], "analytics.core.lost") is None


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "not JSON"),
        (orjson.dumps(catalog())[:-9], "cut short"),
        (b"[]", "no object"),
        (b"{}", "no metadata.dbt_schema_version"),
        (manifest(), "manifest/v12.json"),
        ({**catalog(), "nodes": None}, "no object `nodes`"),
        ({"metadata": {3: 4}}, "values that JSON has not"),
    ],
)
def test_a_document_that_is_no_catalog_is_refused_with_the_reason_and_what_to_give(document, reason):
    with pytest.raises(CatalogError) as refused:
        parse_catalog(document)
    assert reason in refused.value.reason
    assert "catalog" in refused.value.reason
    assert "Give " in refused.value.reason


def test_malformed_entries_are_skipped_and_named():
    broken = {"metadata": [], "columns": {"a": 7, "b": {"index": "x", "type": 5}, "c\nd": {"name": "c\nd"}}}
    document = catalog(**{"model.shop.bad": "text", "model.shop.half": broken, "model.shop.empty": {"columns": {}}})
    document["errors"] = ["permission denied"]
    parsed = parse_catalog(document)
    assert parsed.columns_by_id == {"model.shop.half": {"b": None}}
    text = "\n".join(parsed.warnings)
    for name in ("model.shop.bad", "model.shop.half", "model.shop.empty", "`errors`"):
        assert name in text


def test_a_catalog_of_another_version_is_read_with_a_warning():
    document = catalog(**{"model.shop.orders": catalog_table("orders", id="integer")})
    document["metadata"]["dbt_schema_version"] = "https://schemas.getdbt.com/dbt/catalog/v2.json"
    parsed = parse_catalog(document)
    assert parsed.columns_by_id == {"model.shop.orders": {"id": "integer"}}
    assert "catalog/v2.json" in parsed.warnings[0]


def test_the_columns_of_the_catalog_are_the_schema_and_the_manifest_adds_descriptions_and_tests():
    observed = parse_catalog(catalog(**{"model.shop.orders": catalog_table("orders", id="integer", note="text")}))
    declared = table("orders", column("id", description="The key."), column("gone"))
    model = read(declared, check("not_null", "note"), observed=observed)
    assert logical(model.schema["properties"]) == {
        "id": {"type": ["integer", "null"], "description": "The key."},
        "note": {"type": "string"},
    }
    assert model.schema["properties"]["id"]["x-physical-type"]["text"] == "integer"
    assert (model.schema["required"], model.columns, model.basis) == (["note"], ("id", "note"), ColumnBasis.CATALOG)
    assert model.missing_columns == ("gone",)
    assert model.known_columns == {
        "id": {"declared": None, "observed": "integer"},
        "note": {"observed": "text"},
        "gone": {"declared": None, "missing": None},
    }


def test_a_declared_column_that_the_table_lacks_is_a_warning():
    observed = parse_catalog(catalog(**{"model.shop.orders": catalog_table("orders", id="integer")}))
    parsed = dbt.parse_manifest(manifest(table("orders", column("id"), column("gone"))), observed)
    assert parsed.warnings == ("Declared, but not in the table: analytics.core.orders.gone.",)


def test_a_table_that_the_catalog_lacks_has_its_declared_columns():
    observed = parse_catalog(catalog(**{"model.shop.other": catalog_table("other", x="integer")}))
    parsed = dbt.parse_manifest(manifest(table("orders", column("id", "int")), table("other")), observed)
    by_name = {model.name: (model.columns, model.basis, model.observed_types) for model in parsed.models}
    assert by_name == {
        "orders": (("id",), ColumnBasis.DECLARED, None),
        "other": (("x",), ColumnBasis.CATALOG, {"x": "integer"}),
    }


def test_a_not_null_of_a_declared_type_holds_beside_the_type_of_the_catalog():
    observed = parse_catalog(catalog(**{"model.shop.orders": catalog_table("orders", id="integer")}))
    model = read(table("orders", column("id", "int not null")), observed=observed)
    assert model.schema["required"] == ["id"]


def test_a_catalog_of_another_run_is_used_with_a_warning():
    document = catalog(**{"model.shop.orders": catalog_table("orders", id="integer")})
    document["metadata"] |= {"invocation_id": "b", "generated_at": "2026-02-03T04:05:06Z"}
    nodes = manifest(table("orders", column("id")))
    nodes["metadata"]["invocation_id"] = "a"
    parsed = dbt.parse_manifest(nodes, parse_catalog(document))
    assert parsed.models[0].basis is ColumnBasis.CATALOG
    (warning,) = parsed.warnings
    assert "different runs of dbt" in warning
    assert "2026-02-03T04:05:06Z" in warning


def test_a_catalog_that_covers_no_table_is_a_warning():
    observed = parse_catalog(catalog(**{"model.other.x": catalog_table("x", id="integer")}))
    (warning,) = dbt.parse_manifest(manifest(table("orders", column("id"))), observed).warnings
    assert "covers no table of this manifest" in warning


def test_a_declared_spelling_counts_and_the_guarantees_have_it():
    observed = parse_catalog(catalog(**{"model.shop.orders": catalog_table("ORDERS", ORDER_ID="NUMBER", NOTE="TEXT")}))
    model = read(
        table("orders", column("order_id")), check("unique", "ORDER_ID"), check("not_null", "note"), observed=observed
    )
    assert model.columns == ("order_id", "NOTE")
    assert model.guarantees == {"nullability": {"NOTE": "never"}, "uniqueness": {"order_id": "always"}}


def test_nested_columns_of_bigquery_are_fields_of_their_records():
    columns = {"items": "ARRAY<STRUCT<sku STRING, qty INT64>>", "items.sku": "STRING", "items.qty": "INT64"}
    observed = parse_catalog(catalog(**{"model.shop.orders": catalog_table("orders", **columns)}))
    declared = table("orders", column("items.sku", description="The article."))
    model = read(declared, observed=observed, adapter="bigquery")
    record = model.schema["properties"]["items"]["items"]
    assert logical(record["properties"]["sku"]) == {"type": ["string", "null"], "description": "The article."}
    assert list(model.schema["properties"]) == ["items"]
    assert model.known_columns["items.sku"] == {"declared": None, "observed": "STRING"}


def test_the_catalog_belongs_to_the_fingerprint_of_a_model():
    node = table("orders", column("id", "integer"))
    prints = {
        read(
            node, observed=parse_catalog(catalog(**{"model.shop.orders": catalog_table("orders", **columns)}))
        ).fingerprint
        for columns in ({"id": "integer"}, {"id": "bigint"}, {"id": "integer", "x": "text"})
    }
    assert len({dbt.parse_manifest(manifest(node)).models[0].fingerprint, *prints}) == 4


def test_a_source_and_its_seed_are_covered_by_either():
    nodes = (source("raw_orders", column("ID")), table("seeded", kind="seed", alias="raw_orders"))
    for unique_id in ("source.shop.raw_orders", "seed.shop.seeded"):
        model = read(*nodes, observed=parse_catalog(catalog(**{unique_id: catalog_table("x", id="text", z="text")})))
        assert model.columns == ("ID", "z")
