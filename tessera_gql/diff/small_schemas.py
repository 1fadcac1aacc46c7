"""Identify small schemas, which are compared within a few milliseconds, by reading a bounded part of them."""

from typing import cast

from tessera_gql.diff.read.keywords import ANNOTATIONS, ITEM_COUNTS, LENGTHS, NUMBER_BOUNDS

MAX_VALUES = 120
MAX_TEXT = 20_000

SUBSCHEMAS = frozenset({"items", "additionalProperties"})
LINEAR_KEYWORDS = SUBSCHEMAS.union(
    ("$schema", "$comment", "type", "nullable", "enum", "const", "properties", "required"),
    (*ANNOTATIONS, *NUMBER_BOUNDS, *LENGTHS, *ITEM_COUNTS),
)
"""Keywords that are compared in time linear in the schema."""


def small_schema_size(schema: object) -> int | None:
    """Count the values in a small schema of linear keywords; None for every other document."""
    size = _Size()
    schemas: list[object] = [schema]
    data: list[object] = []
    while schemas:
        value = schemas.pop()
        if size.add(value) is None or (
            isinstance(value, dict) and not _sort_entries(cast("Entries", value), schemas, data)
        ):
            return None
        properties = cast("Entries", value).get("properties") if isinstance(value, dict) else None
        if isinstance(properties, dict):
            if (inside := size.add(cast("object", properties))) is None:
                return None
            schemas += inside
    while data:
        if (inside := size.add(data.pop())) is None:
            return None
        data += inside
    return size.values


Entries = dict[object, object]


class _Size:
    """A counter of values and text with limits."""

    def __init__(self) -> None:
        self.values = 0
        self.text = 0

    def add(self, value: object) -> list[object] | None:
        """Count a value and return its items, or None if a limit is exceeded."""
        inside: list[object] = []
        if isinstance(value, dict | list):
            self.values += len(cast("Entries | list[object]", value))
            if self.values > MAX_VALUES:
                return None
            inside = [*cast("Entries", value).values()] if isinstance(value, dict) else [*cast("list[object]", value)]
        names = cast("Entries", value) if isinstance(value, dict) else (value,)
        self.text += sum(len(name) for name in names if isinstance(name, str))
        return None if self.text > MAX_TEXT else inside


def _sort_entries(entries: Entries, schemas: list[object], data: list[object]) -> bool:
    """Add the entries to subschemas or to other data; False if a keyword is not linear."""
    for keyword, value in entries.items():
        if not isinstance(keyword, str) or not (keyword in LINEAR_KEYWORDS or keyword.startswith("x-")):
            return False
        if keyword == "properties" and isinstance(value, dict):
            continue  # a map of schemas, which the caller adds
        if keyword in SUBSCHEMAS:
            schemas.append(value)
        else:
            data.append(value)
    return True
