"""Match patterns and find examples of their intersections with finite automata. A result may be unknown."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, count, pairwise
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.read.regex_syntax import (
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
MAX_STEPS = 600
MAX_MOVES = 100_000
"""Transitions that one search may take; about 50 ms."""
CACHED_AUTOMATA = 128
CACHED_EXAMPLES = 1_024
MAX_CLOSURES = 1_000
"""Cached closures of one automaton. Each may hold thousands of states."""
ANY: Ranges = ((0, LAST),)
PREFERRED_CODES = tuple(map(ord, "aA0bzB1xZ9- _.@/!"))
States = frozenset[int]


@dataclass
class Automaton:
    """A nondeterministic automaton that searches a text. State 0 is the start, state 1 accepts and is never left."""

    edges: list[list[tuple[Ranges, int]]] = field(default_factory=lambda: [[], []])
    empty: list[list[tuple[str, int]]] = field(default_factory=lambda: [[], []])
    closures: dict[tuple[States, str], States] = field(default_factory=dict[tuple[States, str], States])

    def add_state(self) -> int:
        if len(self.edges) >= MAX_STATES:
            raise Unsupported
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def closure(self, states: States, passing: str) -> States:
        """States reachable without input. `passing` contains `^` at the start and `$` at the end of the text."""
        cached = self.closures.get((states, passing))
        if cached is not None:
            return cached
        reachable, stack = set(states), list(states)
        while stack:
            for sign, target in self.empty[stack.pop()]:
                if target not in reachable and (not sign or sign in passing):
                    reachable.add(target)
                    stack.append(target)
        if len(self.closures) >= MAX_CLOSURES:
            self.closures.clear()
        self.closures[states, passing] = closure = frozenset(reachable)
        return closure

    def start_states(self) -> States:
        return self.closure(frozenset({0}), "^")

    def step(self, states: States, code: int) -> States:
        moved = {
            target
            for state in states
            for ranges, target in self.edges[state]
            if any(low <= code <= high for low, high in ranges)
        }
        return self.closure(frozenset(moved), "")

    def accepts(self, states: States, *, at_start: bool) -> bool:
        return 1 in self.closure(states, "^$" if at_start else "$")


def is_pattern(pattern: str) -> bool:
    """Return False for a pattern that no dialect of regular expressions accepts."""
    try:
        parse(pattern)
    except Unsupported:
        return True
    except Malformed:
        return False
    return True


@lru_cache(CACHED_AUTOMATA)
def compile_pattern(pattern: str) -> Automaton | None:
    """Compile a pattern to an automaton; None if its syntax is not supported."""
    automaton = Automaton()
    try:
        start = automaton.add_state()
        automaton.edges[0].append((ANY, 0))
        automaton.empty[0].append(("", start))
        automaton.empty[_build_states(automaton, parse(pattern), start)].append(("", 1))
        automaton.edges[1].append((ANY, 1))
    except (Unsupported, Malformed):
        return None
    return automaton


def _build_states(automaton: Automaton, part: Expression, start: int) -> int:
    match part:
        case Chars(ranges):
            end = automaton.add_state()
            automaton.edges[start].append((ranges, end))
        case Anchor(at_start):
            end = automaton.add_state()
            automaton.empty[start].append(("^" if at_start else "$", end))
        case Sequence(parts):
            end = start
            for element in parts:
                end = _build_states(automaton, element, end)
        case Choice(options):
            end = automaton.add_state()
            for option in options:
                branch = automaton.add_state()
                automaton.empty[start].append(("", branch))
                automaton.empty[_build_states(automaton, option, branch)].append(("", end))
        case Repeat(inside, minimum, maximum):
            end = _build_repeat(automaton, inside, (minimum, maximum), start)
    return end


def _build_repeat(automaton: Automaton, part: Expression, bounds: tuple[int, int | None], start: int) -> int:
    minimum, maximum = bounds
    for _ in range(minimum):
        start = _build_states(automaton, part, start)
    end = automaton.add_state()
    if maximum is None:
        loop = automaton.add_state()
        automaton.empty[start] += [("", loop), ("", end)]
        automaton.empty[_build_states(automaton, part, loop)] += [("", loop), ("", end)]
        return end
    for _ in range(maximum - minimum):
        automaton.empty[start].append(("", end))
        start = _build_states(automaton, part, start)
    automaton.empty[start].append(("", end))
    return end


def matches(pattern: str, text: str) -> bool | None:
    """Return whether the text contains a match of the pattern; None if its syntax is not supported."""
    automaton = compile_pattern(pattern)
    if automaton is None:
        return None
    states = automaton.start_states()
    for char in text:
        states = automaton.step(states, ord(char))
    return automaton.accepts(states, at_start=not text)


class Language(NamedTuple):
    """Strings that match all of `matching` and none of `not_matching`, within the lengths and not `excluded`."""

    matching: frozenset[str] = frozenset()
    not_matching: frozenset[str] = frozenset()
    min_length: int = 0
    max_length: int | None = None
    excluded: frozenset[str] = frozenset()


@lru_cache(CACHED_EXAMPLES)
def find_example(language: Language) -> str | bool:
    """Return a shortest string of the language; False if it is proven empty, True if unknown."""
    matching, not_matching, min_length, max_length, _ = language
    if matching & not_matching or (max_length is not None and max_length < min_length):
        return False
    patterns = matching | not_matching
    compiled = [(compile_pattern(pattern), pattern in matching) for pattern in patterns]
    machines = [(automaton, must_match) for automaton, must_match in compiled if automaton is not None]
    result = _search(language, machines) if machines else _find_by_length(language)
    if result is False or len(machines) == len(patterns):
        return result
    return True  # the string may violate a pattern of unsupported syntax


def _find_by_length(language: Language) -> str | bool:
    if language.min_length > 100_000:
        return True
    texts: Iterable[str] = () if language.min_length else ("",)
    if language.max_length != 0:
        texts = chain(texts, (chr(code) * max(language.min_length, 1) for code in count(ord("a"))))
    return next((text for text in texts if text not in language.excluded), False)


Product: TypeAlias = tuple[tuple[States, ...], int, str | None]


def _search(language: Language, automata: list[tuple[Automaton, bool]]) -> str | bool:
    """Search the product of all automata, lengths and prefixes of excluded strings breadth first."""
    prefixes = {excluded[:end] for excluded in language.excluded for end in range(len(excluded) + 1)}
    last_length = language.min_length if language.max_length is None else language.max_length
    start: Product = (tuple(machine.start_states() for machine, _ in automata), 0, "" if "" in prefixes else None)
    queue = deque[tuple[Product, str]]([(start, "")])
    visited: set[Product] = {start}
    steps = moves = 0
    while queue:
        (states, length, prefix), text = queue.popleft()
        if length >= language.min_length and (prefix is None or prefix not in language.excluded):
            verdicts = (
                machine.accepts(states[index], at_start=not text) is must_match
                for index, (machine, must_match) in enumerate(automata)
            )
            if all(verdicts):
                return text
        if length == language.max_length:
            continue
        steps += 1
        alphabet = _alphabet(automata, states, prefix, prefixes)
        moves += len(alphabet) * sum(map(len, states))
        if steps > MAX_STEPS or moves > MAX_MOVES:
            return True
        for code in alphabet:
            next_prefix = None if prefix is None or prefix + chr(code) not in prefixes else prefix + chr(code)
            next_states = tuple(machine.step(states[index], code) for index, (machine, _) in enumerate(automata))
            product: Product = (next_states, min(length + 1, last_length), next_prefix)
            if product not in visited and not _is_dead(automata, next_states):
                visited.add(product)
                queue.append((product, text + chr(code)))
    return False


def _is_dead(automata: list[tuple[Automaton, bool]], states: tuple[States, ...]) -> bool:
    return any(1 in states[index] and not must_match for index, (_, must_match) in enumerate(automata))


def _alphabet(
    automata: list[tuple[Automaton, bool]], states: tuple[States, ...], prefix: str | None, prefixes: set[str]
) -> list[int]:
    """One code point per class of characters that no automaton distinguishes in its states."""
    boundaries = {0}
    for index, (automaton, _) in enumerate(automata):
        for state in states[index]:
            for ranges, _ in automaton.edges[state]:
                for low, high in ranges:
                    boundaries |= {low, high + 1}
    if prefix is not None:
        nexts = {ord(longer[len(prefix)]) for longer in prefixes if len(longer) == len(prefix) + 1}
        boundaries |= nexts | {code + 1 for code in nexts}
    bounds = pairwise(sorted(boundaries))  # ANY, an edge of state 0, cuts after the last code point
    chosen = (next((code for code in PREFERRED_CODES if low <= code < end), low) for low, end in bounds)
    return sorted(chosen, key=lambda code: (code not in PREFERRED_CODES, code))
