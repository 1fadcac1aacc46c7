"""On which paths is each part of a document reached? Cut short where a schema enters itself, so the answer is finite."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tessera_gql.diff.drafts import Route, Step, declared_field, text

Place = TypeVar("Place", bound=Hashable)
MAX_ROUTES = 32
MAX_EFFORT = 50_000


@dataclass
class Reached:
    """`first` is the first route in document order. `everywhere`: by too many routes to list, so it concerns everyone.

    A field of `again` is where a schema that holds this place is entered once more: a prefix of all deeper paths.
    """

    first: Route
    routes: list[Route] = field(default_factory=list[Route])
    again: list[str] = field(default_factory=list[str])
    everywhere: bool = False

    def fields(self, name: str | None = None) -> tuple[str, ...]:
        """The declared fields, of the place itself or of a property of it."""
        if self.everywhere:
            return ("",)
        paths = [text(route) for route in self.routes]
        if name is not None:
            paths = [f"{path}.{name}" if path else name for path in paths]
        return tuple(dict.fromkeys(declared_field(path) for path in [*paths, *self.again]))


def reach(root: Place, edges: Mapping[Place, Iterable[tuple[Step, Place]]]) -> dict[Place, Reached]:
    """Every simple route to every place, depth first in document order."""
    found: dict[Place, Reached] = {}
    crowded: set[Place] = set()
    entered: list[tuple[Place, str]] = []
    stack: list[tuple[Place, Route, frozenset[Place]]] = [(root, (), frozenset())]
    effort = 0
    while stack:
        place, route, above = stack.pop()
        effort += 1
        if place in above:
            entered.append((place, text(route)))
            continue
        here = found.setdefault(place, Reached(route))
        here.routes.append(route)
        if len(here.routes) > MAX_ROUTES or effort > MAX_EFFORT:
            crowded.add(place)
            continue
        inside = above | {place}
        stack += [(child, (*route, step), inside) for step, child in reversed([*edges.get(place, ())])]
    for place, path in entered:
        for each in _below([place], edges):
            if each in found and path not in found[each].again:
                found[each].again.append(path)
    for each in _below(crowded, edges):
        if each in found:
            found[each].everywhere = True
    return found


def _below(places: Iterable[Place], edges: Mapping[Place, Iterable[tuple[Step, Place]]]) -> set[Place]:
    found: set[Place] = set()
    stack = [*places]
    while stack:
        place = stack.pop()
        if place not in found:
            found.add(place)
            stack += [child for _, child in edges.get(place, ())]
    return found
