"""Decide what publishing a schema means, before anything is written. Used by publish, impact and sync."""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson

from tessera_gql.diff import (
    Bump,
    Change,
    ChangeKind,
    Mode,
    SchemaDiff,
    SchemaError,
    canonical_json,
    check,
    compare,
    is_table,
    small_schema_size,
)
from tessera_gql.errors import Invalid
from tessera_gql.policy import version
from tessera_gql.policy.access import Actor
from tessera_gql.policy.enums import ChangeType, Intent, Outcome
from tessera_gql.policy.guarantees import compare_guarantees
from tessera_gql.policy.known_columns import align, has_observations
from tessera_gql.policy.modes import compare_modes

# A number that orjson and `canonical_json` may write differently. A match inside a string only costs time.
_FRACTION = re.compile(rb"(?:^|[:,\[])-?\d+[.e]")
# Matches every text that `_FRACTION` matches, in a third of the time.
_MAYBE_FRACTION = re.compile(rb"\d[.e]")


KnownColumns = dict[str, dict[str, str | None]]
"""The types of a dbt model's columns: by column, as `declared` in the manifest and as `observed` in the catalog."""


@dataclass(frozen=True)
class Terms:
    """Schema, guarantees and compatibility mode of a contract; the mode decides which next changes break.

    `known_columns` are null for a contract that doesn't come from dbt.
    """

    schema: Any
    guarantees: dict[str, Any] | None
    mode: Mode
    known_hash: str | None = None
    """The hash of the schema if it is computed already."""
    known_columns: KnownColumns | None = None

    @cached_property
    def schema_hash(self) -> str:
        return self.known_hash or _hash(self.schema)

    @cached_property
    def content_fingerprint(self) -> str:
        return _hash({"schema": self.schema_hash, "guarantees": self.guarantees, "mode": self.mode.value})

    @cached_property
    def fingerprint(self) -> str:
        if not has_observations(self.known_columns):  # declared columns alone say nothing beyond the schema
            return self.content_fingerprint
        return _hash({"content": self.content_fingerprint, "known_columns": self.known_columns})

    def has_same_terms(self, proposed: "Terms") -> bool:
        """Return whether proposed terms would change nothing; without known columns they leave the known ones alone."""
        if proposed.known_columns is None:
            return self.content_fingerprint == proposed.content_fingerprint
        return self.fingerprint == proposed.fingerprint


@dataclass(frozen=True)
class Judgement:
    """The changes from the current to the proposed terms, and which of them break under the current mode.

    `is_waived` marks a move to CONSUMER by an administrator, about which no reader is asked.
    """

    changes: tuple[Change, ...] = ()
    breaking: tuple[Change, ...] = ()
    bump: Bump = Bump.PATCH
    is_unchanged: bool = False
    is_first: bool = False
    is_waived: bool = False
    mode: Mode = field(default=Mode.BACKWARD)

    @property
    def change_type(self) -> ChangeType:
        if self.is_first:
            return ChangeType.INITIAL
        return ChangeType.PATCH if self.bump is Bump.NONE else ChangeType(self.bump.value)


def validate_schema(schema: Any) -> str:
    """Validate a schema and return its hash. Raises SchemaError for a document that can't be a contract."""
    check(schema)
    try:
        return _hash(schema)
    except UnicodeEncodeError:
        raise SchemaError("a text has a lone surrogate, which UTF-8 can't store; correct it.") from None


MAX_CHEAP_EVIDENCE = 150
"""Product of changes and values up to which evidence for all changes of any schemas takes a few milliseconds."""
MAX_CHANGED_COLUMNS = 8
"""Changes of tables whose evidence takes up to 10 ms: 0.3 ms for an added column, 1.2 ms for another type."""


def count_values(*terms: Terms) -> int | None:
    """Count the values to compare; None if comparing could take more than a few milliseconds."""
    values = 1
    for item in terms:
        for part in (item.schema, {"default": item.guarantees}):
            if (size := small_schema_size(part)) is None:
                return None
            values += size
    return values


