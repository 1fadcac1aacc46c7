"""Exact numbers, and the bounds of a number."""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

Number = int | Fraction


class Bound(NamedTuple):
    """A limit of a number; `is_open` excludes the value itself."""

    value: Number
    is_open: bool


def exact_number(value: float) -> Number:
    """Convert a JSON number to an exact one: `0.1` becomes a tenth."""
    if isinstance(value, int):
        return value
    return int(value) if value.is_integer() else Fraction(repr(value))


def tightest_low(bounds: Iterable[Bound | None]) -> Bound | None:
    """Return the tightest of several lower bounds, if any."""
    return max((bound for bound in bounds if bound is not None), default=None)


def tightest_high(bounds: Iterable[Bound | None]) -> Bound | None:
    """Return the tightest of several upper bounds, if any."""
    present = (bound for bound in bounds if bound is not None)
    return min(present, key=lambda bound: (bound.value, not bound.is_open), default=None)
