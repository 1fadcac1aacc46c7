"""Keywords whose value maps names or patterns to restrictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.compare.differences import Difference
from tessera_gql.diff.compare.messages import format_value
from tessera_gql.diff.keywords.differences import constraint_difference
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.read.json import escape_token
from tessera_gql.diff.read.json_types import OBJECT

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View


def _compare_entries(old: View, new: View, keyword: str, noun: str) -> Iterator[Difference]:
    """Yield added and removed entries."""
    before, after = (_entry_pointers(view, keyword) for view in (old, new))
    for pointers, peers, is_new in ((after, before, True), (before, after, False)):
        for name in sorted(pointers.keys() - peers.keys()):
            message = f"{noun} {format_value(name)} was {'added' if is_new else 'removed'}"
            values = (None, name) if is_new else (name, None)
            yield constraint_difference(pointers[name], values, message, is_tighter=is_new)


def _entry_pointers(view: View, keyword: str) -> dict[str, str]:
    pointers: dict[str, str] = {}
    for node in view.schemas:
        entries = node.keywords.get(keyword)
        if isinstance(entries, dict):
            pointers |= {str(name): f"{node.pointer}/{keyword}/{escape_token(str(name))}" for name in entries}
    return pointers


def _named_rules(keyword: str, noun: str, description: str) -> Keyword:
    return Keyword(
        (keyword,),
        description,
        constrained_types=OBJECT,
        compare=lambda old, new: _compare_entries(old, new, keyword, noun),
    )


NAMED_RULES = (
    _named_rules(
        "patternProperties", "rule for fields that match", "The schemas of properties, by a pattern of names."
    ),
    _named_rules("dependentRequired", "dependency on", "The properties that must be present if another one is."),
    _named_rules("dependentSchemas", "dependency on", "The schema of an object in which a property is present."),
    _named_rules("dependencies", "dependency on", "The same as the two above, in drafts before 2019-09."),
)
