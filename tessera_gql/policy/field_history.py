"""Field history: the changes of fields that a contract brings, and those that led to a field of today."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol
from uuid import UUID

from tessera_gql.diff import Change, ChangeKind
from tessera_gql.policy.affected_teams import split_path
from tessera_gql.policy.enums import FieldChangeKind
from tessera_gql.policy.validation import uniqueness_key

MAX_MESSAGE = 500
MAX_PATH_BYTES = 1_000
"""Longer paths and names have no history and no filter: an index entry of PostgreSQL holds 2,700 bytes."""
MAX_RENAMES = 20
"""Renames of one field that its history follows."""
FIRST_CONTRACT = "The first contract of the asset declares its fields."
KINDS: Mapping[ChangeKind, FieldChangeKind] = {
    ChangeKind.PROPERTY_ADDED: FieldChangeKind.ADDED,
    ChangeKind.PROPERTY_REMOVED: FieldChangeKind.REMOVED,
    ChangeKind.PROPERTY_RENAMED: FieldChangeKind.RENAMED,
}
SUBSCHEMA_KEYWORDS = frozenset({"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "then", "else"})


@dataclass(frozen=True)
class FieldChangeDraft:
    """A change of a field to store; the path is empty if the first contract added all fields."""

    kind: FieldChangeKind
    path: str
    message: str
    previous_path: str | None = None
    change_kind: str | None = None
    fingerprint: str | None = None


FIRST = FieldChangeDraft(FieldChangeKind.ADDED, "", FIRST_CONTRACT)


def draft_field_changes(changes: Iterable[Change], *, is_first: bool) -> Iterator[FieldChangeDraft]:
    """Draft a row for each change and each declared field that it belongs to; changes of the whole schema are none."""
    if is_first:
        yield FIRST
        return
    for change in changes:
        for path, previous_path in _changed_paths(change):
            if path and len(path.encode()) <= MAX_PATH_BYTES:
                kind = KINDS.get(change.kind, FieldChangeKind.CHANGED)
                message, fingerprint = change.message[:MAX_MESSAGE], change.fingerprint
                yield FieldChangeDraft(kind, path, message, previous_path, change.kind.value, fingerprint)


def _changed_paths(change: Change) -> Iterator[tuple[str, str | None]]:
    """List the paths that a change belongs to; of a rename the new ones, each with the former one."""
    if change.kind is not ChangeKind.PROPERTY_RENAMED:
        yield from ((path, None) for path in dict.fromkeys(change.fields))
        return
    former_name, name = str(change.before), str(change.after)
    for path in dict.fromkeys(change.fields):
        former = path.removesuffix(name) + former_name
        if path.endswith(name) and former in change.fields:
            yield path, former


def enclosing_paths(path: str) -> list[str]:
    """List the path and those of the values around it, the root first: ``, `items`, `items[]`, `items[].sku`."""
    paths = [""]
    for step in split_path(path):
        paths.append(paths[-1] + step if step == "[]" or not paths[-1] else f"{paths[-1]}.{step}")
    return paths


class FieldChangeRow(Protocol):
    """A stored change of a field."""

    @property
    def id(self) -> UUID: ...
    @property
    def kind(self) -> FieldChangeKind: ...
    @property
    def path(self) -> str: ...
    @property
    def previous_path(self) -> str | None: ...
    @property
    def changed_at(self) -> datetime: ...


@dataclass(frozen=True)
class FieldHistory:
    """The changes that led to a field of today, the latest first, and the one that added it."""

    changes: Sequence[FieldChangeRow]
    added: FieldChangeRow | None

    @property
    def last_change(self) -> FieldChangeRow | None:
        return self.changes[0] if self.changes else None


def list_former_paths(paths: Iterable[str], renames: Sequence[FieldChangeRow]) -> set[str]:
    """List the paths that fields may have had before, by any of the renames in turn."""
    former: set[str] = set()
    waiting = [*paths]
    while waiting and len(former) < MAX_RENAMES * 100:
        path = waiting.pop()
        for row in renames:
            earlier = _rename_back(path, row)
            if earlier is not None and earlier not in former:
                former.add(earlier)
                waiting.append(earlier)
    return former


def _rename_back(path: str, row: FieldChangeRow) -> str | None:
    """Return the path that the field had before a rename of it or of a value around it; None if it is another's."""
    if row.previous_path is None or row.path not in enclosing_paths(path):
        return None
    return row.previous_path + path[len(row.path) :]


class FieldHistoryIndex:
    """The stored changes of the fields of one asset, by path."""

    def __init__(self, rows: Iterable[FieldChangeRow]) -> None:
        self._rows: dict[str, list[FieldChangeRow]] = {}
        for row in sorted(rows, key=_position, reverse=True):
            self._rows.setdefault(row.path, []).append(row)

    def trace(self, path: str) -> FieldHistory:
        """Follow a field back through its changes and renames. What happened to other fields of the name is left out.

        A field that came back was added by the latest contract that brought it; its earlier life is listed too.
        """
        changes: list[FieldChangeRow] = []
        added: FieldChangeRow | None = None
        before: tuple[datetime, UUID] | None = None
        renames = 0
        while (row := self._find_latest(path, before)) is not None:
            if changes and changes[-1].kind is FieldChangeKind.ADDED and row.kind is not FieldChangeKind.REMOVED:
                break  # the field was not there before
            changes.append(row)
            before = _position(row)
            if added is None and row.kind is FieldChangeKind.ADDED:
                added = row
            elif added is None and row.kind is FieldChangeKind.RENAMED and renames < MAX_RENAMES:
                path, renames = _rename_back(path, row) or path, renames + 1
        return FieldHistory(changes, added)

    def _find_latest(self, path: str, before: tuple[datetime, UUID] | None) -> FieldChangeRow | None:
        candidates = [
            row
            for enclosing in enclosing_paths(path)
            for row in self._rows.get(enclosing, ())
            if (before is None or _position(row) < before)
            and (enclosing == path or row.kind is not FieldChangeKind.CHANGED)
        ]
        return max(candidates, key=_position, default=None)


def _position(row: FieldChangeRow) -> tuple[datetime, UUID]:
    return row.changed_at, row.id


def list_column_keys(names: Iterable[str]) -> frozenset[str]:
    """Return the keys by which assets are found by their columns."""
    return frozenset(key for name in names if (key := _column_key(name)))


@lru_cache(maxsize=10_000)
def _column_key(name: str) -> str:
    """Return the key of a column; an empty one if it is too long for an index. The same names come in many tables."""
    key = uniqueness_key(name)
    return key if len(key.encode()) <= MAX_PATH_BYTES and "\0" not in key else ""


def read_plain_columns(schema: object) -> frozenset[str] | None:
    """Return the names at the top of a schema; None if it takes more than a look at its properties."""
    if not isinstance(schema, dict) or SUBSCHEMA_KEYWORDS & schema.keys():
        return None
    properties: object = schema.get("properties", {})
    return frozenset(map(str, properties)) if isinstance(properties, dict) else frozenset()
