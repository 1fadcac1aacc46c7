"""Write a contract as a data contract of the Open Data Contract Standard (ODCS) v3.

ODCS can't express all of a JSON Schema and of the guarantees: `customProperties` has them in full.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tessera_gql.diff import Mode, read_physical_type
from tessera_gql.formats import yaml
from tessera_gql.formats.contract_quality import render_column_checks, render_table_checks
from tessera_gql.formats.contract_terms import BOUNDS, CONSTRAINT_KEYWORDS
from tessera_gql.formats.physical_types import spell_physical_type
from tessera_gql.formats.untrusted_json import JsonObject

_API_VERSION = "v3.1.0"
LOGICAL_TYPES: Mapping[str, JsonObject] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "object": {"type": "object"},
    "array": {"type": "array"},
}
EXACT_TERMS = frozenset({"jsonSchema", "guarantees", "compatibilityMode"})
"""The names of the custom properties that have the terms of the contract."""
_NARROWING_KEYWORDS = frozenset({"$ref", "anyOf", "oneOf", "allOf", "enum", "const", "not"})
_LOGICAL_TYPE_BY_FORMAT = {"date": "date", "date-time": "timestamp", "time": "time"}


def render_contract(  # noqa: PLR0913 - one parameter for each part of the document
    fqn: str,
    version: str,
    schema: Any,
    *,
    guarantees: Mapping[str, Any] | None = None,
    mode: Mode | None = None,
    description: str | None = None,
    team: str | None = None,
) -> str:
    """Return an ODCS v3 document. To read it gives the same terms again."""
    terms = render_terms(fqn, schema, guarantees)
    terms["schema"][0]["description"] = description
    exact_terms = {"jsonSchema": schema, "guarantees": guarantees, "compatibilityMode": mode and mode.value}
    document = {
        "apiVersion": _API_VERSION,
        "kind": "DataContract",
        "id": fqn,
        "version": version,
        "status": "deprecated" if isinstance(schema, dict) and schema.get("deprecated") is True else "active",
        "domain": fqn.split(".", maxsplit=1)[0] if "." in fqn else None,
        "schema": [_without_none(table) for table in terms["schema"]],
        "slaProperties": terms["slaProperties"] or None,
        "team": {"name": team} if team else None,
        "customProperties": [
            {"property": name, "value": value}
            for name, value in exact_terms.items()
            if value is not None or name == "jsonSchema"
        ],
    }
    return yaml.dump(_without_none(document))


def render_terms(fqn: str, schema: Any, guarantees: object) -> JsonObject:
    """Return the members `schema` and `slaProperties` of the document."""
    promises = guarantees if isinstance(guarantees, dict) else {}
    table = {
        "name": fqn.rpartition(".")[2],
        "physicalName": fqn,
        "logicalType": "object",
        "properties": list(_iterate_properties(schema, promises)),
        "quality": render_table_checks(promises) or None,
    }
    return {"schema": [_without_none(table)], "slaProperties": _render_service_levels(promises)}


def _render_service_levels(guarantees: Mapping[str, Any]) -> list[JsonObject]:
    freshness, agreements = guarantees.get("freshness"), guarantees.get("sla")
    properties: list[JsonObject] = []
    match freshness:
        case {"max_age": {"count": int() | float() as count, "period": str() as period}}:
            properties.append({"property": "freshness", "value": count, "unit": period})
        case _:
            pass
    if isinstance(agreements, dict):
        properties += [{"property": name, **value} for name, value in agreements.items() if isinstance(value, dict)]
    return properties


def _iterate_properties(schema: Any, guarantees: Mapping[str, Any]) -> Iterator[JsonObject]:
    """Iterate over the ODCS properties of a schema; a boolean schema has none."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    required = schema.get("required") if isinstance(schema, dict) else None
    for name, property_schema in properties.items() if isinstance(properties, dict) else ():
        column_schema = property_schema if isinstance(property_schema, dict) else {}
        is_required = name in (required or ()) and not _accepts_null(column_schema)
        column = _convert_column(column_schema)
        uniqueness = guarantees.get("uniqueness")
        column["unique"] = (isinstance(uniqueness, dict) and name in uniqueness) or None
        column["quality"] = render_column_checks(name, column_schema, guarantees) or None
        column["logicalTypeOptions"] = _convert_options(name, column_schema, guarantees) or None
        yield _without_none({"name": name, "required": is_required or None, **column})


def _accepts_null(schema: JsonObject) -> bool:
    types = schema.get("type")
    if types is None:
        return _NARROWING_KEYWORDS.isdisjoint(schema)
    return types == "null" or (isinstance(types, list) and "null" in types)


def _convert_column(schema: JsonObject) -> JsonObject:
    items = schema.get("items")
    physical = read_physical_type(schema.get("x-physical-type"))
    description = schema.get("description")
    return {
        "logicalType": _find_logical_type(schema),
        "physicalType": None if physical is None else spell_physical_type(physical),
        "description": description if isinstance(description, str) else None,
        "deprecated": schema.get("deprecated") is True or None,
        "logicalTypeOptions": _convert_options("", schema, {}) or None,
        "properties": list(_iterate_properties(schema, {})) or None,
        "items": _without_none(_convert_column(items)) if isinstance(items, dict) else None,
    }


def _find_logical_type(schema: JsonObject) -> str | None:
    json_type = schema.get("type")
    names = json_type if isinstance(json_type, list) else [json_type]
    json_types = [name for name in names if name not in (None, "null")]
    logical_type = json_types[0] if len(json_types) == 1 and json_types[0] in LOGICAL_TYPES else None
    return (
        _LOGICAL_TYPE_BY_FORMAT.get(str(schema.get("format")), logical_type)
        if logical_type == "string"
        else logical_type
    )


def _convert_options(column: str, schema: JsonObject, guarantees: Mapping[str, Any]) -> JsonObject:
    options = {key: value for key, value in schema.items() if key in CONSTRAINT_KEYWORDS}
    text_format = schema.get("format")
    if _find_logical_type(schema) == "string" and isinstance(text_format, str):
        options["format"] = text_format
    bounds = guarantees.get("bounds")
    column_bounds = bounds.get(column) if isinstance(bounds, dict) else None
    if isinstance(column_bounds, dict):
        options = {key: value for key, value in column_bounds.items() if key in BOUNDS} | options
    return options


def _without_none(entries: JsonObject) -> JsonObject:
    return {key: value for key, value in entries.items() if value is not None}
