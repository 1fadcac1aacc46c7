"""ODCS contracts are read and rendered without loss and refused with pointer and reason."""

from importlib.resources import files
from typing import Any

import orjson
import pytest
from jsonschema.validators import validator_for

from tessera_gql.diff import Mode, check
from tessera_gql.formats import odcs, yaml
from tessera_gql.formats.parsed_schema import DocumentError, ParsedSchema
from tests.world import ORDERS

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.2.0
status: active
servers:
- server: production
  type: postgres
  database: analytics
  schema: core
schema:
- name: orders
  description: All orders.
  properties:
  - {name: id, logicalType: integer, primaryKey: true, physicalType: bigint}
  - {name: email, logicalType: string, unique: true, logicalTypeOptions: {maxLength: 100, format: email}}
  - {name: at, logicalType: timestamp, required: true, description: When.}
  - name: items
    logicalType: array
    items: {logicalType: object, properties: [{name: sku, logicalType: string, required: true}]}
slaProperties:
- {property: latency, value: 4, unit: d}
"""


def test_a_contract_becomes_a_schema_guarantees_and_a_name() -> None:
    (contract,) = odcs.parse_contract(CONTRACT)
    check(contract.schema)
    assert (contract.name, contract.version, contract.description) == ("analytics.core.orders", "1.2.0", "All orders.")
    assert contract.schema["required"] == ["id", "at"]
    assert contract.schema["properties"]["email"] == {"type": ["string", "null"], "maxLength": 100, "format": "email"}
    assert contract.schema["properties"]["at"]["format"] == "date-time"
    assert contract.schema["properties"]["items"]["items"]["required"] == ["sku"]
    assert contract.guarantees is not None
    assert contract.guarantees["uniqueness"] == {"id": "always", "email": "always"}
    assert contract.guarantees["sla"]["latency"]["value"] == 4


def test_a_rendered_contract_is_read_with_the_same_columns() -> None:
    text = odcs.render_contract("analytics.core.orders", "2.0.0", ORDERS, description="Orders.", team="shop")
    (contract,) = odcs.parse_contract(text)
    assert (contract.name, contract.version, contract.description) == ("analytics.core.orders", "2.0.0", "Orders.")
    assert contract.schema["required"] == ORDERS["required"]
    assert set(contract.schema["properties"]) == set(ORDERS["properties"])
    assert yaml.load(text).value["customProperties"] == [{"property": "jsonSchema", "value": ORDERS}]
    assert contract.schema == ORDERS


def test_a_contract_that_was_read_and_written_reads_the_same() -> None:
    (contract,) = odcs.parse_contract(CONTRACT)
    (again,) = odcs.parse_contract(odcs.render_contract(contract.name, "1.2.0", contract.schema))
    assert again.schema == contract.schema


def parse_table(content: str) -> ParsedSchema:
    """Parse an ODCS contract whose only table has this content."""
    return odcs.parse_contract(f"apiVersion: v3.1.0\nkind: DataContract\nschema:\n- {{name: t, {content}}}")[0]


def test_bounds_of_dates_are_a_guarantee_and_those_of_numbers_are_keywords() -> None:
    table = parse_table(
        "properties: [{name: day, logicalType: date, logicalTypeOptions: {minimum: '2020-01-01', format: yyyy-MM-dd}},"
        " {name: age, logicalType: integer, logicalTypeOptions: {minimum: 18, exclusiveMaximum: 100, format: i64}}]"
    )
    check(table.schema)
    assert table.guarantees == {"bounds": {"day": {"minimum": "2020-01-01"}}}
    assert table.schema["properties"]["day"] == {"type": ["string", "null"], "format": "date"}
    age = table.schema["properties"]["age"]
    assert (age["minimum"], age["exclusiveMaximum"], age["x-physical-type"]["bits"]) == (18, 100, 64)
    assert table.warnings == ()


@pytest.mark.parametrize(
    ("check_text", "guarantees"),
    [
        ("{metric: nullValues, mustBe: 0}", {"nullability": {"a": "never"}}),
        ("{type: library, rule: nullCheck}", {"nullability": {"a": "never"}}),
        ("{metric: missingValues, arguments: {missingValues: [null]}, mustBe: 0}", {"nullability": {"a": "never"}}),
        ("{metric: duplicateValues, mustBeLessOrEqualTo: 0}", {"uniqueness": {"a": "always"}}),
        (
            "{metric: invalidValues, arguments: {validValues: [x, y]}, mustBe: 0}",
            {"accepted_values": {"a": ["x", "y"]}},
        ),
        (
            "{metric: invalidValues, arguments: {validValues: [x]}, mustBeLessThan: 5, unit: percent, severity: error}",
            {
                "quality": {
                    "a invalidValues": {
                        "metric": "invalidValues",
                        "arguments": {"validValues": ["x"]},
                        "mustBeLessThan": 5,
                        "unit": "percent",
                    }
                }
            },
        ),
        (
            "{type: sql, name: positive, description: Above zero., query: SELECT 1, mustBe: 0}",
            {"quality": {"a positive": {"type": "sql", "query": "SELECT 1", "mustBe": 0}}},
        ),
    ],
)
def test_a_quality_check_of_a_column_is_a_guarantee(check_text: str, guarantees: Any) -> None:
    table = parse_table(f"properties: [{{name: a, logicalType: string, quality: [{check_text}]}}]")
    assert table.guarantees == guarantees
    assert table.warnings == ()


def test_quality_checks_of_a_table_are_its_volume_and_its_keys() -> None:
    table = parse_table(
        "quality: [{metric: rowCount, mustBeGreaterThan: 99}, {metric: rowCount, mustBeLessThan: 1000},"
        " {metric: duplicateValues, mustBe: 0, arguments: {properties: [a, b]}}, {type: text, description: Fresh.}]"
    )
    assert table.guarantees == {"volume": {"min_rows": 100, "max_rows": 999}, "uniqueness": {"a, b": "always"}}
    assert table.warnings == ("`quality` of type text can't be compared and was left out: t.",)


def test_a_key_of_two_columns_promises_their_combination() -> None:
    table = parse_table(
        "properties: [{name: a, primaryKey: true, primaryKeyPosition: 2}, {name: b, primaryKey: true,"
        " primaryKeyPosition: 1}]"
    )
    assert table.guarantees == {"uniqueness": {"b, a": "always"}}
    assert table.schema["required"] == ["a", "b"]


def test_agreements_of_one_property_are_all_kept_and_those_of_other_tables_left_out() -> None:
    text = """
