"""Read data contracts of the Data Contract Specification, version 0.9 and 1. Each model is one schema.

What is not understood is left out with a warning: fields that refer to other files, for example.
https://github.com/datacontract/datacontract-specification
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tessera_gql.formats.contract_quality import read_checks
from tessera_gql.formats.contract_terms import (
    ContractTerms,
    add_column,
    check_depth,
    parse_duration,
    read_enum,
    read_keywords,
    without,
)
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema
from tessera_gql.formats.physical_types import parse_physical_type
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson, Warnings
from tessera_gql.formats.warehouse_types import parse_type
from tessera_gql.formats.yaml_contracts import join_database, load_contract

VERSION_KEY = "dataContractSpecification"
_VERSIONS = ("0.9", "1.")
_OBJECTS = frozenset({"object", "record", "struct"})
_SPELLINGS = {
    **{name: name for name in ("number", "decimal", "numeric", "bigint", "float", "double", "text", "varchar", "date")},
    "int": "integer",
    "integer": "integer",
    "long": "bigint",
    "string": "text",
    "boolean": "boolean",
    "timestamp": "timestamptz",
    "timestamp_tz": "timestamptz",
    "timestamp_ntz": "timestamp_ntz",
    "time": "time",
    "bytes": "bytes",
    "variant": "variant",
    "json": "json",
}
"""The names of types in SQL. A timestamp without a suffix has a time zone."""
_UNSIZED = frozenset({"number", "decimal", "numeric"})
_FORMATS = {"url": "uri"}
_MAX_REFERENCES = 20


def parse_contract(text: str) -> list[ParsedSchema]:
    """Parse each model of the contract. Raises DocumentError."""
    document = load_contract(text)
    version = str(document.get(VERSION_KEY, ""))
    if not version.startswith(_VERSIONS):
        raise DocumentError(
            f"This is no data contract of the Data Contract Specification 0.9 or 1: it has no `{VERSION_KEY}: 1.…`."
        )
    contract = UntrustedJson(document, "the contract", Warnings())
    models = list(contract.entries("models"))
    if not models:
        raise DocumentError("This data contract has no `models`, so it promises nothing about data.")
    return [_convert_model(contract, name, model.value) for name, model in models]


def _convert_model(contract: UntrustedJson, name: str, content: JsonObject) -> ParsedSchema:
    terms = ContractTerms()
    model = UntrustedJson(content, name, terms.warnings)
    server = next((server for _, server in contract.entries("servers")), UntrustedJson({}, name, terms.warnings))
    reader = _FieldReader(contract.object("definitions").value, terms, server.text("type"))
    schema = {"$schema": JSON_SCHEMA_DIALECT, **reader.read_object(model, "", 0)}
    terms.promise_unique(model.texts("primaryKey") or reader.primary_key)
    schema["required"] = list(dict.fromkeys((*schema["required"], *model.texts("primaryKey"))))
    read_checks(model, None, terms)
    _read_service_levels(contract.object("servicelevels"), name, terms)
    database = join_database(server)
    return ParsedSchema(
        name=f"{database}.{name}" if database else name,
        schema=schema,
        guarantees=terms.guarantees,
        description=model.text("description"),
        version=contract.object("info").label("version"),
        warnings=(*contract.warnings.messages(), *terms.warnings.messages()),
    )


class _FieldReader:
    """Reads the fields of one model into a schema, and what they promise beside it into its terms."""

    def __init__(self, definitions: JsonObject, terms: ContractTerms, dialect: str | None) -> None:
        self.definitions = definitions
        self.terms = terms
        self.dialect = dialect
        self.primary_key: list[str] = []

    def read_object(self, owner: UntrustedJson, prefix: str, depth: int) -> JsonObject:
        schema: JsonObject = {"type": "object", "properties": {}, "required": []}
        for name, entry in owner.entries("fields"):
            field = self._resolve(UntrustedJson(entry.value, f"{prefix}{name}", self.terms.warnings))
            is_key = field.flag("primaryKey") or field.flag("primary") or False
            if is_key and not prefix:
                self.primary_key.append(name)
            is_required = field.flag("required") or is_key
            add_column(schema, name, self.read_field(field, depth + 1), is_required=is_required)
        return schema

    def read_field(self, field: UntrustedJson, depth: int) -> JsonObject:
        try:
            check_depth(depth)
        except ValueError as error:
            raise DocumentError(f"This data contract can't be read: {error}.") from None
        path = field.name
        schema = self._read_type(field, depth)
        schema |= read_keywords(field, path, schema, self.terms)
        if "format" in schema:
            schema["format"] = _FORMATS.get(schema["format"], schema["format"])
        schema |= read_enum(field.list("enum"), path, self.terms)
        if field.flag("unique"):
            self.terms.promise_unique([path])
        if target := field.text("references"):
            self.terms.promise("relationships", path, [target])
        read_checks(field, path, self.terms)
        return schema | without({"title": field.text("title"), "description": field.text("description")}, ())

    def _resolve(self, field: UntrustedJson) -> UntrustedJson:
        """Return the field with the members of the definition that it refers to; its own ones take precedence."""
        content = field.value
        for _ in range(_MAX_REFERENCES):
            reference = content.get("$ref")
            if reference is None:
                return UntrustedJson(content, field.name, self.terms.warnings)
            definition = self._find_definition(reference)
            if definition is None:
                break
            content = {**definition, **without(content, ("$ref",))}
        self.terms.warnings.add("`$ref` does not lead to a definition of this file and was left out", field.name)
        return UntrustedJson(without(content, ("$ref",)), field.name, self.terms.warnings)

    def _find_definition(self, reference: object) -> JsonObject | None:
        prefix, _, path = str(reference).partition("#/definitions/")
        value: Any = self.definitions
        for name in path.split("/"):
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, dict) and not prefix else None

    def _read_type(self, field: UntrustedJson, depth: int) -> JsonObject:
        match field.text("type"):
            case str() as name if name in _OBJECTS or (name == "json" and field.value.get("fields")):
                return (
                    self.read_object(field, f"{field.name}.", depth)
                    if field.value.get("fields")
                    else {"type": "object"}
                )
            case "array":
                items = self._read_part(field, "items", "[]", depth)
                return {"type": "array"} | ({"items": items} if items is not None else {})
            case "map":
                values = self._read_part(field, "values", ".*", depth)
                return {"type": "object"} | ({"additionalProperties": values} if values is not None else {})
            case "null":
                return {"type": "null"}
            case name:
                return self._read_scalar(field, name)

    def _read_part(self, field: UntrustedJson, key: str, suffix: str, depth: int) -> JsonObject | None:
        """Read the items of an array, or the values of a map."""
        if not isinstance(field.value.get(key), dict):
            return None
        part = UntrustedJson(field.object(key).value, f"{field.name}{suffix}", self.terms.warnings)
        return self.read_field(self._resolve(part), depth + 1)

    def _read_scalar(self, field: UntrustedJson, name: str | None) -> JsonObject:
        spelling = _SPELLINGS.get(name or "")
        if spelling is None:
            if name is not None:
                self.terms.warnings.add(f"The type {name[:80]!r} is not known, so any value is allowed", field.name)
            return {}
        precision, scale = field.value.get("precision"), field.value.get("scale")
        if name in _UNSIZED and isinstance(precision, int):
            spelling = f"decimal({precision},{scale if isinstance(scale, int) else 0})"
        schema = parse_type(spelling).schema
        if physical_type := self._find_physical_type(field):
            schema["x-physical-type"] = parse_physical_type(physical_type, self.dialect).as_json()
        return schema

    def _find_physical_type(self, field: UntrustedJson) -> str | None:
        """Return the type in the warehouse, which `config` has under a key such as `snowflakeType`."""
        config = field.object("config").value
        dialect = {"postgresql": "postgres"}.get(self.dialect or "", self.dialect)
        value = config.get(f"{dialect}Type") if dialect else config.get("physicalType")
        return value if isinstance(value, str) and "\0" not in value else None


def _read_service_levels(levels: UntrustedJson, model: str, terms: ContractTerms) -> None:
    for name, value in levels.value.items():
        if isinstance(value, dict):
            _read_service_level(name, UntrustedJson(value, name, terms.warnings), model, terms)


def _read_service_level(name: str, level: UntrustedJson, model: str, terms: ContractTerms) -> None:
    """Read a service level, unless its timestamps are all those of another model."""
    fields = list(_iterate_models(level.value))
    if fields and model not in fields:
        return
    duration = parse_duration(level.value.get("threshold"))
    if name == "freshness" and duration is not None:
        terms.promise("freshness", "max_age", duration)
    else:
        terms.promise("sla", name, without(level.value, ("description",)))


def _iterate_models(level: Mapping[str, Any]) -> Iterator[str]:
    for key, value in level.items():
        if key.endswith(("timestampField", "TimestampField")) and isinstance(value, str) and "." in value:
            yield value.split(".")[0]
