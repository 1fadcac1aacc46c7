"""The values before and after an update, as an event records them: of public names, of limited size."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

MAX_TEXT = 500
"""Characters of a value that an event holds."""
PUBLIC_NAMES: Mapping[str, str] = {
    "meta": "metadata",
    "owner_team_id": "owner",
    "delegate_team_id": "delegate",
    "escalation_team_id": "escalation_team",
    "superseded_by_id": "superseded_by",
}
INTERNAL_COLUMNS = frozenset({"name_key", "fqn_key", "row_version", "updated_at"})
SECRET_COLUMNS = frozenset({"secrets", "token"})

ValueChanges: TypeAlias = dict[str, dict[str, Any]]


def list_changed(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the public names of the columns that an update writes, sorted."""
    return tuple(sorted(PUBLIC_NAMES.get(name, name) for name in values if name not in INTERNAL_COLUMNS))


def describe_changes(row: object, values: Mapping[str, Any]) -> ValueChanges:
    """Describe an update of a row as `{name: {before, after}}`, without secrets."""
    return {
        PUBLIC_NAMES.get(name, name): {"before": shorten(getattr(row, name)), "after": shorten(value)}
        for name, value in sorted(values.items())
        if name not in INTERNAL_COLUMNS | SECRET_COLUMNS
    }


def shorten(value: Any) -> Any:
    """Cut a long text, or the JSON of a large value, and mark it with its length; other values stay."""
    match value:
        case str():
            text = value
        case dict() | list() | tuple():
            text = orjson.dumps(value).decode()
        case _:
            return value
    return value if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"