def is_evidence_cheap(judgement: Judgement, values: int, *terms: Terms) -> bool:
    """Return whether evidence for all changes of the terms, which have so many values, takes a few milliseconds."""
    changes = sum(bool(change.breaks) for change in judgement.changes)
    if changes <= MAX_CHANGED_COLUMNS and all(is_table(item.schema) for item in terms):
        return True
    return values * changes <= MAX_CHEAP_EVIDENCE


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def canonical_bytes(value: Any) -> bytes:
    """Serialize like `canonical_json`, three times as fast without fractions and numbers beyond 64 bits."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return canonical_json(value).encode()
    return canonical_json(value).encode() if _MAYBE_FRACTION.search(text) and _FRACTION.search(text) else text


def judge(current: Terms | None, proposed: Terms) -> Judgement:
    """Judge proposed terms under the *current* mode: a producer can't loosen the mode in the same publish.

    Terms with known columns are compared as `policy.known_columns` aligns them.
    """
    if current is None:
        return Judgement(is_first=True, mode=proposed.mode)
    if current.has_same_terms(proposed):
        return Judgement(is_unchanged=True, bump=Bump.NONE, mode=current.mode)
    aligned, rebaselined = align(current, proposed)
    changes = (
        *compare(aligned.schema, proposed.schema).changes,
        *compare_guarantees(aligned.guarantees, proposed.guarantees),
        *compare_modes(current.mode, proposed.mode),
        *rebaselined,
    )
    return judge_changes(changes, current.mode)


def judge_changes(changes: tuple[Change, ...], mode: Mode) -> Judgement:
    """Decide which changes break under a mode, and the bump."""
    diff = SchemaDiff(changes)
    return Judgement(changes=changes, breaking=diff.breaking_changes(mode), bump=diff.bump(mode), mode=mode)


def waive_move_to_consumer(judgement: Judgement, actor: Actor) -> Judgement:
    """Let an administrator move an asset to CONSUMER without asking its readers, unless anything else breaks."""
    match judgement.breaking:
        case (Change(kind=ChangeKind.MODE_WEAKENED, after=Mode.CONSUMER) as move,) if actor.is_admin:
            remaining = tuple(change for change in judgement.changes if change is not move)
            bump = SchemaDiff(remaining).bump(judgement.mode)
            return replace(judgement, breaking=(), bump=bump, is_waived=True)
        case _:
            return judgement


def next_version(given_version: str | None, current: str | None, judgement: Judgement) -> str:
    """Choose the version of a change; raises Invalid when the given version is too low for it.

    The first contract after a retired one takes the next major: no team agreed that it continues the old one.
    """
    if judgement.is_first:
        return version.choose_version(given_version, current, Bump.MAJOR)
    return version.choose_version(given_version, current, Bump.PATCH if judgement.bump is Bump.NONE else judgement.bump)


def follow_version(proposed_version: str, current: str, judgement: Judgement) -> str:
    """Return the proposed version, or the next one if a contract published meanwhile has taken it."""
    try:
        return next_version(proposed_version, current, judgement)
    except Invalid:
        return next_version(None, current, judgement)


def allow_higher_version(judgement: Judgement, given_version: str | None, current: str | None) -> Judgement:
    """Turn unchanged terms under a higher version into a patch, so that a pre-release can become a release."""
    if not judgement.is_unchanged or given_version is None or current is None:
        return judgement
    is_higher = version.parse_version(given_version) > version.parse_version(current)
    return replace(judgement, is_unchanged=False) if is_higher else judgement


def decide_outcome(judgement: Judgement, *, force: bool = False, intent: Intent = Intent.RELEASE) -> Outcome:
    """Decide the outcome of a publish from the judgement of its terms. An ask publishes nothing."""
    if judgement.is_unchanged:
        return Outcome.UNCHANGED
    if judgement.breaking:
        return Outcome.FORCED if force else Outcome.PROPOSED
    return Outcome.PUBLISHED if intent is Intent.RELEASE else Outcome.COMPATIBLE


def find_further_breaks(judgement: Judgement, proposed_fingerprints: Collection[str]) -> tuple[Change, ...]:
    """Return the breaking changes that a proposal doesn't have yet, because they came with a newer contract."""
    return tuple(change for change in judgement.breaking if change.fingerprint not in proposed_fingerprints)


def summarize_changes(changes: tuple[Change, ...], *, limit: int = 20) -> tuple[str, ...]:
    """The messages of the changes, for an event; a long list is cut and ends with the number left out."""
    messages = tuple(change.message for change in changes[:limit])
    remaining = len(changes) - limit
    return (*messages, f"and {remaining} more") if remaining > 0 else messages
