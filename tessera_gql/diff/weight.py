"""Tell schemas whose comparison takes a few milliseconds for certain, by looking at a bounded part of them."""

from typing import cast

MAX_VALUES = 120
MAX_TEXT = 20_000

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
    size = _Size()
    schemas: list[object] = [schema]
    others: list[object] = []
    while schemas:
        each = schemas.pop()
        if size.add(each) is None or (isinstance(each, dict) and not _sort(cast("Entries", each), schemas, others)):
            return None
        properties = cast("Entries", each).get("properties") if isinstance(each, dict) else None
        if isinstance(properties, dict):
            if (inside := size.add(cast("object", properties))) is None:
                return None
            schemas += inside
    while others:
        if (inside := size.add(others.pop())) is None:
            return None
        others += inside
    return size.values


Entries = dict[object, object]


class _Size:
    """Counts values and text up to their limits."""

    def __init__(self) -> None:
        self.values = 0
        self.text = 0

    def add(self, value: object) -> list[object] | None:
        """Count a value; return what it holds, or None once there is too much."""
        inside: list[object] = []
        if isinstance(value, dict | list):
            self.values += len(cast("Entries | list[object]", value))
            if self.values > MAX_VALUES:
                return None
            inside = [*cast("Entries", value).values()] if isinstance(value, dict) else [*cast("list[object]", value)]
        names = cast("Entries", value) if isinstance(value, dict) else (value,)
        self.text += sum(len(name) for name in names if isinstance(name, str))
        return None if self.text > MAX_TEXT else inside


def _sort(entries: Entries, schemas: list[object], others: list[object]) -> bool:
    """Add what a schema holds to its subschemas or to other values; False if a keyword is not plain."""
    for keyword, value in entries.items():
        if not isinstance(keyword, str) or not (keyword in PLAIN or keyword.startswith("x-")):
            return False
        if keyword == "properties" and isinstance(value, dict):
            continue  # a map of schemas, which the caller adds
        if keyword in SUBSCHEMAS:
            schemas.append(value)
        else:
            others.append(value)
    return True
