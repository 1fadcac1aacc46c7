"""Patterns as automata: what matches, and does anything match some and not others? Unknown is an answer."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, count, pairwise
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.regex_syntax import (
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
"""Moves of a state over a character that one search may make; about 50 ms."""
KEPT = 4_096
ANY: Ranges = ((0, LAST),)
NICE = tuple(map(ord, "aA0bzB1xZ9- _.@/!"))
States = frozenset[int]


@dataclass
class Automaton:
    """A nondeterministic automaton over code points that searches: state 0 begins, state 1 accepts and stays."""

    edges: list[list[tuple[Ranges, int]]] = field(default_factory=lambda: [[], []])
    empty: list[list[tuple[str, int]]] = field(default_factory=lambda: [[], []])
    closures: dict[tuple[States, str], States] = field(default_factory=dict[tuple[States, str], States])

    def state(self) -> int:
        if len(self.edges) >= MAX_STATES:
            raise Unsupported
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def closure(self, states: States, passing: str) -> States:
        """States reachable without reading; `passing` holds `^` at the start and `$` at the end."""
        known = self.closures.get((states, passing))
        if known is not None:
            return known
        found, stack = set(states), list(states)
        while stack:
            for sign, target in self.empty[stack.pop()]:
                if target not in found and (not sign or sign in passing):
                    found.add(target)
                    stack.append(target)
        self.closures[states, passing] = frozenset(found)
        return self.closures[states, passing]

    def begin(self) -> States:
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
    """False for what no dialect reads."""
    try:
        parse(pattern)
    except Unsupported:
        return True
    except Malformed:
        return False
    return True


@lru_cache(KEPT)
def automaton(pattern: str) -> Automaton | None:
    """None where the pattern is beyond us."""
    built = Automaton()
    try:
        start = built.state()
        built.edges[0].append((ANY, 0))
        built.empty[0].append(("", start))
        built.empty[_build(built, parse(pattern), start)].append(("", 1))
        built.edges[1].append((ANY, 1))
    except (Unsupported, Malformed):
        return None
    return built


def _build(built: Automaton, part: Expression, start: int) -> int:
    match part:
        case Chars(ranges):
            end = built.state()
            built.edges[start].append((ranges, end))
        case Anchor(at_start):
            end = built.state()
            built.empty[start].append(("^" if at_start else "$", end))
        case Sequence(parts):
            end = start
            for each in parts:
                end = _build(built, each, end)
        case Choice(options):
            end = built.state()
            for option in options:
                branch = built.state()
                built.empty[start].append(("", branch))
                built.empty[_build(built, option, branch)].append(("", end))
        case Repeat(inside, least, most):
            end = _repeat(built, inside, (least, most), start)
    return end


def _repeat(built: Automaton, inside: Expression, bounds: tuple[int, int | None], start: int) -> int:
    least, most = bounds
    for _ in range(least):
        start = _build(built, inside, start)
    end = built.state()
    if most is None:
        loop = built.state()
        built.empty[start] += [("", loop), ("", end)]
        built.empty[_build(built, inside, loop)] += [("", loop), ("", end)]
        return end
    for _ in range(most - least):
        built.empty[start].append(("", end))
        start = _build(built, inside, start)
    built.empty[start].append(("", end))
    return end


def matches(pattern: str, text: str) -> bool | None:
    """Whether the pattern is found in the text; None where the pattern is beyond us."""
    found = automaton(pattern)
    if found is None:
        return None
    states = found.begin()
    for char in text:
        states = found.step(states, ord(char))
    return found.accepts(states, at_start=not text)


class Language(NamedTuple):
    """Strings that match all of `wanted`, none of `unwanted`, within the lengths, and are not `excluded`."""

    wanted: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()
    least: int = 0
    most: int | None = None
    excluded: frozenset[str] = frozenset()


@lru_cache(KEPT)
def example(language: Language) -> str | bool:
    """A shortest string of the language; False when it is proven empty; True when neither is known."""
    if language.wanted & language.unwanted or (language.most is not None and language.most < language.least):
        return False
    known = {pattern: automaton(pattern) for pattern in language.wanted | language.unwanted}
    machines = [(found, pattern in language.wanted) for pattern, found in known.items() if found is not None]
    found = _search(language, machines) if machines else _by_length(language)
    if found is False or len(machines) == len(known):
        return found
    return True  # found without the patterns beyond us: no proof either way


def _by_length(language: Language) -> str | bool:
    if language.least > 100_000:
        return True
    texts: Iterable[str] = () if language.least else ("",)
    if language.most != 0:
        texts = chain(texts, (chr(code) * max(language.least, 1) for code in count(ord("a"))))
    return next((text for text in texts if text not in language.excluded), False)


Product: TypeAlias = tuple[tuple[States, ...], int, str | None]


def _search(language: Language, machines: list[tuple[Automaton, bool]]) -> str | bool:
    """Breadth first through the product of all machines, the length so far and the excluded strings' prefixes."""
    prefixes = {word[:end] for word in language.excluded for end in range(len(word) + 1)}
    top = language.least if language.most is None else language.most
    begin: Product = (tuple(machine.begin() for machine, _ in machines), 0, "" if "" in prefixes else None)
    queue = deque[tuple[Product, str]]([(begin, "")])
    seen: set[Product] = {begin}
    steps = moves = 0
    while queue:
        (states, length, prefix), text = queue.popleft()
        if length >= language.least and (prefix is None or prefix not in language.excluded):
            verdicts = (
                machine.accepts(states[index], at_start=not text) is wanted
                for index, (machine, wanted) in enumerate(machines)
            )
            if all(verdicts):
                return text
        if length == language.most:
            continue
        steps += 1
        alphabet = _alphabet(machines, states, prefix, prefixes)
        moves += len(alphabet) * sum(map(len, states))
        if steps > MAX_STEPS or moves > MAX_MOVES:
            return True
        for code in alphabet:
            after = None if prefix is None or prefix + chr(code) not in prefixes else prefix + chr(code)
            moved = tuple(machine.step(states[index], code) for index, (machine, _) in enumerate(machines))
            reached: Product = (moved, min(length + 1, top), after)
            if reached not in seen and not _is_dead(machines, moved):
                seen.add(reached)
                queue.append((reached, text + chr(code)))
    return False


def _is_dead(machines: list[tuple[Automaton, bool]], states: tuple[States, ...]) -> bool:
    return any(1 in states[index] and not wanted for index, (_, wanted) in enumerate(machines))


def _alphabet(
    machines: list[tuple[Automaton, bool]], states: tuple[States, ...], prefix: str | None, prefixes: set[str]
) -> list[int]:
    """One code point per class of characters that no machine tells apart from here."""
    cuts = {0}
    for index, (machine, _) in enumerate(machines):
        for state in states[index]:
            for ranges, _ in machine.edges[state]:
                for low, high in ranges:
                    cuts |= {low, high + 1}
    if prefix is not None:
        nexts = {ord(word[len(prefix)]) for word in prefixes if len(word) == len(prefix) + 1}
        cuts |= nexts | {code + 1 for code in nexts}
    bounds = pairwise(sorted(cuts))  # up to the last character, which every machine passes over in its first state
    chosen = (next((code for code in NICE if low <= code < end), low) for low, end in bounds)
    return sorted(chosen, key=lambda code: (code not in NICE, code))
