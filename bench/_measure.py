"""Measure CPU time per request, by the operating system's accounting, and requests per second."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench._figures import Figure
from bench._load import Load, LoadGenerator
from bench._servers import Server, Storage


@dataclass(frozen=True)
class Measurement:
    """CPU milliseconds per request of server and database, and requests per second."""

    server: float
    database: float
    rate: float

    @property
    def cpu(self) -> float:
        return self.server + self.database


def measure(server: Server, storage: Storage, load: LoadGenerator, requests: Load) -> Measurement:
    server_before, storage_before = server.cpu, storage.cpu
    seconds = load.measure_seconds(requests)
    per_request = 1_000 / requests.count
    server_cpu, storage_cpu = server.cpu - server_before, storage.cpu - storage_before
    return Measurement(server_cpu * per_request, storage_cpu * per_request, requests.count / seconds)


def untargeted_figures(label: str, rounds: Sequence[Measurement]) -> Iterator[Figure]:
    """Return CPU and rate as figures without a target."""
    yield Figure(f"{label}: CPU of the server", [measurement.server for measurement in rounds], "ms")
    if any(measurement.database for measurement in rounds):
        yield Figure(f"{label}: CPU of the database", [measurement.database for measurement in rounds], "ms")
    yield Figure(f"{label}: requests", [measurement.rate for measurement in rounds], "/s")
