"""The counts of a suite."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """The counts of a suite; `output` describes its failures."""

    passed: int
    failed: int
    output: str = ""
