"""Build one JSON Schema from the columns of a dbt node. A column without `not_null` is nullable and optional."""

from collections.abc import Mapping

from tessera_gql.formats.dbt_tests import Scalar, TableGuarantees, parse_number
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson
from tessera_gql.formats.warehouse_types import DataType, allow_null, parse_type

_MAX_DEPTH = 16  # BigQuery nests records 15 deep
_PARENT_TYPES = frozenset({"object", "array"})


def build_schema(
    columns: Mapping[str, UntrustedJson], guarantees: TableGuarantees, *, adapter: str | None, has_records: bool
) -> JsonObject:
    """Build the JSON Schema of a table. The adapter decides what the names of types mean.

    Without `has_records` the column `a.b` is a field of `a` only if `a` is declared as an object or array.
    """
    root: JsonObject = {"$schema": JSON_SCHEMA_DIALECT, "type": "object", "properties": {}, "required": []}
    for name in sorted(columns):
        column_schema, is_required = _build_column(columns[name], guarantees, name.lower(), adapter)
        parent, field = _find_parent(root, name, has_records=has_records)
        parent.setdefault("properties", {})[field] = column_schema
        if is_required:
            parent.setdefault("required", []).append(field)
    return root


def _build_column(
    column: UntrustedJson, guarantees: TableGuarantees, key: str, adapter: str | None
) -> tuple[JsonObject, bool]:
    text = column.text("data_type")
    data_type = parse_type(text, adapter) if text else DataType({})
    for unknown in data_type.unknown:
        column.warnings.add(f"Columns of the unknown type `{unknown}` may hold any value", column.name)
    is_required = data_type.is_required or key in guarantees.never_null
    schema = data_type.schema | _build_enum(guarantees.accepted_values.get(key, ()), data_type.schema.get("type"))
    if not is_required:
        schema = allow_null(schema)
    description = column.text("description")
    return schema | ({"description": description} if description else {}), is_required


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
