"""Collect the reads of a log by day, so that memory grows with the readers, not with the reads."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

from tessera_gql.errors import Invalid
from tessera_gql.formats.usage_csv import UsageError, UsageFault, UsageReader, UsageRow
from tessera_gql.policy.usage import CLOCK_TOLERANCE
from tessera_gql.policy.validation import uniqueness_key

MAX_GROUPS = 1_000_000
"""Days of readers that one log may have; more would take too much memory."""

ReaderKey: TypeAlias = tuple[str, str]
"""The principal, by `uniqueness_key`, and the field; an empty field stands for the whole asset."""


@dataclass
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


@dataclass
class UsageLog:
    """The reads of a log, by asset and reader, and the rows that were not taken.

    Of a log that was cut off, `is_truncated` is true, and reads may be missing.
    """

    reads: dict[str, dict[ReaderKey, ReadsByDay]] = field(default_factory=dict[str, dict[ReaderKey, ReadsByDay]])
    principals: dict[str, str] = field(default_factory=dict[str, str])
    """The names of the principals, as first written, by `uniqueness_key`."""
    faults: dict[UsageFault, FaultyRows] = field(default_factory=dict[UsageFault, FaultyRows])
    row_count: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    is_truncated: bool = False
    _group_count: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the log has all reads of known principals in its span, so that it can prove quiet."""
        return not self.is_truncated and not any(fault.hides_reads for fault in self.faults)

    def add(self, row: UsageRow) -> None:
        """Add a valid row; raise Invalid if the log has too many readers."""
        self.first_at = min(self.first_at or row.read_at, row.read_at)
        self.last_at = max(self.last_at or row.read_at, row.read_at)
        principal, asset = uniqueness_key(row.principal), uniqueness_key(row.asset)
        self.principals.setdefault(principal, row.principal)
        days = self.reads.setdefault(asset, {}).setdefault((principal, row.field), {})
        reads = DayReads(row.count, row.read_at, row.read_at)
        if (earlier := days.get(row.read_at.date())) is not None:
            earlier.add(reads)
            return
        self._group_count += 1
        if self._group_count > MAX_GROUPS:
            raise Invalid(
                f"The log has more than {MAX_GROUPS:,} days of readers. Split it, such as by month.",
                field=("document",),
            )
        days[row.read_at.date()] = reads

    def add_fault(self, fault: UsageFault, line: int | None, count: int = 1) -> None:
        """Count rows that are not taken; `line` is that of the first one."""
        self.faults.setdefault(fault, FaultyRows(0, line)).count += count


def collect_reads(content: bytes | str, now: datetime) -> UsageLog:
    """Read a log as CSV. Raise Invalid for what is no log at all."""
    log = UsageLog()
    reader = UsageReader(content, latest=now + CLOCK_TOLERANCE)
    try:
        for line, row in reader:
            log.row_count += 1
            if isinstance(row, UsageFault):
                log.add_fault(row, line)
            else:
                log.add(row)
    except UsageError as error:
        raise Invalid(f"The log can't be read. {error}", field=("document",)) from error
    log.is_truncated = reader.is_truncated
    return log
