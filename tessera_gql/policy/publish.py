"""What a publish comes to, decided before anything is written. Shared by publishing, impact and syncing."""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from tessera_gql.diff import Bump, Change, Mode, SchemaDiff, canonical, check, compare, compare_guarantees, weight
from tessera_gql.policy import version
from tessera_gql.policy.words import ChangeType

# A number that the two write differently, perhaps: it may also stand in a string, which costs time and nothing else.
_FRACTION = re.compile(rb"(?:^|[:,\[])-?\d+[.e]")
_PERHAPS = re.compile(rb"\d[.e]")
"""What a text with a fraction has as well, and is found in a third of the time."""


@dataclass(frozen=True)
class Terms:
    """What a contract promises: its schema, its guarantees and the mode that judges the next change."""

    schema: Any
    guarantees: dict[str, Any] | None
    mode: Mode
    known_hash: str | None = None
    """The hash of the schema, where it has been computed before."""

    @cached_property
    def schema_hash(self) -> str:
        return self.known_hash or _hash(self.schema)

    @cached_property
    def fingerprint(self) -> str:
        return _hash({"schema": self.schema_hash, "guarantees": self.guarantees, "mode": self.mode.value})


@dataclass(frozen=True)
class Judgement:
    """The changes from the current terms to the offered ones, and what they mean under the current mode."""

    changes: tuple[Change, ...] = ()
    breaking: tuple[Change, ...] = ()
    bump: Bump = Bump.PATCH
    unchanged: bool = False
    first: bool = False
    mode: Mode = field(default=Mode.BACKWARD)

    @property
    def change_type(self) -> ChangeType:
        if self.first:
            return ChangeType.INITIAL
        return ChangeType.PATCH if self.bump is Bump.NONE else ChangeType(self.bump.value)


def examine(schema: Any) -> str:
    """Return the hash of a schema that can be a contract. Raises SchemaError for any other document."""
    check(schema)
    return _hash(schema)


MAX_WORK = 150
"""Changes times values up to which the evidence for all changes takes a few milliseconds."""


def work(*terms: Terms) -> int | None:
    """The number of values to compare, or None if comparing could take more than a few milliseconds."""
    values = 1
    for each in terms:
        for part in (each.schema, {"default": each.guarantees}):
            if (found := weight(part)) is None:
                return None
            values += found
    return values


def has_light_evidence(judgement: Judgement, values: int) -> bool:
    """Whether evidence for all changes takes a few milliseconds at most."""
    return values * sum(bool(change.breaks) for change in judgement.changes) <= MAX_WORK


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def canonical_bytes(value: Any) -> bytes:
    """As `canonical`, three times as fast for what has neither fractions nor numbers beyond 64 bits."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return canonical(value).encode()
    return canonical(value).encode() if _PERHAPS.search(text) and _FRACTION.search(text) else text


def judge(current: Terms | None, offered: Terms) -> Judgement:
    """The current contract's mode judges: a producer can't switch the check off in the same breath."""
    if current is None:
        return Judgement(first=True, mode=offered.mode)
    if current.fingerprint == offered.fingerprint:
        return Judgement(unchanged=True, bump=Bump.NONE, mode=current.mode)
    schema = compare(current.schema, offered.schema)
    diff = SchemaDiff(schema.changes + compare_guarantees(current.guarantees, offered.guarantees))
    return Judgement(
        changes=diff.changes,
        breaking=diff.breaking(current.mode),
        bump=diff.bump(current.mode),
        mode=current.mode,
    )


def next_version(given: str | None, current: str | None, judgement: Judgement) -> str:
    """Raises Invalid when the version given promises less than the change does."""
    return version.chosen(given, current, Bump.PATCH if judgement.bump is Bump.NONE else judgement.bump)


def summary(changes: tuple[Change, ...], *, limit: int = 20) -> tuple[str, ...]:
    """Sentences for an event; a long list is cut and says so."""
    told = tuple(change.message for change in changes[:limit])
    rest = len(changes) - limit
    return (*told, f"and {rest} more") if rest > 0 else told
