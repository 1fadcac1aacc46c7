"""Numbers and strings: is there one that meets every demand? Exact arithmetic, never floats."""

import json
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import count, islice
from math import ceil, floor, lcm

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
from tessera_gql.diff.json import canonical, exact
from tessera_gql.diff.regex import Language, example
from tessera_gql.diff.schema import Bound, Number, Schema, tighter_high, tighter_low

TRIES = 2_000
PARTS = [Fraction(part, 2**depth) for depth in range(1, 7) for part in range(1, 2**depth, 2)]


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
    quoted = [text for text in excluded(facts) if text.startswith('"')]
    language = Language(
        wanted=frozenset(node.pattern for node in nodes if node.pattern is not None),
        unwanted=frozenset(fact.pattern for fact in facts if isinstance(fact, Unmatched)),
        least=least,
        most=min(tops, default=None),
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
    both = lcm(left.numerator * right.denominator, right.numerator * left.denominator)
    return Fraction(both, left.denominator * right.denominator)


def _on_grid(
    step: Fraction, limits: tuple[Bound | None, Bound | None], avoid: Sequence[Number], banned: frozenset[str]
) -> Outcome:
    low, high = limits
    first = last = None
    if low is not None:
        first = floor(low.value / step) + 1 if low.is_open else ceil(low.value / step)
    if high is not None:
        last = ceil(high.value / step) - 1 if high.is_open else floor(high.value / step)
    found = _shown((index * step for index in islice(_indices(first, last), TRIES)), avoid, banned)
    is_small = first is not None and last is not None and last - first < TRIES
    return found or (Answer.EMPTY if is_small else Answer.UNKNOWN)


def _indices(first: int | None, last: int | None) -> Iterator[int]:
    """Whole numbers in the range, those near its only limit or near zero first."""
    if first is None:
        start = last or 0
    else:
        start = first if last is None else min(max(first, 0), last)
        if start < first:
            return
    yield start
    for step in count(1):
        has_top, has_bottom = last is None or start + step <= last, first is None or start - step >= first
        if has_top:
            yield start + step
        if has_bottom:
            yield start - step
        if not has_top and not has_bottom:
            return


def _between(low: Bound | None, high: Bound | None, avoid: Sequence[Number], banned: frozenset[str]) -> Outcome:
    """A number with a fraction, on no grid: any interval wider than a point has infinitely many."""
    if low is None or high is None or low.value < high.value:
        return _shown(_inside(low, high), avoid, banned) or Answer.UNKNOWN
    if low != high or low.is_open:
        return Answer.EMPTY
    return _shown([Fraction(low.value)], avoid, banned) or Answer.EMPTY


def _inside(low: Bound | None, high: Bound | None) -> Iterator[Fraction]:
    """The middle, the quarters, the eighths and so on, of a unit near the limit where there are not two."""
    bottom, width = Fraction(-1), Fraction(1)
    if low is not None and high is not None:
        bottom, width = Fraction(low.value), Fraction(high.value - low.value)
    elif low is not None:
        bottom = Fraction(floor(low.value) + 1)
    elif high is not None:
        bottom = Fraction(ceil(high.value) - 2)
    return (bottom + width * part for part in PARTS)


def _shown(values: Iterable[Fraction], avoid: Sequence[Number], banned: frozenset[str]) -> Found | None:
    """The first that is neither a multiple of what is avoided nor banned."""
    for value in values:
        if all((value / Fraction(each)).denominator != 1 for each in avoid):
            shown = exact(value)
            if canonical(shown) not in banned:
                return Found(shown)
    return None