apiVersion: v3.0.2
kind: DataContract
schema:
- {name: orders, physicalName: ORD, properties: [{name: id, physicalName: ORD_ID, logicalType: integer}]}
- {name: items, properties: [{name: sku, logicalType: string}]}
slaProperties:
- {property: timeOfAvailability, value: 09:00-08:00, element: orders.id, driver: regulatory}
- {property: timeOfAvailability, value: 08:00-08:00, element: orders.id, driver: analytics}
- {property: freshness, value: 25, unit: h, element: ORD.ORD_ID}
- {property: retention, value: 3, unit: y}
"""
    orders, items = odcs.parse_contract(text)
    assert orders.guarantees is not None
    assert items.guarantees is not None
    assert orders.guarantees["sla"].keys() == {
        "timeOfAvailability regulatory",
        "timeOfAvailability analytics",
        "retention",
    }
    assert orders.guarantees["freshness"] == {"max_age": {"count": 25, "period": "hour"}}
    assert items.guarantees.keys() == {"sla"}
    assert items.guarantees["sla"].keys() == {"retention"}
    assert orders.schema["properties"].keys() == {"ORD_ID"}


def test_parts_that_are_not_understood_are_left_out_with_a_warning() -> None:
    table = parse_table(
        "properties: [{name: a, logicalType: hyperloglog}, {name: b, logicalType: string, logicalTypeOptions:"
        " {pattern: '[', maxLength: ten}}, {name: c, required: 'yes', physicalType: bigint}]"
    )
    check(table.schema)
    assert table.schema["properties"]["a"] == {}
    assert table.schema["properties"]["b"] == {"type": ["string", "null"]}
    assert table.schema["properties"]["c"]["type"] == ["integer", "null"]
    assert table.warnings == (
        "The logical type 'hyperloglog' is not known, so any value is allowed: a.",
        "`maxLength` has a value that JSON Schema does not allow and was left out: b.",
        "`pattern` has a value that JSON Schema does not allow and was left out: b.",
        "`required` is not true or false and was ignored: t.",
    )


def test_an_export_has_what_odcs_can_express_in_its_own_terms() -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "state": {"type": ["string", "null"], "enum": ["new", None]}},
        "required": ["id", "state"],
    }
    guarantees = {
        "nullability": {"id": "never"},
        "uniqueness": {"id": "always", "id, state": "always"},
        "volume": {"min_rows": 10},
        "sla": {"latency": {"property": "latency", "value": 4, "unit": "d"}},
        "custom": {"sums": {"test": "sum"}},
    }
    document = yaml.load(odcs.render_contract("a.t", "1.0.0", schema, guarantees=guarantees, mode=Mode.FULL)).value
    (table,) = document["schema"]
    identity, state = table["properties"]
    assert (identity["required"], identity["unique"]) == (True, True)
    assert identity["quality"] == [{"type": "library", "metric": "nullValues", "mustBe": 0}]
    assert "required" not in state
    assert state["quality"][0]["arguments"] == {"validValues": ["new"]}
    assert [item["metric"] for item in table["quality"]] == ["duplicateValues", "rowCount"]
    assert document["slaProperties"] == [{"property": "latency", "value": 4, "unit": "d"}]
    assert {item["property"]: item["value"] for item in document["customProperties"]} == {
        "jsonSchema": schema,
        "guarantees": guarantees,
        "compatibilityMode": "FULL",
    }


def test_an_export_is_valid_by_the_schema_of_the_standard() -> None:
    standard = orjson.loads((files("open_data_contract_standard") / "schema.json").read_bytes())
    guarantees = {
        "nullability": {"id": "never"},
        "accepted_values": {"id": [1]},
        "uniqueness": {"id": "always", "id, note": "always"},
        "volume": {"min_rows": 1, "max_rows": 9},
        "freshness": {"max_age": {"count": 1, "period": "hour"}},
        "sla": {"latency": {"property": "latency", "value": 4, "unit": "d"}},
        "quality": {"positive": {"type": "sql", "query": "SELECT 1", "mustBe": 0}},
    }
    text = odcs.render_contract(
        "a.t", "1.0.0", ORDERS, guarantees=guarantees, mode=Mode.FULL, description="O.", team="s"
    )
    validator = validator_for(standard)(standard)
    assert [error.message for error in validator.iter_errors(yaml.load(text).value)] == []


def test_an_export_that_was_edited_is_read_by_its_columns_with_a_warning() -> None:
    text = odcs.render_contract("a.orders", "2.0.0", ORDERS, mode=Mode.FULL)
    document = yaml.load(text).value
    document["schema"][0]["properties"].append({"name": "coupon", "logicalType": "string"})
    (contract,) = odcs.parse_contract(yaml.dump(document))
    assert "coupon" in contract.schema["properties"]
    assert contract.mode is Mode.FULL
    assert contract.warnings == (
        "The document was edited after its export: its properties are read, not `customProperties.jsonSchema`.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 2"),
        ("7", "no data contract of ODCS v3"),
        ("apiVersion: v2.2.2\nkind: DataContract", "no data contract of ODCS v3"),
        ("apiVersion: v3.0.0\nkind: DataContract\nversion: 1.0.0", "no `schema`"),
        ("apiVersion: v3.0.0\nschema: 7", "schema"),
        ("apiVersion: v3.0.0\nschema:\n- description: x", "neither `name` nor `physicalName`"),
        ("apiVersion: v3.0.0\nschema:\n- {name: a, properties: [{logicalType: string}]}", "no `name`"),
        ("apiVersion: v3.0.0\nschema:\n- {name: a, properties: [{name: b}, {name: b}]}", "column 'b' twice"),
        ("apiVersion: v3.0.0\nschema: &a\n- *a", "aliases"),
    ],
)
def test_a_document_that_is_no_odcs_contract_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        odcs.parse_contract(text)


DEPRECATED = """
apiVersion: v3.1.0
kind: DataContract
id: orders
status: deprecated
schema:
- name: core.orders
  properties:
  - {name: id, logicalType: integer}
  - name: coupon
    logicalType: string
    deprecated: true
    customProperties:
    - {property: sunset, value: "2031-06-01"}
    - {property: replacement, value: discount}
slaProperties:
- {property: endOfLife, value: "2032-01-01"}
"""


def test_a_deprecated_contract_and_its_deprecated_columns_keep_their_sunset() -> None:
    (contract,) = odcs.parse_contract(DEPRECATED)
    assert {key: value for key, value in contract.schema.items() if key in {"deprecated", "x-sunset"}} == {
        "deprecated": True,
        "x-sunset": "2032-01-01",
    }
    coupon = contract.schema["properties"]["coupon"]
    assert (coupon["deprecated"], coupon["x-sunset"], coupon["x-replacement"]) == (True, "2031-06-01", "discount")
    assert "deprecated" not in contract.schema["properties"]["id"]
    text = odcs.render_contract("core.orders", "1.0.0", contract.schema, guarantees=contract.guarantees)
    (again,) = odcs.parse_contract(text)
    assert (again.schema, again.guarantees) == (contract.schema, contract.guarantees)
