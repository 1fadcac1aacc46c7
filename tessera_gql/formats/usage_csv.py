"""Read a log of reads as CSV with the columns principal, asset, field and read_at, and optionally count.

The rows are read as a stream. A row with a fault is skipped and reported, so that one of them does not spoil a log.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from tessera_gql.formats.csv_stream import CsvStream
from tessera_gql.formats.usage_rows import Entry, UsageError, UsageFault, UsageRow, find_name_fault, parse_time, unquote

REQUIRED_COLUMNS = ("principal", "asset", "field", "read_at")
COLUMNS = (*REQUIRED_COLUMNS, "count")
MAX_COUNT = 10**12


class CsvUsageReader:
    """The rows of a log as CSV; in place of a row that is not taken its fault."""

    def __init__(self, content: bytes, latest: datetime) -> None:
        self.is_truncated = False
        self._latest = latest
        self._stream = CsvStream(content)

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        positions = _find_columns(self._stream.read_header())
        for line, cells in self._stream:
            row = cells if isinstance(cells, UsageFault) else _parse_row(cells, positions, self._latest)
            yield line, (row,)
        self.is_truncated = self._stream.is_truncated


def _find_columns(header: list[str] | None) -> Mapping[str, int]:
    if header is None:
        raise UsageError(f"It is empty. Its first line must name the columns {', '.join(COLUMNS)}.")
    for name in REQUIRED_COLUMNS:
        if header.count(name) != 1:
            problem = "lacks the column" if name not in header else "has twice the column"
            raise UsageError(
                f"Its first line {problem} {name}: it is {','.join(header)[:200]!r}. Name the columns"
                f" {', '.join(REQUIRED_COLUMNS)} and, if you have it, count, separated by commas."
            )
    return {name: position for position, name in enumerate(header)}


def _parse_row(cells: list[str], positions: Mapping[str, int], latest: datetime) -> UsageRow | UsageFault:
    if len(cells) != len(positions):
        return UsageFault.MALFORMED_ROW
    principal, asset, path, read_at = (cells[positions[name]].strip() for name in REQUIRED_COLUMNS)
    asset, path = unquote(asset), unquote(path)
    if fault := find_name_fault(principal, asset, path):
        return fault
    if (moment := parse_time(read_at)) is None:
        return UsageFault.INVALID_TIME
    if moment > latest:
        return UsageFault.CLOCK_AHEAD
    count = _parse_count(cells[positions["count"]].strip()) if "count" in positions else 1
    return UsageFault.INVALID_COUNT if count is None else UsageRow(principal, asset, _to_field(path), moment, count)


def _to_field(path: str) -> str:
    return "" if path == "*" else path


def _parse_count(text: str) -> int | None:
    if not text:
        return 1
    return int(text) if re.fullmatch(r"\d{1,13}", text, re.ASCII) and 1 <= int(text) <= MAX_COUNT else None
