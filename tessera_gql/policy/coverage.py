"""Decide what observed reads cover of an asset, and whether "nobody reads it" rests on enough of it.

A source counts for an asset if it has ever seen a read of it. The asset is covered while all of its sources are: any of
them could have seen a reader that the others don't know.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any
from uuid import UUID

from tessera_gql.errors import Invalid
from tessera_gql.policy.affected_teams import PathIndex
from tessera_gql.policy.usage import CoveredSpan, merge_spans

MAX_IMPORT_DELAY = timedelta(days=2)
"""How long ago the latest import of a source may end, since a log is exported some time after the reads."""
MAX_COVERAGE_DAYS = 366
MAX_NAMED = 5
"""Principals, sources or gaps that a text names; further ones are counted."""


class CoverageGapKind(StrEnum):
    """What is missing for the coverage that a policy demands."""

    NO_SOURCE = "NO_SOURCE"
    TOO_SHORT = "TOO_SHORT"
    OUTDATED = "OUTDATED"
    UNMAPPED_PRINCIPAL = "UNMAPPED_PRINCIPAL"


@dataclass(frozen=True)
class UnmappedReader:
    """A principal without a team that was seen reading what is asked about, and its latest read."""

    principal_id: UUID
    name: str
    last_read_at: datetime


@dataclass(frozen=True)
class CoveredWindow:
    """The time that the sources of an asset cover: `span` from its first to its last moment, with `gaps` in between.

    `span` is None if there is no source, or no time that all of them cover.
    """

    sources: tuple[str, ...] = ()
    span: CoveredSpan | None = None
    gaps: tuple[CoveredSpan, ...] = ()

    @property
    def latest(self) -> CoveredSpan | None:
        """The part of the window from the last gap on."""
        if self.span is None:
            return None
        return CoveredSpan(self.gaps[-1].end, self.span.end) if self.gaps else self.span

    def is_complete(self, since: datetime, now: datetime) -> bool:
        """Return whether the sources cover the time from `since` to the latest possible import without a gap."""
        latest = self.latest
        return latest is not None and latest.start <= since and latest.end >= now - MAX_IMPORT_DELAY


@dataclass(frozen=True)
class Coverage:
    """On what "nobody reads it" rests: declared and observed readers, principals without a team, and covered time."""

    registered: int
    observed: int
    unmapped: tuple[UnmappedReader, ...]
    window: CoveredWindow

    def describe(self) -> str:
        """Describe the coverage in one sentence without a full stop."""
        return "; ".join([_describe_readers(self), describe_window(self.window), *_describe_unmapped(self.unmapped)])


@dataclass(frozen=True)
class MissingCoverage:
    """One part of the coverage that is missing, in words that say what to do; a principal if that has no team."""

    kind: CoverageGapKind
    message: str
    principal_id: UUID | None = None

    def as_json(self) -> dict[str, Any]:
        principal = str(self.principal_id) if self.principal_id else None
        return {"kind": self.kind.value, "message": self.message, "principal": principal}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "MissingCoverage":
        principal = UUID(value["principal"]) if value["principal"] else None
        return cls(CoverageGapKind(value["kind"]), value["message"], principal)

    @property
    def subject(self) -> tuple[CoverageGapKind, UUID | None]:
        """What is missing, whatever the words."""
        return self.kind, self.principal_id


class LastReadIndex:
    """When the fields of one asset were last read by anybody; a read of the whole asset is one of each field."""

    def __init__(self, reads: Mapping[str, datetime]) -> None:
        self._reads: PathIndex[datetime] = PathIndex()
        for path, last_seen in reads.items():
            self._reads.add(path, last_seen)

    def find(self, path: str) -> datetime | None:
        """Return when a field, or one that it is in or that is in it, was last read; None if never."""
        return max(self._reads.find_overlapping(path), default=None)


def require_coverage_days(days: int | None) -> None:
    """Raise Invalid for a number of days that no policy can demand."""
    if days is not None and not 1 <= days <= MAX_COVERAGE_DAYS:
        raise Invalid(
            f"`requireCoverageDays` is {days}, but must be 1 to {MAX_COVERAGE_DAYS} days, or null to demand nothing.",
            field=("requireCoverageDays",),
        )


def find_window(sources: Mapping[str, Sequence[CoveredSpan]]) -> CoveredWindow:
    """Find the time that all sources of an asset cover, by the name of each source."""
    names = tuple(sorted(sources))
    common: list[CoveredSpan] | None = None
    for name in names:
        spans = merge_spans(sources[name])
        common = spans if common is None else _intersect(common, spans)
    common = [span for span in common or () if span.start < span.end]
    if not common:
        return CoveredWindow(names)
    gaps = tuple(CoveredSpan(left.end, right.start) for left, right in pairwise(common))
    return CoveredWindow(names, CoveredSpan(common[0].start, common[-1].end), gaps)


def _intersect(left: Sequence[CoveredSpan], right: Sequence[CoveredSpan]) -> list[CoveredSpan]:
    """Return the time that is in both lists of spans, each in order and without overlaps."""
    common: list[CoveredSpan] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i].start, right[j].start), min(left[i].end, right[j].end)
        if start < end:
            common.append(CoveredSpan(start, end))
        if left[i].end <= right[j].end:
            i += 1
        else:
            j += 1
    return common


def find_missing_coverage(
    days: int, window: CoveredWindow, unmapped: Iterable[UnmappedReader], now: datetime
) -> list[MissingCoverage]:
    """List what is missing of the coverage that a policy demands; empty if "nobody reads it" is sure enough.

    The sources must cover the last days without a gap, up to their latest import, and no principal without a team may
    have read in that time what changes.
    """
    missing: list[MissingCoverage] = []
    if (fault := _find_fault_of_window(days, window, now)) is not None:
        missing.append(fault)
    start = find_window_start(days, window, now)
    missing += map(describe_unmapped, (reader for reader in unmapped if reader.last_read_at >= start))
    return missing


def describe_unmapped(reader: UnmappedReader) -> MissingCoverage:
    """Describe a principal without a team as missing coverage."""
    message = f"{reader.name} has no team and read it on {reader.last_read_at:%Y-%m-%d}: map it to a team"
    return MissingCoverage(CoverageGapKind.UNMAPPED_PRINCIPAL, message, reader.principal_id)


def find_window_start(days: int, window: CoveredWindow, now: datetime) -> datetime:
    """Return from when on reads count: the days before the latest import, or before now without one."""
    return (window.span.end if window.span else now) - timedelta(days=days)


def _find_fault_of_window(days: int, window: CoveredWindow, now: datetime) -> MissingCoverage | None:
    if not window.sources:
        return MissingCoverage(
            CoverageGapKind.NO_SOURCE, "no usage source has seen a read of it: import the log of one that would"
        )
    names, latest = _join(window.sources), window.latest
    if latest is None:
        return MissingCoverage(
            CoverageGapKind.TOO_SHORT, f"no time is covered by {names}: import whole logs with `from` and `to`"
        )
    if latest.end < now - MAX_IMPORT_DELAY:
        return MissingCoverage(
            CoverageGapKind.OUTDATED, f"{names}: nothing is imported since {latest.end:%Y-%m-%d}: import what followed"
        )
    start = latest.end - timedelta(days=days)
    if latest.start > start:
        return MissingCoverage(
            CoverageGapKind.TOO_SHORT,
            f"{names}: of {days} days only {_count_days(latest)} are covered without a gap: import the log from"
            f" {start:%Y-%m-%d} to {latest.start:%Y-%m-%d}, or wait",
        )
    return None


def _count_days(span: CoveredSpan) -> int:
    return (span.end - span.start) // timedelta(days=1)


def describe_missing(missing: Sequence[MissingCoverage]) -> str:
    """Describe what is missing in one sentence without a full stop."""
    further = f"; and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
    return "; ".join(item.message for item in missing[:MAX_NAMED]) + further


def describe_window(window: CoveredWindow) -> str:
    """Describe which sources cover which time."""
    if not window.sources:
        return "no usage source covers it"
    count = len(window.sources)
    subject = f"{count} source{'' if count == 1 else 's'} ({_join(window.sources)})"
    if window.span is None:
        return f"{subject} cover{'s' if count == 1 else ''} no time of it"
    text = f"{subject} cover{'s' if count == 1 else ''} {_format(window.span)}"
    if not window.gaps:
        return f"{text} without a gap"
    further = f" and {len(window.gaps) - MAX_NAMED} more" if len(window.gaps) > MAX_NAMED else ""
    return f"{text}, but not {', '.join(map(_format, window.gaps[:MAX_NAMED]))}{further}"


def _describe_readers(coverage: Coverage) -> str:
    registered = _count(coverage.registered, "team is", "teams are")
    observed = _count(coverage.observed, "was", "were") if coverage.observed else "none was"
    return f"{registered} registered and {observed} seen reading"


def _describe_unmapped(unmapped: Sequence[UnmappedReader]) -> list[str]:
    if not unmapped:
        return []
    names = _join([reader.name for reader in unmapped])
    return [f"{_count(len(unmapped), 'principal', 'principals')} without a team read it ({names})"]


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number or 'no'} {singular if number <= 1 else plural}"


def _join(names: Sequence[str]) -> str:
    further = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + further


def _format(span: CoveredSpan) -> str:
    return f"{span.start:%Y-%m-%d} to {span.end:%Y-%m-%d}"
