"""Tell schemas whose comparison takes a few milliseconds for certain, by looking at a bounded part of them."""

from typing import cast

MAX_VALUES = 160
MAX_TEXT = 20_000
MAX_BREAKS = 300
"""Changes times values up to which evidence for all changes takes a few milliseconds."""

SUBSCHEMAS = frozenset({"items", "additionalProperties"})
PLAIN = SUBSCHEMAS | {
    "$schema",
    "$comment",
    "const",
    "default",
    "deprecated",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "nullable",
    "properties",
    "readOnly",
    "required",
    "title",
    "type",
    "writeOnly",
}
"""Keywords that are compared in time linear in the schema."""


def weight(schema: object) -> int | None:
    """The number of values in a small schema of plain keywords; None for every other document."""
    values = text = 0
    schemas: list[object] = [schema]
    others: list[object] = []
    while schemas or others:
        if is_schema := bool(schemas):
            value = schemas.pop()
        else:
            value = others.pop()
        if isinstance(value, dict):
            entries = cast("dict[object, object]", value)
            values += len(entries)
            text += sum(len(key) for key in entries if isinstance(key, str))
            if values > MAX_VALUES or (is_schema and not _sort(entries, schemas, others)):
                return None
            if not is_schema:
                others += entries.values()
        elif isinstance(value, list):
            items = cast("list[object]", value)
            values += len(items)
            others += items if values <= MAX_VALUES else ()
        elif isinstance(value, str):
            text += len(value)
        if values > MAX_VALUES or text > MAX_TEXT:
            return None
    return values


def _sort(entries: dict[object, object], schemas: list[object], others: list[object]) -> bool:
    """Add what a schema holds to its subschemas or to other values; False if a keyword is not plain."""
    for keyword, value in entries.items():
        if not isinstance(keyword, str) or not (keyword in PLAIN or keyword.startswith("x-")):
            return False
        if keyword == "properties" and isinstance(value, dict):
            schemas += cast("dict[object, object]", value).values()
        elif keyword in SUBSCHEMAS:
            schemas.append(value)
        else:
            others.append(value)
    return True
