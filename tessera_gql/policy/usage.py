"""Decisions about observed reads: whose they are, which spans a source covers, and when quiet proves a migration."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Invalid
from tessera_gql.policy.affected_teams import PathIndex
from tessera_gql.policy.validation import format_moment, uniqueness_key

T = TypeVar("T")

MAX_NAME = 200
MAX_PATTERN = 500
MAX_WILDCARDS = 10
MIN_QUIET = timedelta(days=14)
"""The least time without a read that proves anything."""
MIN_NOTICED_QUIET = timedelta(days=1)
"""The least time without a read after which a reader is called quiet."""
CLOCK_TOLERANCE = timedelta(hours=1)
"""How far the clock of a source may be ahead of ours."""


@dataclass(frozen=True, order=True)
class CoveredSpan:
    """A span of time that a source covers, with all reads in it; both ends belong to it."""

    start: datetime
    end: datetime

    def as_json(self) -> list[str]:
        return [self.start.isoformat(), self.end.isoformat()]

    @classmethod
    def from_json(cls, value: Sequence[str]) -> "CoveredSpan":
        start, end = map(datetime.fromisoformat, value)
        return cls(start, end)


def merge_spans(spans: Iterable[CoveredSpan]) -> list[CoveredSpan]:
    """Merge spans that overlap or touch; the result is in order."""
    merged: list[CoveredSpan] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].end:
            merged[-1] = CoveredSpan(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def find_first_kept_day(now: datetime, retention_days: int) -> date:
    """Return the day from which on days of reads are kept: the first one of a month."""
    return (now.astimezone(UTC).date() - timedelta(days=retention_days)).replace(day=1)


def choose_span(
    requested: tuple[datetime | None, datetime | None],
    read: tuple[datetime | None, datetime | None],
    now: datetime,
    kept_from: date | None = None,
) -> CoveredSpan | None:
    """Choose the span that a log covers: what the caller gives, or from the first read to the last.

    Before the day `kept_from` no read is stored, so that nothing is covered. None if neither says it, or nothing is
    left. Raises Invalid for a span that is empty or has not passed yet.
    """
    start, end = requested
    if end is not None and end > now + CLOCK_TOLERANCE:
        raise Invalid(
            f"`to` is {format_moment(end)}, which has not passed yet: no log covers it. Give the time until which it is"
            " complete.",
            field=("to",),
        )
    start, end = start or read[0], end or read[1]
    if start is None or end is None:
        return None
    end = min(end, now)
    if start > end:
        raise Invalid("`from` is later than `to`, or than the last read. Give an earlier time.", field=("from_",))
    if kept_from is not None:
        start = max(start, datetime.combine(kept_from, time(), UTC))
    return CoveredSpan(start, end) if start <= end else None


def clean_source_name(text: str) -> str:
    """Validate the name of a usage source, such as the warehouse whose log it is."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(name) <= MAX_NAME or any(unicodedata.category(char).startswith("C") for char in name):
        raise Invalid(
            f"The name of a usage source has 1 to {MAX_NAME} visible characters, for example snowflake-prod.",
            field=("name",),
        )
    return name


def clean_principal_pattern(text: str) -> str:
    """Validate a pattern of principals, in which `*` stands for any characters; the result ignores case."""
    pattern = re.sub(r"\*+", "*", uniqueness_key(text))
    if not 0 < len(pattern) <= MAX_PATTERN or not pattern.isprintable():
        raise Invalid(
            f"A pattern of principals has 1 to {MAX_PATTERN} visible characters, for example svc_finance_*.",
            field=("pattern",),
        )
    if pattern.count("*") > MAX_WILDCARDS:
        raise Invalid(f"A pattern has at most {MAX_WILDCARDS} `*`. Use several patterns.", field=("pattern",))
    return pattern


class PrincipalRules:
    """The rules by which principals belong to teams; the most specific pattern that matches decides.

    A pattern without `*` comes first, then the one with the most other characters.
    """

    def __init__(self, rules: Iterable[tuple[str, UUID]]) -> None:
        rules = [*rules]
        self._exact = {pattern: team for pattern, team in rules if "*" not in pattern}
        patterns = [(pattern, team) for pattern, team in rules if "*" in pattern]
        patterns.sort(key=lambda rule: (rule[0].count("*") - len(rule[0]), rule[0]))
        self._patterns = [(pattern.split("*"), team) for pattern, team in patterns]

    def find_team(self, principal: str) -> UUID | None:
        """Return the team of a principal; None if no rule matches."""
        name = uniqueness_key(principal)
        if name in self._exact:
            return self._exact[name]
        return next((team for parts, team in self._patterns if _matches(parts, name)), None)


