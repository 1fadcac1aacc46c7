"""List the declared fields of a schema in document order. Consumers register for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_

from tessera_gql.diff.read.documents import read
from tessera_gql.diff.read.guard import Identities
from tessera_gql.diff.read.in_place import declared_properties, in_place_schemas
from tessera_gql.diff.read.schema import NodeCache, Schema
from tessera_gql.diff.read.view import View
from tessera_gql.diff.values.json_types import ALL_TYPES, NULL, format_types

MAX_FIELDS = 20_000


@dataclass(frozen=True)
class Field:
    """A declared field. `path` is the name used in registrations, such as `items[].sku`; `type` is for display.

    `sunset` and `replacement` are the texts of `x-sunset` and `x-replacement`, which say more of a deprecated field.
    """

    path: str
    type: str
    required: bool
    nullable: bool
    description: str | None
    deprecated: bool
    sunset: str | None = None
    replacement: str | None = None


def list_fields(schema: object) -> tuple[Field, ...]:
    """List the declared fields, at most 20,000. Recursive schemas are entered once. Raises `SchemaError`."""
    document = read(schema, Identities())
    fields_by_path: dict[str, Field] = {}
    stack = [_nested_fields(_FieldEntry("", (NodeCache().root(document),), frozenset()))]
    while stack and len(fields_by_path) < MAX_FIELDS:
        nested = next(stack[-1], None)
        if nested is None:
            stack.pop()
            continue
        if isinstance(nested, tuple):
            field, nested = nested
            fields_by_path.setdefault(field.path, field)
        stack.append(_nested_fields(nested))
    return tuple(fields_by_path.values())


@dataclass(frozen=True)
class _FieldEntry:
    """A value whose fields are to be listed. `above` are the ids of the enclosing schemas."""

    path: str
    nodes: tuple[Schema, ...]
    above: frozenset[int]


def _nested_fields(entry: _FieldEntry) -> Iterator[tuple[Field, _FieldEntry] | _FieldEntry]:
    nodes = [*{id(schema): schema for node in entry.nodes for schema in in_place_schemas(node)}.values()]
    if all(id(node) in entry.above for node in entry.nodes):
        return
    above = entry.above | {id(node) for node in nodes}
    view = View(entry.nodes) if len(entry.nodes) == 1 else None
    for name, declaring in declared_properties(nodes).items():
        path = f"{entry.path}.{name}" if entry.path else name
        declarations = tuple(node.property_schema(name) for node in declaring)
        is_required = any(name in (node.required if view is None else view.required) for node in entry.nodes)
        yield _make_field(path, declarations, is_required=is_required), _FieldEntry(path, declarations, above)
    yield _FieldEntry(entry.path + "[]", tuple(schema for node in nodes for schema in node.item_schemas()), above)
    undeclared = tuple(schema for node in nodes for schema in node.undeclared_schemas())
    yield _FieldEntry(f"{entry.path}.*" if entry.path else "*", undeclared, above)


def _make_field(path: str, nodes: tuple[Schema, ...], *, is_required: bool) -> Field:
    views = [View((node,)) for node in nodes]
    mask = reduce(or_, (view.types for view in views), 0)
    return Field(
        path,
        format_types(mask),
        is_required,
        mask != ALL_TYPES and bool(mask & NULL),
        _find_text(views, "description"),
        any(node.entries.get("deprecated") is True for view in views for node in view.schemas),
        _find_text(views, "x-sunset"),
        _find_text(views, "x-replacement"),
    )


def _find_text(views: list[View], keyword: str) -> str | None:
    return next((text for view in views if isinstance(text := view.value_of(keyword), str)), None)
