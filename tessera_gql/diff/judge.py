"""Which differences break, and how. Containment decides about values; declared paths and defaults break by rule."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.drafts import Draft, Route, Rule, text
from tessera_gql.diff.facts import Answer, Found, Literal, Outcome
from tessera_gql.diff.json import Json, same
from tessera_gql.diff.paths import Key as StateKey
from tessera_gql.diff.paths import State
from tessera_gql.diff.renames import renames
from tessera_gql.diff.routes import Reached, reach
from tessera_gql.diff.schema import Schema
from tessera_gql.diff.solve import Solver
from tessera_gql.diff.view import View, describe
from tessera_gql.diff.walk import Key, Spot

K = ChangeKind
BACK, FORTH = frozenset({Mode.BACKWARD}), frozenset({Mode.FORWARD})
DIRECTIONS = (Mode.BACKWARD, Mode.FORWARD)
ACCEPTED = {Mode.BACKWARD: "less", Mode.FORWARD: "more"}
"""How much is accepted now, where containment fails."""
Side = TypeVar("Side")


@dataclass(frozen=True)
class Judged:
    """A draft with its verdict, where it belongs, and where in a document to look for it."""

    draft: Draft
    breaks: frozenset[Mode]
    fields: tuple[str, ...]
    route: Route
    spot: Spot | None = None

    @property
    def path(self) -> str:
        path, name = text(self.route), self.draft.name
        if name is None:
            return path
        return f"{path}.{name}" if path else name


TOO_MANY = Judged(
    Draft(K.UNDECIDED, "", "it has more places, each within others, than are followed", rule=Rule.ALWAYS),
    frozenset({*DIRECTIONS, Mode.FULL}),
    ("",),
    (),
)


def refutation(solver: Solver, old: View, new: View, *, emits: bool) -> Outcome:
    """A value that obeys the old view and not the new one; EMPTY is the proof that the old is contained in the new."""
    given = [Literal(node, holds=True, emits=emits) for node in old.nodes]
    outcome: Outcome = Answer.EMPTY
    for node in new.nodes:
        try:
            found = solver.find([*given, Literal(node, holds=False)])
        except RecursionError:  # the caller's own stack was deep already
            found = Answer.UNKNOWN
        if isinstance(found, Found):
            return found
        outcome = outcome if found is Answer.EMPTY else found
    return outcome


def sides(old: Side, new: Side, mode: Mode) -> tuple[Side, Side]:
    """The side that must be contained first."""
    return (old, new) if mode is Mode.BACKWARD else (new, old)


class Containment:
    """What is proven of each spot. `fails`: a direction fails here and everywhere on the way from the root.

    `open_fails`: the same for whatever is valid, whoever writes it; there, other properties may always occur.
    """

    def __init__(self, solver: Solver, spots: Mapping[Key, Spot]) -> None:
        self.solver = solver
        self.spots = spots
        self.outcomes = {
            mode: {key: self._outcome(key, mode, emits=True) for key in reversed([*spots])} for mode in DIRECTIONS
        }
        self.fails = {mode: self._failing(self.outcomes[mode].__getitem__) for mode in DIRECTIONS}
        self.open_fails = {mode: self._failing(partial(self._open_outcome, mode)) for mode in DIRECTIONS}

    def _outcome(self, key: Key, mode: Mode, *, emits: bool) -> Outcome:
        spot = self.spots[key]
        return refutation(self.solver, *sides(spot.old, spot.new, mode), emits=emits)

    def _open_outcome(self, mode: Mode, key: Key) -> Outcome:
        """What a producer writes is valid: a value found among that is one for this question too."""
        known = self.outcomes[mode][key]
        return known if isinstance(known, Found) else self._outcome(key, mode, emits=False)

    def _failing(self, outcome: Callable[[Key], Outcome]) -> set[Key]:
        found: set[Key] = set()
        root = next(iter(self.spots))
        stack = [] if outcome(root) is Answer.EMPTY else [root]
        while stack:
            key = stack.pop()
            if key not in found:
                found.add(key)
                stack += [child for _, child in self.spots[key].edges if outcome(child) is not Answer.EMPTY]
        return found

    def makes_no_difference(self, key: Key) -> bool:
        """The same values are valid on both sides, whoever writes them."""
        return not any(key in self.open_fails[mode] for mode in DIRECTIONS)


def judge(
    solver: Solver,
    spots: Mapping[Key, Spot],
    states: Mapping[StateKey, State],
    unshared: Mapping[StateKey, State],
) -> list[Judged]:
    """Every difference with its verdict, in no particular order."""
    proven = Containment(solver, spots)
    reached = reach(next(iter(spots)), {key: spot.edges for key, spot in spots.items()})
    for mode in DIRECTIONS:
        _explain(proven, mode)
    found = [
        judged
        for key, spot in spots.items()
        for draft in spot.drafts
        if (judged := _judged(draft, spot, key, proven, reached[key])) is not None
    ]
    places: list[Spot | State] = [*spots.values(), *states.values(), *unshared.values()]
    cut = [TOO_MANY] if any(place.is_cut for place in places) else []
    return _without_repeats([*cut, *_with_paths(found, states), *_shared(states, unshared)])


def _without_repeats(found: list[Judged]) -> list[Judged]:
    """One change where the same is said of the same place for several reasons, say for each item of a list."""
    kept: dict[tuple[str, str, str], list[Judged]] = {}
    for each in found:
        draft = each.draft
        known = kept.setdefault((draft.kind.value, draft.pointer, each.path), [])
        for index, other in enumerate(known):
            if same(draft.before, other.draft.before) and same(draft.after, other.draft.after):
                fields = tuple(dict.fromkeys((*other.fields, *each.fields)))
                known[index] = replace(other, breaks=other.breaks | each.breaks, fields=fields)
                break
        else:
            known.append(each)
    return [each for known in kept.values() for each in known]


def _shared(states: Mapping[StateKey, State], unshared: Mapping[StateKey, State]) -> Iterator[Judged]:
    """Fields that one side spells out and the other has from a shared definition."""
    if unshared is states:
        return
    told = {node.at for state in states.values() for _, node in (*state.gone, *state.come)}
    reached = reach(next(iter(unshared)), {key: state.edges for key, state in unshared.items()})
    for key, state in unshared.items():
        for names, breaks, side in ((state.gone, BACK, "the old"), (state.come, FORTH, "the new")):
            fresh = [node for _, node in names if node.at not in told]
            if fresh:
                message = f"its fields come from a shared definition on one side, and {side} schema spells them out"
                draft = Draft(K.COMPOSITION_CHANGED, fresh[0].at, message, always=breaks, rule=Rule.ALWAYS)
                yield Judged(draft, breaks | {Mode.FULL}, reached[key].fields(), reached[key].first)


def _explain(proven: Containment, mode: Mode) -> None:
    """Where containment fails and nothing there or below says why, the failure is a change of its own."""
    spots, fails = proven.spots, proven.fails[mode]
    holders: dict[Key, list[Key]] = {}
    for key in fails:
        for _, child in spots[key].edges:
            holders.setdefault(child, []).append(key)
    telling = [key for key in fails if any(mode in draft.content | draft.always for draft in spots[key].drafts)]
    explained = _above(telling, holders)
    for key in reversed([*spots]):
        if key in fails and key not in explained:
            spots[key].drafts.append(_unexplained(spots[key], mode, proven.outcomes[mode][key]))
            explained |= _above([key], holders)


def _above(keys: list[Key], holders: Mapping[Key, list[Key]]) -> set[Key]:
    found: set[Key] = set()
    while keys:
        key = keys.pop()
        if key not in found:
            found.add(key)
            keys += holders.get(key, [])
    return found


def _unexplained(spot: Spot, mode: Mode, outcome: Outcome) -> Draft:
    content = frozenset({mode})
    if outcome is Answer.UNKNOWN:
        return Draft(K.UNDECIDED, spot.new.at, "it could not be decided whether this fits", content=content)
    return Draft(K.COMPOSITION_CHANGED, spot.new.at, f"it accepts {ACCEPTED[mode]} than before", content=content)


def _judged(draft: Draft, spot: Spot, key: Key, proven: Containment, reached: Reached) -> Judged | None:
    """None for what makes no difference at all."""
    fields, route = reached.fields(draft.name), reached.first
    if draft.rule is Rule.NEVER:
        return Judged(draft, frozenset(), fields, route, spot)
    fails = proven.open_fails if draft.rule is Rule.OPEN else proven.fails
    breaks = draft.always | {mode for mode in draft.content if key in fails[mode]}
    if draft.rule is not Rule.ALWAYS and not breaks and proven.makes_no_difference(key):
        return None
    return Judged(draft, breaks | {Mode.FULL}, fields, route, spot)


def _with_paths(found: list[Judged], states: Mapping[StateKey, State]) -> list[Judged]:
    """Adds what declared paths say; a property that came or went is one change, and so is a rename."""
    by_value: dict[Slot, Judged] = {}
    for each in found:
        if each.draft.kind in EVENTS:
            _join(by_value, each)
    by_path: dict[Slot, Judged] = {}
    reached = reach(next(iter(states)), {key: state.edges for key, state in states.items()})
    for key, state in states.items():
        gone = {each.draft.name or "": each for each in _events(K.PROPERTY_REMOVED, state.gone, reached[key])}
        come = {each.draft.name or "": each for each in _events(K.PROPERTY_ADDED, state.come, reached[key])}
        for each in (*gone.values(), *come.values()):
            slot = each.draft.kind, each.draft.pointer
            if slot in by_value:
                _join(by_path, by_value[slot])
            _join(by_path, each)
        for old, new in renames(state.gone, state.come).items():
            left, right = (by_path.pop((each.draft.kind, each.draft.pointer)) for each in (gone[old], come[new]))
            for each in (left, right):
                by_value.pop((each.draft.kind, each.draft.pointer), None)
            _join(by_path, _renamed(left, right))
    others = [each for each in found if each.draft.kind not in EVENTS]
    return [*others, *(by_value | by_path).values()]


Slot = tuple[ChangeKind, str]


def _join(slots: dict[Slot, Judged], one: Judged) -> None:
    slot = one.draft.kind, one.draft.pointer
    slots[slot] = _merged(slots[slot], one) if slot in slots else one


EVENTS = {K.PROPERTY_REMOVED: (BACK, "it is gone"), K.PROPERTY_ADDED: (FORTH, "it is new")}


def _events(kind: ChangeKind, names: list[tuple[str, Schema]], reached: Reached) -> Iterator[Judged]:
    always, verb = EVENTS[kind]
    for name, node in names:
        shown: dict[str, Json] = {"type": describe(View((node,))), "required": False}
        before, after = (shown, None) if kind is K.PROPERTY_REMOVED else (None, shown)
        draft = Draft(kind, node.at, verb, before, after, name, always=always, rule=Rule.ALWAYS)
        yield Judged(draft, always | {Mode.FULL}, reached.fields(name), reached.first)


def _merged(known: Judged, path: Judged) -> Judged:
    """All that is said about one property: by values and by paths, from here and from there."""
    fields = tuple(dict.fromkeys((*known.fields, *path.fields)))
    one, other = known.draft, path.draft
    draft = replace(one, content=one.content | other.content, always=one.always | other.always, rule=Rule.ALWAYS)
    return replace(known, draft=draft, breaks=known.breaks | path.breaks, fields=fields)


def _renamed(gone: Judged, come: Judged) -> Judged:
    old, new = gone.draft, come.draft
    draft = Draft(
        K.PROPERTY_RENAMED,
        new.pointer,
        f"it was called {old.name}",
        before=old.name,
        after=new.name,
        name=new.name,
        content=old.content | new.content,
        always=frozenset(DIRECTIONS),
        rule=Rule.ALWAYS,
    )
    fields = tuple(dict.fromkeys((*gone.fields, *come.fields)))
    return Judged(draft, frozenset({*DIRECTIONS, Mode.FULL}), fields, come.route, come.spot)
