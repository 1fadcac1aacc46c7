"""Validate a value against a schema, with three results: valid, invalid or unknown (None).

Unknown are patterns outside the supported syntax, dynamic references, and validations that exceed their effort.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.values.json import Json, canonical_json
from tessera_gql.diff.values.json_types import type_mask
from tessera_gql.diff.values.numbers import Bound, exact_number
from tessera_gql.diff.values.regular_languages import matches

MAX_EFFORT = 20_000
MAX_DEPTH = 40
STEPS_PER_CHECK = 20
"""Cost of checking a value against a schema, without its parts."""
Verdict = bool | None


def accepts(node: Schema, value: Json) -> Verdict:
    """Return whether a value is valid under a schema, or None if unknown. Ignores `format`, as validators do."""
    return _Validation().accepts(node, value)


def all_true(verdicts: Iterable[Verdict]) -> Verdict:
    """Combine verdicts by a three-valued "and"."""
    unsure = False
    for verdict in verdicts:
        if verdict is False:
            return False
        unsure = unsure or verdict is None
    return None if unsure else True


def negate_verdict(verdict: Verdict) -> Verdict:
    return None if verdict is None else not verdict


def any_true(verdicts: Iterable[Verdict]) -> Verdict:
    return negate_verdict(all_true(negate_verdict(verdict) for verdict in verdicts))


def count_between(verdicts: Iterable[Verdict], minimum: int, maximum: int | None) -> Verdict:
    """Return whether the number of true verdicts lies within the limits, as a verdict."""
    listed = list(verdicts)
    yes = sum(verdict is True for verdict in listed)
    maybe = yes + sum(verdict is None for verdict in listed)
    if maybe < minimum or (maximum is not None and yes > maximum):
        return False
    return True if yes >= minimum and (maximum is None or maybe <= maximum) else None


class _Validation:
    """Validation of one value with bounded effort; each pair of schema and value is checked once."""

    def __init__(self) -> None:
        self.effort = MAX_EFFORT
        self.depth = 0
        self.results: dict[tuple[int, int], Verdict] = {}

    def accepts(self, node: Schema, value: Json) -> Verdict:
        if isinstance(node.raw, bool):
            return node.raw
        key = id(node), id(value)
        if key in self.results:
            return self.results[key]
        self.effort -= 1
        if self.effort < 0 or self.depth > MAX_DEPTH or not node.cache.budget.spend_steps(STEPS_PER_CHECK):
            return None
        self.results[key] = None  # a recursive check of the same pair stays unknown
        self.depth += 1
        try:
            self.results[key] = all_true(self.check(node, value))
        finally:
            self.depth -= 1
        return self.results[key]

    def check(self, node: Schema, value: Json) -> Iterator[Verdict]:
        if not node.types & type_mask(value):
            yield False
            return
        if node.enum is not None:
            yield canonical_json(value) in node.enum
        match value:
            case bool() | None:
                pass
            case int() | float():
                yield from _check_number(node, value)
            case str():
                yield from _check_string(node, value)
            case list():
                yield from self.check_array(node, value)
            case dict():
                yield from self.check_object(node, value)
        yield from self.check_composition(node, value)

    def check_composition(self, node: Schema, value: Json) -> Iterator[Verdict]:
        if node.is_opaque:
            yield None
        if node.has_unevaluated and isinstance(value, list | dict) and value:
            yield None
        if (target := node.target()) is not None:
            yield self.accepts(target, value)
        yield all_true(self.accepts(branch, value) for branch in node.children("allOf"))
        for keyword in ("anyOf", "oneOf"):
            if keyword in node.keywords:
                yield self.check_alternatives(node, keyword, value)
        if (negated := node.child("not")) is not None:
            yield negate_verdict(self.accepts(negated, value))
        if (condition := node.child("if")) is not None:
            yield self.check_conditional(node, self.accepts(condition, value), value)

    def check_alternatives(self, node: Schema, keyword: str, value: Json) -> Verdict:
        listed = node.enum_value_counts(keyword)
        if listed is not None:
            occurrences = listed[canonical_json(value)]
            return occurrences == 1 or (occurrences > 1 and keyword == "anyOf")
        verdicts = (self.accepts(branch, value) for branch in node.children(keyword))
        return any_true(verdicts) if keyword == "anyOf" else count_between(verdicts, 1, 1)

    def check_conditional(self, node: Schema, holds: Verdict, value: Json) -> Verdict:
        outcomes = (("then", True), ("else", False))
        possible = [node.child(keyword) for keyword, outcome in outcomes if holds in (outcome, None)]
        verdict = all_true(self.accepts(branch, value) for branch in possible if branch is not None)
        return verdict if holds is not None or verdict is True else None

    def check_array(self, node: Schema, value: list[Json]) -> Iterator[Verdict]:
        yield len(value) >= node.min_items and (node.max_items is None or len(value) <= node.max_items)
        prefix, remaining = node.prefix_items, node.remaining_items
        yield all_true(self.accepts(schema, item) for schema, item in zip(prefix, value, strict=False))
        if remaining is not None:
            yield all_true(self.accepts(remaining, item) for item in value[len(prefix) :])
        if node.unique:
            yield len({canonical_json(item) for item in value}) == len(value)
        if (contained := node.child("contains")) is not None:
            verdicts = (self.accepts(contained, item) for item in value)
            yield count_between(verdicts, node.min_contains, node.max_contains)

    def check_object(self, node: Schema, value: dict[str, Json]) -> Iterator[Verdict]:
        yield all(name in value for name in node.required)
        top = node.max_properties
        yield len(value) >= node.min_properties and (top is None or len(value) <= top)
        for name, item in value.items():
            yield all_true(self.check_property(node, name, item))
        if (names := node.child("propertyNames")) is not None:
            yield all_true(self.accepts(names, name) for name in value)
        for name, dependents in node.dependent_names.items():
            yield name not in value or all(dependent in value for dependent in dependents)
        for name, schema in node.dependent_schemas():
            if name in value:
                yield self.accepts(schema, value)

    def check_property(self, node: Schema, name: str, item: Json) -> Iterator[Verdict]:
        is_extra: Verdict = name not in node.properties
        if name in node.properties:
            yield self.accepts(node.property_schema(name), item)
        for pattern in node.pattern_properties:
            fits = matches(pattern, name, node.cache.budget)
            if fits is not False:
                verdict = self.accepts(node.pattern_property(pattern), item)
                yield verdict if fits or verdict is True else None
                is_extra = False if fits else is_extra and None
        if node.additional_properties is not None and is_extra is not False:
            verdict = self.accepts(node.additional_properties, item)
            yield verdict if is_extra or verdict is True else None


def _check_string(node: Schema, value: str) -> Iterator[Verdict]:
    top = node.max_length
    yield len(value) >= node.min_length and (top is None or len(value) <= top)
    if node.pattern is not None:
        yield matches(node.pattern, value, node.cache.budget)


def _check_number(node: Schema, value: float) -> Iterator[Verdict]:
    yield not (node.forbids_decimal_point and isinstance(value, float))
    number = exact_number(value)
    yield _is_within(node.low, node.high, Fraction(number))
    yield all((Fraction(number) / Fraction(step)).denominator == 1 for step in node.multiples)


def _is_within(low: Bound | None, high: Bound | None, number: Fraction) -> bool:
    above = low is None or number > low.value or (number == low.value and not low.is_open)
    below = high is None or number < high.value or (number == high.value and not high.is_open)
    return above and below
