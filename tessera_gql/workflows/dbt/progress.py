"""Progress of a manifest sync, for clients that wait for it; no result depends on it."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class Phase(StrEnum):
    """The phases of a sync in their order; the first belongs to the transport."""

    READ = "READ"
    COMPARE = "COMPARE"
    CREATE = "CREATE"
    READERS = "READERS"
    PUBLISH = "PUBLISH"
    COMMIT = "COMMIT"


ReportProgress: TypeAlias = Callable[[Phase, int, int], None]
"""Receives the phase, the number of models done in it and their total; 0 of 0 if that is unknown."""


def ignore_progress(_phase: Phase, _done: int, _total: int) -> None:
    pass
