"""Arrays: is there one that meets every demand? Positions after the longest prefix are alike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tessera_gql.diff.facts import (
    Constraint,
    ContainsAbove,
    ContainsBelow,
    Duplicates,
    ItemViolates,
    LaterItemViolates,
    Literal,
    NoWitness,
    SearchResult,
    SizeAbove,
    SizeBelow,
    Witness,
    excluded_values,
)
from tessera_gql.diff.json import Json, canonical
from tessera_gql.diff.kinds import BOOLEAN, NULL
from tessera_gql.diff.schema import Schema

Find = Callable[[Iterable[Literal]], SearchResult]
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
        for node, _, is_produced in self.nodes:
            prefix = node.prefix_items
            each = prefix[index] if index < len(prefix) else node.remaining_items
            if each is not None:
                found.append(Literal(each, holds=True, is_produced=is_produced))
        return found

    def fits(self, size: int) -> bool:
        return self.most is None or size <= self.most

    def value(self, index: int, *more: Literal) -> SearchResult:
        if not self.fits(index + 1):
            return NoWitness.EMPTY
        return self.find([*self.about(index), *more])

    def distinct(self) -> range:
        """One index for each position that is told apart, and one for all the others."""
        top = self.told_apart + 1
        return range(top if self.most is None else min(top, self.most))


def find_array(find: Find, nodes: list[Literal], constraints: list[Constraint]) -> SearchResult:
    schemas = [literal.node for literal in nodes]
    tops = [node.max_items for node in schemas if node.max_items is not None]
    everywhere = [
        Literal(constraint.node, holds=False)
        for constraint in constraints
        if isinstance(constraint, ContainsBelow) and constraint.limit == 1
    ]
    starts = [
        constraint.position + 1 if isinstance(constraint, ItemViolates) else constraint.start
        for constraint in constraints
        if isinstance(constraint, ItemViolates | LaterItemViolates)
    ]
    positions = Positions(
        find,
        nodes,
        everywhere,
        max([0, *(len(node.prefix_items) for node in schemas), *starts]),
        max(
            [
                0,
                *(node.min_items for node in schemas),
                *(constraint.limit + 1 for constraint in constraints if isinstance(constraint, SizeAbove)),
            ]
        ),
        min(
            [*tops, *(constraint.limit - 1 for constraint in constraints if isinstance(constraint, SizeBelow))],
            default=None,
        ),
    )
    if positions.told_apart > MAX_TOLD_APART:
        return NoWitness.UNKNOWN
    return _Search(positions, constraints).run()


class _Search:
    def __init__(self, positions: Positions, constraints: list[Constraint]) -> None:
        self.positions = positions
        self.constraints = constraints
        self.unique = any(literal.node.unique for literal in positions.nodes)
        self.forced: dict[int, Json] = {}
        self.is_sure = True

    def run(self) -> SearchResult:
        self._shorten()
        positions = self.positions
        if not positions.fits(positions.least):
            return NoWitness.EMPTY
        if not all(self._meet(constraint) for constraint in self.constraints) or not all(
            map(self._contains, positions.nodes)
        ):
            return NoWitness.EMPTY
        return self._document()

    def _shorten(self) -> None:
        """No array reaches past a position that nothing can fill; a unique one not past its different values."""
        positions = self.positions
        for index in positions.distinct():
            if positions.value(index) is NoWitness.EMPTY:
                positions.most = index
                break
        if self.unique and not positions.told_apart:
            sizes = [
                size for literal in positions.about(0) if literal.holds and (size := _size(literal.node)) is not None
            ]
            if sizes and positions.fits(min(sizes)):
                positions.most = min(sizes)

    def _meet(self, constraint: Constraint) -> bool:
        """False when the demand cannot be met."""
        match constraint:
            case ItemViolates(index, node):
                self.positions.extra.setdefault(index, []).append(Literal(node, holds=False))
                return self._put([index])
            case LaterItemViolates(start, node):
                top = max(self.positions.told_apart, start)
                if self.positions.most == start + 1:  # there is only that one
                    return self._meet(ItemViolates(start, node))
                return self._put(range(start, top + 1), Literal(node, holds=False))  # one of them: a choice, no demand
            case Duplicates():
                return not self.unique and self._twice()
            case ContainsBelow(node, limit):
                return self._fewer(node, limit)
            case ContainsAbove(node, limit):
                return self._more(node, limit)
            case _:
                return True

    def _put(self, indices: Iterable[int], *more: Literal) -> bool:
        is_open = False
        for index in indices:
            found = self.positions.value(index, *more)
            if isinstance(found, Witness) and index not in self.forced:
                self.forced[index] = found.value
                return True
            is_open = is_open or found is not NoWitness.EMPTY
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
                if isinstance(found, Witness):
                    self.forced[left] = self.forced[right] = found.value
                    return True
                is_open = is_open or found is not NoWitness.EMPTY
        self.is_sure = False
        return is_open

    def _contains(self, literal: Literal) -> bool:
        """`contains` among what must be valid: enough positions can hold it, not too many must."""
        node = literal.node
        contained = node.child("contains")
        if contained is None:
            return True
        wanted = Literal(contained, holds=True, is_produced=literal.is_produced)
        if node.max_contains is not None and self._bound_to(contained, node.max_contains + 1):
            return False
        return self._hold(wanted, node.min_contains)

    def _hold(self, wanted: Literal, times: int) -> bool:
        """Puts the literal into so many positions. False when there are provably fewer that can hold it."""
        positions = self.positions
        can = [index for index in positions.distinct() if positions.value(index, wanted) is not NoWitness.EMPTY]
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
            if isinstance(found, Witness):
                self.forced[index] = found.value
        return True

    def _bound_to(self, node: Schema, times: int) -> bool:
        """Whether at least so many items are bound to be valid under the node."""
        positions = self.positions
        bound = 0
        for index in range(min(positions.least, positions.told_apart)):
            bound += positions.value(index, Literal(node, holds=False)) is NoWitness.EMPTY
        breaks = [*positions.about(positions.told_apart), Literal(node, holds=False)]
        if positions.find(breaks) is NoWitness.EMPTY:
            bound += len(range(positions.told_apart, positions.least))
        return bound >= times

    def _fewer(self, node: Schema, limit: int) -> bool:
        for literal in self.positions.nodes:
            contained = literal.node.child("contains")
            if contained is not None and literal.node.min_contains >= limit:
                inside = [Literal(contained, holds=True, is_produced=literal.is_produced), Literal(node, holds=False)]
                if self.positions.find(inside) is NoWitness.EMPTY:
                    return False
        return not self._bound_to(node, limit)

    def _more(self, node: Schema, limit: int) -> bool:
        for literal in self.positions.nodes:
            contained, most = literal.node.child("contains"), literal.node.max_contains
            if contained is None or most is None or most > limit:
                continue
            if self.positions.find([Literal(node, holds=True), Literal(contained, holds=False)]) is NoWitness.EMPTY:
                return False
        return self._hold(Literal(node, holds=True), limit + 1)

    def _document(self) -> SearchResult:
        positions = self.positions
        length = max([positions.least, *(index + 1 for index in self.forced)])
        if length > MAX_SHOWN:
            return NoWitness.UNKNOWN
        items: list[Json] = []
        for index in range(length):
            found = Witness(self.forced[index]) if index in self.forced else positions.value(index)
            if not isinstance(found, Witness):
                return NoWitness.UNKNOWN
            items.append(found.value)
        banned = excluded_values(self.constraints)
        if self.unique:
            items = self._different(items)
        if canonical(items) in banned:
            found = positions.value(length)
            items = [*items, found.value] if isinstance(found, Witness) else items
        return Witness(items) if self.is_sure and canonical(items) not in banned else NoWitness.UNKNOWN

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
