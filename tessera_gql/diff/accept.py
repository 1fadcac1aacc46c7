"""Is this value valid? Yes, no, or None: a pattern beyond us, a reference only the reading decides, effort used up."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from tessera_gql.diff.json import Json, canonical
from tessera_gql.diff.kinds import type_mask
from tessera_gql.diff.regex import matches
from tessera_gql.diff.schema import Bound, Schema, exact_number

MAX_EFFORT = 20_000
MAX_DEPTH = 40
Verdict = bool | None


def accepts(node: Schema, value: Json) -> Verdict:
    """Ignores `format`, as validators do."""
    return _Validation().accepts(node, value)


def all_true(verdicts: Iterable[Verdict]) -> Verdict:
    """No if any says no, else None if any cannot say."""
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


def count_between(verdicts: Iterable[Verdict], least: int, most: int | None) -> Verdict:
    """Whether the number of yeses lies within the limits."""
    listed = list(verdicts)
    yes = sum(verdict is True for verdict in listed)
    maybe = yes + sum(verdict is None for verdict in listed)
    if maybe < least or (most is not None and yes > most):
        return False
    return True if yes >= least and (most is None or maybe <= most) else None


class _Validation:
    """One value read against one schema: nothing twice, and with bounded effort."""

    def __init__(self) -> None:
        self.effort = MAX_EFFORT
        self.depth = 0
        self.known: dict[tuple[int, int], Verdict] = {}

    def accepts(self, node: Schema, value: Json) -> Verdict:
        if isinstance(node.raw, bool):
            return node.raw
        slot = id(node), id(value)
        if slot in self.known:
            return self.known[slot]
        self.effort -= 1
        if self.effort < 0 or self.depth > MAX_DEPTH:
            return None
        self.known[slot] = None  # what is asked again while it is being answered asks itself
        self.depth += 1
        try:
            self.known[slot] = all_true(self.checks(node, value))
        finally:
            self.depth -= 1
        return self.known[slot]

    def checks(self, node: Schema, value: Json) -> Iterator[Verdict]:
        if not node.types & type_mask(value):
            yield False
            return
        if node.enum is not None:
            yield canonical(value) in node.enum
        match value:
            case bool() | None:
                pass
            case int() | float():
                yield from _number(node, value)
            case str():
                yield from _string(node, value)
            case list():
                yield from self.array(node, value)
            case dict():
                yield from self.object(node, value)
        yield from self.composition(node, value)

    def composition(self, node: Schema, value: Json) -> Iterator[Verdict]:
        if node.is_opaque:
            yield None
        if node.has_unevaluated and isinstance(value, list | dict) and value:
            yield None
        target = node.target()
        if target is not None:
            yield self.accepts(target, value)
        yield all_true(self.accepts(each, value) for each in node.children("allOf"))
        yield from (self.choice(node, word, value) for word in ("anyOf", "oneOf") if word in node.keywords)
        negated = node.child("not")
        if negated is not None:
            yield negate_verdict(self.accepts(negated, value))
        condition = node.child("if")
        if condition is not None:
            yield self.conditional(node, self.accepts(condition, value), value)

    def choice(self, node: Schema, word: str, value: Json) -> Verdict:
        listed = node.enum_value_counts(word)
        if listed is not None:
            found = listed[canonical(value)]
            return found == 1 or (found > 1 and word == "anyOf")
        verdicts = (self.accepts(each, value) for each in node.children(word))
        return any_true(verdicts) if word == "anyOf" else count_between(verdicts, 1, 1)

    def conditional(self, node: Schema, holds: Verdict, value: Json) -> Verdict:
        branches = [
            each
            for word, unlikely in (("then", False), ("else", True))
            if holds is not unlikely
            for each in [node.child(word)]
            if each is not None
        ]
        found = all_true(self.accepts(each, value) for each in branches)
        return found if holds is not None or found is True else None

    def array(self, node: Schema, value: list[Json]) -> Iterator[Verdict]:
        yield len(value) >= node.min_items and (node.max_items is None or len(value) <= node.max_items)
        prefix, rest = node.prefix_items, node.remaining_items
        yield all_true(self.accepts(each, item) for each, item in zip(prefix, value, strict=False))
        if rest is not None:
            yield all_true(self.accepts(rest, item) for item in value[len(prefix) :])
        if node.unique:
            yield len({canonical(item) for item in value}) == len(value)
        contained = node.child("contains")
        if contained is not None:
            found = (self.accepts(contained, item) for item in value)
            yield count_between(found, node.min_contains, node.max_contains)

    def object(self, node: Schema, value: dict[str, Json]) -> Iterator[Verdict]:
        yield all(name in value for name in node.required)
        top = node.max_properties
        yield len(value) >= node.min_properties and (top is None or len(value) <= top)
        for name, item in value.items():
            yield all_true(self.property(node, name, item))
        names = node.child("propertyNames")
        if names is not None:
            yield all_true(self.accepts(names, name) for name in value)
        for name, others in node.dependent_names.items():
            yield name not in value or all(other in value for other in others)
        for name, schema in node.dependent_schemas():
            if name in value:
                yield self.accepts(schema, value)

    def property(self, node: Schema, name: str, item: Json) -> Iterator[Verdict]:
        is_extra: Verdict = name not in node.properties
        if name in node.properties:
            yield self.accepts(node.property_schema(name), item)
        for pattern in node.pattern_properties:
            fits = matches(pattern, name)
            if fits is not False:
                verdict = self.accepts(node.pattern_property(pattern), item)
                yield verdict if fits or verdict is True else None
                is_extra = False if fits else is_extra and None
        if node.additional_properties is not None and is_extra is not False:
            verdict = self.accepts(node.additional_properties, item)
            yield verdict if is_extra or verdict is True else None


def _string(node: Schema, value: str) -> Iterator[Verdict]:
    top = node.max_length
    yield len(value) >= node.min_length and (top is None or len(value) <= top)
    if node.pattern is not None:
        yield matches(node.pattern, value)


def _number(node: Schema, value: float) -> Iterator[Verdict]:
    number = exact_number(value)
    yield _within(node.low, node.high, Fraction(number))
    yield all((Fraction(number) / Fraction(step)).denominator == 1 for step in node.multiples)


def _within(low: Bound | None, high: Bound | None, number: Fraction) -> bool:
    above = low is None or number > low.value or (number == low.value and not low.is_open)
    below = high is None or number < high.value or (number == high.value and not high.is_open)
    return above and below
