"""The watchdog measures how long the event loop is blocked and logs the stack of the blocking code."""

import asyncio
import logging
import time

import pytest

from tessera_gql.telemetry import watchdog
from tessera_gql.telemetry.metrics import Metrics
from tessera_gql.telemetry.watchdog import Watchdog


def compute(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


async def measure_longest_hold(seconds_of_computing: float, seconds_of_blocking: float = 0.0) -> tuple[float, float]:
    """Measure the longest block of the event loop in wall-clock time and in processor time."""
    durations: list[tuple[float, float]] = []
    async with Watchdog(lambda wall, cpu: durations.append((wall, cpu))):
        await asyncio.sleep(0.1)
        compute(seconds_of_computing)
        time.sleep(seconds_of_blocking)  # noqa: ASYNC251 - what is to be noticed
        await asyncio.sleep(0.1)
    return max(wall for wall, _ in durations), max(cpu for _, cpu in durations)


async def test_computing_holds_the_loop_by_both_clocks() -> None:
    wall, cpu = await measure_longest_hold(0.2)
    assert wall > 0.15
    assert 0.15 < cpu <= wall


async def test_blocking_holds_the_loop_by_the_wall_clock_alone() -> None:
    wall, cpu = await measure_longest_hold(0.0, 0.2)
    assert wall > 0.15
    assert cpu < 0.1


async def test_a_long_block_of_the_loop_is_logged_with_its_stack(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watchdog, "REPORT_AFTER_SECONDS", 0.1)
    with caplog.at_level(logging.WARNING, logger=watchdog.__name__):
        await measure_longest_hold(0.5)
    assert "has been held for" in caplog.text
    assert "in compute" in caplog.text


async def test_a_block_that_ends_with_the_watch_is_measured() -> None:
    durations: list[tuple[float, float]] = []
    async with Watchdog(lambda wall, cpu: durations.append((wall, cpu))):
        await asyncio.sleep(0.05)
        compute(0.2)
    assert durations[-1][1] > 0.15


def test_the_longest_block_is_exact_and_stays() -> None:
    metrics = Metrics()
    for seconds in (0.004, 0.0421, 0.017):
        metrics.record_loop_block(2 * seconds, seconds)
    name = "tessera_event_loop_longest_held_seconds"
    assert metrics.registry.get_sample_value(name, {"clock": "cpu"}) == 0.0421
    assert metrics.registry.get_sample_value(name, {"clock": "wall"}) == 0.0842


async def test_it_stops_when_it_is_left() -> None:
    durations: list[float] = []
    async with Watchdog(lambda wall, _cpu: durations.append(wall)):
        await asyncio.sleep(0.1)
    count = len(durations)
    assert count > 0
    await asyncio.sleep(0.1)
    assert len(durations) == count
