"""Spell the column names in guarantees as the proposed guarantees or schema spell them."""

from collections.abc import Iterator, Mapping
from typing import Any

_COLUMN_SECTIONS = ("nullability", "accepted_values", "relationships")


def match_promises(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, str]:
    """Map the columns of promises to their spelling in the proposed ones, also of columns that are not declared."""
    proposed = {name.lower(): name for name in _list_promised_columns(after or {})}
    return {
        name: proposed[name.lower()]
        for name in _list_promised_columns(before or {})
        if proposed.get(name.lower(), name) != name
    }


def _list_promised_columns(guarantees: dict[str, Any]) -> Iterator[str]:
    for section in (*_COLUMN_SECTIONS, "uniqueness"):
        if isinstance(promises := guarantees.get(section), dict):
            for name in promises:
                yield from name.split(", ") if section == "uniqueness" else (name,)


def align_promises(guarantees: dict[str, Any] | None, spelling: Mapping[str, str | None]) -> dict[str, Any] | None:
    """Respell the columns of guarantees; a promise about a column with None instead of a spelling is left out."""
    if not guarantees or not spelling:
        return guarantees
    aligned = dict(guarantees)
    for section in _COLUMN_SECTIONS:
        if isinstance(promises := aligned.get(section), dict):
            names = {name: _respell_path(name, spelling) for name in promises}
            aligned[section] = {name: promises[old] for old, name in names.items() if name is not None}
    if isinstance(keys := aligned.get("uniqueness"), dict):
        aligned["uniqueness"] = {
            ", ".join(sorted(_respell_path(column, spelling) or column for column in columns.split(", "))): promise
            for columns, promise in keys.items()
            if any(_respell_path(column, spelling) is not None for column in columns.split(", "))
        }
    return {section: promises for section, promises in aligned.items() if promises or not guarantees[section]}


def _respell_path(name: str, spelling: Mapping[str, str | None]) -> str | None:
    """Respell a column, or the record that holds it."""
    if name in spelling:
        return spelling[name]
    record, _, field = name.rpartition(".")
    respelled = _respell_path(record, spelling) if record else ""
    return None if respelled is None else f"{respelled}.{field}" if record else name
