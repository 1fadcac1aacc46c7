"""Describe the date by which a team must answer, and what happens without an answer."""

from datetime import UTC, datetime
from typing import Protocol


class Awaited(Protocol):
    """An ask without an answer."""

    @property
    def until(self) -> datetime | None: ...
    @property
    def silence_means(self) -> str | None: ...


def format_day(moment: datetime) -> str:
    """Format the day of a moment, in UTC."""
    return moment.astimezone(UTC).date().isoformat()


def describe_wait(item: Awaited) -> str:
    """Describe until when an answer is awaited: `until 2031-01-01, then the proposal expires`."""
    if item.until is None:
        return ""
    meaning = f", then {item.silence_means}" if item.silence_means else ""
    return f"until {format_day(item.until)}{meaning}"
