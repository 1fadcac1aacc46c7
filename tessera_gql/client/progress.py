"""How far a large operation has come, for those who wait for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """`phase` is UPLOAD, counted in bytes, then one of the server's: READ, COMPARE, CREATE, READERS, PUBLISH, COMMIT.

    `done` of `total` are tables; 0 of 0 where that is not known.
    """

    phase: str
    done: int = 0
    total: int = 0


Hear: TypeAlias = Callable[[Progress], None]
