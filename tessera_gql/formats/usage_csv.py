"""Read a log of reads as CSV with the columns principal, asset, field and read_at, and optionally count.

The rows are read as a stream. A row with a fault is skipped and reported, so that one of them does not spoil a log.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

REQUIRED_COLUMNS = ("principal", "asset", "field", "read_at")
COLUMNS = (*REQUIRED_COLUMNS, "count")
MAX_PRINCIPAL = 500
MAX_ASSET = 1_000
MAX_FIELD = 1_000
MAX_KEY_BYTES = 1_500
"""Limit for names in an index, of which an entry of PostgreSQL holds 2,700 bytes."""
MAX_COUNT = 10**12
FIRST_YEAR = 1970
END_OF_FILE = "unexpected end of data"
OFFSET = re.compile(r"\s*(UTC|Z|[+-]\d\d:?\d\d)$", re.IGNORECASE)


class UsageFault(StrEnum):
    """The reason why a row of a log of reads is not taken."""

    MALFORMED_ROW = "MALFORMED_ROW"
    NO_PRINCIPAL = "NO_PRINCIPAL"
    NO_ASSET = "NO_ASSET"
    UNKNOWN_ASSET = "UNKNOWN_ASSET"
    INVALID_TIME = "INVALID_TIME"
    CLOCK_AHEAD = "CLOCK_AHEAD"
    INVALID_COUNT = "INVALID_COUNT"
    TOO_LONG = "TOO_LONG"

    @property
    def hides_reads(self) -> bool:
        """Whether the row may be a read of a known principal, so that the log proves no quiet."""
        return self not in (UsageFault.NO_PRINCIPAL, UsageFault.NO_ASSET, UsageFault.UNKNOWN_ASSET)


class UsageError(ValueError):
    """The text is no log of reads; the message says why."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One row of a log: `count` reads of a field, which is empty for the whole asset."""

    principal: str
    asset: str
    field: str
    read_at: datetime
    count: int


class UsageReader:
    """The rows of a log, each with its line; in place of a row that is not taken its fault.

    `is_truncated` becomes true at the end of a log that was cut off. Reading raises UsageError for what is no log, and
    counts a row whose time is after `latest` as CLOCK_AHEAD.
    """

    def __init__(self, content: bytes | str, latest: datetime) -> None:
        self.is_truncated = False
        self._latest = latest
        self._lines = _Lines(io.StringIO(content, newline="") if isinstance(content, str) else _decode(content))
        self._reader = csv.reader(self._lines, strict=True)

    def __iter__(self) -> Iterator[tuple[int, UsageRow | UsageFault]]:
        try:
            yield from self._iterate_rows()
        except UnicodeDecodeError as error:
            raise UsageError("It is not text in UTF-8. Export it as CSV in UTF-8.") from error

    def _iterate_rows(self) -> Iterator[tuple[int, UsageRow | UsageFault]]:
        positions = _read_header(self._reader)
        while not self.is_truncated:
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                if str(error) == END_OF_FILE:
                    self.is_truncated = True
                    return
                is_too_long = "limit" in str(error)
                yield self._reader.line_num, UsageFault.TOO_LONG if is_too_long else UsageFault.MALFORMED_ROW
                continue
            if self._lines.is_cut_off and 0 < len(cells) < len(positions):
                self.is_truncated = True
            elif cells:
                yield self._reader.line_num, _parse_row(cells, positions, self._latest)


def _decode(content: bytes) -> io.TextIOBase:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")


class _Lines(Iterator[str]):
    """The lines of a stream; `is_cut_off` after the last one if that has no end."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self.is_cut_off = False

    def __next__(self) -> str:
        line = next(self._stream)
        self.is_cut_off = not line.endswith(("\n", "\r"))
        return line


def _read_header(reader: Iterator[list[str]]) -> Mapping[str, int]:
    try:
        header = [name.strip().strip('"').lower() for name in next(reader)]
    except StopIteration:
        raise UsageError(f"It is empty. Its first line must name the columns {', '.join(COLUMNS)}.") from None
    except csv.Error as error:
        raise UsageError(f"Its first line is no CSV ({error}).") from None
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
    asset, path = _unquote(asset), _unquote(path)
    if fault := _find_name_fault(principal, asset, path):
        return fault
    if (moment := _parse_time(read_at)) is None:
        return UsageFault.INVALID_TIME
    if moment > latest:
        return UsageFault.CLOCK_AHEAD
    count = _parse_count(cells[positions["count"]].strip()) if "count" in positions else 1
    return UsageFault.INVALID_COUNT if count is None else UsageRow(principal, asset, _to_field(path), moment, count)


def _to_field(path: str) -> str:
    return "" if path == "*" else path


def _find_name_fault(principal: str, asset: str, path: str) -> UsageFault | None:
    if not principal:
        return UsageFault.NO_PRINCIPAL
    if not asset:
        return UsageFault.NO_ASSET
    if not (principal.isprintable() and asset.isprintable() and path.isprintable()):
        return UsageFault.MALFORMED_ROW
    return UsageFault.TOO_LONG if _is_too_long(principal, asset, path) else None


def _unquote(name: str) -> str:
    """Remove the quotes of SQL from a name, as in `"CORE"."ORDERS"`."""
    return name.replace('"', "").replace("`", "").strip()


def _is_too_long(principal: str, asset: str, path: str) -> bool:
    if len(principal) > MAX_PRINCIPAL or len(asset) > MAX_ASSET or len(path) > MAX_FIELD:
        return True
    return max(len(principal.casefold().encode()), len(path.encode())) > MAX_KEY_BYTES


def _parse_time(text: str) -> datetime | None:
    """Parse a time in ISO 8601, also with a space before its offset; without an offset it is in UTC."""
    match = OFFSET.search(text)
    if match is not None and len(text) > len("2026-01-01"):
        zone = match[1].upper()
        text = text[: match.start()] + ("+00:00" if zone in ("UTC", "Z") else zone)
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= FIRST_YEAR else None


def _parse_count(text: str) -> int | None:
    if not text:
        return 1
    return int(text) if re.fullmatch(r"\d{1,13}", text, re.ASCII) and 1 <= int(text) <= MAX_COUNT else None
