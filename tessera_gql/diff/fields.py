"""The declared fields of a schema, in document order: what a consumer may register for."""

from dataclasses import dataclass
from typing import cast

from tessera_gql.diff.json import Json

MAX_FIELDS = 20_000


@dataclass(frozen=True)
class Field:
    """One declared field. `path` is what a registration names, e.g. `items[].sku`; `type` is text for people."""

    path: str
    type: str
    required: bool
    nullable: bool
    description: str | None
    deprecated: bool


def fields(schema: object) -> tuple[Field, ...]:
    """Every declared field path with what is promised about it; a recursive reference is entered once."""
    found: list[Field] = []
    _collect(cast("Json", schema), "", found, 0)
    return tuple(found)


def _collect(schema: Json, prefix: str, found: list[Field], depth: int) -> None:
    if not isinstance(schema, dict) or depth > 100:
        return
    properties, required = schema.get("properties"), schema.get("required")
    names = required if isinstance(required, list) else []
    for name, sub in (properties if isinstance(properties, dict) else {}).items():
        path = f"{prefix}.{name}" if prefix else name
        shape = sub if isinstance(sub, dict) else {}
        types = shape.get("type")
        listed = [str(item) for item in types] if isinstance(types, list) else [str(types or "any")]
        text = shape.get("description")
        found.append(
            Field(
                path,
                " | ".join(listed),
                name in names,
                "null" in listed,
                text if isinstance(text, str) else None,
                shape.get("deprecated") is True,
            )
        )
        _collect(shape, path, found, depth + 1)
    items = schema.get("items")
    if isinstance(items, dict):
        _collect(items, prefix + "[]", found, depth + 1)
