"""The effort that a comparison may spend: fuel, which is counted, and a clock as the last resort.

The clock counts the time of the processor, not that of other threads and processes: a busy machine changes no verdict.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager

STEPS_PER_UNIT = 500
"""Small steps, such as a character read by an automaton, that cost one unit of fuel."""
DEFAULT_FUEL = 20_000
MAX_SECONDS = 2.0
CLOCK_INTERVAL = 64
"""Units between two looks at the clock."""


class Budget:
    """The remaining effort of a comparison, its evidence and its hints.

    A unit of fuel is a search, a branch of one, or `STEPS_PER_UNIT` small steps: about 0.1 ms. Fuel decides first, so
    that equal input has equal results; the clock stops only what takes longer than its fuel says. It runs in `allot`.
    """

    def __init__(self, fuel: int = DEFAULT_FUEL, seconds: float = MAX_SECONDS) -> None:
        self.fuel = fuel
        self.steps = 0
        self.seconds = seconds
        self.deadline: float | None = None
        self.is_late = False

    def spend(self, units: int = 1) -> bool:
        """Spend units of fuel; False if there were too few."""
        self.fuel -= units
        if self.deadline is not None and self.fuel % CLOCK_INTERVAL < units:
            self.is_late = self.is_late or time.thread_time() > self.deadline
        return not self.is_spent

    def spend_steps(self, steps: int) -> bool:
        """Spend small steps; False if there is no fuel left."""
        self.steps += steps
        if self.steps < STEPS_PER_UNIT:
            return not self.is_spent
        units, self.steps = divmod(self.steps, STEPS_PER_UNIT)
        return self.spend(units)

    @property
    def is_spent(self) -> bool:
        return self.fuel < 0 or self.is_late

    @contextmanager
    def allot(self, units: int) -> Generator[None]:
        """Run a part of the work with at most so many units while the clock runs. Unspent units are kept."""
        is_outermost = self.deadline is None
        started = time.thread_time()
        if is_outermost:
            self.deadline = started + self.seconds
        reserve = max(self.fuel - units, 0)
        self.fuel -= reserve
        try:
            yield
        finally:
            self.fuel = reserve + max(self.fuel, 0)
            if is_outermost:
                self.seconds -= time.thread_time() - started
                self.deadline = None
