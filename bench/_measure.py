"""What a request costs: CPU by the operating system's accounting, and how many a second there were."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench._load import Generator, Load
from bench._results import Line
from bench._servers import Server, Storage


@dataclass(frozen=True)
class Measured:
    """Milliseconds of CPU a request, and requests a second."""

    server: float
    database: float
    rate: float

    @property
    def cpu(self) -> float:
        return self.server + self.database


def measured(server: Server, stored: Storage, load: Generator, asked: Load) -> Measured:
    before, kept_before = server.cpu, stored.cpu
    seconds = load.seconds(asked)
    each = 1_000 / asked.count
    return Measured((server.cpu - before) * each, (stored.cpu - kept_before) * each, asked.count / seconds)


def told(what: str, rounds: Sequence[Measured]) -> Iterator[Line]:
    """Figures without a target."""
    yield Line(f"{what}: CPU of the server", [one.server for one in rounds], "ms")
    if any(one.database for one in rounds):
        yield Line(f"{what}: CPU of the database", [one.database for one in rounds], "ms")
    yield Line(f"{what}: requests", [one.rate for one in rounds], "/s")
