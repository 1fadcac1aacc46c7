"""`minimum`, `maximum` and their exclusive forms: the smallest and the largest number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.differences import Difference
from tessera_gql.diff.keywords.difference_builders import constraint_difference, constraint_kind
from tessera_gql.diff.keywords.record import MIXED_YEAR, Keyword, RawSchema
from tessera_gql.diff.messages import describe_text_edit, format_value
from tessera_gql.diff.values.json import Json, to_json_number
from tessera_gql.diff.values.json_types import NUMBER
from tessera_gql.diff.values.numbers import Bound, Number, exact_number, tightest_high, tightest_low

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View

LOW, HIGH = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
EXCLUSIVE_SHAPES = {4: "flag", 6: "number", MIXED_YEAR: "flag or number"}
NUMBER_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _read_low(node: Schema) -> None:
    node.low = tightest_low(_bounds(node, "minimum", "exclusiveMinimum"))


def _read_high(node: Schema) -> None:
    node.high = tightest_high(_bounds(node, "maximum", "exclusiveMaximum"))


def _bounds(node: Schema, keyword: str, exclusive_keyword: str) -> Iterator[Bound]:
    """Yield the bounds of two keywords. In draft 4 the exclusive one is a flag of the other, later it is a number."""
    value, exclusive = node.keywords.get(keyword), node.keywords.get(exclusive_keyword)
    if value is not None:
        yield Bound(exact_number(cast("float", value)), is_open=exclusive is True)
    if exclusive is not None and not isinstance(exclusive, bool):
        yield Bound(exact_number(cast("float", exclusive)), is_open=True)


def compare_bounds(keywords: tuple[str, str], old: View, new: View) -> Iterator[Difference]:
    before, after, sign = (old.low, new.low, 1) if keywords == LOW else (old.high, new.high, -1)
    if before != after:
        pointers = [new.pointer_to(keyword) for keyword in keywords if new.value_of(keyword) is not None]
        pointer = pointers[0] if pointers else old.pointer_to(keywords[0])
        limits = _bound_json(before), _bound_json(after)
        is_tighter = _tightness(after, sign) > _tightness(before, sign)
        texts = _bound_text(before), _bound_text(after)
        message = describe_text_edit(keywords[0], *texts, constraint_kind(is_tighter=is_tighter)[0])
        yield constraint_difference(pointer, limits, message, is_tighter=is_tighter)


def _bound_text(bound: Bound | None) -> str | None:
    if bound is None:
        return None
    return f"{format_value(to_json_number(bound.value))}{' (exclusive)' if bound.is_open else ''}"


def _tightness(bound: Bound | None, sign: int) -> tuple[Number, ...]:
    """Return a sort key that is higher for a tighter bound."""
    return () if bound is None else (sign * bound.value, bound.is_open)


def _bound_json(bound: Bound | None) -> Json:
    if bound is None:
        return None
    value = to_json_number(bound.value)
    return {"exclusive": value} if bound.is_open else value


def _write_low(view: View, _: str | None) -> RawSchema | None:
    low = view.low
    return None if low is None else {"exclusiveMinimum" if low.is_open else "minimum": to_json_number(low.value)}


def _write_high(view: View, _: str | None) -> RawSchema | None:
    high = view.high
    return None if high is None else {"exclusiveMaximum" if high.is_open else "maximum": to_json_number(high.value)}


MINIMUM = Keyword(
    {"minimum": {4: "number"}, "exclusiveMinimum": EXCLUSIVE_SHAPES},
    "The smallest number. `exclusiveMinimum` is the number that a value must exceed; in draft 4 a flag of `minimum`.",
    constrained_types=NUMBER,
    has_subschemas=False,
    read=_read_low,
    compare=partial(compare_bounds, LOW),
    write=_write_low,
)
MAXIMUM = Keyword(
    {"maximum": {4: "number"}, "exclusiveMaximum": EXCLUSIVE_SHAPES},
    "The largest number. `exclusiveMaximum` is the number that a value must not reach; in draft 4 a flag of `maximum`.",
    constrained_types=NUMBER,
    has_subschemas=False,
    read=_read_high,
    compare=partial(compare_bounds, HIGH),
    write=_write_high,
)
