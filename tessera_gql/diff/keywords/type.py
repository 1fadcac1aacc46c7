"""The type of a value, and whether it may be null."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import BACKWARD, BOTH, FORWARD, Difference
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import describe_types
from tessera_gql.diff.values.json import Json
from tessera_gql.diff.values.json_types import (
    ALL_TYPES,
    INTEGER,
    NULL,
    NUMBER,
    TYPE_MASKS,
    changes_nullability,
    type_names,
)

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View

K = ChangeKind


def _read_type(node: Schema) -> None:
    value = node.keywords["type"]
    listed = cast("list[str]", value) if isinstance(value, list) else [cast("str", value)]
    node.types = 0
    for name in listed:
        node.types |= TYPE_MASKS[name]
    if node.document.dialect.forbids_decimal_points and node.types & NUMBER == INTEGER:
        node.forbids_decimal_point = True


def compare_types(old: View, new: View) -> Iterator[Difference]:
    before, after = old.types, new.types
    if changes_nullability(before, after):
        has = bool(after & NULL)
        kind, view, directions = (K.NULLABLE_ADDED, new, FORWARD) if has else (K.NULLABLE_REMOVED, old, BACKWARD)
        message = "null is allowed now (was never null)" if has else "null is not allowed any more"
        yield Difference(kind, view.pointer_to("type"), message, not has, has, directions=directions)
        before, after = before & ~NULL, after & ~NULL
    if before != after and not (_lists_values(old) and _lists_values(new)):
        yield _type_difference(before, after, new)


def _lists_values(view: View) -> bool:
    """Return whether the types are those of the listed values, whose differences are reported as values."""
    keywords = {keyword for node in view.schemas for keyword in node.keywords}
    return view.enum is not None and keywords.isdisjoint(("type", "anyOf", "oneOf"))


def _type_difference(before: int, after: int, new: View) -> Difference:
    kind, directions = K.TYPE_CHANGED, BOTH
    if before & after == before:
        kind, directions = K.TYPE_WIDENED, FORWARD
    elif before & after == after:
        kind, directions = K.TYPE_NARROWED, BACKWARD
    type_lists: list[Json] = [list[Json](type_names(mask)) if mask != ALL_TYPES else None for mask in (before, after)]
    pointer, message = new.pointer_to("type"), describe_types(kind, before, after)
    return Difference(kind, pointer, message, type_lists[0], type_lists[1], directions=directions)


TYPE = Keyword(
    {"type": {4: "types"}},
    "The types that a value may have. An integer is also a number.",
    constrained_types=0,
    has_subschemas=False,
    triggers=("enum", "const", "anyOf", "oneOf", "nullable", ""),
    read=_read_type,
    compare=compare_types,
    write=lambda view, _: {"type": [*type_names(view.types)]} if view.types else {"not": {}},
)
