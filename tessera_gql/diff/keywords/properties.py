"""Properties by their name, by a pattern of names, and those that depend on another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.differences import Difference
from tessera_gql.diff.keywords.difference_builders import constraint_difference
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import format_value
from tessera_gql.diff.values.json import escape_token
from tessera_gql.diff.values.json_types import OBJECT

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View

DEPENDENCY_KEYWORDS = ("dependentRequired", "dependentSchemas", "dependencies")


def _compare_entries(old: View, new: View, keyword: str, noun: str) -> Iterator[Difference]:
    """Yield added and removed entries of a keyword that maps names to restrictions."""
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


def _compare_dependencies(old: View, new: View) -> Iterator[Difference]:
    for keyword in DEPENDENCY_KEYWORDS:
        yield from _compare_entries(old, new, keyword, "dependency on")


PROPERTIES = Keyword(
    ("properties",), "The schemas of properties by name. These are the declared fields.", constrained_types=OBJECT
)
PATTERN_PROPERTIES = Keyword(
    ("patternProperties",),
    "The schemas of properties, by a pattern of their names.",
    constrained_types=OBJECT,
    compare=lambda old, new: _compare_entries(old, new, "patternProperties", "rule for fields that match"),
)
DEPENDENCIES = Keyword(
    DEPENDENCY_KEYWORDS,
    "The properties that must be present, or the schema that must hold, if a property is present.",
    constrained_types=OBJECT,
    compare=_compare_dependencies,
)
