"""Search for numbers and strings that satisfy constraints. Arithmetic is exact, without floats."""

import json
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from itertools import count, islice
from math import ceil, floor, lcm

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.prove.constraints import (
    AboveMaximum,
    BelowMinimum,
    Constraint,
    HasDecimalPoint,
    NotMultiple,
    NoWitness,
    PatternUnmatched,
    SearchResult,
    Witness,
    excluded_values,
    size_limits,
)
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json import canonical_json, to_json_number, with_decimal_points
from tessera_gql.diff.values.numbers import Bound, Number, tightest_high, tightest_low
from tessera_gql.diff.values.regular_languages import Language, find_example

Limits = tuple[Bound | None, Bound | None]
TRIES = 2_000
MAX_STEP_BITS = 10_000
"""Python writes no number of more than 4,300 digits, about 14,000 bits, as text."""
PARTS = [Fraction(part, 2**depth) for depth in range(1, 7) for part in range(1, 2**depth, 2)]


def find_string(nodes: Sequence[Schema], constraints: Sequence[Constraint], budget: Budget) -> SearchResult:
    """Search for a string valid under the nodes that satisfies the constraints."""
    matching = frozenset(node.pattern for node in nodes if node.pattern is not None)
    not_matching = frozenset(item.pattern for item in constraints if isinstance(item, PatternUnmatched))
    limits = size_limits((node.min_length for node in nodes), (node.max_length for node in nodes), constraints)
    excluded = frozenset(str(json.loads(text)) for text in excluded_values(constraints) if text.startswith('"'))
    string = find_example(Language(matching, not_matching, *limits, excluded), budget)
    if isinstance(string, str):
        return Witness(string)
    return NoWitness.UNKNOWN if string else NoWitness.EMPTY


def find_number(nodes: Sequence[Schema], constraints: Sequence[Constraint], *, is_integer: bool) -> SearchResult:
    """Search for a number: a whole one if `is_integer`, else one with a fraction."""
    if any(isinstance(item, HasDecimalPoint) for item in constraints):
        if any(node.forbids_decimal_point for node in nodes):
            return NoWitness.EMPTY
        remaining = [item for item in constraints if not isinstance(item, HasDecimalPoint)]
        return _with_decimal_point(find_number(nodes, remaining, is_integer=is_integer))
    above = [_opposite(item.bound) for item in constraints if isinstance(item, AboveMaximum)]
    below = [_opposite(item.bound) for item in constraints if isinstance(item, BelowMinimum)]
    low = tightest_low([*(node.low for node in nodes), *above])
    high = tightest_high([*(node.high for node in nodes), *below])
    limits: Limits = low, high
    steps = [step for node in nodes for step in node.multiples]
    avoid = [constraint.divisor for constraint in constraints if isinstance(constraint, NotMultiple)]
    (steps if is_integer else avoid).append(1)
    excluded = excluded_values(constraints)
    if not steps:
        return _find_fraction(limits, avoid, excluded)
    step = reduce(_least_common_multiple, map(Fraction, steps))
    if step.numerator.bit_length() > MAX_STEP_BITS:
        return NoWitness.UNKNOWN
    if any((step / Fraction(divisor)).denominator == 1 for divisor in avoid):
        return NoWitness.EMPTY
    return _find_multiple(step, limits, avoid, excluded)


def _with_decimal_point(result: SearchResult) -> SearchResult:
    """Write a whole number as a float. One that is too large for that stays a candidate, which is not confirmed."""
    if isinstance(result, Witness):
        return Witness(with_decimal_points(result.value))
    return result


def _opposite(bound: Bound) -> Bound:
    """Return the limit of the values that violate a bound."""
    return Bound(bound.value, not bound.is_open)


def _least_common_multiple(left: Fraction, right: Fraction) -> Fraction:
    both = lcm(left.numerator * right.denominator, right.numerator * left.denominator)
    return Fraction(both, left.denominator * right.denominator)


def _find_multiple(step: Fraction, limits: Limits, avoid: Sequence[Number], excluded: frozenset[str]) -> SearchResult:
    low, high = limits
    first = last = None
    if low is not None:
        first = floor(low.value / step) + 1 if low.is_open else ceil(low.value / step)
    if high is not None:
        last = ceil(high.value / step) - 1 if high.is_open else floor(high.value / step)
    result = _first_allowed((index * step for index in islice(_nearest_integers(first, last), TRIES)), avoid, excluded)
    is_small = first is not None and last is not None and last - first < TRIES
    return result or (NoWitness.EMPTY if is_small else NoWitness.UNKNOWN)


def _nearest_integers(first: int | None, last: int | None) -> Iterator[int]:
    """Yield the whole numbers of a range, those near its only limit or near zero first."""
    if first is None:
        start = last or 0
    else:
        start = first if last is None else min(max(first, 0), last)
        if start < first:
            return
    yield start
    for step in count(1):
        has_upper, has_lower = last is None or start + step <= last, first is None or start - step >= first
        if has_upper:
            yield start + step
        if has_lower:
            yield start - step
        if not has_upper and not has_lower:
            return


def _find_fraction(limits: Limits, avoid: Sequence[Number], excluded: frozenset[str]) -> SearchResult:
    """Find a number with a fraction and no divisor. Every interval wider than a point has infinitely many."""
    low, high = limits
    if low is None or high is None or low.value < high.value:
        return _first_allowed(_list_fractions(low, high), avoid, excluded) or NoWitness.UNKNOWN
    if low != high or low.is_open:
        return NoWitness.EMPTY
    return _first_allowed([Fraction(low.value)], avoid, excluded) or NoWitness.EMPTY


def _list_fractions(low: Bound | None, high: Bound | None) -> Iterator[Fraction]:
    """Yield the middle, quarters, eighths and so on of the interval, or of a unit interval next to the only limit."""
    bottom, width = Fraction(-1), Fraction(1)
    if low is not None and high is not None:
        bottom, width = Fraction(low.value), Fraction(high.value - low.value)
    elif low is not None:
        bottom = Fraction(floor(low.value) + 1)
    elif high is not None:
        bottom = Fraction(ceil(high.value) - 2)
    return (bottom + width * part for part in PARTS)


def _first_allowed(values: Iterable[Fraction], avoid: Sequence[Number], excluded: frozenset[str]) -> Witness | None:
    """Return the first value that is no multiple of a divisor in `avoid` and not banned."""
    for value in values:
        if all((value / Fraction(divisor)).denominator != 1 for divisor in avoid):
            number = to_json_number(value)
            if canonical_json(number) not in excluded:
                return Witness(number)
    return None
