"""Numbers and strings: is there one that meets every demand? Exact arithmetic, never floats."""

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from math import ceil, floor, gcd

from tessera_gql.diff.facts import (
    Above,
    Answer,
    Below,
    Fact,
    Fewer,
    Found,
    More,
    NotMultiple,
    Outcome,
    Unmatched,
    excluded,
)
from tessera_gql.diff.json import canonical
from tessera_gql.diff.regex import Language, example
from tessera_gql.diff.schema import Bound, Number, Schema, tighter_high, tighter_low

TRIES = 2_000


def find_string(nodes: Sequence[Schema], facts: Sequence[Fact]) -> Outcome:
    least = max((node.min_length for node in nodes), default=0)
    tops = [node.max_length for node in nodes if node.max_length is not None]
    for fact in facts:
        match fact:
            case Fewer(than):
                tops.append(than - 1)
            case More(than):
                least = max(least, than + 1)
            case _:
                pass
    most = min(tops, default=None)
    if most is not None and most < least:
        return Answer.EMPTY
    quoted = [text for text in excluded(facts) if text.startswith('"')]
    language = Language(
        wanted=frozenset(node.pattern for node in nodes if node.pattern is not None),
        unwanted=frozenset(fact.pattern for fact in facts if isinstance(fact, Unmatched)),
        least=least,
        most=most,
        excluded=frozenset(_unquote(text) for text in quoted),
    )
    found = example(language)
    if isinstance(found, str):
        return Found(found)
    return Answer.UNKNOWN if found else Answer.EMPTY


def _unquote(text: str) -> str:
    return str(json.loads(text))


def find_number(nodes: Sequence[Schema], facts: Sequence[Fact], *, whole: bool) -> Outcome:
    """A whole number or (`whole` false) one with a fraction."""
    low: Bound | None = None
    high: Bound | None = None
    for node in nodes:
        low, high = tighter_low(low, node.low), tighter_high(high, node.high)
    for fact in facts:
        match fact:
            case Below(Bound(value, is_open)):
                high = tighter_high(high, Bound(value, not is_open))
            case Above(Bound(value, is_open)):
                low = tighter_low(low, Bound(value, not is_open))
            case _:
                pass
    steps = [step for node in nodes for step in node.multiples] + ([1] if whole else [])
    avoid = [fact.of for fact in facts if isinstance(fact, NotMultiple)] + ([] if whole else [1])
    banned = excluded(facts)
    if not steps:
        return _between(low, high, avoid, banned)
    step = Fraction(steps[0])
    for other in steps[1:]:
        step = _common(step, Fraction(other))
    if any((step / Fraction(each)).denominator == 1 for each in avoid):
        return Answer.EMPTY
    return _on_grid(step, (low, high), avoid, banned)


def _common(left: Fraction, right: Fraction) -> Fraction:
    """The least common multiple."""
    numerator = left.numerator * right.denominator
    other = right.numerator * left.denominator
    return Fraction(numerator * other // gcd(numerator, other), left.denominator * right.denominator)


def _on_grid(
    step: Fraction, limits: tuple[Bound | None, Bound | None], avoid: Sequence[Number], banned: frozenset[str]
) -> Outcome:
    low, high = limits
    first = None if low is None else ceil(low.value / step)
    if first is not None and low is not None and low.is_open and first * step == low.value:
        first += 1
    last = None if high is None else floor(high.value / step)
    if last is not None and high is not None and high.is_open and last * step == high.value:
        last -= 1
    if first is not None and last is not None and first > last:
        return Answer.EMPTY
    for count in islice(_indices(first, last), TRIES):
        value = count * step
        if all((value / Fraction(each)).denominator != 1 for each in avoid):
            shown = _json(value)
            if canonical(shown) not in banned:
                return Found(shown)
    is_small = first is not None and last is not None and last - first < TRIES
    return Answer.EMPTY if is_small else Answer.UNKNOWN


def _indices(first: int | None, last: int | None) -> Iterator[int]:
    """Whole numbers in the range, those near zero first."""
    if first is not None and (first >= 0 or last is None):
        yield from range(first, last + 1) if last is not None else _up(first)
    elif last is not None and (last <= 0 or first is None):
        yield from range(last, first - 1, -1) if first is not None else _down(last)
    else:
        yield 0
        bottom, top = first, last
        for step in _up(1):
            has_top, has_bottom = top is None or step <= top, bottom is None or -step >= bottom
            if has_top:
                yield step
            if has_bottom:
                yield -step
            if not has_top and not has_bottom:
                return


def _up(start: int) -> Iterator[int]:
    while True:
        yield start
        start += 1


def _down(start: int) -> Iterator[int]:
    while True:
        yield start
        start -= 1


def _between(low: Bound | None, high: Bound | None, avoid: Sequence[Number], banned: frozenset[str]) -> Outcome:
    """A number with a fraction, on no grid: any interval wider than a point has infinitely many."""
    if low is not None and high is not None:
        if low.value > high.value or (low.value == high.value and (low.is_open or high.is_open)):
            return Answer.EMPTY
        if low.value == high.value:
            point = Fraction(low.value)
            if any((point / Fraction(each)).denominator == 1 for each in avoid):
                return Answer.EMPTY
            return Answer.EMPTY if canonical(_json(point)) in banned else Found(_json(point))
    for value in _inside(low, high):
        if all((value / Fraction(each)).denominator != 1 for each in avoid):
            shown = _json(value)
            if canonical(shown) not in banned:
                return Found(shown)
    return Answer.UNKNOWN


def _inside(low: Bound | None, high: Bound | None) -> Iterator[Fraction]:
    if low is not None and high is not None:
        width = Fraction(high.value) - Fraction(low.value)
        yield from (Fraction(low.value) + width * Fraction(part, 64) for part in (32, 16, 48, *range(1, 64, 2)))
    elif low is not None:
        yield from (Fraction(floor(low.value)) + Fraction(part, 8) + 1 for part in (4, 2, 6, *range(1, 400, 2)))
    else:
        start = 0 if high is None else ceil(high.value) - 1
        yield from (start - Fraction(part, 8) for part in (4, 2, 6, *range(1, 400, 2)))


def _json(value: Fraction) -> int | float:
    if value.denominator == 1:
        return value.numerator
    try:
        return float(value)
    except OverflowError:
        return value.numerator // value.denominator
