"""The format of a text, which is an annotation: formats are not checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import Difference, Rule
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import describe_edit
from tessera_gql.diff.values.json import is_equal

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View


def compare_formats(old: View, new: View) -> Iterator[Difference]:
    before, after = old.value_of("format"), new.value_of("format")
    if not is_equal(before, after):
        pointer = (old if after is None else new).pointer_to("format")
        message = f"{describe_edit('format', before, after)}; formats are not checked"
        yield Difference(ChangeKind.FORMAT_CHANGED, pointer, message, before, after, rule=Rule.ALWAYS)


FORMAT = Keyword(
    {"format": {4: "text"}},
    "The format of a text, such as `date`. Formats are not checked, so a change breaks FULL alone.",
    constrained_types=0,
    is_asserting=False,
    has_subschemas=False,
    compare=compare_formats,
)
