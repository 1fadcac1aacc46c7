"""Read data contracts of the Open Data Contract Standard (ODCS) v3. `formats.odcs_export` writes them.

What is not understood is left out with a warning. A document that was exported has the exact terms of its contract in
`customProperties`; they are read unless the rest of the document was edited since.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tessera_gql.diff import Mode, canonical_json
from tessera_gql.formats import odcs_export
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
from tessera_gql.formats.odcs_export import EXACT_TERMS, LOGICAL_TYPES, render_contract
from tessera_gql.formats.parsed_schema import JSON_SCHEMA_DIALECT, DocumentError, ParsedSchema
from tessera_gql.formats.physical_types import parse_physical_type
from tessera_gql.formats.untrusted_json import JsonObject, UntrustedJson, Warnings
from tessera_gql.formats.warehouse_types import parse_type
from tessera_gql.formats.yaml_contracts import join_database, load_contract

__all__ = ["parse_contract", "render_contract"]

_NUMBER_FORMATS = {
    **{f"i{bits}": name for bits, name in ((8, "tinyint"), (16, "smallint"), (32, "integer"), (64, "bigint"))},
    **{f"u{bits}": name for bits, name in ((8, "uint8"), (16, "uint16"), (32, "uint32"), (64, "uint64"))},
    "i128": "int128",
    "u128": "uint128",
    "f16": "float16",
    "f32": "real",
    "f64": "double precision",
}
_UNTYPED = frozenset({"variant", "vector", "any"})


def parse_contract(text: str) -> list[ParsedSchema]:
    """Parse each object of the contract's schema. Raises DocumentError."""
    document = load_contract(text)
    if not str(document.get("apiVersion", "")).startswith("v3."):
        raise DocumentError("This is no data contract of ODCS v3: it has no `apiVersion: v3.…`.")
    contract = UntrustedJson(document, "the contract", Warnings())
    objects = list(contract.objects("schema"))
    if not objects:
        raise DocumentError("This data contract has no `schema` with objects, so it promises nothing about data.")
    tables = [_convert_object(contract, item) for item in objects]
    if len(tables) == 1:
        tables = [_restore_exact_terms(document, tables[0])]
    return [_mark_deprecated(contract, table) for table in tables]


def _mark_deprecated(contract: UntrustedJson, table: ParsedSchema) -> ParsedSchema:
    """Mark the schema of a contract with the status `deprecated`, with the end of its life as the sunset."""
    if (contract.text("status") or "").lower() != "deprecated" or not isinstance(table.schema, dict):
        return table
    ends = {item.text("property"): item.value.get("value") for item in contract.objects("slaProperties")}
    sunset = str(ends.get("endOfLife") or ends.get("endOfSupport") or "") or None
    schema: JsonObject = table.schema
    marks = without({"deprecated": True, "x-sunset": schema.get("x-sunset") or sunset}, ())
    return replace(table, schema={**schema, **marks})


def _convert_object(contract: UntrustedJson, item: UntrustedJson) -> ParsedSchema:
    names = item.text("physicalName"), item.text("name")
    name = names[0] or names[1]
    if not name:
        raise DocumentError("An object of the contract's schema has neither `name` nor `physicalName`.")
    terms = ContractTerms()
    table = UntrustedJson(item.value, name, terms.warnings)
    reader = _ColumnReader(terms, next(filter(None, (server.text("type") for server in _servers(contract))), None))
    schema = {"$schema": JSON_SCHEMA_DIALECT, **reader.read_object(table, "", 0)}
    reader.promise_primary_key(table)
    read_checks(table, None, terms)
    _read_service_levels(contract, {name for name in names if name}, terms)
    database = next((join_database(server) for server in _servers(contract)), "")
    return ParsedSchema(
        name=name if "." in name or not database else f"{database}.{name}",
        schema=schema,
        guarantees=terms.guarantees,
        description=table.text("description"),
        version=contract.label("version"),
        warnings=(*contract.warnings.messages(), *terms.warnings.messages()),
    )


def _servers(contract: UntrustedJson) -> Iterator[UntrustedJson]:
    return contract.objects("servers")


