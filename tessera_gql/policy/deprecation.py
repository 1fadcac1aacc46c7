"""Deprecations: what may be announced, who is concerned, when readers are reminded, and the words for them.

A deprecation is of one field, with all that lies below it, or of the whole asset, whose path is empty.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

import orjson

from tessera_gql.diff import Change, ChangeKind, list_fields
from tessera_gql.errors import Invalid
from tessera_gql.policy import validation
from tessera_gql.policy.affected_teams import FieldReader, FieldReaderIndex, PathIndex, split_path

WHOLE = ""
"""The path of a deprecation of a whole asset."""
REMINDER_DAYS = (30, 7, 1)
"""Days before the sunset at which readers are reminded."""
MAX_NOTICE = timedelta(days=5 * 366)
MAX_FIELDS = 500
"""Fields that one call deprecates: each has an event of its own."""
MAX_WARNINGS = 20
YEARS = range(2000, 2200)
"""Years in which the sunset of a document may lie."""


@dataclass(frozen=True)
class DeprecationTerms:
    """What is announced: the moment of the end if there is one, what to use instead, and why."""

    sunset_at: datetime | None = None
    replacement: str | None = None
    reason: str | None = None

    def as_columns(self) -> dict[str, Any]:
        return {"sunset_at": self.sunset_at, "replacement": self.replacement, "reason": self.reason}


class LiveDeprecation(Protocol):
    """The columns of a deprecation that has not ended."""

    @property
    def path(self) -> str: ...
    @property
    def sunset_at(self) -> datetime | None: ...
    @property
    def replacement(self) -> str | None: ...
    @property
    def declared_at(self) -> datetime: ...


D = TypeVar("D", bound=LiveDeprecation)


def clean_terms(terms: DeprecationTerms, now: datetime) -> DeprecationTerms:
    """Validate what a team announces: the sunset lies in the future, five years ahead at most."""
    sunset_at = terms.sunset_at
    if sunset_at is not None and sunset_at <= now:
        raise Invalid(
            f"The sunset {validation.format_moment(sunset_at)} has passed, and readers need time to move."
            " Give a later date.",
            field=("sunsetAt",),
        )
    if sunset_at is not None and sunset_at > now + MAX_NOTICE:
        raise Invalid(
            f"The sunset {sunset_at:%Y-%m-%d} is more than five years away, too far to plan by. Give an earlier date.",
            field=("sunsetAt",),
        )
    replacement = validation.clean_text(terms.replacement, "replacement")
    return DeprecationTerms(sunset_at, replacement, validation.clean_text(terms.reason, "reason"))


def require_other_replacement(replacement: str | None, fqn: str, paths: Iterable[str]) -> None:
    """Raise Invalid for a replacement that is itself deprecated by the same call."""
    if replacement is None:
        return
    key = validation.uniqueness_key(replacement)
    for path in paths:
        names = {name_of(fqn, path)} if path == WHOLE else {path, name_of(fqn, path)}
        if key in map(validation.uniqueness_key, names):
            raise Invalid(
                f"{replacement} can't replace itself. Name another field or asset, or leave `replacement` out.",
                field=("replacement",),
            )


def list_replacement_fqns(replacement: str | None) -> list[str]:
    """List the fqns that a replacement may name, alone or with a field behind it, the longest first; a text has none.

    The last one is empty: the replacement may be a field of the deprecated asset. One with a space is a text.
    """
    text = (replacement or "").strip()
    if not text or any(char.isspace() for char in text):
        return []
    names = text.split(".")
    return [".".join(names[:count]) for count in range(len(names), 1, -1)] + [""]


def describe_unknown_replacement(replacement: str, fqn: str, nearest: Sequence[str], *, is_asset_known: bool) -> str:
    """Describe that a replacement is no field of the asset with this fqn and, unless that is known, no asset either."""
    unknown = f"is no field of {fqn}" if is_asset_known else f"is neither a field of {fqn} nor an asset"
    hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
    return f"The replacement {replacement} {unknown}.{hint} Readers see it as it is; deprecate again to correct it."


def name_of(fqn: str, path: str) -> str:
    """Return the name of a field, or of the whole asset."""
    return fqn if path == WHOLE else f"{fqn}.{path}"


def list_passed_reminders(sunset_at: datetime | None, now: datetime) -> list[int]:
    """Return the days before the sunset whose reminder is no longer ahead."""
    if sunset_at is None:
        return []
    return [days for days in REMINDER_DAYS if sunset_at - timedelta(days=days) <= now]


def find_due_reminder(sunset_at: datetime | None, reminded: Collection[int], now: datetime) -> int | None:
    """Return the days before the sunset of the reminder that is due; of several missed ones only the last."""
    if sunset_at is None or now >= sunset_at:
        return None
    nearest = min(list_passed_reminders(sunset_at, now), default=None)
    return nearest if nearest is not None and nearest not in reminded else None


def covers(deprecated_path: str, path: str) -> bool:
    """Return whether a path is the deprecated one or lies below it."""
    steps = split_path(deprecated_path)
    return split_path(path)[: len(steps)] == steps


def find_read(deprecations: Sequence[D], fields: Sequence[str] | None) -> list[D]:
    """Find the deprecations that concern a reader of these fields (None: of everything), in their order."""
    if fields is None:
        return [*deprecations]
    index: PathIndex[str] = PathIndex()
    for field in fields:
        index.add(field, field)
    return [item for item in deprecations if next(index.find_overlapping(item.path), None) is not None]


def find_readers(path: str, readers: Sequence[FieldReader], owner: UUID) -> frozenset[UUID]:
    """Find the teams that read the path, but for the owner."""
    return frozenset(FieldReaderIndex(readers).teams(path)) - {owner}


def find_of_field(deprecations: Sequence[D], path: str) -> D | None:
    """Find the deprecation that a field falls under; the one of the longest path counts."""
    covering = [item for item in deprecations if covers(item.path, path)]
    return max(covering, key=lambda item: len(item.path), default=None)


def is_after_sunset(deprecations: Iterable[LiveDeprecation], paths: Collection[str], now: datetime) -> bool:
    """Return whether all paths belong to what was announced to be gone by now.

    A sunset that lay in the past when it was announced gave no notice and does not count.
    """
    past_paths = [
        item.path
        for item in deprecations
        if item.sunset_at is not None and item.declared_at < item.sunset_at and item.sunset_at <= now
    ]
    return bool(paths) and all(any(covers(deprecated, path) for deprecated in past_paths) for path in paths)


def find_removed(deprecations: Sequence[D], changes: Iterable[Change]) -> list[D]:
    """Find the deprecations of fields that changes remove."""
    removed = [change.path for change in changes if change.kind is ChangeKind.PROPERTY_REMOVED and change.path]
    return [item for item in deprecations if item.path and any(covers(path, item.path) for path in removed)]


def describe(fqn: str, deprecation: LiveDeprecation, now: datetime) -> str:
    """Describe for a reader what goes, when, and what to use instead."""
    name, sunset_at = name_of(fqn, deprecation.path), deprecation.sunset_at
    if sunset_at is None:
        end = "which is deprecated"
    else:
        verb = "goes" if sunset_at > now else "was to go"
        end = f"which {verb} on {sunset_at.day} {sunset_at.astimezone(UTC):%B %Y}"
    return f"{name}, {end}" + (f"; use {deprecation.replacement}" if deprecation.replacement else "")


def has_deprecations(schema: object) -> bool:
    """Return whether a JSON Schema marks anything as deprecated; fast, because it runs for every publish."""
    try:
        text = orjson.dumps(schema)
    except TypeError:  # an integer of more than 64 bits
        text = json.dumps(schema, separators=(",", ":")).encode()
    return b'"deprecated":true' in text


def read_schema(schema: Any) -> dict[str, DeprecationTerms]:
    """Read the deprecations of a JSON Schema by path: `deprecated`, with `x-sunset` and `x-replacement` if given."""
    terms: dict[str, DeprecationTerms] = {}
    if isinstance(schema, dict) and schema.get("deprecated") is True:
        terms[WHOLE] = read_terms(schema.get("x-sunset"), schema.get("x-replacement"))
    for field in list_fields(schema):
        if field.deprecated:
            terms[field.path] = read_terms(field.sunset, field.replacement)
    return terms


def read_terms(sunset: object, replacement: object) -> DeprecationTerms:
    """Read the terms that a document states; what can't be read is left out."""
    text = replacement.strip()[: validation.MAX_NAME] if isinstance(replacement, str) else ""
    return DeprecationTerms(parse_sunset(sunset), text or None)


def parse_sunset(value: object) -> datetime | None:
    """Parse a date, or a moment with or without its offset, as a moment in UTC; None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment.astimezone(UTC) if moment.year in YEARS else None


@dataclass(frozen=True)
class ImportedChanges:
    """How the deprecations of one document change: terms by path to insert and to update, and rows that end."""

    added: Mapping[str, DeprecationTerms]
    updated: Sequence[tuple[Any, DeprecationTerms]]
    ended: Sequence[Any]


def _is_stated(row: LiveDeprecation, terms: DeprecationTerms) -> bool:
    return (row.sunset_at, row.replacement) == (terms.sunset_at, terms.replacement)


def compare_imported(terms: Mapping[str, DeprecationTerms], live: Iterable[Any], origin: object) -> ImportedChanges:
    """Compare what a document states with the live deprecations; those of another origin stay as they are."""
    rows = {row.path: row for row in live}
    added = {path: item for path, item in terms.items() if path not in rows}
    own = [row for row in rows.values() if row.origin is origin]
    stated = [(row, terms[row.path]) for row in own if row.path in terms]
    updated = [(row, item) for row, item in stated if not _is_stated(row, item)]
    return ImportedChanges(added, updated, [row for row in own if row.path not in terms])
