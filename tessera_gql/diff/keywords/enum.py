"""`enum` and `const`: the only allowed values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import BACKWARD, FORWARD, Difference, digest_sides
from tessera_gql.diff.keywords.record import Keyword, RawSchema
from tessera_gql.diff.messages import describe_values, format_values
from tessera_gql.diff.values.json import Json, canonical_json
from tessera_gql.diff.values.json_types import changes_nullability

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View

K = ChangeKind


def _read_enum(node: Schema) -> None:
    listed = cast("list[Json]", node.keywords["enum"])
    values = {canonical_json(value): value for value in listed}
    node.enum = values if node.enum is None else {key: value for key, value in values.items() if key in node.enum}


def _read_const(node: Schema) -> None:
    value = cast("Json", node.keywords["const"])
    text = canonical_json(value)
    node.enum = {text: value} if node.enum is None or text in node.enum else {}


def compare_enums(old: View, new: View) -> Iterator[Difference]:
    before, after = old.enum, new.enum
    if before is None and after is not None:
        message = f"values were limited to {format_values(after.values())}"
        digest = digest_sides(None, [*sorted(after)])
        yield Difference(K.ENUM_VALUES_REMOVED, new.pointer_to("enum"), message, digest=digest, directions=BACKWARD)
    elif after is None and before is not None:
        message = f"values are not limited any more (were {format_values(before.values())})"
        digest = digest_sides([*sorted(before)], None)
        yield Difference(K.ENUM_VALUES_ADDED, old.pointer_to("enum"), message, digest=digest, directions=FORWARD)
    elif before is not None and after is not None:
        hidden = {"null"} if changes_nullability(old.types, new.types) else set[str]()
        removed = [value for key, value in before.items() if key not in after and key not in hidden]
        added = [value for key, value in after.items() if key not in before and key not in hidden]
        pointer = new.pointer_to("enum" if any("enum" in node.keywords for node in new.schemas) else "const")
        if removed:
            message = describe_values(removed, "removed")
            yield Difference(K.ENUM_VALUES_REMOVED, pointer, message, removed, directions=BACKWARD)
        if added:
            message = describe_values(added, "added")
            yield Difference(K.ENUM_VALUES_ADDED, pointer, message, after=added, directions=FORWARD)


def _write_enum(view: View, _: str | None) -> RawSchema | None:
    return None if view.enum is None else {"enum": [*view.enum.values()]}


ENUM = Keyword(
    {"enum": {4: "some values", 6: "values"}},
    "The only values that are allowed. Values are equal if their JSON is: 1 and 1.0 are, 1 and true are not.",
    has_subschemas=False,
    triggers=("const",),
    read=_read_enum,
    compare=compare_enums,
    write=_write_enum,
)
CONST = Keyword(
    {"const": {6: "anything"}},
    "The only value that is allowed; the same as `enum` with one value.",
    has_subschemas=False,
    read=_read_const,
    write=_write_enum,
)