class _ColumnReader:
    """Reads the columns of one table into a schema, and what they promise beside it into its terms."""

    def __init__(self, terms: ContractTerms, dialect: str | None) -> None:
        self.terms = terms
        self.dialect = dialect

    def read_object(self, owner: UntrustedJson, prefix: str, depth: int) -> JsonObject:
        schema: JsonObject = {"type": "object", "properties": {}, "required": []}
        for prop in owner.objects("properties"):
            name = _column_name(prop)
            if name in schema["properties"]:
                raise DocumentError(
                    f"This data contract declares the column {name[:200]!r} twice. Leave one of them out."
                )
            column = self.read_column(prop, f"{prefix}{name}", depth + 1)
            is_required = prop.flag("required") or prop.flag("primaryKey") or False
            add_column(schema, name, column, is_required=is_required)
        return schema

    def read_column(self, prop: UntrustedJson, path: str, depth: int) -> JsonObject:
        try:
            check_depth(depth)
        except ValueError as error:
            raise DocumentError(f"This data contract can't be read: {error}.") from None
        column = UntrustedJson(prop.value, path, self.terms.warnings)
        schema = self._read_type(column, depth)
        options = column.object("logicalTypeOptions")
        schema |= read_keywords(options, path, schema, self.terms)
        if names := options.texts("required"):
            schema["required"] = list(dict.fromkeys((*schema.get("required", ()), *names)))
        schema |= read_enum((item.value.get("value") for item in column.objects("enum")), path, self.terms)
        self._read_promises(column, path)
        custom = _custom_properties(column) if column.flag("deprecated") else {}
        annotations = {
            "description": column.text("description"),
            "deprecated": column.flag("deprecated") or None,
            **{f"x-{name}": value for name in ("sunset", "replacement") if isinstance(value := custom.get(name), str)},
        }
        return schema | without(annotations, ())

    def _read_type(self, column: UntrustedJson, depth: int) -> JsonObject:
        logical_type, physical_type = column.text("logicalType"), column.text("physicalType")
        if logical_type is None and physical_type is not None and not column.list("properties"):
            return parse_type(physical_type, self.dialect).schema
        schema = self._read_logical_type(column, logical_type, depth)
        number_format = column.object("logicalTypeOptions").value.get("format")
        spelling = physical_type or _NUMBER_FORMATS.get(str(number_format))
        if spelling:
            dialect = self.dialect if physical_type else None
            schema["x-physical-type"] = parse_physical_type(spelling, dialect).as_json()
        return schema

    def _read_logical_type(self, column: UntrustedJson, logical_type: str | None, depth: int) -> JsonObject:
        schema = dict(LOGICAL_TYPES.get(logical_type or "", {}))
        if logical_type == "map":
            value = column.object("map").object("value")
            return {"type": "object", "additionalProperties": self.read_column(value, f"{column.name}.*", depth + 1)}
        if logical_type and not schema and logical_type not in _UNTYPED:
            self.terms.warnings.add(
                f"The logical type {logical_type[:80]!r} is not known, so any value is allowed", column.name
            )
        if column.list("properties"):
            schema |= self.read_object(column, f"{column.name}.", depth)
        if column.value.get("items") is not None:
            schema["items"] = self.read_column(column.object("items"), f"{column.name}[]", depth + 1)
        return schema

    def _read_promises(self, column: UntrustedJson, path: str) -> None:
        if column.flag("unique"):
            self.terms.promise_unique([path])
        targets = [target for item in column.objects("relationships") for target in item.texts("to")]
        if targets:
            self.terms.promise("relationships", path, targets)
        read_checks(column, path, self.terms)

    def promise_primary_key(self, table: UntrustedJson) -> None:
        """Promise that the key is unique: of several columns, their combination."""
        keys = [prop for prop in table.objects("properties") if prop.flag("primaryKey")]
        keys.sort(key=lambda prop: _key_position(prop.value.get("primaryKeyPosition")))
        self.terms.promise_unique(map(_column_name, keys))


def _key_position(position: object) -> int:
    return position if isinstance(position, int) else 0


def _column_name(prop: UntrustedJson) -> str:
    name = prop.text("physicalName") or prop.text("name")
    if name is None:
        raise DocumentError("A property of the contract's schema has no `name`.")
    return name


def _read_service_levels(contract: UntrustedJson, names: set[str], terms: ContractTerms) -> None:
    """Read the agreements of the contract, without those whose elements are all of other tables."""
    for agreement in contract.objects("slaProperties"):
        name = agreement.text("property")
        elements = [item.strip() for item in (agreement.text("element") or "").split(",") if item.strip()]
        if name is None or (elements and not _names_table(elements, names, contract)):
            continue
        duration = parse_duration(agreement.value.get("value"), agreement.text("unit") or "")
        if name == "freshness" and duration is not None:
            terms.promise("freshness", "max_age", duration)
        else:
            label = f"{name} {agreement.text('driver')}" if agreement.text("driver") else name
            terms.promise("sla", label, without(agreement.value, ("id", "description")))


def _names_table(elements: list[str], names: set[str], contract: UntrustedJson) -> bool:
    """Whether an element is of the table, or of none that the contract describes."""
    tables = {item.text(key) for item in contract.objects("schema") for key in ("name", "physicalName")}
    return any(element.split(".")[0] in names or element.split(".")[0] not in tables for element in elements)


def _restore_exact_terms(document: JsonObject, table: ParsedSchema) -> ParsedSchema:
    """Return the terms in `customProperties` if an export of them has the same columns and agreements."""
    properties = _custom_properties(UntrustedJson(document, "the contract", Warnings()))
    if not EXACT_TERMS & properties.keys():
        return table
    schema, guarantees, mode = (properties.get(name) for name in ("jsonSchema", "guarantees", "compatibilityMode"))
    fields: dict[str, Any] = {"mode": Mode(mode) if mode in set(Mode) else None}
    exported = odcs_export.render_terms(document["schema"][0].get("physicalName") or table.name, schema, guarantees)
    stored = {"schema": document["schema"], "slaProperties": document.get("slaProperties")}
    if "jsonSchema" in properties and _digest(exported) == _digest(stored):
        fields |= {"schema": schema, "guarantees": guarantees or None, "warnings": ()}
    else:
        warning = (
            "The document was edited after its export: its properties are read, not `customProperties.jsonSchema`."
        )
        fields["warnings"] = (warning, *table.warnings)
    return replace(table, **fields)


def _custom_properties(owner: UntrustedJson) -> JsonObject:
    """Return the custom properties of a contract or of a column by name."""
    return {
        name: item.value.get("value")
        for item in owner.objects("customProperties")
        if (name := item.text("property")) is not None
    }


def _digest(terms: JsonObject) -> str:
    """Return the terms in a comparable form, without the description of the table."""
    tables = [without(item, ("description",)) for item in terms["schema"] if isinstance(item, dict)]
    return canonical_json({"schema": tables, "slaProperties": terms.get("slaProperties") or []})