def _matches(parts: Sequence[str], text: str) -> bool:
    """Return whether the text consists of the parts with anything in between, in linear time."""
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        position = text.find(part, position, end)
        if position < 0:
            return False
        position += len(part)
    return True


def resolve_field(path: str, declared: Mapping[str, str]) -> str:
    """Return a field as the contract spells it, whose columns are `declared` by their names without case."""
    if (name := declared.get(uniqueness_key(path))) is not None:
        return name
    step = re.split(r"[.\[]", path, maxsplit=1)[0]
    return declared.get(uniqueness_key(step), step) + path[len(step) :]


def are_fields_concerned(changes: Sequence[Change], fields: Iterable[str]) -> list[bool]:
    """Return for each field that is read whether a change concerns it; the empty field is everything."""
    index: PathIndex[None] = PathIndex()
    for change in changes:
        for path in change.fields or ("",):
            index.add(path, None)
    return [any(True for _ in index.find_overlapping(field)) for field in fields]


@dataclass(frozen=True)
class ReaderHistory(Generic[T]):
    """The observed reads of one principal that concern a change, and what its source covers."""

    source: T
    last_seen: datetime
    longest_pause: timedelta
    covered: Sequence[CoveredSpan]


@dataclass(frozen=True)
class QuietProof(Generic[T]):
    """The proof that readers have stopped: the sources that have seen them, and the span without a read."""

    sources: tuple[T, ...]
    span: CoveredSpan


def prove_quiet(histories: Sequence[ReaderHistory[T]], answered_at: datetime) -> QuietProof[T] | None:
    """Decide whether all readers of a team have stopped; None if that is not proven.

    Each reader needs a span that its source covers without a gap, from its last read on: of 14 days and twice its
    longest pause at least, and up to a time after the team's answer. A team that no source has seen proves nothing.
    """
    ends = [_find_quiet_end(history) for history in histories]
    if not ends or any(end is None or end < answered_at for end in ends):
        return None
    known_ends = [end for end in ends if end is not None]
    start = max(history.last_seen for history in histories)
    return QuietProof(
        tuple(dict.fromkeys(history.source for history in histories)), CoveredSpan(start, min(known_ends))
    )


@dataclass(frozen=True)
class QuietProgress:
    """How far observed reads prove that a team has stopped: its latest read, since when it is quiet, and the earliest
    time at which quiet can prove it. Each is None if there is none.
    """

    last_read_at: datetime | None = None
    quiet_since: datetime | None = None
    earliest_release: datetime | None = None


def measure_quiet(histories: Sequence[ReaderHistory[T]], answered_at: datetime | None) -> QuietProgress:
    """Measure how far the readers of a team are from the proof of `prove_quiet`.

    They are quiet once each has a covered span after its last read that is longer than its longest pause, and a day at
    least. Without an answer, or if a source has a gap after the last read of a reader, nothing can prove it.
    """
    if not histories:
        return QuietProgress()
    last_read_at = max(history.last_seen for history in histories)
    spans = [_find_span_of_last_read(history) for history in histories]
    is_quiet = all(
        span is not None and span.end - history.last_seen > max(history.longest_pause, MIN_NOTICED_QUIET)
        for history, span in zip(histories, spans, strict=True)
    )
    earliest = None
    if answered_at is not None and all(map(_is_provable, histories, spans)):
        earliest = max(answered_at, *(history.last_seen + _find_needed_quiet(history) for history in histories))
    return QuietProgress(last_read_at, last_read_at if is_quiet else None, earliest)


def _is_provable(history: ReaderHistory[T], span: CoveredSpan | None) -> bool:
    """Return whether covered time after the last read is long enough already, or can still become so."""
    if span is None:
        return False
    has_gap = any(later.start > span.end for later in history.covered)
    return not has_gap or span.end - history.last_seen >= _find_needed_quiet(history)


def _find_span_of_last_read(history: ReaderHistory[T]) -> CoveredSpan | None:
    return next((span for span in history.covered if span.start <= history.last_seen <= span.end), None)


def _find_needed_quiet(history: ReaderHistory[T]) -> timedelta:
    return max(MIN_QUIET, 2 * history.longest_pause)


def _find_quiet_end(history: ReaderHistory[T]) -> datetime | None:
    span = _find_span_of_last_read(history)
    is_long_enough = span is not None and span.end - history.last_seen >= _find_needed_quiet(history)
    return span.end if span is not None and is_long_enough else None
