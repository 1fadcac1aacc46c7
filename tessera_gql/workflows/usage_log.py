"""Collect the reads of a log by day, so that memory grows with the readers, not with the reads.

A log with more days of readers than fit into memory is read several times, each time for a part of its readers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import TypeAlias

from tessera_gql.errors import Invalid
from tessera_gql.formats.usage_formats import UsageFormat, open_reader
from tessera_gql.formats.usage_rows import UsageError, UsageFault, UsageRow
from tessera_gql.policy.usage import CLOCK_TOLERANCE, find_first_kept_day
from tessera_gql.policy.validation import uniqueness_key

MAX_GROUPS = 500_000
"""Days of readers that are held in memory at once."""
MAX_PARTS = 64
"""Parts in which a log is read at most."""

_to_key = lru_cache(maxsize=100_000)(uniqueness_key)

ReaderKey: TypeAlias = tuple[str, str]
"""The principal, by `uniqueness_key`, and the field; an empty field stands for the whole asset."""


@dataclass(slots=True)
class DayReads:
    """The reads of one day: how many, the first and the last, and the number of rows that have them."""

    count: int
    first_at: datetime
    last_at: datetime
    rows: int = 1

    def add(self, reads: "DayReads") -> None:
        """Add reads of the same day."""
        self.count += reads.count
        self.first_at = min(self.first_at, reads.first_at)
        self.last_at = max(self.last_at, reads.last_at)
        self.rows += reads.rows


ReadsByDay: TypeAlias = dict[date, DayReads]


@dataclass
class FaultyRows:
    """Rows with the same fault: their number, and the line of the first one."""

    count: int
    line: int | None


@dataclass(frozen=True)
class LogPart:
    """A part of the readers of a log: those whose hash leaves the remainder `number` when divided by `parts`."""

    number: int = 0
    parts: int = 1

    def has(self, asset: str, key: ReaderKey) -> bool:
        return self.parts == 1 or hash((asset, key)) % self.parts == self.number

    def split(self) -> "tuple[LogPart, LogPart]":
        return LogPart(self.number, 2 * self.parts), LogPart(self.number + self.parts, 2 * self.parts)


@dataclass
class UsageLog:
    """The reads of a part of a log, by asset and reader, and of the whole log the rows that were not taken.

    Of a log that was cut off, `is_truncated` is true, and reads may be missing.
    """

    reads: dict[str, dict[ReaderKey, ReadsByDay]] = field(default_factory=dict[str, dict[ReaderKey, ReadsByDay]])
    principals: dict[str, str] = field(default_factory=dict[str, str])
    """The names of the principals, as first written, by `uniqueness_key`."""
    faults: dict[UsageFault, FaultyRows] = field(default_factory=dict[UsageFault, FaultyRows])
    row_count: int = 0
    read_count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    is_truncated: bool = False
    kept_from: date | None = None
    """The day before which reads are no longer stored."""
    part: LogPart = field(default_factory=LogPart)
    remaining_parts: list[LogPart] = field(default_factory=list[LogPart])
    """The parts of the log that are still to be read."""
    _group_count: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the log has all reads of known principals in its span, so that it can prove quiet."""
        return not self.is_truncated and not any(fault.hides_reads for fault in self.faults)

    def add(self, row: UsageRow) -> None:
        """Add a valid row; raise Invalid if the log has too many readers."""
        self.read_count += 1
        self.first_at = min(self.first_at or row.read_at, row.read_at)
        self.last_at = max(self.last_at or row.read_at, row.read_at)
        principal, asset = _to_key(row.principal), _to_key(row.asset)
        key = (principal, row.field)
        if not self.part.has(asset, key):
            return
        self.principals.setdefault(principal, row.principal)
        days = self.reads.setdefault(asset, {}).setdefault(key, {})
        day = row.read_at.date()
        if (earlier := days.get(day)) is not None:
            earlier.add(DayReads(row.count, row.read_at, row.read_at))
            return
        days[day] = DayReads(row.count, row.read_at, row.read_at)
        self._group_count += 1
        while self._group_count > MAX_GROUPS:
            self._halve()

    def _halve(self) -> None:
        """Leave half of the readers to a later part."""
        if self.part.parts >= MAX_PARTS:
            raise Invalid(
                f"The log has more than {MAX_PARTS * MAX_GROUPS:,} days of readers. Split it, such as by month.",
                field=("document",),
            )
        self.part, other_part = self.part.split()
        self.remaining_parts.append(other_part)
        reads: dict[str, dict[ReaderKey, ReadsByDay]] = {}
        for asset, readers in self.reads.items():
            if own_readers := {key: days for key, days in readers.items() if self.part.has(asset, key)}:
                reads[asset] = own_readers
        self.reads = reads
        self._group_count = sum(len(days) for readers in reads.values() for days in readers.values())

    def add_fault(self, fault: UsageFault, line: int | None, count: int = 1) -> None:
        """Count rows that are not taken; `line` is that of the first one."""
        self.faults.setdefault(fault, FaultyRows(0, line)).count += count


@dataclass(frozen=True)
class UsageDocument:
    """A log of reads as it was received: its content, its format, and for how many days reads are kept."""

    content: bytes
    format: UsageFormat = UsageFormat.CSV
    retention_days: int | None = None

    def collect_parts(self, first: UsageLog, now: datetime) -> Iterator[UsageLog]:
        """Read the parts of the log that the first one leaves."""
        waiting = list(first.remaining_parts)
        while waiting:
            log = collect_reads(self, now, waiting.pop())
            waiting += log.remaining_parts
            yield log


def collect_reads(document: UsageDocument, now: datetime, part: LogPart | None = None) -> UsageLog:
    """Read a log, or a part of its readers. Raise Invalid for what is no log at all, or has another format."""
    log = UsageLog(part=part or LogPart())
    if document.retention_days is not None:
        log.kept_from = find_first_kept_day(now, document.retention_days)
    try:
        reader = open_reader(document.content, document.format, latest=now + CLOCK_TOLERANCE)
        for line, entry in reader:
            log.row_count += 1
            for row in entry:
                _add(log, line, row)
    except UsageError as error:
        raise Invalid(f"The log can't be read. {error}", field=("document",)) from error
    log.is_truncated = reader.is_truncated
    return log


def _add(log: UsageLog, line: int, row: UsageRow | UsageFault) -> None:
    if isinstance(row, UsageFault):
        log.add_fault(row, line)
    elif log.kept_from is not None and row.read_at.date() < log.kept_from:
        log.add_fault(UsageFault.EXPIRED, line)
    else:
        log.add(row)
