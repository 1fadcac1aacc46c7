"""Laws of ODCS: an export reads as the same terms, and what ODCS has words for survives without the exact terms."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera_gql.diff import Mode, check
from tessera_gql.formats import odcs, yaml
from tessera_gql.formats.parsed_schema import DocumentError
from tessera_gql.formats.physical_types import parse_physical_type
from tessera_gql.formats.storage_faults import find_storage_fault
from tests.formats.untrusted_values import VALUES

NAMES = st.text("abcxyz_1", min_size=1, max_size=6)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
PHYSICAL_TYPES = st.sampled_from(
    [
        "bigint",
        "varchar(20)",
        "decimal(10,2)",
        "timestamp(6) with time zone",
        "array<int>",
        "inet",
        "struct<a int, b text>",
    ]
).map(lambda text: parse_physical_type(text).as_json())
ANNOTATIONS = st.fixed_dictionaries(
    {}, optional={"description": TEXTS, "x-physical-type": PHYSICAL_TYPES, "deprecated": st.just(True), "title": TEXTS}
)
TYPES = st.sampled_from(
    [
        {"type": "string", "format": "email", "maxLength": 9},
        {"type": "string", "format": "date-time"},
        {"type": ["string", "null"], "enum": ["new", "paid", None]},
        {"type": "integer", "minimum": 1},
        {"type": ["number", "null"], "exclusiveMaximum": 2.5},
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        {"$ref": "#/$defs/other"},
        {},
    ]
)


def merge(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def columns(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    arrays = st.builds(lambda items: {"type": "array", "items": items}, inner)
    return st.tuples(st.one_of(TYPES, arrays, tables(inner)), ANNOTATIONS).map(merge)


def tables(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def build(properties: dict[str, Any], keep: list[bool]) -> dict[str, Any]:
        required = [name for name, is_kept in zip(properties, keep, strict=False) if is_kept]
        return {"type": "object", "properties": properties, "required": required}

    return st.builds(build, st.dictionaries(NAMES, inner, max_size=4), st.lists(st.booleans(), max_size=4))


SCHEMAS = tables(st.recursive(st.tuples(TYPES, ANNOTATIONS).map(merge), columns, max_leaves=6)).map(
    lambda schema: {**schema, "$defs": {"other": {"type": "boolean"}}}
)
GUARANTEES = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "nullability": st.dictionaries(NAMES, st.sampled_from(["never", "sometimes"])),
        "uniqueness": st.dictionaries(NAMES | st.just("a, b"), st.just("always")),
        "accepted_values": st.dictionaries(NAMES, st.lists(st.integers() | TEXTS, min_size=1, max_size=3)),
        "volume": st.dictionaries(st.sampled_from(["min_rows", "max_rows", "rows"]), st.integers(0, 99)),
        "freshness": st.just({"max_age": {"count": 3, "period": "hour"}}) | st.just({"error_after": 7}),
        "bounds": st.dictionaries(NAMES, st.just({"minimum": "2020-01-01"})),
        "sla": st.dictionaries(NAMES, st.just({"property": "latency", "value": 4, "unit": "d"}) | TEXTS),
        "quality": st.dictionaries(NAMES, st.just({"type": "sql", "query": "SELECT 1", "mustBe": 0})),
        "custom": st.dictionaries(NAMES, VALUES.filter(lambda value: find_storage_fault(value) is None)),
    },
).map(lambda sections: sections or None)


@given(SCHEMAS, GUARANTEES, st.sampled_from(Mode), st.none() | TEXTS)
def test_an_export_reads_as_the_same_terms(schema: Any, guarantees: Any, mode: Mode, description: str | None) -> None:
    text = odcs.render_contract(
        "a.b.orders", "1.2.3", schema, guarantees=guarantees, mode=mode, description=description
    )
    (contract,) = odcs.parse_contract(text)
    assert (contract.name, contract.version, contract.mode) == ("a.b.orders", "1.2.3", mode)
    assert (contract.schema, contract.guarantees or None) == (schema, guarantees)
    assert contract.warnings == ()
    assert odcs.render_contract(
        contract.name, "1.2.3", contract.schema, guarantees=contract.guarantees, mode=contract.mode
    ) == (odcs.render_contract("a.b.orders", "1.2.3", schema, guarantees=guarantees, mode=mode))


COLUMNS_OF_ODCS = st.fixed_dictionaries(
    {"logicalType": st.sampled_from(["string", "integer", "number", "boolean", "date", "timestamp", "time"])},
    optional={
        "physicalType": st.sampled_from(["bigint", "varchar(20)", "timestamp(6) with time zone"]),
        "required": st.booleans(),
        "unique": st.booleans(),
        "description": TEXTS.filter(lambda text: text.strip() == text),
        "deprecated": st.just(True),
        "quality": st.sampled_from(
            [
                [{"metric": "nullValues", "mustBe": 0}],
                [{"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": ["x", 1]}}],
            ]
        ),
    },
)


@given(st.dictionaries(NAMES, COLUMNS_OF_ODCS, max_size=5), st.booleans())
def test_columns_and_checks_survive_without_the_exact_terms(properties: Any, has_volume: bool) -> None:
    table = {"name": "t", "properties": [{"name": name, **prop} for name, prop in properties.items()]}
    if has_volume:
        table["quality"] = [{"metric": "rowCount", "mustBeBetween": [1, 9]}, {"type": "sql", "query": "SELECT 1"}]
    (contract,) = odcs.parse_contract(yaml.dump({"apiVersion": "v3.1.0", "schema": [table]}))
    document = yaml.load(odcs.render_contract("t", "1.0.0", contract.schema, guarantees=contract.guarantees)).value
    (again,) = odcs.parse_contract(yaml.dump({key: document[key] for key in document if key != "customProperties"}))
    assert (again.schema, again.guarantees) == (contract.schema, contract.guarantees)


@given(VALUES, st.sampled_from(["schema", "properties", "quality", "slaProperties", "servers", "customProperties"]))
def test_any_value_in_a_contract_gives_a_valid_schema_or_an_error(value: Any, key: str) -> None:
    document: dict[str, Any] = {"apiVersion": "v3.1.0", "schema": [{"name": "t", "properties": [{"name": "a"}]}]}
    if key in {"schema", "slaProperties", "servers", "customProperties"}:
        document[key] = value
    else:
        document["schema"][0][key] = value
    require_valid_or_refused(document)


@pytest.mark.parametrize(
    "key", ["logicalType", "logicalTypeOptions", "items", "enum", "map", "relationships", "quality"]
)
@given(value=VALUES)
def test_any_value_in_a_column_gives_a_valid_schema_or_an_error(key: str, value: Any) -> None:
    column = {"name": "a", "logicalType": "object", key: value}
    require_valid_or_refused({"apiVersion": "v3.1.0", "schema": [{"name": "t", "properties": [column]}]})


def require_valid_or_refused(document: Any) -> None:
    with suppress(DocumentError):
        for contract in odcs.parse_contract(yaml.dump(document)):
            check(contract.schema)
