"""Contracts of the Data Contract Specification become a schema and guarantees for each model."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from tessera_gql.diff import check
from tessera_gql.formats import data_contract_specification, yaml
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.schema_documents import SchemaDocument, SchemaFormat
from tessera_gql.formats.source_lines import find_lines
from tests.formats.untrusted_values import VALUES

CONTRACT = """dataContractSpecification: 1.1.0
id: shop-orders
info:
  title: Orders
  version: 2.1.0
servers:
  production: {type: snowflake, database: analytics, schema: core}
models:
  orders:
    description: One row for each order.
    type: table
    fields:
      order_id: {$ref: '#/definitions/order_id', primaryKey: true, description: The order.}
      placed_at: {type: timestamp, required: true}
      total: {type: decimal, precision: 12, scale: 2, minimum: 0}
      state:
        type: text
        enum: [new, paid]
        quality:
        - {type: library, metric: nullValues, mustBe: 0}
      address:
        type: object
        fields:
          city: {type: text, required: true}
          lines: {type: array, items: {type: text, maxLength: 40}}
      labels: {type: map, keys: {type: text}, values: {type: text}}
      payload: {type: variant, config: {snowflakeType: 'variant'}}
    quality:
    - {type: sql, description: Rows., query: SELECT count(*) FROM orders, mustBeGreaterThan: 5}
    - {type: text, description: Nice data.}
  items:
    fields:
      order_id: {$ref: '#/definitions/order_id', references: orders.order_id}
      line: {type: int}
    primaryKey: [order_id, line]
definitions:
  order_id: {type: text, format: uuid, description: An order of the shop.}
servicelevels:
  availability: {description: Always., percentage: 99.9%}
  freshness: {threshold: PT25H, timestampField: orders.placed_at}
  latency: {threshold: 2 hours, sourceTimestampField: orders.placed_at}
"""


def test_each_model_becomes_a_schema_with_its_guarantees() -> None:
    orders, items = data_contract_specification.parse_contract(CONTRACT)
    for model in (orders, items):
        check(model.schema)
    assert (orders.name, orders.version) == ("analytics.core.orders", "2.1.0")
    assert orders.description == "One row for each order."
    assert orders.schema["required"] == ["order_id", "placed_at"]
    properties = orders.schema["properties"]
    assert (properties["order_id"]["format"], properties["order_id"]["description"]) == ("uuid", "The order.")
    assert properties["placed_at"]["x-physical-type"]["timezone"] == "with"
    assert properties["total"]["x-physical-type"] == {
        "family": "decimal",
        "precision": 12,
        "scale": 2,
        "text": "decimal(12,2)",
    }
    assert (properties["total"]["type"], properties["total"]["minimum"]) == (["number", "null"], 0)
    assert properties["state"]["enum"] == ["new", "paid", None]
    assert properties["address"]["required"] == ["city"]
    assert properties["address"]["properties"]["lines"]["items"]["maxLength"] == 40
    assert properties["labels"]["additionalProperties"]["type"] == "string"
    assert orders.guarantees == {
        "uniqueness": {"order_id": "always"},
        "nullability": {"state": "never"},
        "quality": {"sql": {"type": "sql", "query": "SELECT count(*) FROM orders", "mustBeGreaterThan": 5}},
        "sla": {
            "availability": {"percentage": "99.9%"},
            "latency": {"threshold": "2 hours", "sourceTimestampField": "orders.placed_at"},
        },
        "freshness": {"max_age": {"count": 25, "period": "hour"}},
    }
    assert orders.warnings == ("`quality` of type text can't be compared and was left out: orders.",)
    assert items.schema["required"] == ["order_id", "line"]
    assert items.guarantees == {
        "uniqueness": {"order_id, line": "always"},
        "relationships": {"order_id": ["orders.order_id"]},
        "sla": {"availability": {"percentage": "99.9%"}},
    }


@pytest.mark.parametrize("version", ["0.9.0", "0.9.3", "1.0.0", "1.2.1"])
def test_every_version_is_read(version: str) -> None:
    text = f"dataContractSpecification: {version}\nmodels: {{t: {{fields: {{a: {{type: long, primary: true}}}}}}}}"
    (model,) = data_contract_specification.parse_contract(text)
    assert model.schema["properties"]["a"]["x-physical-type"]["bits"] == 64
    assert (model.schema["required"], model.guarantees) == (["a"], {"uniqueness": {"a": "always"}})


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ("a: {$ref: 'https://example.org/definition.yaml', type: text}", "`$ref` does not lead to a definition"),
        ("a: {$ref: '#/definitions/loop'}", "`$ref` does not lead to a definition"),
        ("a: {type: hyperloglog}", "'hyperloglog' is not known"),
        ("a: {type: text, pattern: '['}", "`pattern` has a value"),
        ("a: 7", "are not objects"),
    ],
)
def test_a_part_that_is_not_understood_is_left_out_with_a_warning(fields: str, warning: str) -> None:
    text = (
        f"dataContractSpecification: 1.1.0\nmodels: {{t: {{fields: {{{fields}}}}}}}\n"
        "definitions: {loop: {$ref: '#/definitions/loop'}}"
    )
    (model,) = data_contract_specification.parse_contract(text)
    check(model.schema)
    assert len(model.warnings) == 1
    assert warning in model.warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 2"),
        ("dataContractSpecification: 2.0.0\nmodels: {t: {}}", "no data contract of the Data Contract Specification"),
        ("dataContractSpecification: 1.1.0\nid: x", "has no `models`"),
    ],
)
def test_a_document_without_models_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        data_contract_specification.parse_contract(text)


def test_the_lines_of_fields_are_found_by_their_names() -> None:
    lines = find_lines(SchemaDocument(SchemaFormat.DCS, CONTRACT))
    assert lines.find_line((), ("state",)) == 16
    assert lines.find_line((), ("orders", "address", "city")) == 24
    assert lines.find_line((), ("items", "line")) == 34


@pytest.mark.parametrize("key", ["models", "definitions", "servers", "servicelevels"])
@given(value=VALUES)
def test_any_value_in_a_contract_gives_a_valid_schema_or_an_error(key: str, value: Any) -> None:
    document = {"dataContractSpecification": "1.1.0", "models": {"t": {"fields": {"a": {"$ref": "#/definitions/a"}}}}}
    with suppress(DocumentError):
        for model in data_contract_specification.parse_contract(yaml.dump(document | {key: value})):
            check(model.schema)


@given(VALUES, VALUES)
def test_any_value_of_a_field_gives_a_valid_schema_or_an_error(fields: Any, quality: Any) -> None:
    model = {"fields": {"a": fields, "b": {"type": "object", "fields": fields}}, "quality": quality}
    with suppress(DocumentError):
        text = yaml.dump({"dataContractSpecification": "1.1.0", "models": {"t": model}})
        for parsed in data_contract_specification.parse_contract(text):
            check(parsed.schema)
