"""The declared fields of a schema, in document order: what a consumer may register for."""

from collections.abc import Iterator
from dataclasses import dataclass

from tessera_gql.diff.declared import in_place_schemas
from tessera_gql.diff.documents import read
from tessera_gql.diff.guard import Identities
from tessera_gql.diff.kinds import ALL_TYPES, NULL
from tessera_gql.diff.schema import NodeCache, Schema
from tessera_gql.diff.view import View, format_types

MAX_FIELDS = 20_000


@dataclass(frozen=True)
class Field:
    """One declared field. `path` is what a registration names: `items[].sku`; `type` is for people."""

    path: str
    type: str
    required: bool
    nullable: bool
    description: str | None
    deprecated: bool


def fields(schema: object) -> tuple[Field, ...]:
    """Every declared field, at most 20,000; a schema that holds itself is entered once. Raises `SchemaError`."""
    document = read(schema, Identities())
    found: dict[str, Field] = {}
    stack: list[Iterator[tuple[Field, _Entered] | _Entered]] = []
    root = NodeCache().root(document)
    stack.append(_inside(_Entered("", (root,), frozenset())))
    while stack and len(found) < MAX_FIELDS:
        each = next(stack[-1], None)
        if each is None:
            stack.pop()
            continue
        if isinstance(each, tuple):
            field, each = each
            found.setdefault(field.path, field)
        stack.append(_inside(each))
    return tuple(found.values())


@dataclass(frozen=True)
class _Entered:
    """A value about to be looked into; `above` are the schemas it lies in."""

    path: str
    nodes: tuple[Schema, ...]
    above: frozenset[int]


def _inside(entered: _Entered) -> Iterator[tuple[Field, _Entered] | _Entered]:
    nodes = [*{id(each): each for node in entered.nodes for each in in_place_schemas(node)}.values()]
    if all(id(node) in entered.above for node in entered.nodes):
        return
    above = entered.above | {id(node) for node in nodes}
    view = View(entered.nodes) if len(entered.nodes) == 1 else None
    names: dict[str, list[Schema]] = {}
    for node in nodes:
        for name in node.properties:
            names.setdefault(name, []).append(node)
    for name, declaring in names.items():
        path = f"{entered.path}.{name}" if entered.path else name
        inside = tuple(node.property_schema(name) for node in declaring)
        is_required = any(name in (node.required if view is None else view.required) for node in entered.nodes)
        yield _field(path, inside, is_required=is_required), _Entered(path, inside, above)
    items = tuple(each for node in nodes for each in (*node.prefix_items, node.remaining_items) if each is not None)
    yield _Entered(entered.path + "[]", items, above)
    others = [node.pattern_property(pattern) for node in nodes for pattern in node.pattern_properties]
    others += [node.additional_properties for node in nodes if node.additional_properties is not None]
    yield _Entered(f"{entered.path}.*" if entered.path else "*", tuple(others), above)


def _field(path: str, nodes: tuple[Schema, ...], *, is_required: bool) -> Field:
    views = [View((node,)) for node in nodes]
    mask = 0
    for view in views:
        mask |= view.types
    description = next((text for view in views if isinstance(text := view.keyword_value("description"), str)), None)
    return Field(
        path,
        format_types(mask),
        is_required,
        mask != ALL_TYPES and bool(mask & NULL),
        description,
        any(node.entries.get("deprecated") is True for view in views for node in view.schemas),
    )
