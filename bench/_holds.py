"""Read the longest time that an event loop was held: of a server from its metrics, in this process by a watchdog.

A hold counts in processor time of the loop's thread, because other work on the machine adds to the time by the clock.
"""

import re
from dataclasses import dataclass

import httpx

from bench._figures import Figure
from tessera_gql.telemetry.watchdog import Watchdog

MAX_HOLD_MS = 50
LONGEST = re.compile(r'^tessera_event_loop_longest_held_seconds\{[^}]*clock="cpu"[^}]*\} (\S+)$', re.MULTILINE)


def read_longest_hold(url: str, key: str | None = None) -> float:
    """Return the longest hold in milliseconds since the start of a server, of all its processes."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = httpx.URL(url).copy_with(path="/metrics")
    metrics = httpx.get(address, headers=headers, timeout=60, trust_env=False).raise_for_status().text
    return 1_000 * max(float(seconds) for seconds in LONGEST.findall(metrics))


def hold_figure(*milliseconds: float) -> Figure:
    """Return the figure of the longest hold of all."""
    return Figure("longest hold of the event loop", [max(milliseconds)], "ms", at_most=MAX_HOLD_MS)


@dataclass
class LoopHolds:
    """The longest hold in milliseconds of the loop of this process, while it is watched."""

    longest: float = 0.0

    def watch(self) -> Watchdog:
        """Return a context manager that watches the running loop."""
        return Watchdog(self._observe)

    def _observe(self, _wall_seconds: float, cpu_seconds: float) -> None:
        self.longest = max(self.longest, 1_000 * cpu_seconds)

    def figure(self) -> Figure:
        return hold_figure(self.longest)
