"""Build one JSON Schema from the columns of a dbt node. A column without `not_null` is nullable and optional."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tessera_gql.formats.dbt_catalog import ColumnTypes
from tessera_gql.formats.dbt_tests import Scalar, parse_number
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT
from tessera_gql.formats.untrusted_json import JsonObject
from tessera_gql.formats.warehouse_types import DataType, allow_null, parse_type

_MAX_DEPTH = 16  # BigQuery nests records 15 deep
_PARENT_TYPES = frozenset({"object", "array"})
_ADAPTERS_WITH_RECORDS = frozenset({"bigquery", "databricks", "spark"})
_NO_TYPE = DataType({})


@dataclass(frozen=True, slots=True)
class ColumnDetails:
    """What a manifest says of the columns of a table beside their names and types; keys are lower-cased names."""

    adapter: str | None
    """The adapter decides what the names of types mean."""
    descriptions: Mapping[str, str]
    never_null: frozenset[str]
    accepted_values: Mapping[str, tuple[Scalar, ...]]


def build_schema(
    types: ColumnTypes, details: ColumnDetails, report_unknown: Callable[[str, str], None] | None = None
) -> JsonObject:
    """Build the JSON Schema of a table. `report_unknown` is called with each column and name of an unknown type.

    Without records in the adapter, the column `a.b` is a field of `a` only if `a` has the type of an object or array.
    """
    root: JsonObject = {"$schema": JSON_SCHEMA_DIALECT, "type": "object", "properties": {}, "required": []}
    has_records = details.adapter in _ADAPTERS_WITH_RECORDS
    for name in sorted(types):
        text, key = types[name], name.lower()
        data_type = parse_type(text, details.adapter) if text else _NO_TYPE
        if report_unknown is not None:
            for unknown in data_type.unknown:
                report_unknown(name, unknown)
        is_required = data_type.is_required or key in details.never_null
        parent, field = _find_parent(root, name, has_records=has_records)
        parent.setdefault("properties", {})[field] = _build_column(data_type, details, key, is_required=is_required)
        if is_required:
            parent.setdefault("required", []).append(field)
    return root


def _build_column(data_type: DataType, details: ColumnDetails, key: str, *, is_required: bool) -> JsonObject:
    schema = data_type.schema | _build_enum(details.accepted_values.get(key, ()), data_type.schema.get("type"))
    if not is_required:
        schema = allow_null(schema)
    description = details.descriptions.get(key)
    return schema | ({"description": description} if description else {})


def _build_enum(accepted: tuple[Scalar, ...], json_type: object) -> JsonObject:
    """Return the accepted values as an `enum` of the column's type; empty if a value doesn't fit the type."""
    values = [_convert_value(value, json_type) for value in accepted]
    return {"enum": values} if values and None not in values else {}


def _convert_value(value: Scalar, json_type: object) -> Scalar | None:
    match json_type:
        case "integer" | "number":
            return value if not isinstance(value, str | bool) else parse_number(str(value))
        case "boolean":
            return {"true": True, "false": False}.get(str(value).lower())
        case "string":
            return str(value)
        case None:
            return value
        case _:
            return None


def _find_parent(root: JsonObject, name: str, *, has_records: bool) -> tuple[JsonObject, str]:
    """Return the object schema that holds a column, and the field name in it: `items.sku` is `sku` in `items`."""
    *parents, field = name.split(".")
    if not parents or len(parents) >= _MAX_DEPTH or not all(parents) or not field:
        return root, name
    parent_schema = root
    for parent in parents:
        declared = parent_schema.get("properties", {}).get(parent, {})
        types = set(declared["type"] if isinstance(declared.get("type"), list) else [declared.get("type")])
        if not (types & _PARENT_TYPES or (has_records and types == {None})):
            return root, name
        parent_schema = _innermost_items(parent_schema.setdefault("properties", {}).setdefault(parent, {}))
    return parent_schema, field


def _innermost_items(schema: JsonObject) -> JsonObject:
    while "array" in (schema.get("type") or ()):
        schema = schema.setdefault("items", {})
    return schema
