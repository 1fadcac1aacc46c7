"""Match patterns and find examples of their intersections with finite automata, which `automata` builds.

A result may be unknown. Every call takes a bounded number of steps, which it spends of the budget of the comparison,
cached or not: equal input has equal results.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, count
from typing import NamedTuple, TypeAlias

from tessera_gql.diff.budget import Budget
from tessera_gql.diff.values.automata import ANY, EFFORT_PER_STEP, SETTLED, Automaton, StateSet, compile_pattern
from tessera_gql.diff.values.regex_syntax import LAST, Malformed, Ranges, Unsupported, parse

MAX_SEARCH_STEPS = 60_000
"""Steps that one search for an example may take; about 30 ms."""
MAX_EXCLUDED = 20_000
"""Characters of excluded strings that a search avoids. An example that is one of the others is unknown."""
CACHED_EXAMPLES = 256
STEPS_PER_STRING = 15
"""Steps to look at one more string."""
CHARACTERS_PER_STEP = 4
PREFERRED_CODES = tuple(map(ord, "aA0bzB1xZ9- _.@/!"))
Rank = tuple[int, int]
"""The position among the preferred codes, and the code. The lowest rank of a class is its example."""


class OutOfSteps(Exception):  # noqa: N818 - the search is given up, not wrong
    """Raised when a search takes more steps than it may."""


def is_pattern(pattern: str) -> bool:
    """Return False for a pattern that no dialect of regular expressions accepts."""
    try:
        parse(pattern)
    except Unsupported:
        return True
    except Malformed:
        return False
    return True


def matches(pattern: str, text: str, budget: Budget | None = None) -> bool | None:
    """Return whether the text contains a match of the pattern; None if its syntax is not supported or it takes long."""
    automaton = None if budget is not None and budget.is_spent else compile_pattern(pattern)
    if automaton is None:
        return None
    verdict, steps = automaton.match(text)
    is_paid = budget is None or budget.spend_steps(steps + len(pattern) // CHARACTERS_PER_STEP)
    return verdict if is_paid else None


class Language(NamedTuple):
    """Strings that match all of `matching` and none of `not_matching`, within the lengths and not `excluded`."""

    matching: frozenset[str] = frozenset()
    not_matching: frozenset[str] = frozenset()
    min_length: int = 0
    max_length: int | None = None
    excluded: frozenset[str] = frozenset()


def find_example(language: Language, budget: Budget | None = None) -> str | bool:
    """Return a shortest string of the language; False if it is proven empty, True if unknown."""
    matching, not_matching, min_length, max_length, _ = language
    if matching & not_matching or (max_length is not None and max_length < min_length):
        return False
    if not matching and not not_matching:
        return _find_by_length(language)
    if budget is not None and budget.is_spent:
        return True
    result, steps = _find_matching(language)
    return result if budget is None or budget.spend_steps(steps) else True


def _find_by_length(language: Language) -> str | bool:
    if language.min_length > 100_000:
        return True
    texts: Iterable[str] = () if language.min_length else ("",)
    if language.max_length != 0:
        texts = chain(texts, (chr(code) * max(language.min_length, 1) for code in count(ord("a"))))
    return next((text for text in texts if text not in language.excluded), False)


@lru_cache(CACHED_EXAMPLES)
def _find_matching(language: Language) -> tuple[str | bool, int]:
    """Return the example, and the steps that the search takes."""
    matching, not_matching = language.matching, language.not_matching
    patterns = sorted(matching | not_matching)
    compiled = [(compile_pattern(pattern), pattern in matching) for pattern in patterns]
    machines = [(automaton, must_match) for automaton, must_match in compiled if automaton is not None]
    search = _Search(language, machines)
    try:
        result = search.run() if machines else _find_by_length(language)
    except OutOfSteps:
        return True, search.steps
    if result is False or len(machines) == len(patterns):
        return result, search.steps
    return True, search.steps  # the string may violate a pattern of unsupported syntax


class _Prefixes:
    """The excluded strings as a tree of their prefixes, the shortest strings first."""

    def __init__(self, excluded: Iterable[str]) -> None:
        self.children: list[dict[str, int]] = [{}]
        self.ends: set[int] = set()
        self.size = 0
        for text in sorted(excluded, key=lambda text: (len(text), text)):
            self.size += len(text)
            if self.size > MAX_EXCLUDED:
                break
            self._add(text)

    def _add(self, text: str) -> None:
        node = 0
        for char in text:
            following = self.children[node].get(char)
            if following is None:
                following = self.children[node][char] = len(self.children)
                self.children.append({})
            node = following
        self.ends.add(node)

    def codes(self) -> set[int]:
        """Return all characters of the prefixes."""
        return {ord(char) for children in self.children for char in children}


class _Alphabet:
    """The classes of characters that no automaton distinguishes. Characters in `singles` are classes of their own."""

    def __init__(self, labels: set[Ranges], singles: set[int]) -> None:
        flips: dict[int, int] = {0: 0, LAST + 1: 0}
        for index, ranges in enumerate(labels):
            for low, high in ranges:
                flips[low] = flips.get(low, 0) ^ (1 << index)
                flips[high + 1] = flips.get(high + 1, 0) ^ (1 << index)
        for code in singles:
            flips.setdefault(code, 0)
            flips.setdefault(code + 1, 0)
        self.bounds = sorted(flips)
        self.bounds.pop()
        signature, numbers = 0, dict[tuple[int, int], int]()
        self.classes: list[int] = []
        self.ranks: list[Rank] = []
        for bound in self.bounds:
            signature ^= flips[bound]
            number = numbers.setdefault((signature, bound if bound in singles else -1), len(numbers))
            if number == len(self.ranks):
                self.ranks.append((len(PREFERRED_CODES), bound))
            self.classes.append(number)
        for position, code in enumerate(PREFERRED_CODES):
            number = self.class_of(code)
            self.ranks[number] = min(self.ranks[number], (position, code))
        self.ordered = sorted(range(len(self.ranks)), key=self.ranks.__getitem__)
        self.label_classes: dict[int, frozenset[int]] = {}

    def class_of(self, code: int) -> int:
        return self.classes[bisect_right(self.bounds, code) - 1]

    def classes_in(self, ranges: Ranges) -> frozenset[int]:
        """Return the classes of some ranges of an automaton."""
        cached = self.label_classes.get(id(ranges))
        if cached is None:
            spans = ((bisect_right(self.bounds, low) - 1, bisect_right(self.bounds, high)) for low, high in ranges)
            cached = frozenset(number for start, end in spans for number in self.classes[start:end])
            self.label_classes[id(ranges)] = cached
        return cached


class _Moves(NamedTuple):
    """The state sets after a character: those of some classes, and the one of all other classes."""

    by_class: dict[int, StateSet]
    otherwise: StateSet


Product: TypeAlias = tuple[tuple[frozenset[int], ...], int, int | None]


class _Point(NamedTuple):
    """A string in the search: its last character, the point before it, and the states after it."""

    states: tuple[StateSet, ...]
    length: int
    prefix: int | None
    parent: "_Point | None" = None
    code: int = 0

    @property
    def product(self) -> Product:
        return tuple(states.members for states in self.states), self.length, self.prefix

    def text(self) -> str:
        codes: list[int] = []
        point = self
        while point.parent is not None:
            codes.append(point.code)
            point = point.parent
        return "".join(map(chr, reversed(codes)))


class _Search:
    """A search of the product of all automata, lengths and prefixes of excluded strings, breadth first."""

    def __init__(self, language: Language, machines: list[tuple[Automaton, bool]]) -> None:
        self.language = language
        self.automata = [automaton for automaton, _ in machines]
        self.must_match = [must_match for _, must_match in machines]
        self.steps = 0
        self.moves: list[dict[frozenset[int], _Moves]] = [{} for _ in machines]

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_SEARCH_STEPS:
            raise OutOfSteps

    def run(self) -> str | bool:
        self.prefixes = _Prefixes(self.language.excluded)
        edges = [edge for automaton in self.automata for edges in automaton.edges for edge in edges]
        labels = {id(ranges): ranges for ranges, _ in edges}
        self.spend(min(self.prefixes.size, MAX_EXCLUDED) + len(edges) + sum(map(len, labels.values())))
        self.alphabet = _Alphabet({*labels.values()}, self.prefixes.codes())
        language = self.language
        counted_length = language.min_length if language.max_length is None else language.max_length
        start = _Point(tuple(automaton.start for automaton in self.automata), 0, 0 if language.excluded else None)
        visited, queue = {start.product}, [start]
        for point in queue:
            if self.is_accepted(point):
                text = point.text()
                return True if text in language.excluded else text
            if point.length == language.max_length:
                continue
            for successor in self.successors(point, counted_length):
                product = successor.product
                if product not in visited and not self.is_dead(successor):
                    visited.add(product)
                    queue.append(successor)
        return False

    def is_accepted(self, point: _Point) -> bool:
        if point.length < self.language.min_length or point.prefix in self.prefixes.ends:
            return False
        return all(
            states.accepts is must_match for states, must_match in zip(point.states, self.must_match, strict=True)
        )

    def is_dead(self, point: _Point) -> bool:
        """Return whether a pattern that must not match has matched."""
        return any(
            states.is_settled and not must_match
            for states, must_match in zip(point.states, self.must_match, strict=True)
        )

    def successors(self, point: _Point, counted_length: int) -> Iterator[_Point]:
        """Yield a point for each product that one more character leads to, those of preferred characters first."""
        moves = [self.find_moves(index, states) for index, states in enumerate(point.states)]
        children = {} if point.prefix is None else self.prefixes.children[point.prefix]
        prefix_of = {self.alphabet.class_of(ord(char)): node for char, node in children.items()}
        classes = set(prefix_of).union(*(move.by_class for move in moves))
        self.spend(STEPS_PER_STRING * (1 + len(classes)) * len(moves))
        untouched = next((number for number in self.alphabet.ordered if number not in classes), None)
        if untouched is not None:
            classes.add(untouched)
        length = min(point.length + 1, counted_length)
        best: dict[Product, _Point] = {}
        for number in sorted(classes, key=lambda number: self.alphabet.ranks[number]):
            states = tuple(move.by_class.get(number, move.otherwise) for move in moves)
            code = self.alphabet.ranks[number][1]
            successor = _Point(states, length, prefix_of.get(number), point, code)
            best.setdefault(successor.product, successor)
        yield from sorted(best.values(), key=lambda item: (item.code not in PREFERRED_CODES, item.code))

    def find_moves(self, index: int, states: StateSet) -> _Moves:
        """Return the moves of one automaton."""
        moves = self.moves[index].get(states.members)
        if moves is None:
            moves = self.moves[index][states.members] = self.collect_moves(self.automata[index], states)
        return moves

    def collect_moves(self, automaton: Automaton, states: StateSet) -> _Moves:
        if states.is_settled:
            return _Moves({}, SETTLED)
        base = [target for ranges, target in states.edges if ranges is ANY]
        targets_by_class: dict[int, list[int]] = {}
        for ranges, target in states.edges:
            if ranges is ANY:
                continue
            classes = self.alphabet.classes_in(ranges)
            self.spend(1 + len(classes))
            for number in classes:
                targets_by_class.setdefault(number, [*base]).append(target)
        return _Moves(
            {number: self.move(automaton, targets) for number, targets in targets_by_class.items()},
            self.move(automaton, base),
        )

    def move(self, automaton: Automaton, targets: list[int]) -> StateSet:
        states = automaton.state_set(frozenset(targets))
        self.spend(len(states.members) + automaton.closure_effort // EFFORT_PER_STEP)
        return states
