"""How far the taking in of a manifest has come, for those who wait for it; nothing depends on whether it is heard."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias


class Phase(StrEnum):
    """In this order; the first is the transport's."""

    READ = "READ"
    COMPARE = "COMPARE"
    CREATE = "CREATE"
    READERS = "READERS"
    PUBLISH = "PUBLISH"
    COMMIT = "COMMIT"


Tell: TypeAlias = Callable[[Phase, int, int], None]
"""Hears the phase, how many tables are done in it, and of how many; 0 of 0 where that is not known."""


def silent(_phase: Phase, _done: int, _total: int) -> None:
    pass
