"""Which differences break, and how. Containment decides about values; declared paths and defaults break by rule."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.drafts import Difference, Route, Rule, format_route
from tessera_gql.diff.facts import Literal, NoWitness, SearchResult, Witness
from tessera_gql.diff.json import Json, is_equal
from tessera_gql.diff.paths import DeclarationPair
from tessera_gql.diff.paths import Key as DeclarationKey
from tessera_gql.diff.renames import find_renames
from tessera_gql.diff.routes import Routes, find_routes
from tessera_gql.diff.schema import Schema
from tessera_gql.diff.solve import Solver
from tessera_gql.diff.view import View, describe_type
from tessera_gql.diff.walk import Key, ViewPair

K = ChangeKind
BACKWARD_ONLY, FORWARD_ONLY = frozenset({Mode.BACKWARD}), frozenset({Mode.FORWARD})
DIRECTIONS = (Mode.BACKWARD, Mode.FORWARD)
ACCEPTED = {Mode.BACKWARD: "less", Mode.FORWARD: "more"}
"""How much is accepted now, where containment fails."""
T = TypeVar("T")


@dataclass(frozen=True)
class Assessment:
    """A draft with its verdict, where it belongs, and where in a document to look for it."""

    difference: Difference
    breaks: frozenset[Mode]
    fields: tuple[str, ...]
    route: Route
    pair: ViewPair | None = None

    @property
    def path(self) -> str:
        path, name = format_route(self.route), self.difference.name
        if name is None:
            return path
        return f"{path}.{name}" if path else name


TOO_MANY = Assessment(
    Difference(K.UNDECIDED, "", "it has more places, each within others, than are followed", rule=Rule.ALWAYS),
    frozenset({*DIRECTIONS, Mode.FULL}),
    ("",),
    (),
)


def find_counterexample(solver: Solver, old: View, new: View, *, is_produced: bool) -> SearchResult:
    """A value that obeys the old view and not the new one; EMPTY is the proof that the old is contained in the new."""
    given = [Literal(node, holds=True, is_produced=is_produced) for node in old.nodes]
    outcome: SearchResult = NoWitness.EMPTY
    for node in new.nodes:
        try:
            found = solver.find([*given, Literal(node, holds=False)])
        except RecursionError:  # the caller's own stack was deep already
            found = NoWitness.UNKNOWN
        if isinstance(found, Witness):
            return found
        outcome = outcome if found is NoWitness.EMPTY else found
    return outcome


def order_sides(old: T, new: T, mode: Mode) -> tuple[T, T]:
    """The side that must be contained first."""
    return (old, new) if mode is Mode.BACKWARD else (new, old)


class Containment:
    """What is proven of each spot. `fails`: a direction fails here and everywhere on the way from the root.

    `open_fails`: the same for whatever is valid, whoever writes it; there, other properties may always occur.
    """

    def __init__(self, solver: Solver, pairs: Mapping[Key, ViewPair]) -> None:
        self.solver = solver
        self.pairs = pairs
        self.outcomes = {
            mode: {key: self._outcome(key, mode, is_produced=True) for key in reversed([*pairs])} for mode in DIRECTIONS
        }
        self.fails = {mode: self._failing(self.outcomes[mode].__getitem__) for mode in DIRECTIONS}
        self.open_fails = {mode: self._failing(partial(self._open_outcome, mode)) for mode in DIRECTIONS}

    def _outcome(self, key: Key, mode: Mode, *, is_produced: bool) -> SearchResult:
        pair = self.pairs[key]
        return find_counterexample(self.solver, *order_sides(pair.old, pair.new, mode), is_produced=is_produced)

    def _open_outcome(self, mode: Mode, key: Key) -> SearchResult:
        """What a producer writes is valid: a value found among that is one for this question too."""
        known = self.outcomes[mode][key]
        return known if isinstance(known, Witness) else self._outcome(key, mode, is_produced=False)

    def _failing(self, outcome: Callable[[Key], SearchResult]) -> set[Key]:
        found: set[Key] = set()
        root = next(iter(self.pairs))
        stack = [] if outcome(root) is NoWitness.EMPTY else [root]
        while stack:
            key = stack.pop()
            if key not in found:
                found.add(key)
                stack += [child for _, child in self.pairs[key].edges if outcome(child) is not NoWitness.EMPTY]
        return found

    def makes_no_difference(self, key: Key) -> bool:
        """The same values are valid on both sides, whoever writes them."""
        return not any(key in self.open_fails[mode] for mode in DIRECTIONS)


def assess(
    solver: Solver,
    pairs: Mapping[Key, ViewPair],
    declarations: Mapping[DeclarationKey, DeclarationPair],
    unshared_declarations: Mapping[DeclarationKey, DeclarationPair],
) -> list[Assessment]:
    """Every difference with its verdict, in no particular order."""
    proven = Containment(solver, pairs)
    routes = find_routes(next(iter(pairs)), {key: pair.edges for key, pair in pairs.items()})
    for mode in DIRECTIONS:
        _explain(proven, mode)
    found = [
        assessment
        for key, pair in pairs.items()
        for difference in pair.differences
        if (assessment := _judged(difference, pair, key, proven, routes[key])) is not None
    ]
    places: list[ViewPair | DeclarationPair] = [
        *pairs.values(),
        *declarations.values(),
        *unshared_declarations.values(),
    ]
    cut = [TOO_MANY] if any(place.is_cut for place in places) else []
    return _without_repeats([*cut, *_with_paths(found, declarations), *_shared(declarations, unshared_declarations)])


def _without_repeats(found: list[Assessment]) -> list[Assessment]:
    """One change where the same is said of the same place for several reasons, say for each item of a list."""
    kept: dict[tuple[str, str, str], list[Assessment]] = {}
    for each in found:
        difference = each.difference
        known = kept.setdefault((difference.kind.value, difference.pointer, each.path), [])
        for index, other in enumerate(known):
            if is_equal(difference.before, other.difference.before) and is_equal(
                difference.after, other.difference.after
            ):
                fields = tuple(dict.fromkeys((*other.fields, *each.fields)))
                known[index] = replace(other, breaks=other.breaks | each.breaks, fields=fields)
                break
        else:
            known.append(each)
    return [each for known in kept.values() for each in known]


def _shared(
    declarations: Mapping[DeclarationKey, DeclarationPair],
    unshared_declarations: Mapping[DeclarationKey, DeclarationPair],
) -> Iterator[Assessment]:
    """Fields that one side spells out and the other has from a shared definition."""
    if unshared_declarations is declarations:
        return
    told = {
        node.pointer for declaration in declarations.values() for _, node in (*declaration.removed, *declaration.added)
    }
    routes = find_routes(
        next(iter(unshared_declarations)),
        {key: declaration.edges for key, declaration in unshared_declarations.items()},
    )
    for key, declaration in unshared_declarations.items():
        for names, breaks, side in (
            (declaration.removed, BACKWARD_ONLY, "the old"),
            (declaration.added, FORWARD_ONLY, "the new"),
        ):
            fresh = [node for _, node in names if node.pointer not in told]
            if fresh:
                message = f"its fields come from a shared definition on one side, and {side} schema spells them out"
                difference = Difference(
                    K.COMPOSITION_CHANGED, fresh[0].pointer, message, always=breaks, rule=Rule.ALWAYS
                )
                yield Assessment(difference, breaks | {Mode.FULL}, routes[key].fields(), routes[key].first)


def _explain(proven: Containment, mode: Mode) -> None:
    """Where containment fails and nothing there or below says why, the failure is a change of its own."""
    pairs, fails = proven.pairs, proven.fails[mode]
    holders: dict[Key, list[Key]] = {}
    for key in fails:
        for _, child in pairs[key].edges:
            holders.setdefault(child, []).append(key)
    telling = [
        key
        for key in fails
        if any(mode in difference.unless_contained | difference.always for difference in pairs[key].differences)
    ]
    explained = _above(telling, holders)
    for key in reversed([*pairs]):
        if key in fails and key not in explained:
            pairs[key].differences.append(_unexplained(pairs[key], mode, proven.outcomes[mode][key]))
            explained |= _above([key], holders)


def _above(keys: list[Key], holders: Mapping[Key, list[Key]]) -> set[Key]:
    found: set[Key] = set()
    while keys:
        key = keys.pop()
        if key not in found:
            found.add(key)
            keys += holders.get(key, [])
    return found


def _unexplained(pair: ViewPair, mode: Mode, outcome: SearchResult) -> Difference:
    unless_contained = frozenset({mode})
    if outcome is NoWitness.UNKNOWN:
        return Difference(
            K.UNDECIDED,
            pair.new.pointer,
            "it could not be decided whether this fits",
            unless_contained=unless_contained,
        )
    return Difference(
        K.COMPOSITION_CHANGED,
        pair.new.pointer,
        f"it accepts {ACCEPTED[mode]} than before",
        unless_contained=unless_contained,
    )


def _judged(difference: Difference, pair: ViewPair, key: Key, proven: Containment, routes: Routes) -> Assessment | None:
    """None for what makes no difference at all."""
    fields, route = routes.fields(difference.name), routes.first
    if difference.rule is Rule.NEVER:
        return Assessment(difference, frozenset(), fields, route, pair)
    fails = proven.open_fails if difference.rule is Rule.OPEN else proven.fails
    breaks = difference.always | {mode for mode in difference.unless_contained if key in fails[mode]}
    if difference.rule is not Rule.ALWAYS and not breaks and proven.makes_no_difference(key):
        return None
    return Assessment(difference, breaks | {Mode.FULL}, fields, route, pair)


def _with_paths(found: list[Assessment], declarations: Mapping[DeclarationKey, DeclarationPair]) -> list[Assessment]:
    """Adds what declared paths say; a property that came or went is one change, and so is a rename."""
    by_value: dict[Slot, Assessment] = {}
    for each in found:
        if each.difference.kind in EVENTS:
            _join(by_value, each)
    by_path: dict[Slot, Assessment] = {}
    routes = find_routes(
        next(iter(declarations)), {key: declaration.edges for key, declaration in declarations.items()}
    )
    for key, declaration in declarations.items():
        removed = {
            each.difference.name or "": each for each in _events(K.PROPERTY_REMOVED, declaration.removed, routes[key])
        }
        added = {each.difference.name or "": each for each in _events(K.PROPERTY_ADDED, declaration.added, routes[key])}
        for each in (*removed.values(), *added.values()):
            slot = each.difference.kind, each.difference.pointer
            if slot in by_value:
                _join(by_path, by_value[slot])
            _join(by_path, each)
        for old, new in find_renames(declaration.removed, declaration.added).items():
            left, right = (
                by_path.pop((each.difference.kind, each.difference.pointer)) for each in (removed[old], added[new])
            )
            for each in (left, right):
                by_value.pop((each.difference.kind, each.difference.pointer), None)
            _join(by_path, _renamed(left, right))
    others = [each for each in found if each.difference.kind not in EVENTS]
    return [*others, *(by_value | by_path).values()]


Slot = tuple[ChangeKind, str]


def _join(slots: dict[Slot, Assessment], one: Assessment) -> None:
    slot = one.difference.kind, one.difference.pointer
    slots[slot] = _merged(slots[slot], one) if slot in slots else one


EVENTS = {K.PROPERTY_REMOVED: (BACKWARD_ONLY, "it is gone"), K.PROPERTY_ADDED: (FORWARD_ONLY, "it is new")}


def _events(kind: ChangeKind, names: list[tuple[str, Schema]], routes: Routes) -> Iterator[Assessment]:
    always, verb = EVENTS[kind]
    for name, node in names:
        shown: dict[str, Json] = {"type": describe_type(View((node,))), "required": False}
        before, after = (shown, None) if kind is K.PROPERTY_REMOVED else (None, shown)
        difference = Difference(kind, node.pointer, verb, before, after, name, always=always, rule=Rule.ALWAYS)
        yield Assessment(difference, always | {Mode.FULL}, routes.fields(name), routes.first)


def _merged(known: Assessment, path: Assessment) -> Assessment:
    """All that is said about one property: by values and by paths, from here and from there."""
    fields = tuple(dict.fromkeys((*known.fields, *path.fields)))
    one, other = known.difference, path.difference
    difference = replace(
        one,
        unless_contained=one.unless_contained | other.unless_contained,
        always=one.always | other.always,
        rule=Rule.ALWAYS,
    )
    return replace(known, difference=difference, breaks=known.breaks | path.breaks, fields=fields)


def _renamed(removed: Assessment, added: Assessment) -> Assessment:
    old, new = removed.difference, added.difference
    difference = Difference(
        K.PROPERTY_RENAMED,
        new.pointer,
        f"it was called {old.name}",
        before=old.name,
        after=new.name,
        name=new.name,
        unless_contained=old.unless_contained | new.unless_contained,
        always=frozenset(DIRECTIONS),
        rule=Rule.ALWAYS,
    )
    fields = tuple(dict.fromkeys((*removed.fields, *added.fields)))
    return Assessment(difference, frozenset({*DIRECTIONS, Mode.FULL}), fields, added.route, added.pair)
