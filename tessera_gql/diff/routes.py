"""What is followed from the root, and on which paths each part is reached. Cut short where a schema enters itself."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tessera_gql.diff.drafts import Route, Step, declared_field, text

Place = TypeVar("Place", bound=Hashable)
MAX_ROUTES = 8
MAX_AGAIN = 8
MAX_HOLDERS = 64


class Part(Protocol[Place]):
    """What lies at a place. `is_cut`: some part of it was not followed."""

    edges: list[tuple[Step, Place]]
    is_cut: bool


Followed = TypeVar("Followed", bound=Part[Any])


def follow(
    start: Followed,
    place_of: Callable[[Followed], Place],
    parts: Callable[[Followed], Iterable[tuple[Step, Followed]]],
    schemas: int,
) -> dict[Place, Followed]:
    """What is at each place, the root first; in schemas of that number together, so many places at most."""
    found, queue = {place_of(start): start}, [start]
    most = 1_000 + 2 * schemas
    for each in queue:
        for step, part in parts(each):
            place = place_of(part)
            if place not in found and len(found) < most:
                found[place] = part
                queue.append(part)
            if place in found:
                each.edges.append((step, place))
            else:
                each.is_cut = True
    return found


@dataclass
class Reached:
    """`first` is the route that is told of. `everywhere`: by too many routes to list, so it concerns everyone.

    A field of `again` is where a schema that holds this place is entered once more: a prefix of all deeper paths.
    """

    first: Route
    paths: list[str] = field(default_factory=list[str])
    again: list[str] = field(default_factory=list[str])
    everywhere: bool = False

    def fields(self, name: str | None = None) -> tuple[str, ...]:
        """The declared fields, of the place itself or of a property of it."""
        if self.everywhere:
            return ("",)
        paths = self.paths if name is None else [f"{path}.{name}" if path else name for path in self.paths]
        return tuple(dict.fromkeys(declared_field(path) for path in [*paths, *self.again]))


def reach(root: Place, edges: Mapping[Place, Iterable[tuple[Step, Place]]]) -> dict[Place, Reached]:
    """Every simple route to every place, depth first in document order."""
    found: dict[Place, Reached] = {}
    crowded: set[Place] = set()
    entered: dict[Place, set[str]] = {}
    stack: list[tuple[Place, Route, str, frozenset[Place]]] = [(root, (), "", frozenset())]
    while stack:
        place, route, path, above = stack.pop()
        if place in above:
            entered.setdefault(place, set()).add(path)
            continue
        if place in crowded:
            continue
        here = found.setdefault(place, Reached(route))
        here.paths.append(path)
        if len(here.paths) > MAX_ROUTES:
            crowded.add(place)
            continue
        inside = above | {place}
        stack += [
            (child, (*route, step), text((step,), path), inside) for step, child in reversed([*edges.get(place, ())])
        ]
    _mark(found, edges, entered, crowded)
    if any(len(each.paths) > 1 for each in found.values()):
        _choose(root, found, edges)
    return found


def _choose(root: Place, found: dict[Place, Reached], edges: Mapping[Place, Iterable[tuple[Step, Place]]]) -> None:
    """Of several routes the shortest is told of, and of those the first by name: the order of keys means nothing."""
    seen = {root}
    level: dict[Place, tuple[str, Route]] = {root: ("", ())}
    while level:
        below: dict[Place, tuple[str, Route]] = {}
        for place, (path, route) in level.items():
            found[place].first = route
            for step, child in edges.get(place, ()):
                longer = text((step,), path)
                if child not in seen and (child not in below or longer < below[child][0]):
                    below[child] = longer, (*route, step)
        seen |= below.keys()
        level = below


def _mark(
    found: dict[Place, Reached],
    edges: Mapping[Place, Iterable[tuple[Step, Place]]],
    entered: Mapping[Place, set[str]],
    crowded: set[Place],
) -> None:
    """Tells every place below one that is entered again, or on too many routes."""
    holders = Counter[Place]()
    for place, paths in entered.items():
        if len(paths) > MAX_AGAIN:
            crowded.add(place)
            continue
        for each in _below([place], edges, crowded):
            holders[each] += 1
            if holders[each] > MAX_HOLDERS:
                crowded.add(each)
            elif each in found:
                found[each].again += sorted(paths)
    for each in _below(crowded, edges, frozenset()):
        if each in found:
            found[each].everywhere = True


def _below(
    places: Iterable[Place], edges: Mapping[Place, Iterable[tuple[Step, Place]]], told: AbstractSet[Place]
) -> set[Place]:
    """The places and all below them, but for those told already and what is below those alone."""
    found: set[Place] = set()
    stack = [*places]
    while stack:
        place = stack.pop()
        if place not in found and place not in told:
            found.add(place)
            stack += [child for _, child in edges.get(place, ())]
    return found
