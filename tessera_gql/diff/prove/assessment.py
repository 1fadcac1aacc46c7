"""Assess which differences break, and in which modes.

Differences in accepted values break where containment is not proven; declared paths and defaults break by rule.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.compare.declared_paths import DeclarationPair
from tessera_gql.diff.compare.declared_paths import Key as DeclarationKey
from tessera_gql.diff.compare.renames import find_renames
from tessera_gql.diff.compare.routes import Routes, find_routes
from tessera_gql.diff.compare.walk import Key, ViewPair
from tessera_gql.diff.differences import (
    BACKWARD,
    FORWARD,
    Difference,
    Route,
    Rule,
    SameValueStep,
    digest_sides,
    format_route,
)
from tessera_gql.diff.messages import PRESENCE_MESSAGES
from tessera_gql.diff.prove.constraints import Literal, NoWitness, SearchResult, Witness
from tessera_gql.diff.prove.keyword_violations import (
    ALTERNATIVES,
    find_violated_keywords,
    is_listed,
    keyword_difference,
)
from tessera_gql.diff.prove.projection import Projection, is_stable
from tessera_gql.diff.prove.solver import Solver
from tessera_gql.diff.prove.validation import Verdict, accepts, all_true
from tessera_gql.diff.read.schema import Schema
from tessera_gql.diff.read.view import View, describe_type
from tessera_gql.diff.values.json import Json, canonical_json, compute_digest

K = ChangeKind
DIRECTIONS = (Mode.BACKWARD, Mode.FORWARD)
CONTAINMENTS = (*DIRECTIONS, Mode.CONSUMER)
"""The modes that are decided by containment."""
MAX_PROJECTION_FUEL = 1_000
"""Fuel for one search of a new document that breaks CONSUMER; all of them together get a third of what is left."""
ALL_MODES = frozenset({*CONTAINMENTS, Mode.FULL})
UNEXPLAINED_MESSAGES = {
    Mode.BACKWARD: "accepts less than before",
    Mode.FORWARD: "accepts more than before",
    Mode.CONSUMER: "may have values in its old fields that were not allowed before",
}
"""Messages where containment fails, a value shows it, and no other difference explains it."""
T = TypeVar("T")
Declarations = Mapping[DeclarationKey, DeclarationPair]
ChangeKey = tuple[ChangeKind, str]


@dataclass(frozen=True)
class Assessment:
    """A difference with its verdict, its fields, and the pair of views where a counterexample is searched."""

    difference: Difference
    breaks: frozenset[Mode]
    fields: tuple[str, ...]
    route: Route
    pair: ViewPair | None = None

    @property
    def key(self) -> ChangeKey:
        """The kind and pointer of the difference; at most one change of a property is reported for each."""
        return self.difference.kind, self.difference.pointer

    @property
    def path(self) -> str:
        path, name = format_route(self.route), self.difference.name
        if name is None:
            return path
        return f"{path}.{name}" if path else name


def _undecided_root(root: ViewPair) -> Assessment:
    message, digest = "has more nested fields than are compared", _digest_pair(root)
    return Assessment(Difference(K.UNDECIDED, "", message, digest=digest, rule=Rule.ALWAYS), ALL_MODES, ("",), ())


def _digest_pair(pair: ViewPair) -> str:
    return digest_sides(pair.old.digests, pair.new.digests)


def find_counterexample(
    solver: Solver, writing: View, reading: View, *, is_produced: bool, projection: Projection | None = None
) -> SearchResult:
    """Search for a value that is valid under the writing view, but not under the reading one. EMPTY proves containment.

    With a projection, what it shows of the value is not valid.
    """
    premises = [Literal(node, holds=True, is_produced=is_produced) for node in writing.nodes]
    combined: SearchResult = NoWitness.EMPTY
    for node in reading.nodes:
        try:
            result = solver.find([*premises, Literal(node, holds=False, projection=projection)])
        except RecursionError:  # the stack of the caller may be deep already
            result = NoWitness.UNKNOWN
        if isinstance(result, Witness):
            return result
        combined = combined if result is NoWitness.EMPTY else result
    return combined


def order_sides(old: T, new: T, mode: Mode) -> tuple[T, T]:
    """Return the side whose documents the other one must accept first: in BACKWARD mode the old one."""
    return (old, new) if mode is Mode.BACKWARD else (new, old)


class Containment:
    """The proofs for each pair of views.

    `fails` holds, by mode, the pairs where containment fails there and on a whole path from the root. `open_fails` is
    the same for any valid document instead of those of producers: undeclared properties may always occur.

    CONSUMER is FORWARD for what the old schema names of a document. Nothing more is searched where nothing of the old
    schema counts or excludes other properties, and where FORWARD is proven and leaving them out keeps documents valid.
    """

    def __init__(self, solver: Solver, pairs: Mapping[Key, ViewPair]) -> None:
        self.solver = solver
        self.pairs = pairs
        keys = [*reversed([*pairs])]
        self.results = {mode: {key: self._search(key, mode, is_produced=True) for key in keys} for mode in DIRECTIONS}
        with solver.budget.allot(solver.budget.fuel // 3):
            self.results[Mode.CONSUMER] = {key: self._search_projected(key) for key in keys}
        self.fails = {mode: self._failing_pairs(self.results[mode].__getitem__) for mode in CONTAINMENTS}
        self.open_fails = {mode: self._failing_pairs(partial(self._search_open, mode)) for mode in DIRECTIONS}

    def _search(self, key: Key, mode: Mode, *, is_produced: bool) -> SearchResult:
        pair = self.pairs[key]
        if pair.is_condition:
            return NoWitness.EMPTY
        return find_counterexample(self.solver, *order_sides(pair.old, pair.new, mode), is_produced=is_produced)

    def _search_projected(self, key: Key) -> SearchResult:
        """Search for a new document of which the old schema refuses what it names."""
        pair, forward = self.pairs[key], self.results[Mode.FORWARD][key]
        is_settled = forward is NoWitness.EMPTY and (all(map(is_stable, pair.old.nodes)) or _is_unchanged(pair))
        projection = None if is_settled else self.solver.projections.project(pair.old.nodes)
        if projection is None:
            return forward
        with self.solver.budget.allot(MAX_PROJECTION_FUEL):
            return find_counterexample(self.solver, pair.new, pair.old, is_produced=True, projection=projection)

    def _search_open(self, mode: Mode, key: Key) -> SearchResult:
        """Search among all valid values. A witness written by a producer is valid too and is reused."""
        known = self.results[mode][key]
        return known if isinstance(known, Witness) else self._search(key, mode, is_produced=False)

    def _failing_pairs(self, search: Callable[[Key], SearchResult]) -> set[Key]:
        failing_keys: set[Key] = set()
        root = next(iter(self.pairs))
        stack = [] if search(root) is NoWitness.EMPTY else [root]
        while stack:
            key = stack.pop()
            if key not in failing_keys:
                failing_keys.add(key)
                stack += [child for _, child in self.pairs[key].edges if search(child) is not NoWitness.EMPTY]
        return failing_keys

    def is_confirmed(self, key: Key, mode: Mode) -> bool:
        """Return whether the value that the search returned for a pair is valid on one side only."""
        pair, result = self.pairs[key], self.results[mode][key]
        if not isinstance(result, Witness):
            return False
        writing, reading = order_sides(pair.old, pair.new, mode)
        is_read = partial(_accept_all, reading.nodes)
        is_written = _accept_all(writing.nodes, result.value) is True
        if mode is Mode.CONSUMER:
            return is_written and self.solver.projections.is_refused(pair.old.nodes, result.value, is_read)
        return is_written and is_read(result.value) is False

    def is_equivalent(self, key: Key) -> bool:
        """Return whether both sides accept the same values at the pair."""
        return not any(key in self.open_fails[mode] for mode in DIRECTIONS)


def _accept_all(nodes: Iterable[Schema], value: Json) -> Verdict:
    return all_true(accepts(node, value) for node in nodes)


def _is_unchanged(pair: ViewPair) -> bool:
    return {node.key for node in pair.old.nodes} == {node.key for node in pair.new.nodes}


def assess(solver: Solver, pairs: Mapping[Key, ViewPair], declarations: Declarations) -> list[Assessment]:
    """Assess all differences, in no particular order."""
    containment = Containment(solver, pairs)
    routes = find_routes(next(iter(pairs)), {key: pair.edges for key, pair in pairs.items()})
    presence_changes = {
        (kind, node.pointer)
        for pair in declarations.values()
        for kind, names in ((K.PROPERTY_REMOVED, pair.removed), (K.PROPERTY_ADDED, pair.added))
        for _, node in names
    }
    for mode in CONTAINMENTS:
        _add_unexplained(containment, mode, presence_changes)
    assessments = [
        assessment
        for key, pair in pairs.items()
        for difference in pair.differences
        if (assessment := _assess(difference, pair, key, containment, routes[key])) is not None
    ]
    nodes: list[ViewPair | DeclarationPair] = [*pairs.values(), *declarations.values()]
    truncation = [_undecided_root(next(iter(pairs.values())))] if any(node.is_cut for node in nodes) else []
    return _merge_repeats([*truncation, *_add_path_changes(assessments, declarations)])


def _merge_repeats(assessments: list[Assessment]) -> list[Assessment]:
    """Merge equal changes at the same path, such as those of several items of a list."""
    groups: dict[tuple[str, ...], list[Assessment]] = {}
    for assessment in assessments:
        difference = assessment.difference
        values = canonical_json([difference.before, difference.after])
        key = difference.kind.value, difference.pointer, assessment.path, values
        groups.setdefault(key, []).append(assessment)
    return [_merge_group(group) if len(group) > 1 else group[0] for group in groups.values()]


def _merge_group(group: list[Assessment]) -> Assessment:
    """Merge changes with equal values. The content of each of them belongs to the fingerprint."""
    first = group[0]
    fields = tuple(dict.fromkeys(field for assessment in group for field in assessment.fields))
    breaks = first.breaks.union(*(assessment.breaks for assessment in group))
    digests: list[Json] = [*sorted({assessment.difference.digest or "" for assessment in group})]
    digest = first.difference.digest if len(digests) == 1 else compute_digest(digests)
    return replace(first, difference=replace(first.difference, digest=digest), breaks=breaks, fields=fields)


def _add_unexplained(containment: Containment, mode: Mode, presence_changes: AbstractSet[ChangeKey]) -> None:
    """Add a difference where containment fails and no difference there or below explains it.

    Where one does, the keywords that fail for a reason of their own are added. For CONSUMER they are those of FORWARD.
    `presence_changes` are the kinds and pointers of fields that only one side declares; these explain it too.
    """
    pairs, fails = containment.pairs, containment.fails[mode]
    parents: dict[Key, list[Key]] = {}
    for key in fails:
        for _, child in pairs[key].edges:
            parents.setdefault(child, []).append(key)
    explaining = [
        key
        for key in fails
        if any(
            _may_break(item, mode)
            or (mode in PROPERTY_CHANGES.get(item.kind, ()) and (item.kind, item.pointer) in presence_changes)
            for item in pairs[key].differences
        )
    ]
    explained = _with_ancestors(explaining, parents)
    for key in reversed([*pairs]):
        if key in explained and mode in DIRECTIONS:
            pairs[key].differences += _violated_keyword_differences(containment, key, mode)
        elif key in fails and key not in explained:
            is_confirmed = containment.is_confirmed(key, mode)
            pairs[key].differences.append(_unexplained_difference(pairs[key], mode, is_confirmed=is_confirmed))
            explained |= _with_ancestors([key], parents)


def _violated_keyword_differences(containment: Containment, key: Key, mode: Mode) -> list[Difference]:
    """Return the differences of keywords that make containment fail and that no other difference is about.

    A difference between two alternatives is listed at them, if containment fails there.
    """
    pair, fails = containment.pairs[key], containment.fails[mode]
    has_failing_alternatives = any(isinstance(step, SameValueStep) and child in fails for step, child in pair.edges)
    return [
        keyword_difference(keyword, pointer, mode)
        for keyword, pointer in find_violated_keywords(containment.solver, *order_sides(pair.old, pair.new, mode))
        if not (keyword in ALTERNATIVES and has_failing_alternatives) and not is_listed(pair, keyword, mode)
    ]


def _may_break(difference: Difference, mode: Mode) -> bool:
    """Return whether a difference breaks the mode if containment fails.

    What breaks FORWARD because of the accepted values breaks CONSUMER too, if it concerns fields that are read.
    """
    if mode is Mode.CONSUMER and difference.rule is Rule.CONTAINMENT and Mode.FORWARD in difference.directions:
        return True
    return mode in difference.directions | difference.always


def _with_ancestors(keys: list[Key], parents: Mapping[Key, list[Key]]) -> set[Key]:
    ancestors: set[Key] = set()
    while keys:
        key = keys.pop()
        if key not in ancestors:
            ancestors.add(key)
            keys += parents.get(key, [])
    return ancestors


def _unexplained_difference(pair: ViewPair, mode: Mode, *, is_confirmed: bool) -> Difference:
    kind, message = K.UNDECIDED, "could not be proven compatible"
    if is_confirmed:
        kind, message = K.COMPOSITION_CHANGED, UNEXPLAINED_MESSAGES[mode]
    digest = _digest_pair(pair)
    return Difference(kind, pair.new.pointer, message, digest=digest, directions=frozenset({mode}))


def _assess(
    difference: Difference, pair: ViewPair, key: Key, containment: Containment, routes: Routes
) -> Assessment | None:
    """Assess a difference; None if it has no effect."""
    fields, route = routes.fields(difference.name), routes.first
    if difference.rule is Rule.NEVER:
        return Assessment(difference, frozenset(), fields, route, pair)
    fails = containment.open_fails if difference.rule is Rule.OPEN else containment.fails
    failing = {mode for mode, keys in fails.items() if key in keys}
    breaks = difference.always | {mode for mode in failing if _may_break(difference, mode)}
    if difference.rule is not Rule.ALWAYS and not breaks and containment.is_equivalent(key):
        return None
    return Assessment(difference, breaks | {Mode.FULL}, fields, route, pair)


def _add_path_changes(assessments: list[Assessment], declarations: Declarations) -> list[Assessment]:
    """Add the changes of declared paths, merged with the changes of the same property, and detect renames."""
    by_value: dict[ChangeKey, Assessment] = {}
    for assessment in assessments:
        if assessment.difference.kind in PROPERTY_CHANGES:
            _merge_into(by_value, assessment)
    by_path: dict[ChangeKey, Assessment] = {}
    routes = find_routes(next(iter(declarations)), {key: pair.edges for key, pair in declarations.items()})
    for key, pair in declarations.items():
        removed = _path_changes(K.PROPERTY_REMOVED, pair.removed, routes[key])
        added = _path_changes(K.PROPERTY_ADDED, pair.added, routes[key])
        for assessment in (*removed.values(), *added.values()):
            if assessment.key in by_value:
                _merge_into(by_path, by_value[assessment.key])
            _merge_into(by_path, assessment)
        for old, new in find_renames(pair.removed, pair.added).items():
            left, right = by_path.pop(removed[old].key), by_path.pop(added[new].key)
            by_value.pop(left.key, None)
            by_value.pop(right.key, None)
            _merge_into(by_path, _merge_rename(left, right))
    value_changes = [assessment for assessment in assessments if assessment.difference.kind not in PROPERTY_CHANGES]
    return [*value_changes, *(by_value | by_path).values()]


def _merge_into(assessments: dict[ChangeKey, Assessment], assessment: Assessment) -> None:
    key = assessment.key
    assessments[key] = _merge(assessments[key], assessment) if key in assessments else assessment


PROPERTY_CHANGES = {K.PROPERTY_REMOVED: BACKWARD | {Mode.CONSUMER}, K.PROPERTY_ADDED: FORWARD}


def _path_changes(kind: ChangeKind, names: list[tuple[str, Schema]], routes: Routes) -> dict[str, Assessment]:
    always, message = PROPERTY_CHANGES[kind], PRESENCE_MESSAGES[kind]
    changes: dict[str, Assessment] = {}
    for name, node in names:
        summary: dict[str, Json] = {"type": describe_type(View((node,))), "required": False}
        before, after = (summary, None) if kind is K.PROPERTY_REMOVED else (None, summary)
        digest = digest_sides([node.digest], None)
        difference = Difference(
            kind, node.pointer, message, before, after, name, digest, always=always, rule=Rule.ALWAYS
        )
        changes[name] = Assessment(difference, always | {Mode.FULL}, routes.fields(name), routes.first)
    return changes


def _merge(by_value: Assessment, by_path: Assessment) -> Assessment:
    """Merge the change of a property's values with the change of its path."""
    fields = tuple(dict.fromkeys((*by_value.fields, *by_path.fields)))
    difference, path_difference = by_value.difference, by_path.difference
    directions = difference.directions | path_difference.directions
    always = difference.always | path_difference.always
    merged = replace(difference, directions=directions, always=always, rule=Rule.ALWAYS)
    return replace(by_value, difference=merged, breaks=by_value.breaks | by_path.breaks, fields=fields)


def _merge_rename(removed: Assessment, added: Assessment) -> Assessment:
    old, new = removed.difference, added.difference
    difference = Difference(
        K.PROPERTY_RENAMED,
        new.pointer,
        f"was renamed to {new.name}",
        before=old.name,
        after=new.name,
        name=new.name,
        digest=digest_sides(old.digest, new.digest),
        directions=old.directions | new.directions,
        always=frozenset(CONTAINMENTS),
        rule=Rule.ALWAYS,
    )
    fields = tuple(dict.fromkeys((*removed.fields, *added.fields)))
    return Assessment(difference, ALL_MODES, fields, added.route, added.pair)
