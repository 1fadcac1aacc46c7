"""`default`: the value that stands for an absent property."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import BACKWARD, FORWARD, Difference, Rule
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import format_value
from tessera_gql.diff.values.json import Json, is_equal

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View

K = ChangeKind


def compare_defaults(old: View, new: View) -> Iterator[Difference]:
    before, after = (_find_default(view) for view in (old, new))
    match before, after:
        case (None, None):
            return
        case (None, (pointer, value)):
            message = f"default was added: {format_value(value)}"
            yield Difference(K.DEFAULT_ADDED, pointer, message, None, value, always=FORWARD, rule=Rule.ALWAYS)
        case ((pointer, value), None):
            message = f"default was removed (was {format_value(value)})"
            yield Difference(K.DEFAULT_REMOVED, pointer, message, value, None, always=BACKWARD, rule=Rule.ALWAYS)
        case ((_, value), (pointer, new_value)) if not is_equal(value, new_value):
            message = f"default changed from {format_value(value)} to {format_value(new_value)}"
            yield Difference(K.DEFAULT_CHANGED, pointer, message, value, new_value, rule=Rule.ALWAYS)
        case _:
            return


def _find_default(view: View) -> tuple[str, Json] | None:
    pointers = (f"{node.pointer}/default" for node in view.schemas if "default" in node.entries)
    return next(((pointer, view.value_of("default")) for pointer in pointers), None)


DEFAULT = Keyword(
    {"default": {}},
    "The value that stands for an absent property. Who relies on it breaks when it is removed.",
    constrained_types=0,
    is_asserting=False,
    has_subschemas=False,
    compare=compare_defaults,
)
