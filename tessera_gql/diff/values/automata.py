"""Finite automata of regular expressions. They search a text and are made deterministic where they are used."""

from collections.abc import Set as AbstractSet
from functools import lru_cache

from tessera_gql.diff.values.regex_syntax import (
    LAST,
    Anchor,
    Chars,
    Choice,
    Expression,
    Malformed,
    Ranges,
    Repeat,
    Sequence,
    Unsupported,
    parse,
)

MAX_STATES = 2_000
MAX_MATCH_STEPS = 50_000
"""Steps that matching one text may take; about 10 ms."""
CACHED_AUTOMATA = 512
MAX_CACHED = 5_000
"""Size of the cached state sets of one automaton: their states and transitions."""
START, ACCEPT = 0, 1
EFFORT_PER_STEP = 16
"""Edges and ranges that are followed in the time of one step."""
MAX_RECURRING = 64
"""Edges and ranges of a state set that recurs, so that its transitions are cached. Larger ones rarely do."""
ANY: Ranges = ((0, LAST),)
Edges = tuple[tuple[Ranges, int], ...]


class StateSet:
    """States that are active together: one state of the deterministic automaton.

    `accepts` is whether the text may end at this point, `is_settled` that it matches whatever follows. `steps` is
    the cost of the transition to the next set.
    """

    __slots__ = ("accepts", "edges", "is_settled", "members", "nexts", "steps")

    def __init__(self, members: frozenset[int], edges: Edges, steps: int, *, accepts: bool) -> None:
        self.members = members
        self.edges = edges
        self.steps = steps
        self.accepts = accepts
        self.is_settled = ACCEPT in members
        self.nexts: dict[int, StateSet] = {}


SETTLED = StateSet(frozenset({ACCEPT}), (), 0, accepts=True)


class Automaton:
    """A nondeterministic automaton that searches a text. `ACCEPT` is never left."""

    def __init__(self, expression: Expression) -> None:
        self.edges: list[list[tuple[Ranges, int]]] = [[(ANY, START)], [(ANY, ACCEPT)]]
        self.empty: list[list[tuple[str, int]]] = [[], []]
        self.sets: dict[frozenset[int], StateSet] = {}
        self.cached = 0
        self.empty[START].append(("", self._build(expression, ACCEPT)))
        self.closure_effort = sum(map(len, self.empty))
        self.start = self._make_set(self._closure({START}, "^"), at_end=self._closure({START}, "^$"))

    def _add_state(self) -> int:
        if len(self.edges) >= MAX_STATES:
            raise Unsupported
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def _build(self, part: Expression, target: int) -> int:
        """Add the states of an expression; return the one from which it leads to the target."""
        match part:
            case Chars(ranges):
                state = self._add_state()
                self.edges[state].append((ranges, target))
                return state
            case Anchor(at_start):
                state = self._add_state()
                self.empty[state].append(("^" if at_start else "$", target))
                return state
            case Sequence(parts):
                for element in reversed(parts):
                    target = self._build(element, target)
                return target
            case Choice(options):
                state = self._add_state()
                self.empty[state] += [("", self._build(option, target)) for option in options]
                return state
            case Repeat(inside, minimum, maximum):
                return self._build_minimum(inside, minimum, self._build_optional(inside, minimum, maximum, target))

    def _build_minimum(self, inside: Expression, minimum: int, target: int) -> int:
        for _ in range(minimum):
            state = self._build(inside, target)
            if state == target:  # an expression without states: repeating it changes nothing
                break
            target = state
        return target

    def _build_optional(self, inside: Expression, minimum: int, maximum: int | None, target: int) -> int:
        """Add the repetitions beyond the minimum."""
        if maximum is None:
            loop = self._add_state()
            self.empty[loop] += [("", self._build(inside, loop)), ("", target)]
            return loop
        state = target
        for _ in range(maximum - minimum):
            inner, state = state, self._add_state()
            self.empty[state] += [("", self._build(inside, inner)), ("", target)]
        return state

    def _closure(self, states: AbstractSet[int], passing: str) -> set[int]:
        """Return the states reachable without input. At the start of a text, `passing` contains `^`, at the end `$`."""
        reachable, stack = set(states), [*states]
        while stack:
            for sign, target in self.empty[stack.pop()]:
                if target not in reachable and (not sign or sign in passing):
                    reachable.add(target)
                    stack.append(target)
        return reachable

    def _make_set(self, states: AbstractSet[int], at_end: AbstractSet[int]) -> StateSet:
        edges = tuple(edge for state in states for edge in self.edges[state])
        effort = sum(1 + len(ranges) for ranges, _ in edges)
        steps = 3 * effort if effort > MAX_RECURRING else 1 + effort // EFFORT_PER_STEP
        return StateSet(
            frozenset(states), edges, steps + self.closure_effort // EFFORT_PER_STEP, accepts=ACCEPT in at_end
        )

    def state_set(self, targets: frozenset[int]) -> StateSet:
        """Return the set of the states that are active after a character led to the targets."""
        result = self.sets.get(targets)
        if result is None:
            result = self.sets[targets] = self._find_set(self._closure(targets, ""))
        return result

    def _find_set(self, states: AbstractSet[int]) -> StateSet:
        """Return the set for a closure. States that only lead on without input are left out, so equal sets are one."""
        if ACCEPT in states:
            return SETTLED
        members = frozenset(
            state for state in states if self.edges[state] or any(sign for sign, _ in self.empty[state])
        )
        result = self.sets.get(members)
        if result is None:
            self._count_cached(len(members) + 1)
            result = self.sets[members] = self._make_set(members, self._closure(members, "$"))
        return result

    def _count_cached(self, size: int) -> None:
        """Empty the cache if it becomes too large."""
        self.cached += size
        if self.cached > MAX_CACHED:
            self.cached = size
            self.sets = {}
            self.start.nexts = {}

    def step(self, states: StateSet, code: int) -> StateSet:
        """Return the states that are active after a character."""
        result = states.nexts.get(code)
        if result is None:
            targets = (target for ranges, target in states.edges if any(low <= code <= high for low, high in ranges))
            result = self.state_set(frozenset(targets))
            self._count_cached(1)
            states.nexts[code] = result
        return result

    def match(self, text: str) -> tuple[bool | None, int]:
        """Return whether the text contains a match, None if that takes too long, and the steps it takes uncached."""
        states, steps = self.start, 0
        for char in text:
            if states.is_settled:
                break
            steps += states.steps
            if steps > MAX_MATCH_STEPS:
                return None, steps
            states = self.step(states, ord(char))
        return states.accepts, steps


@lru_cache(CACHED_AUTOMATA)
def compile_pattern(pattern: str) -> Automaton | None:
    """Compile a pattern to an automaton; None if its syntax is not supported."""
    try:
        return Automaton(parse(pattern))
    except (Unsupported, Malformed):
        return None
