"""Semantic models, metrics and saved queries are consumers of the columns in their expressions."""

from typing import Any

import pytest

from tessera_gql.formats import dbt
from tests.formats.manifests import column, manifest, table

ORDERS = table("orders", column("id"), column("Amount"), column("status"), column("ordered_at"), column("unused"))
FQN = "analytics.core.orders"


def semantic_model(*nodes: str, **sections: Any) -> dict[str, Any]:
    upstream = {"nodes": list(nodes or ["model.shop.orders"])}
    return {"name": "orders", "config": {"meta": {"owner": "growth"}}, "depends_on": upstream, **sections}


def consumers(*nodes: dict[str, Any], metrics: dict[str, Any] | None = None, **models: Any) -> dict[str, dbt.Exposure]:
    document = manifest(
        *(nodes or (ORDERS,)),
        semantic_models={f"semantic_model.shop.{name}": model for name, model in models.items()},
        metrics={f"metric.shop.{name}": metric for name, metric in (metrics or {}).items()},
    )
    return {item.unique_id: item for item in dbt.parse_manifest(document).semantic_consumers}


def columns_of(expression: str | None, name: str = "id") -> Any:
    model = semantic_model(measures=[{"name": name, "agg": "sum", "expr": expression}])
    return consumers(orders=model)["semantic_model.shop.orders"].columns


def test_a_semantic_model_reads_the_columns_of_its_entities_dimensions_and_measures():
    model = semantic_model(
        entities=[{"name": "order", "type": "primary", "expr": "id"}],
        dimensions=[{"name": "ordered_at", "type": "time"}, {"name": "is_open", "expr": "status = 'unused'"}],
        measures=[{"name": "revenue", "agg": "sum", "expr": "amount"}],
    )
    item = consumers(orders=model)["semantic_model.shop.orders"]
    assert (item.type, item.owner, item.depends_on) == ("semantic_model", "growth", (FQN,))
    assert item.columns == {FQN: ("Amount", "id", "ordered_at", "status")}


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("amount", ("Amount",)),
        ('"Amount"', ("Amount",)),
        ("case when status = 'it''s id' then amount else 0 end", ("Amount", "status")),
        ("coalesce(amount, 0) * 2", ("Amount",)),
        (None, ("id",)),
    ],
)
def test_an_expression_reads_the_columns_that_it_names(expression, columns):
    assert columns_of(expression) == {FQN: columns}


@pytest.mark.parametrize("expression", ["mystery", "amount + mystery", "x" * 20_000])
def test_an_expression_with_an_unknown_name_may_read_every_column(expression):
    assert columns_of(expression) is None


def test_a_metric_reads_what_its_semantic_model_reads_and_its_own_expression():
    parameters = {"expr": "amount", "metric_aggregation_params": {"agg": "sum"}}
    revenue = {"name": "revenue", "type_params": parameters, "depends_on": {"nodes": ["semantic_model.shop.orders"]}}
    growth = {"name": "growth", "type_params": {"expr": "a / b"}, "depends_on": {"nodes": ["metric.shop.revenue"]}}
    model = semantic_model(dimensions=[{"name": "status"}])
    read = consumers(orders=model, metrics={"revenue": revenue, "growth": growth})
    assert read["metric.shop.revenue"].columns == {FQN: ("Amount", "status")}
    assert read["metric.shop.growth"].columns == {FQN: ("Amount", "status")}
    assert read["metric.shop.growth"].depends_on == (FQN,)


def test_a_saved_query_reads_what_its_metrics_read():
    model = semantic_model(measures=[{"name": "revenue", "agg": "sum", "expr": "amount"}])
    metric = {"name": "revenue", "type": "simple", "depends_on": {"nodes": ["semantic_model.shop.orders"]}}
    query = {
        "name": "weekly",
        "config": {"meta": {"owner": "growth"}},
        "depends_on": {"nodes": ["metric.shop.revenue"]},
    }
    document = manifest(
        ORDERS,
        semantic_models={"semantic_model.shop.orders": model},
        metrics={"metric.shop.revenue": metric},
        saved_queries={"saved_query.shop.weekly": query},
    )
    (item,) = (
        item for item in dbt.parse_manifest(document).semantic_consumers if item.unique_id == "saved_query.shop.weekly"
    )
    assert (item.type, item.owner, item.columns) == ("saved_query", "growth", {FQN: ("Amount",)})


def test_a_metric_of_a_version_without_semantic_models_may_read_every_column():
    metric = {"name": "revenue", "expression": "amount", "depends_on": {"nodes": ["model.shop.orders"]}}
    item = consumers(metrics={"revenue": metric})["metric.shop.revenue"]
    assert (item.depends_on, item.columns, item.type) == ((FQN,), None, "metric")


def test_a_semantic_model_over_two_tables_may_read_every_column_of_both():
    ephemeral = table("both", config={"materialized": "ephemeral"},
                      depends_on={"nodes": ["model.shop.orders", "model.shop.items"]})  # fmt: skip
    model = semantic_model("model.shop.both", dimensions=[{"name": "status"}])
    item = consumers(ORDERS, table("items"), ephemeral, orders=model)["semantic_model.shop.orders"]
    assert (item.depends_on, item.columns) == (("analytics.core.items", FQN), None)


def test_access_and_group_are_kept():
    node = table(access="public", group="growth")
    (model,) = dbt.parse_manifest(manifest(node)).models
    assert (model.access, model.group) == ("public", "growth")
    (model,) = dbt.parse_manifest(manifest(table(config={"access": "private", "group": "g"}))).models
    assert (model.access, model.group) == ("private", "g")
