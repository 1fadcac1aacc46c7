"""The rows that every reader of a log of reads gives, and the names, times and faults in them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, TypeAlias

MAX_PRINCIPAL = 500
MAX_ASSET = 1_000
MAX_FIELD = 1_000
MAX_KEY_BYTES = 1_500
"""Limit for names in an index, of which an entry of PostgreSQL holds 2,700 bytes."""
FIRST_YEAR = 1970
OFFSET = re.compile(r"\s*(UTC|Z|[+-]\d\d(?::?\d\d)?)$", re.IGNORECASE)
NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?(?:[eE]\+?\d{1,2})?", re.ASCII)
EPOCH_UNITS = ((1e11, 1), (1e14, 1e3), (1e17, 1e6), (float("inf"), 1e9))
"""Numbers below each limit count the units of which a second has that many: seconds, milli-, micro-, nanoseconds."""


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
    UNFINISHED = "UNFINISHED"
    FAILED = "FAILED"
    REPEATED = "REPEATED"
    NOT_A_READ = "NOT_A_READ"
    NOT_A_TABLE = "NOT_A_TABLE"
    EXPIRED = "EXPIRED"

    @property
    def hides_reads(self) -> bool:
        """Whether the row may be a read of a known principal, so that the log proves no quiet."""
        return self not in HARMLESS_FAULTS


HARMLESS_FAULTS = frozenset(
    {
        UsageFault.NO_PRINCIPAL,
        UsageFault.NO_ASSET,
        UsageFault.UNKNOWN_ASSET,
        UsageFault.FAILED,
        UsageFault.REPEATED,
        UsageFault.NOT_A_READ,
        UsageFault.NOT_A_TABLE,
        UsageFault.EXPIRED,
    }
)
"""Faults of rows that are no reads of a known principal in the time that a log can cover."""


class UsageError(ValueError):
    """The text is no log of reads; the message says why."""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """`count` reads of a field, which is empty for the whole asset."""

    principal: str
    asset: str
    field: str
    read_at: datetime
    count: int


Entry: TypeAlias = Sequence[UsageRow | UsageFault]
"""What one row of a log stands for: reads, and faults in place of what is not taken."""


class UsageReader(Protocol):
    """The rows of a log as a stream, each with its line.

    `is_truncated` becomes true at the end of a log that was cut off. Reading raises UsageError for what is no log, and
    counts a row whose time is too far ahead as CLOCK_AHEAD.
    """

    is_truncated: bool

    def __iter__(self) -> Iterator[tuple[int, Entry]]: ...


def build_entry(
    principal: object, moment: datetime | None, latest: datetime, reads: Iterable[tuple[str, str]]
) -> list[UsageRow | UsageFault]:
    """Build the reads of assets and their fields by one query, each once although names differ in case."""
    if not isinstance(principal, str) or not (principal := principal.strip()):
        return [UsageFault.NO_PRINCIPAL]
    if moment is None:
        return [UsageFault.INVALID_TIME]
    if moment > latest:
        return [UsageFault.CLOCK_AHEAD]
    entry: list[UsageRow | UsageFault] = []
    keys: set[tuple[str, str]] = set()
    for names in reads:
        asset, path, key = _clean_names(names)
        if key not in keys:
            keys.add(key)
            fault = find_name_fault(principal, asset, path)
            entry.append(fault or UsageRow(principal, asset, path, moment, 1))
    return entry


@lru_cache(maxsize=50_000)
def _clean_names(names: tuple[str, str]) -> tuple[str, str, tuple[str, str]]:
    asset, path = unquote(names[0]), unquote(names[1])
    return asset, path, (asset.casefold(), path.casefold())


@lru_cache(maxsize=50_000)
def find_name_fault(principal: str, asset: str, path: str) -> UsageFault | None:
    """Find the fault of a row in its names; None if it has none."""
    if not principal:
        return UsageFault.NO_PRINCIPAL
    if not asset:
        return UsageFault.NO_ASSET
    if not (principal.isprintable() and asset.isprintable() and path.isprintable()):
        return UsageFault.MALFORMED_ROW
    return UsageFault.TOO_LONG if _is_too_long(principal, asset, path) else None


@lru_cache(maxsize=50_000)
def unquote(name: str) -> str:
    """Remove the quotes of SQL from a name, as in `"CORE"."ORDERS"`."""
    return name.replace('"', "").replace("`", "").strip()


def _is_too_long(principal: str, asset: str, path: str) -> bool:
    if len(principal) > MAX_PRINCIPAL or len(asset) > MAX_ASSET or len(path) > MAX_FIELD:
        return True
    return max(len(principal.casefold().encode()), len(path.encode())) > MAX_KEY_BYTES


def parse_time(text: str) -> datetime | None:
    """Parse a time in ISO 8601, also with a space before its offset; without an offset it is in UTC."""
    match = OFFSET.search(text)
    if match is not None and len(text) > len("2026-01-01"):
        zone = match[1].upper()
        text = text[: match.start()] + ("+00:00" if zone in ("UTC", "Z") else zone)
    try:
        return _to_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _to_utc(moment: datetime) -> datetime | None:
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment if moment.year >= FIRST_YEAR else None


def parse_moment(value: object) -> datetime | None:
    """Parse a time as vendors export it: in ISO 8601, or as a number since 1970 in any unit."""
    try:
        match value:
            case datetime():
                return _to_utc(value)
            case bool():
                return None
            case int() | float():
                return _parse_epoch(float(value))
            case str():
                text = value.strip()
                return _parse_epoch(float(text)) if NUMBER.fullmatch(text) else parse_time(text)
            case _:
                return None
    except (ValueError, OverflowError):
        return None


def _parse_epoch(number: float) -> datetime | None:
    if not number > 0:
        return None
    unit = next((units for limit, units in EPOCH_UNITS if number < limit), None)
    return None if unit is None else datetime.fromtimestamp(number / unit, UTC)


def get_ignoring_case(mapping: Mapping[str, object], name: str) -> object:
    """Return a member of an exported object, whose names some exports write in upper case."""
    if name in mapping:
        return mapping[name]
    return next((value for key, value in mapping.items() if key.casefold() == name.casefold()), None)
