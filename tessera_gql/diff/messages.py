"""Messages of changes, as sentences about a column: its path, what was edited, and the values before and after.

What is said of one keyword alone is in its module in `keywords`.
"""

import json
import re
from collections.abc import Collection, Iterable
from itertools import islice

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import Difference, PropertyNameStep, Route
from tessera_gql.diff.values.json import Json, canonical_json
from tessera_gql.diff.values.json_types import format_types

MAX_VALUES = 5
MAX_LENGTH = 80
PRESENCE_MESSAGES = {ChangeKind.PROPERTY_REMOVED: "was removed", ChangeKind.PROPERTY_ADDED: "was added"}
"""Messages of declared properties that only one side has."""
REQUIRED_NOTES = {ChangeKind.PROPERTY_REMOVED: " (it was required)", ChangeKind.PROPERTY_ADDED: " (it is required)"}
"""Additions to these messages for a required property."""
PREDICATES = frozenset({"is", "was", "has", "must", "need", "could", "may", "accepts"})
"""Verbs at the beginning of a message that continues the path. Every other message follows a colon."""
TUPLE_POSITION = re.compile(r"/(?:prefixItems|items)/(\d+)(?:/[^/]+)?$")
"""The end of a pointer to the schema of one item, or to a keyword in it."""
EDIT_VERBS = {
    ChangeKind.CONSTRAINT_TIGHTENED: "tightened",
    ChangeKind.CONSTRAINT_RELAXED: "relaxed",
    ChangeKind.TYPE_NARROWED: "narrowed",
    ChangeKind.TYPE_WIDENED: "widened",
}


def format_sentence(path: str, route: Route, difference: Difference) -> str:
    """Format the message of a difference as a sentence whose subject is the path of the value."""
    subject = path or "The schema"
    if (position := TUPLE_POSITION.search(difference.pointer)) and path.endswith("[]"):
        subject = f"{path[:-2]}[{position[1]}]"
    if difference.kind is ChangeKind.PROPERTY_RENAMED:
        subject = path.removesuffix(str(difference.name)) + str(difference.before)
    if route and isinstance(route[-1], PropertyNameStep):
        subject += " (names of its fields)"
    is_predicate = difference.message.partition(" ")[0] in PREDICATES
    return f"{subject}{' ' if is_predicate else ': '}{difference.message}."


def describe_edit(noun: str, before: Json, after: Json, kind: ChangeKind | None = None) -> str:
    """Describe the edit of a keyword, None being absent: `maximum relaxed from 10 to 20`, `maximum was added: 20`."""
    texts = [None if value is None else format_value(value) for value in (before, after)]
    return describe_text_edit(noun, texts[0], texts[1], kind)


def describe_text_edit(noun: str, before: str | None, after: str | None, kind: ChangeKind | None = None) -> str:
    """Describe the edit of a keyword whose values are formatted already."""
    if before is None:
        return f"{noun} was added: {after}"
    if after is None:
        return f"{noun} was removed (was {before})"
    return f"{noun} {'changed' if kind is None else EDIT_VERBS.get(kind, 'changed')} from {before} to {after}"


def describe_types(kind: ChangeKind, before: int, after: int) -> str:
    """Describe the change of a type mask: `type widened from integer to number`."""
    if not before:
        return f"{format_types(after)} is allowed now (was nothing)"
    if not after:
        return f"no value is allowed any more (was {format_types(before)})"
    return describe_text_edit("type", format_types(before), format_types(after), kind)


def describe_changed_keyword(keyword: str) -> str:
    """Describe the change of a keyword without its values."""
    return f"{keyword} changed"


def describe_count(items: Collection[object], noun: str, verb: str) -> str:
    """Describe that items were added or removed: `1 alternative was added`, `2 alternatives were added`."""
    return f"1 {noun} was {verb}" if len(items) == 1 else f"{len(items)} {noun}s were {verb}"


def describe_values(values: Collection[Json], verb: str) -> str:
    """Describe that values were added or removed: `values were added: 'returned', 'lost'`."""
    return f"{'value was' if len(values) == 1 else 'values were'} {verb}: {format_values(values)}"


def format_values(values: Collection[Json]) -> str:
    """Format the first values of a list and count the remaining ones."""
    remaining = len(values) - MAX_VALUES
    listed = ", ".join(map(format_value, islice(values, MAX_VALUES)))
    return f"{listed} and {remaining} more" if remaining > 0 else listed


def format_value(value: Json) -> str:
    """Format a value on one line of limited length: text in quotes, everything else as JSON."""
    return f"'{_shorten(value)}'" if isinstance(value, str) else _shorten(canonical_json(value))


def _shorten(text: str) -> str:
    line = text[: MAX_LENGTH + 1]
    if not line.isprintable():
        line = "".join(_escape_invisible(line))
    return line if len(line) <= MAX_LENGTH else line[: MAX_LENGTH - 1] + "…"


def _escape_invisible(text: str) -> Iterable[str]:
    return (char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
