"""The keywords of each JSON Schema draft. Keywords that a draft does not define are annotations."""

from collections.abc import Iterator
from typing import NamedTuple, cast

from tessera_gql.diff.read.errors import SchemaError
from tessera_gql.diff.read.keywords import ITEM_COUNTS, LENGTHS, PROPERTY_COUNTS


class Dialect(NamedTuple):
    """One draft of JSON Schema. `shapes` maps its keywords to the shape of their value (see `metaschema`)."""

    name: str
    uri: str
    year: int
    shapes: dict[str, str]

    @property
    def knows_siblings_of_ref(self) -> bool:
        return self.year >= 2019

    @property
    def knows_dependencies(self) -> bool:
        """Whether `dependencies` applies. Later drafts use `dependentRequired` and `dependentSchemas`."""
        return not self.knows_siblings_of_ref

    @property
    def id_keyword(self) -> str:
        return "id" if self.year == 4 else "$id"


_COMMON_SHAPES = {
    "type": "types",
    "not": "schema",
    "patternProperties": "pattern map",
    "pattern": "pattern",
    "multipleOf": "positive",
    "uniqueItems": "flag",
    **dict.fromkeys(("minimum", "maximum"), "number"),
    **dict.fromkeys(("properties", "definitions"), "map"),
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), "schemas"),
    **dict.fromkeys(("title", "description", "format", "$schema", "$ref"), "text"),
    **dict.fromkeys((*LENGTHS, *ITEM_COUNTS, *PROPERTY_COUNTS), "count"),
}
_DRAFT_4_SHAPES = {
    **_COMMON_SHAPES,
    "id": "text",
    "required": "some names",
    "enum": "some values",
    "items": "items",
    "dependencies": "some dependencies",
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), "flag"),
    **dict.fromkeys(("additionalItems", "additionalProperties"), "flag or schema"),
}
_DRAFT_6_SHAPES = {
    **_COMMON_SHAPES,
    "$id": "text",
    "required": "names",
    "items": "items",
    "dependencies": "dependencies",
    "const": "anything",
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), "number"),
    **dict.fromkeys(("enum", "examples"), "values"),
    **dict.fromkeys(("additionalItems", "additionalProperties", "contains", "propertyNames"), "schema"),
}
_DRAFT_7_SHAPES = {
    **_DRAFT_6_SHAPES,
    "readOnly": "flag",
    **dict.fromkeys(("if", "then", "else"), "schema"),
    **dict.fromkeys(("$comment", "contentMediaType", "contentEncoding"), "text"),
}
_DRAFT_2019_SHAPES = {
    **_DRAFT_7_SHAPES,
    "$vocabulary": "flags",
    "dependentRequired": "names map",
    **dict.fromkeys(("$defs", "dependentSchemas"), "map"),
    **dict.fromkeys(("$anchor", "$recursiveRef"), "text"),
    **dict.fromkeys(("$recursiveAnchor", "deprecated", "writeOnly"), "flag"),
    **dict.fromkeys(("contentSchema", "unevaluatedProperties", "unevaluatedItems"), "schema"),
    **dict.fromkeys(("minContains", "maxContains"), "count"),
}
_DRAFT_2020_SHAPES = {
    **{key: shape for key, shape in _DRAFT_2019_SHAPES.items() if key != "additionalItems"},
    "items": "schema",
    "prefixItems": "schemas",
    **dict.fromkeys(("$dynamicRef", "$dynamicAnchor"), "text"),
}

DRAFT_4 = Dialect("draft 4", "http://json-schema.org/draft-04/schema", 4, _DRAFT_4_SHAPES)
DRAFT_6 = Dialect("draft 6", "http://json-schema.org/draft-06/schema", 6, _DRAFT_6_SHAPES)
DRAFT_7 = Dialect("draft 7", "http://json-schema.org/draft-07/schema", 7, _DRAFT_7_SHAPES)
DRAFT_2019 = Dialect("2019-09", "https://json-schema.org/draft/2019-09/schema", 2019, _DRAFT_2019_SHAPES)
DRAFT_2020 = Dialect("2020-12", "https://json-schema.org/draft/2020-12/schema", 2020, _DRAFT_2020_SHAPES)
DIALECTS = (DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020)
BY_URI = {dialect.uri: dialect for dialect in DIALECTS}


def dialect_of(schema: object, *peers: object) -> Dialect:
    """Return the draft named by `$schema`, or the newest one that can read the schemas without it."""
    if isinstance(schema, dict) and "$schema" in schema:
        uri = cast("object", schema["$schema"])
        dialect = BY_URI.get(uri.rstrip("#")) if isinstance(uri, str) else None
        if dialect is None:
            uris = ", ".join(dialect.uri for dialect in DIALECTS)
            raise SchemaError(f"its $schema is not a draft read here; use one of {uris}.", pointer="/$schema")
        return dialect
    guesses = (_guess_dialect(document) for document in (schema, *peers) if _names_no_draft(document))
    return min(guesses, key=lambda dialect: dialect.year)


def check_draft(schema: object, pointer: str, dialect: Dialect) -> None:
    """Raise `SchemaError` for a subschema that names another draft than the document."""
    uri = cast("dict[str, object]", schema).get("$schema") if isinstance(schema, dict) else None
    if isinstance(uri, str) and BY_URI.get(uri.rstrip("#"), dialect) is not dialect:
        raise SchemaError(
            f"its $schema is another draft than that of the whole, {dialect.uri}; write all of it in one.",
            pointer=f"{pointer}/$schema",
        )


def _names_no_draft(schema: object) -> bool:
    return not isinstance(schema, dict) or "$schema" not in schema


_SCHEMA_MAPS = ("properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies")
_DATA_KEYWORDS = frozenset({"enum", "const", "default", "examples"})


def _guess_dialect(schema: object) -> Dialect:
    """Detect an older draft by lists in `items`, `dependencies` and booleans in `exclusiveMinimum`.

    Property names and data that look like keywords are skipped.
    """
    newest = DRAFT_2020
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(cast("list[object]", value))
        elif isinstance(value, dict):
            entries = cast("dict[str, object]", value)
            if any(isinstance(entries.get(key), bool) for key in ("exclusiveMinimum", "exclusiveMaximum")):
                return DRAFT_4
            if isinstance(entries.get("items"), list) or isinstance(entries.get("dependencies"), dict):
                newest = DRAFT_7
            stack.extend(_nested_values(entries))
    return newest


def _nested_values(entries: dict[str, object]) -> Iterator[object]:
    for key, value in entries.items():
        if isinstance(value, dict) and key in _SCHEMA_MAPS:
            yield from cast("dict[str, object]", value).values()
        elif isinstance(value, dict | list) and key not in _DATA_KEYWORDS:
            yield cast("object", value)
