"""Traverse the graph of a comparison and find the routes from the root to each node."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tessera_gql.diff.differences import Route, Step, declared_field, format_route

NodeKey = TypeVar("NodeKey", bound=Hashable)
Edges = Mapping[NodeKey, Iterable[tuple[Step, NodeKey]]]
MAX_ROUTES = 8
MAX_REENTRIES = 8
MAX_HOLDERS = 64


class GraphNode(Protocol[NodeKey]):
    """A node of the graph. `is_cut`: an edge was dropped because of the limit."""

    edges: list[tuple[Step, NodeKey]]
    is_cut: bool


NodeType = TypeVar("NodeType", bound=GraphNode[Any])


def explore(
    start: NodeType,
    key_of: Callable[[NodeType], NodeKey],
    children: Callable[[NodeType], Iterable[tuple[Step, NodeType]]],
    schemas: int,
) -> dict[NodeKey, NodeType]:
    """Traverse the graph breadth first from the start. The number of nodes is limited in proportion to `schemas`."""
    nodes, queue = {key_of(start): start}, [start]
    max_nodes = 1_000 + 2 * schemas
    for node in queue:
        for step, child in children(node):
            key = key_of(child)
            if key not in nodes and len(nodes) < max_nodes:
                nodes[key] = child
                queue.append(child)
            if key in nodes:
                node.edges.append((step, key))
            else:
                node.is_cut = True
    return nodes


@dataclass
class Routes:
    """The routes to a node.

    `first` is the one reported. `is_everywhere`: there are too many to list, so every consumer is concerned.
    `reentries` are paths at which a recursive schema around this node is entered again: prefixes of all deeper paths.
    """

    first: Route
    paths: list[str] = field(default_factory=list[str])
    reentries: list[str] = field(default_factory=list[str])
    is_everywhere: bool = False

    def fields(self, name: str | None = None) -> tuple[str, ...]:
        """Return the declared fields of the node, or of a property of it."""
        if self.is_everywhere:
            return ("",)
        paths = self.paths if name is None else [f"{path}.{name}" if path else name for path in self.paths]
        return tuple(dict.fromkeys(declared_field(path) for path in [*paths, *self.reentries]))


def find_routes(root: NodeKey, edges: Edges[NodeKey]) -> dict[NodeKey, Routes]:
    """Find the simple routes to every node, depth first in document order."""
    routes_by_key: dict[NodeKey, Routes] = {}
    overfull: set[NodeKey] = set()
    reentry_paths: dict[NodeKey, set[str]] = {}
    stack: list[tuple[NodeKey, Route, str, frozenset[NodeKey]]] = [(root, (), "", frozenset())]
    while stack:
        key, route, path, ancestors = stack.pop()
        if key in ancestors:
            reentry_paths.setdefault(key, set()).add(path)
            continue
        if key in overfull:
            continue
        routes = routes_by_key.setdefault(key, Routes(route))
        routes.paths.append(path)
        if len(routes.paths) > MAX_ROUTES:
            overfull.add(key)
            continue
        route_keys = ancestors | {key}
        stack += [
            (child, (*route, step), format_route((step,), path), route_keys)
            for step, child in reversed([*edges.get(key, ())])
        ]
    _mark_reentries(routes_by_key, edges, reentry_paths, overfull)
    if any(len(routes.paths) > 1 for routes in routes_by_key.values()):
        _choose_shortest_routes(root, routes_by_key, edges)
    return routes_by_key


def _choose_shortest_routes(root: NodeKey, routes_by_key: dict[NodeKey, Routes], edges: Edges[NodeKey]) -> None:
    """Set `first` to the shortest route, and the first by name among those, regardless of key order."""
    visited = {root}
    level: dict[NodeKey, tuple[str, Route]] = {root: ("", ())}
    while level:
        next_level: dict[NodeKey, tuple[str, Route]] = {}
        for key, (path, route) in level.items():
            routes_by_key[key].first = route
            for step, child in edges.get(key, ()):
                longer = format_route((step,), path)
                if child not in visited and (child not in next_level or longer < next_level[child][0]):
                    next_level[child] = longer, (*route, step)
        visited |= next_level.keys()
        level = next_level


def _mark_reentries(
    routes_by_key: dict[NodeKey, Routes],
    edges: Edges[NodeKey],
    reentry_paths: Mapping[NodeKey, set[str]],
    crowded: set[NodeKey],
) -> None:
    """Mark all nodes below one that is entered again or has too many routes."""
    counts = Counter[NodeKey]()
    for key, paths in reentry_paths.items():
        if len(paths) > MAX_REENTRIES:
            crowded.add(key)
            continue
        for descendant in _descendants([key], edges, crowded):
            counts[descendant] += 1
            if counts[descendant] > MAX_HOLDERS:
                crowded.add(descendant)
            elif descendant in routes_by_key:
                routes_by_key[descendant].reentries += sorted(paths)
    for descendant in _descendants(crowded, edges, frozenset()):
        if descendant in routes_by_key:
            routes_by_key[descendant].is_everywhere = True


def _descendants(keys: Iterable[NodeKey], edges: Edges[NodeKey], skipped: AbstractSet[NodeKey]) -> set[NodeKey]:
    """Return the nodes and all nodes below them, without the skipped ones."""
    visited: set[NodeKey] = set()
    stack = [*keys]
    while stack:
        key = stack.pop()
        if key not in visited and key not in skipped:
            visited.add(key)
            stack += [child for _, child in edges.get(key, ())]
    return visited
