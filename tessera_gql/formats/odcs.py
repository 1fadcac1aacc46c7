"""Read and write data contracts of the Open Data Contract Standard (ODCS) v3."""

from collections.abc import Iterable, Iterator
from typing import Any

from tessera_gql.diff import read_physical_type
from tessera_gql.formats import yaml
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema, check_length
from tessera_gql.formats.physical_types import parse_physical_type, spell_physical_type
from tessera_gql.formats.warehouse_types import allow_null
from tessera_gql.formats.yaml import YamlError

_API_VERSION = "v3.1.0"
_TYPES: dict[str, dict[str, Any]] = {
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
_CONSTRAINT_KEYWORDS = frozenset(
    "minLength maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems"  # noqa: SIM905
    " uniqueItems minProperties maxProperties".split()
)
_LOGICAL_TYPE_BY_FORMAT = {"date": "date", "date-time": "timestamp", "time": "time"}


def parse_contract(text: str) -> list[ParsedSchema]:
    """Parse each object of the contract's schema. Raises DocumentError."""
    from open_data_contract_standard.model import OpenDataContractStandard  # noqa: PLC0415 - pydantic, heavy
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        document = yaml.load(check_length(text, "data contract")).value
    except YamlError as error:
        raise DocumentError(f"This data contract can't be read: {error}") from error
    if not isinstance(document, dict) or not str(document.get("apiVersion", "")).startswith("v3."):
        raise DocumentError("This is no data contract of ODCS v3: it has no `apiVersion: v3.…`.")
    try:
        contract: Any = OpenDataContractStandard.model_validate(document)
    except ValidationError as error:
        first_error = error.errors()[0]
        location = ".".join(map(str, first_error["loc"]))
        raise DocumentError(
            f"This data contract is not as ODCS v3 has it: {location}: {first_error['msg']}."
        ) from error
    if not contract.schema_:
        raise DocumentError("This data contract has no `schema`, so it promises nothing about data.")
    database = next((_read_database(server) for server in contract.servers or ()), "")
    return [_convert_object(schema_object, contract, database) for schema_object in contract.schema_]


def _read_database(server: Any) -> str:
    parts = (server.database or getattr(server, "project", None) or getattr(server, "catalog", None), server.schema_)
    return ".".join(part for part in parts if part)


def _convert_object(schema_object: Any, contract: Any, database: str) -> ParsedSchema:
    name = schema_object.physicalName or schema_object.name
    if not name:
        raise DocumentError("An object of the contract's schema has neither `name` nor `physicalName`.")
    properties = list(_check_names(schema_object.properties))
    dialect = next((server.type for server in contract.servers or () if server.type), None)
    guarantees: dict[str, Any] = {}
    if unique_columns := {prop.name: "always" for prop in properties if prop.unique or prop.primaryKey}:
        guarantees["uniqueness"] = unique_columns
    agreements = [agreement for agreement in contract.slaProperties or () if agreement.property]
    if agreements:
        dump = {"exclude_none": True, "by_alias": True, "mode": "json"}
        guarantees["sla"] = {agreement.property: agreement.model_dump(**dump) for agreement in agreements}
    return ParsedSchema(
        name=name if "." in name or not database else f"{database}.{name}",
        schema={"$schema": JSON_SCHEMA_DIALECT, **_object_schema(properties, dialect)},
        guarantees=guarantees or None,
        description=schema_object.description,
        version=contract.version,
    )


def _check_names(properties: Any) -> Iterator[Any]:
    for prop in properties or ():
        if not prop.name:
            raise DocumentError("A property of the contract's schema has no `name`.")
        yield prop


def _object_schema(properties: Iterable[Any], dialect: str | None) -> dict[str, Any]:
    """Build an object schema. A property that is not required is nullable and optional."""
    schema: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for prop in properties:
        property_schema = _property_schema(prop, dialect)
        if prop.required or prop.primaryKey:
            schema["required"].append(prop.name)
        else:
            property_schema = allow_null(property_schema)
        schema["properties"][prop.name] = property_schema
    return schema


def _property_schema(prop: Any, dialect: str | None) -> dict[str, Any]:
    schema = dict(_TYPES.get(prop.logicalType or "", {}))
    if prop.properties:
        schema |= _object_schema(_check_names(prop.properties), dialect)
    if prop.items is not None:
        schema["items"] = _property_schema(prop.items, dialect)
    options = prop.logicalTypeOptions or {}
    schema |= {key: value for key, value in options.items() if key in _CONSTRAINT_KEYWORDS}
    physical = parse_physical_type(prop.physicalType, dialect).as_json() if prop.physicalType else None
    annotations = {"description": prop.description, "deprecated": prop.deprecated, "x-physical-type": physical}
    return schema | {key: value for key, value in annotations.items() if value}


def render_contract(
    fqn: str, version: str, schema: Any, *, description: str | None = None, team: str | None = None
) -> str:
    """Return an ODCS v3 document. ODCS can't express all of a JSON Schema, so `customProperties` has it in full."""
    *parents, name = fqn.split(".")
    table = {"name": name, "physicalName": fqn, "logicalType": "object", "description": description}
    document = {
        "apiVersion": _API_VERSION,
        "kind": "DataContract",
        "id": fqn,
        "version": version,
        "status": "active",
        "domain": parents[0] if parents else None,
        "schema": [_without_none({**table, "properties": list(_iterate_properties(schema))})],
        "team": {"name": team} if team else None,
        "customProperties": [{"property": "jsonSchema", "value": schema}],
    }
    return yaml.dump(_without_none(document))


def _iterate_properties(schema: Any) -> Iterator[dict[str, Any]]:
    """Iterate over the ODCS properties of a schema; a boolean schema has none."""
    if not isinstance(schema, dict):
        return
    required = set(schema.get("required") or ())
    for name, property_schema in (schema.get("properties") or {}).items():
        column_schema = property_schema if isinstance(property_schema, dict) else {}
        yield _without_none({"name": name, "required": name in required or None, **_convert_column(column_schema)})


def _convert_column(schema: dict[str, Any]) -> dict[str, Any]:
    json_type = schema.get("type")
    names = json_type if isinstance(json_type, list) else [json_type]
    json_types = [name for name in names if name not in (None, "null")]
    logical_type = json_types[0] if len(json_types) == 1 and json_types[0] in _TYPES else None
    if logical_type == "string":
        logical_type = _LOGICAL_TYPE_BY_FORMAT.get(str(schema.get("format")), logical_type)
    items = schema.get("items")
    physical = read_physical_type(schema.get("x-physical-type"))
    return _without_none(
        {
            "logicalType": logical_type,
            "physicalType": None if physical is None else spell_physical_type(physical),
            "description": schema.get("description"),
            "deprecated": schema.get("deprecated") is True or None,
            "logicalTypeOptions": {key: value for key, value in schema.items() if key in _CONSTRAINT_KEYWORDS} or None,
            "properties": list(_iterate_properties(schema)) or None,
            "items": _convert_column(items) if isinstance(items, dict) else None,
        }
    )


def _without_none(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value is not None}
