"""Progress of a large upload and its processing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """Progress within one phase of an upload.

    `phase` is UPLOAD, counted in bytes, then a phase of the server, counted in tables: READ, COMPARE, CREATE, READERS,
    PUBLISH, COMMIT. `completed` and `total` are 0 where the number is unknown.
    """

    phase: str
    completed: int = 0
    total: int = 0


ProgressCallback: TypeAlias = Callable[[Progress], None]
