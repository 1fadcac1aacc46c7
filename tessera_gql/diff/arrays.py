"""Arrays: is there one that meets every demand? Positions after the longest prefix are alike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tessera_gql.diff.facts import (
    Answer,
    ContainsFewer,
    ContainsMore,
    Duplicates,
    Fact,
    Fewer,
    Found,
    ItemBreaks,
    Literal,
    More,
    Outcome,
    RestBreaks,
    excluded,
)
from tessera_gql.diff.json import Json, canonical
from tessera_gql.diff.kinds import BOOLEAN, NULL
from tessera_gql.diff.schema import Schema

Find = Callable[[Iterable[Literal]], Outcome]
MAX_SHOWN = 200
MAX_TOLD_APART = 400


@dataclass
class Positions:
    """What each position must be. From `told_apart` on all positions are alike. `most` None is unlimited."""

    find: Find
    nodes: list[Literal]
    everywhere: list[Literal]
    told_apart: int
    least: int
    most: int | None
    extra: dict[int, list[Literal]] = field(default_factory=dict[int, list[Literal]])

    def about(self, index: int) -> list[Literal]:
        found = [*self.everywhere, *self.extra.get(index, ())]
        for node, _, emits in self.nodes:
            prefix = node.prefix
            each = prefix[index] if index < len(prefix) else node.rest
            if each is not None:
                found.append(Literal(each, holds=True, emits=emits))
        return found

    def fits(self, size: int) -> bool:
        return self.most is None or size <= self.most

    def value(self, index: int, *more: Literal) -> Outcome:
        if not self.fits(index + 1):
            return Answer.EMPTY
        return self.find([*self.about(index), *more])

    def distinct(self) -> range:
        """One index for each position that is told apart, and one for all the others."""
        top = self.told_apart + 1
        return range(top if self.most is None else min(top, self.most))


def find_array(find: Find, nodes: list[Literal], facts: list[Fact]) -> Outcome:
    schemas = [literal.node for literal in nodes]
    tops = [node.max_items for node in schemas if node.max_items is not None]
    everywhere = [
        Literal(fact.node, holds=False) for fact in facts if isinstance(fact, ContainsFewer) and fact.than == 1
    ]
    starts = [
        fact.position + 1 if isinstance(fact, ItemBreaks) else fact.start
        for fact in facts
        if isinstance(fact, ItemBreaks | RestBreaks)
    ]
    positions = Positions(
        find,
        nodes,
        everywhere,
        max([0, *(len(node.prefix) for node in schemas), *starts]),
        max([0, *(node.min_items for node in schemas), *(fact.than + 1 for fact in facts if isinstance(fact, More))]),
        min([*tops, *(fact.than - 1 for fact in facts if isinstance(fact, Fewer))], default=None),
    )
    if positions.told_apart > MAX_TOLD_APART:
        return Answer.UNKNOWN
    return _Search(positions, facts).run()


class _Search:
    def __init__(self, positions: Positions, facts: list[Fact]) -> None:
        self.positions = positions
        self.facts = facts
        self.unique = any(literal.node.unique for literal in positions.nodes)
        self.forced: dict[int, Json] = {}
        self.is_sure = True

    def run(self) -> Outcome:
        self._shorten()
        positions = self.positions
        if not positions.fits(positions.least):
            return Answer.EMPTY
        if not all(self._meet(fact) for fact in self.facts) or not all(map(self._contains, positions.nodes)):
            return Answer.EMPTY
        return self._document()

    def _shorten(self) -> None:
        """No array reaches past a position that nothing can fill; a unique one not past its different values."""
        positions = self.positions
        for index in positions.distinct():
            if positions.value(index) is Answer.EMPTY:
                positions.most = index
                break
        if self.unique and not positions.told_apart:
            sizes = [
                size for literal in positions.about(0) if literal.holds and (size := _size(literal.node)) is not None
            ]
            if sizes and positions.fits(min(sizes)):
                positions.most = min(sizes)

    def _meet(self, fact: Fact) -> bool:
        """False when the demand cannot be met."""
        match fact:
            case ItemBreaks(index, node):
                self.positions.extra.setdefault(index, []).append(Literal(node, holds=False))
                return self._put([index])
            case RestBreaks(start, node):
                top = max(self.positions.told_apart, start)
                if self.positions.most == start + 1:  # there is only that one
                    return self._meet(ItemBreaks(start, node))
                return self._put(range(start, top + 1), Literal(node, holds=False))  # one of them: a choice, no demand
            case Duplicates():
                return not self.unique and self._twice()
            case ContainsFewer(node, than):
                return self._fewer(node, than)
            case ContainsMore(node, than):
                return self._more(node, than)
            case _:
                return True

    def _put(self, indices: Iterable[int], *more: Literal) -> bool:
        is_open = False
        for index in indices:
            found = self.positions.value(index, *more)
            if isinstance(found, Found) and index not in self.forced:
                self.forced[index] = found.value
                return True
            is_open = is_open or found is not Answer.EMPTY
        self.is_sure = False
        return is_open

    def _twice(self) -> bool:
        positions, is_open = self.positions, False
        size = positions.told_apart + 2  # two beyond those told apart are alike
        if positions.most is not None:
            size = min(size, positions.most)
        for left in range(size):
            for right in range(left + 1, size):
                found = positions.find([*positions.about(left), *positions.about(right)])
                if isinstance(found, Found):
                    self.forced[left] = self.forced[right] = found.value
                    return True
                is_open = is_open or found is not Answer.EMPTY
        self.is_sure = False
        return is_open

    def _contains(self, literal: Literal) -> bool:
        """`contains` among what must be valid: enough positions can hold it, not too many must."""
        node = literal.node
        contained = node.child("contains")
        if contained is None:
            return True
        wanted = Literal(contained, holds=True, emits=literal.emits)
        if node.max_contains is not None and self._bound_to(contained, node.max_contains + 1):
            return False
        return self._hold(wanted, node.min_contains)

    def _hold(self, wanted: Literal, times: int) -> bool:
        """Puts the literal into so many positions. False when there are provably fewer that can hold it."""
        positions = self.positions
        can = [index for index in positions.distinct() if positions.value(index, wanted) is not Answer.EMPTY]
        is_tail_able = positions.told_apart in can
        room = len(can)
        if is_tail_able:
            room = times if positions.most is None else len(can) - 1 + positions.most - positions.told_apart
        if room < times:
            return False
        free = [
            index
            for index in [*can, *range(positions.told_apart + 1, positions.told_apart + min(times, MAX_SHOWN))]
            if index not in self.forced
        ]
        for index in free[:times] if times <= MAX_SHOWN else []:
            found = positions.value(index, wanted)
            if isinstance(found, Found):
                self.forced[index] = found.value
        return True

    def _bound_to(self, node: Schema, times: int) -> bool:
        """Whether at least so many items are bound to be valid under the node."""
        positions = self.positions
        bound = 0
        for index in range(min(positions.least, positions.told_apart)):
            bound += positions.value(index, Literal(node, holds=False)) is Answer.EMPTY
        breaks = [*positions.about(positions.told_apart), Literal(node, holds=False)]
        if positions.find(breaks) is Answer.EMPTY:
            bound += len(range(positions.told_apart, positions.least))
        return bound >= times

    def _fewer(self, node: Schema, than: int) -> bool:
        for literal in self.positions.nodes:
            contained = literal.node.child("contains")
            if contained is not None and literal.node.min_contains >= than:
                inside = [Literal(contained, holds=True, emits=literal.emits), Literal(node, holds=False)]
                if self.positions.find(inside) is Answer.EMPTY:
                    return False
        return not self._bound_to(node, than)

    def _more(self, node: Schema, than: int) -> bool:
        for literal in self.positions.nodes:
            contained, most = literal.node.child("contains"), literal.node.max_contains
            if contained is None or most is None or most > than:
                continue
            if self.positions.find([Literal(node, holds=True), Literal(contained, holds=False)]) is Answer.EMPTY:
                return False
        return self._hold(Literal(node, holds=True), than + 1)

    def _document(self) -> Outcome:
        positions = self.positions
        length = max([positions.least, *(index + 1 for index in self.forced)])
        if length > MAX_SHOWN:
            return Answer.UNKNOWN
        items: list[Json] = []
        for index in range(length):
            found = Found(self.forced[index]) if index in self.forced else positions.value(index)
            if not isinstance(found, Found):
                return Answer.UNKNOWN
            items.append(found.value)
        banned = excluded(self.facts)
        if self.unique:
            items = self._different(items)
        if canonical(items) in banned:
            found = positions.value(length)
            items = [*items, found.value] if isinstance(found, Found) else items
        return Found(items) if self.is_sure and canonical(items) not in banned else Answer.UNKNOWN

    def _different(self, items: list[Json]) -> list[Json]:
        """Plain numbers and texts instead of repeated values, where they do; whoever shows the document confirms it."""
        seen: set[str] = set()
        found: list[Json] = []
        for index, item in enumerate(items):
            for each in (item, *_variants(item, index)):
                if canonical(each) not in seen:
                    found.append(each)
                    seen.add(canonical(each))
                    break
        return found


def _variants(item: Json, index: int) -> tuple[Json, ...]:
    match item:
        case bool() | None:
            return (True, False, None)
        case int() | float():
            return (item + index, item - index)
        case str():
            return (item + "a" * index, str(index))
        case _:
            return (index,)


def _size(node: Schema) -> int | None:
    """How many values there are, where a schema allows few."""
    if node.enum is not None:
        return len(node.enum)
    if node.types & ~(NULL | BOOLEAN):
        return None
    return (1 if node.types & NULL else 0) + (2 if node.types & BOOLEAN else 0)
