"""Open Data Contract Standard v3, in and out. What we do not understand of a document is kept with it as text."""

from collections.abc import Iterable, Iterator
from typing import Any

from tessera_gql.formats import yaml
from tessera_gql.formats.foreign import Described, ForeignError, bounded
from tessera_gql.formats.yaml import YamlError

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VERSION = "v3.1.0"
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
_OPTIONS = frozenset(
    "minLength maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems"  # noqa: SIM905
    " uniqueItems minProperties maxProperties".split()
)
_FORMATS = {"date": "date", "date-time": "timestamp", "time": "time"}


def read(text: str) -> list[Described]:
    """One for each object of the contract's schema. Raises ForeignError."""
    from open_data_contract_standard.model import OpenDataContractStandard  # noqa: PLC0415 - pydantic, heavy
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        document = yaml.load(bounded(text, "data contract")).value
    except YamlError as error:
        raise ForeignError(f"This data contract can't be read: {error}") from error
    if not isinstance(document, dict) or not str(document.get("apiVersion", "")).startswith("v3."):
        raise ForeignError("This is no data contract of ODCS v3: it has no `apiVersion: v3.…`.")
    try:
        contract: Any = OpenDataContractStandard.model_validate(document)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, wrong["loc"]))
        raise ForeignError(f"This data contract is not as ODCS v3 has it: {where}: {wrong['msg']}.") from error
    if not contract.schema_:
        raise ForeignError("This data contract has no `schema`, so it promises nothing about data.")
    database = next((_database(server) for server in contract.servers or ()), "")
    found = (_described(one, contract, database, text) for one in contract.schema_)
    return list(found)


def _database(server: Any) -> str:
    parts = (server.database or getattr(server, "project", None) or getattr(server, "catalog", None), server.schema_)
    return ".".join(part for part in parts if part)


def _described(one: Any, contract: Any, database: str, text: str) -> Described:
    name = one.physicalName or one.name
    if not name:
        raise ForeignError("An object of the contract's schema has neither `name` nor `physicalName`.")
    properties = list(_all(one.properties))
    guarantees: dict[str, Any] = {}
    if unique := {prop.name: "always" for prop in properties if prop.unique or prop.primaryKey}:
        guarantees["uniqueness"] = unique
    if promised := {sla.property: _plain(sla) for sla in contract.slaProperties or () if sla.property}:
        guarantees["sla"] = promised
    return Described(
        name=name if "." in name or not database else f"{database}.{name}",
        schema={"$schema": _DIALECT, **_object(properties)},
        original={"format": "odcs", "text": text},
        guarantees=guarantees or None,
        description=one.description,
        version=contract.version,
    )


def _plain(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.model_dump(exclude_none=True, by_alias=True, mode="json")
    return found


def _all(properties: Any) -> Iterator[Any]:
    for prop in properties or ():
        if not prop.name:
            raise ForeignError("A property of the contract's schema has no `name`.")
        yield prop


def _object(properties: Iterable[Any]) -> dict[str, Any]:
    """A column that is not required may be null, and need not be there."""
    found: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for prop in properties:
        described = _property(prop)
        if prop.required or prop.primaryKey:
            found["required"].append(prop.name)
        elif isinstance(described.get("type"), str):
            described["type"] = [described["type"], "null"]
        found["properties"][prop.name] = described
    return found


def _property(prop: Any) -> dict[str, Any]:
    described = dict(_TYPES.get(prop.logicalType or "", {}))
    if prop.properties:
        described |= _object(_all(prop.properties))
    if prop.items is not None:
        described["items"] = _property(prop.items)
    options = prop.logicalTypeOptions or {}
    described |= {key: value for key, value in options.items() if key in _OPTIONS}
    about = {"description": prop.description, "deprecated": prop.deprecated, "x-physical-type": prop.physicalType}
    return described | {key: value for key, value in about.items() if value}


def write(fqn: str, version: str, schema: Any, *, description: str | None = None, team: str | None = None) -> str:
    """As a document of ODCS v3; the whole JSON Schema stands under `customProperties`, for ODCS says less."""
    *place, name = fqn.split(".")
    described = {"name": name, "physicalName": fqn, "logicalType": "object", "description": description}
    document = {
        "apiVersion": _VERSION,
        "kind": "DataContract",
        "id": fqn,
        "version": version,
        "status": "active",
        "domain": place[0] if place else None,
        "schema": [_kept({**described, "properties": list(_columns(schema))})],
        "team": {"name": team} if team else None,
        "customProperties": [{"property": "jsonSchema", "value": schema}],
    }
    return yaml.dump(_kept(document))


def _columns(schema: Any) -> Iterator[dict[str, Any]]:
    """None of a schema that is `true` or `false`."""
    if not isinstance(schema, dict):
        return
    required = set(schema.get("required") or ())
    for name, described in (schema.get("properties") or {}).items():
        inner = described if isinstance(described, dict) else {}
        yield _kept({"name": name, "required": name in required or None, **_column(inner)})


def _column(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    kinds = [one for one in (kind if isinstance(kind, list) else [kind]) if one not in (None, "null")]
    logical = kinds[0] if len(kinds) == 1 and kinds[0] in _TYPES else None
    if logical == "string":
        logical = _FORMATS.get(str(schema.get("format")), logical)
    items = schema.get("items")
    return _kept(
        {
            "logicalType": logical,
            "physicalType": schema.get("x-physical-type") or schema.get("x-dbt-type"),
            "description": schema.get("description"),
            "deprecated": schema.get("deprecated") is True or None,
            "logicalTypeOptions": {key: value for key, value in schema.items() if key in _OPTIONS} or None,
            "properties": list(_columns(schema)) or None,
            "items": _column(items) if isinstance(items, dict) else None,
        }
    )


def _kept(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value is not None}
