"""`required`: the properties that must be present."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import BACKWARD, FORWARD, Difference
from tessera_gql.diff.keywords.record import Keyword, RawSchema
from tessera_gql.diff.values.json_types import OBJECT

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View

K = ChangeKind


def _read_required(node: Schema) -> None:
    node.required = tuple(cast("list[str]", node.keywords["required"]))


def compare_required(old: View, new: View) -> Iterator[Difference]:
    """Yield names that become or cease to be required; added and removed properties report it themselves."""
    for kind, message, requiring, missing, directions in (
        (K.REQUIRED_ADDED, "is required now", new, old, BACKWARD),
        (K.REQUIRED_REMOVED, "is optional now", old, new, FORWARD),
    ):
        for name in requiring.required.keys() - missing.required.keys():
            if name not in requiring.properties or name in missing.properties:
                pointer = f"{requiring.required[name].pointer}/required"
                yield Difference(kind, pointer, message, name=name, directions=directions)


def _write_required(_: View, name: str | None) -> RawSchema | None:
    return None if name is None else {"type": "object", "required": [name]}


REQUIRED = Keyword(
    {"required": {4: "some names", 6: "names"}},
    "The properties that must be present.",
    constrained_types=OBJECT,
    read=_read_required,
    compare=compare_required,
    write=_write_required,
)
