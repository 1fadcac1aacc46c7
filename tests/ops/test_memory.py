"""The memory benchmark fails on a leak and on nothing else."""

import random

import pytest

from bench._memory import Sample, growth, slope


def samples(leak: float, *, noise: float = 3.0, step: float = 0.0, peaks: int = 0) -> list[Sample]:
    """400 seconds at 20 requests a second; `leak` is in MiB for ten minutes."""
    chance = random.Random(1)
    samples: list[Sample] = []
    for second in range(0, 400, 2):
        memory = 200 + leak * second / 600 + chance.uniform(0, noise) + (step if second > 200 else 0)
        memory += 80 if peaks and second % (400 // peaks) < 6 else 0
        samples.append(Sample(second, second * 20, memory))
    return samples


def verdicts(samples: list[Sample]) -> set[str]:
    return {line.verdict for line in growth(samples, ratio=0.10, mebibytes=12)}


def test_a_leak_of_three_megabytes_a_minute_fails() -> None:
    assert "FAIL" in verdicts(samples(30))


@pytest.mark.parametrize(
    "found",
    [samples(0), samples(5), samples(0, noise=15), samples(0, peaks=4), samples(0, step=3)],
    ids=["flat", "hardly any", "noise", "peaks", "a step"],
)
def test_memory_that_comes_back_passes(found: list[Sample]) -> None:
    assert verdicts(found) == {"PASS"}


def test_the_slope_is_that_of_most_pairs() -> None:
    assert slope([(second, 2 * second + (1000 if second == 5 else 0)) for second in range(10)]) == 2


def test_seconds_without_a_request_have_no_slope_of_their_own() -> None:
    idle = [Sample(400 + second, 8000, 200) for second in range(100)]
    assert verdicts([*samples(0, noise=0), *idle]) == {"PASS"}
