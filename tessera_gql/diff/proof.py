"""Documents that show a break: looked for where the change is, confirmed by `jsonschema`, or not shown at all."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from tessera_gql.diff.changes import Certainty, ChangeKind, Evidence, Mode
from tessera_gql.diff.comparers import CLOSING, COUNTS, LIMITS
from tessera_gql.diff.confirm import Judge
from tessera_gql.diff.documents import read
from tessera_gql.diff.drafts import AnyName, Here, Index, Name, Other, Route, Rule
from tessera_gql.diff.facts import Found, Literal
from tessera_gql.diff.guard import Identities
from tessera_gql.diff.hints import MAX_SCHEMAS, Compare, hint
from tessera_gql.diff.json import Json, canonical, exact
from tessera_gql.diff.judge import Judged, refutation, sides
from tessera_gql.diff.refusals import SchemaError
from tessera_gql.diff.regex import Language, example
from tessera_gql.diff.schema import Schema, Space, size
from tessera_gql.diff.solve import Solver
from tessera_gql.diff.view import View, type_names

K = ChangeKind
FUEL = 2_000
MOST = 200
EFFORT = 60_000
ROOM = 200_000
MAX_HINTS = 20
MAX_DOCUMENT = 20_000
MAX_SECONDS = 2.0
"""For all evidence of one comparison; what is not found by then stays unproven, which changes no verdict."""
DEFAULTS = (K.DEFAULT_ADDED, K.DEFAULT_CHANGED, K.DEFAULT_REMOVED)
ATTRIBUTES = {**COUNTS, **LIMITS}
Raw = dict[str, Json]


class Side(NamedTuple):
    root: Schema
    judge: Judge


@dataclass
class Proofs:
    """The evidence for all changes of one comparison, gathered together on first use and within one budget."""

    judged: Sequence[Judged]
    old: Side
    new: Side
    space: Space
    solver: Solver
    identities: Identities
    compare: Compare

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        schemas = size(self.old.root, self.new.root)
        tries, room, ends = max(3, min(MOST, EFFORT // schemas)), ROOM, time.monotonic() + MAX_SECONDS
        found: list[Evidence] = []
        for each in self.judged:
            one = Evidence()
            if each.breaks and tries and room > 0 and time.monotonic() < ends:
                tries -= 1
                one = self._evidence(each)
                room -= len(canonical(one.document))
                if schemas <= MAX_SCHEMAS and len(found) < MAX_HINTS:
                    one = one._replace(hint=self._hint(each))
            found.append(one)
        return tuple(found)

    def _hint(self, judged: Judged) -> str | None:
        try:
            others = {(each.draft.kind, each.path) for each in self.judged if Mode.BACKWARD in each.breaks}
            return hint(judged, others, self.old.root.raw, self.new.root.raw, self.compare)
        except SchemaError:  # what was kept needs a definition that is gone
            return None

    def _evidence(self, judged: Judged) -> Evidence:
        mode = Mode.BACKWARD if Mode.BACKWARD in judged.breaks else Mode.FORWARD
        accepting, refusing = sides(self.old, self.new, mode)
        for demand, must_refuse, emits in self._demands(judged, mode):
            found = self._document(accepting, demand, emits=emits)
            if found is None or accepting.judge.accepts(found.value) is not True:
                continue
            if len(canonical(found.value)) > MAX_DOCUMENT:
                continue
            if not must_refuse or refusing.judge.accepts(found.value) is False:
                return Evidence(Certainty.PROVEN, found.value)
        return Evidence()

    def _document(self, side: Side, demand: Raw, *, emits: bool) -> Found | None:
        try:
            document = read({"$schema": "https://json-schema.org/draft/2020-12/schema", **demand}, self.identities)
        except SchemaError:  # the demand repeats what the schemas say, and may be larger than either
            return None
        self.solver.fuel = FUEL
        asked = [Literal(side.root, holds=True, emits=emits), Literal(self.space.root(document), holds=True)]
        found = self.solver.find(asked)
        return found if isinstance(found, Found) else None

    def _demands(self, judged: Judged, mode: Mode) -> Iterator[tuple[Raw, bool, bool]]:
        """What the document must be like, most telling first; whether the other side must refuse it; who writes it."""
        draft, route, emits = judged.draft, judged.route, judged.draft.rule is not Rule.OPEN
        if mode in draft.content and judged.spot is not None:
            given, wanted = sides(judged.spot.old, judged.spot.new, mode)
            negated = _negated(draft.pointer.rpartition("/")[2], draft.name, wanted)
            if draft.kind in (K.PROPERTY_ADDED, K.PROPERTY_REMOVED, K.PROPERTY_RENAMED):
                negated = _negated("required", draft.name, wanted)
            if negated is not None:
                yield wrapped(route, negated), True, emits
            found = refutation(self.solver, given, wanted, emits=emits)
            if isinstance(found, Found):
                yield wrapped(route, {"const": found.value}), True, emits
        if draft.kind in DEFAULTS:
            yield from _without(route)
        elif mode in draft.always and draft.name is not None:
            name = draft.before if draft.kind is K.PROPERTY_RENAMED and mode is Mode.BACKWARD else draft.name
            yield wrapped(route, {"type": "object", "required": [name]}), False, True


def _without(route: Route) -> Iterator[tuple[Raw, bool, bool]]:
    match route:
        case (*above, Name(name)):
            yield wrapped(tuple(above), {"type": "object", "not": {"required": [name]}}), False, True
        case _:
            return


def wrapped(route: Route, demand: Raw) -> Raw:
    """A schema for documents that have the route and meet the demand at its end."""
    for step in reversed(route):
        match step:
            case Name(name):
                demand = {"type": "object", "required": [name], "properties": {name: demand}}
            case Index(index):
                free: list[Json] = [{}] * index
                demand = {"type": "array", "minItems": index + 1, "prefixItems": [*free, demand]}
            case Other(pattern):
                found = "other" if pattern is None else example(Language(frozenset({pattern})))
                name = found if isinstance(found, str) else "other"
                demand = {"type": "object", "required": [name], "properties": {name: demand}}
            case AnyName():
                demand = {"type": "object", "not": {"propertyNames": {"not": demand}}}
            case Here():
                pass
    return demand


def _negated(word: str, name: str | None, view: View) -> Raw | None:
    """A schema for what one keyword of the view rules out; None where the keyword alone does not tell."""
    said = _said(word, name, view)
    return None if said is None else {"not": said}


def _said(word: str, name: str | None, view: View) -> Raw | None:
    if word in CLOSING:
        return _closed(view)
    if word in ATTRIBUTES:
        attribute = ATTRIBUTES[word]
        limit = view.least(attribute) if word.startswith("min") else view.most(attribute)
        return None if limit is None else {word: limit}
    if word == "required":
        return None if name is None else {"type": "object", "required": [name]}
    reader = SAID.get(word)
    return None if reader is None else reader(view)


def _closed(view: View) -> Raw:
    names: Raw = dict.fromkeys(view.properties, True)
    patterns: Raw = {pattern: True for node in view.schemas for pattern in node.patterns}
    return {"type": "object", "properties": names, "patternProperties": patterns, "additionalProperties": False}


def _low(view: View) -> Raw | None:
    low = view.low
    return None if low is None else {"exclusiveMinimum" if low.is_open else "minimum": exact(low.value)}


def _high(view: View) -> Raw | None:
    high = view.high
    return None if high is None else {"exclusiveMaximum" if high.is_open else "maximum": exact(high.value)}


def _enum(view: View) -> Raw | None:
    return None if view.enum is None else {"enum": [*view.enum.values()]}


def _every(word: str, values: Iterable[Json]) -> Raw | None:
    listed: list[Json] = [{word: value} for value in values]
    return {"allOf": listed} if listed else None


SAID: dict[str, Callable[[View], Raw | None]] = {
    "type": lambda view: {"type": [*type_names(view.types)]},
    "enum": _enum,
    "const": _enum,
    "minimum": _low,
    "exclusiveMinimum": _low,
    "maximum": _high,
    "exclusiveMaximum": _high,
    "multipleOf": lambda view: _every("multipleOf", map(exact, view.multiples)),
    "pattern": lambda view: _every("pattern", [node.pattern for node in view.schemas if node.pattern is not None]),
    "uniqueItems": lambda _: {"uniqueItems": True},
}
