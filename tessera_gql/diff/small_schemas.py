"""Identify small schemas, which are compared within a few milliseconds, by reading a bounded part of them."""

from typing import cast

from tessera_gql.diff.keywords.groups import ITEM_COUNTS, LENGTHS, NUMBER_BOUNDS

MAX_VALUES = 240  # thirty columns with their physical types, compared in 2 ms
MAX_TEXT = 20_000

SUBSCHEMAS = frozenset({"items", "additionalProperties"})
LINEAR_KEYWORDS = SUBSCHEMAS.union(
    ("$schema", "$comment", "type", "nullable", "enum", "const", "properties", "required"),
    ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format"),
    (*NUMBER_BOUNDS, *LENGTHS, *ITEM_COUNTS),
)
"""Keywords that are compared in time linear in the schema."""


def small_schema_size(schema: object) -> int | None:
    """Count the values in a small schema of linear keywords; None for every other document."""
    size = _Size()
    stack = [(schema, True)]  # values, and whether each is a schema or a list of schemas
    while stack:
        value, is_schema = stack.pop()
        if (inside := size.add(value)) is None:
            return None
        if not is_schema or not isinstance(value, dict):
            stack += [(item, is_schema) for item in inside]
            continue
        for keyword, item in cast("Entries", value).items():
            if not isinstance(keyword, str) or not (keyword in LINEAR_KEYWORDS or keyword.startswith("x-")):
                return None
            if keyword != "properties" or not isinstance(item, dict):
                stack.append((item, keyword in SUBSCHEMAS))
            elif (schemas := size.add(cast("object", item))) is None:
                return None
            else:
                stack += [(item, True) for item in schemas]
    return size.values


def is_table(schema: object) -> bool:
    """Return whether a schema is that of a table: an object of columns that have neither parts nor lists of values."""
    if not isinstance(schema, dict):
        return False
    columns = cast("Entries", schema).get("properties")
    has_parts = any(isinstance(value, dict) for key, value in cast("Entries", schema).items() if key != "properties")
    return isinstance(columns, dict) and not has_parts and all(map(_is_plain, cast("Entries", columns).values()))


def _is_plain(column: object) -> bool:
    return isinstance(column, dict) and not any(
        isinstance(value, dict) or (isinstance(value, list) and keyword != "type")
        for keyword, value in cast("Entries", column).items()
    )


Entries = dict[object, object]


class _Size:
    """A counter of values and text with limits."""

    def __init__(self) -> None:
        self.values = 0
        self.text = 0

    def add(self, value: object) -> list[object] | None:
        """Count a value and return its items, or None if a limit is exceeded."""
        items: list[object] = []
        if isinstance(value, dict | list):
            self.values += len(cast("Entries | list[object]", value))
            if self.values > MAX_VALUES:
                return None
            items = [*cast("Entries", value).values()] if isinstance(value, dict) else [*cast("list[object]", value)]
        names = cast("Entries", value) if isinstance(value, dict) else (value,)
        self.text += sum(len(name) for name in names if isinstance(name, str))
        return None if self.text > MAX_TEXT else items
