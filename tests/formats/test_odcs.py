"""ODCS contracts are read and rendered without loss and refused with pointer and reason."""

import pytest

from tessera_gql.diff import check
from tessera_gql.formats import odcs, yaml
from tessera_gql.formats.parsed_schema import DocumentError
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
    assert contract.schema["properties"]["email"] == {"type": ["string", "null"], "maxLength": 100}
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


def test_a_contract_that_was_read_and_written_reads_the_same() -> None:
    (contract,) = odcs.parse_contract(CONTRACT)
    (again,) = odcs.parse_contract(odcs.render_contract(contract.name, "1.2.0", contract.schema))
    assert again.schema == contract.schema


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
        ("apiVersion: v3.0.0\nschema: &a\n- *a", "aliases"),
    ],
)
def test_a_document_that_is_no_odcs_contract_is_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        odcs.parse_contract(text)
