"""A picture of lineage as values: its assets as boxes with columns, and the edges between them.

`lineage_svg.draw_svg` and `lineage_mermaid.draw_mermaid` draw it. A picture has at most `MAX_NODES` assets, the nearest
to its start; `bound_picture` leaves out the others and counts them.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

MAX_NODES = 60
MAX_COLUMNS = 12
"""Columns of one asset that are drawn; further ones are counted."""
MAX_EDGES = 600


class NodeTone(StrEnum):
    """The meaning of a note; the value is the CSS class that the picture gives it."""

    PLAIN = ""
    ASKED = "asked"
    OWN = "you"


@dataclass(frozen=True, kw_only=True)
class PictureNode:
    """An asset in a picture. `key` names it in edges; all texts may be untrusted."""

    key: str
    fqn: str
    team: str
    """The name of the owner team."""
    columns: Sequence[str] = ()
    """The columns to draw, in order."""
    changed_columns: frozenset[str] = frozenset()
    """Those of the columns that a change touches; they are marked."""
    extra_columns: int = 0
    """The number of columns that are not in `columns`."""
    note: str = ""
    """A few words above the box, such as `growth is asked`."""
    tone: NodeTone = NodeTone.PLAIN
    is_untouched: bool = False
    """Whether no change arrives at the asset; the box is dashed then."""
    href: str = ""
    """The page of the asset: an absolute path, a query, a fragment, or an http address; else there is no link."""
    unfolded_count: int = 0
    """The number of assets behind this one that the picture could unfold; drawn as `+3` if there is `unfold_href`."""
    unfold_href: str = ""
    is_unfolded: bool = False
    """Whether the assets behind this one are drawn; `unfold_href`, drawn as a minus, leads to a picture without."""


@dataclass(frozen=True, kw_only=True)
class PictureEdge:
    """A column, or a whole asset, that is made from another one."""

    source: str
    target: str
    """The keys of the two nodes; an edge of an asset to itself and cycles are allowed."""
    source_column: str | None = None
    target_column: str | None = None
    """Null, or a column that is not drawn, joins the box as a whole."""
    is_filter: bool = False
    """Whether the source column only decides about the rows; the line is dashed."""
    is_unknown: bool = False
    """Whether lineage of columns is unknown between the assets; the line is dotted."""
    is_changed: bool = False
    """Whether a change follows the edge; the line is thick."""


@dataclass(frozen=True, kw_only=True)
class LineagePicture:
    """The assets and edges to draw. The start stands in the middle: what it is made from left, what it makes right."""

    start: str
    """The key of the asset in the middle."""
    title: str
    """What the picture shows, for people who don't see it."""
    nodes: Sequence[PictureNode]
    edges: Sequence[PictureEdge] = ()
    omitted_nodes: int = 0
    """The number of assets that are known and not in the picture."""
    ranks: Mapping[str, int] = field(default_factory=dict[str, int])
    """The column of the picture by key of the node, 0 for the start, negative upstream; `bound_picture` sets it."""


def bound_picture(picture: LineagePicture, max_nodes: int = MAX_NODES) -> LineagePicture:
    """Rank the nodes by their distance from the start, and keep the nearest ones, with a bounded number of edges.

    Raises ValueError if the start is no node.
    """
    nodes = {node.key: node for node in picture.nodes}
    if picture.start not in nodes:
        raise ValueError(f"The picture starts at {picture.start!r}, which is none of its nodes.")
    edges = [edge for edge in dict.fromkeys(picture.edges) if edge.source in nodes and edge.target in nodes]
    ranks = _rank_nodes(picture.start, nodes, edges)
    nearest = sorted(nodes, key=lambda key: (abs(ranks[key]), key != picture.start))[: min(max_nodes, MAX_NODES)]
    remaining = set(nearest)
    drawn = [edge for edge in edges if edge.source in remaining and edge.target in remaining]
    drawn.sort(key=lambda edge: not edge.is_changed)
    return replace(
        picture,
        nodes=[_bound_node(node) for key, node in nodes.items() if key in remaining],
        edges=drawn[:MAX_EDGES],
        omitted_nodes=picture.omitted_nodes + len(nodes) - len(remaining),
        ranks={key: ranks[key] for key in nodes if key in remaining},
    )


def follow_changes(picture: LineagePicture, columns: Iterable[str]) -> LineagePicture:
    """Mark columns of the start as changed, and what they reach along the edges; case is ignored.

    Beyond an edge of unknown lineage nothing is marked, because nobody knows what is reached there.
    """
    edges_by_source: dict[str, list[PictureEdge]] = {}
    for edge in picture.edges:
        edges_by_source.setdefault(edge.source, []).append(edge)
    reached = {(picture.start, column.casefold()) for column in columns}
    followed: set[PictureEdge] = set()
    queue = deque(reached)
    while queue:
        key, column = queue.popleft()
        for edge in edges_by_source.get(key, ()):
            if edge.source_column is not None and edge.source_column.casefold() != column:
                continue
            followed.add(edge)
            step = (edge.target, (edge.target_column or "").casefold())
            if edge.target_column is not None and step not in reached:
                reached.add(step)
                queue.append(step)
    nodes = [
        replace(
            node, changed_columns=frozenset(name for name in node.columns if (node.key, name.casefold()) in reached)
        )
        for node in picture.nodes
    ]
    return replace(picture, nodes=nodes, edges=[replace(edge, is_changed=edge in followed) for edge in picture.edges])


def _bound_node(node: PictureNode) -> PictureNode:
    """Keep the first columns of a node, the changed ones before others, in their order."""
    if len(node.columns) <= MAX_COLUMNS:
        return node
    preferred = sorted(node.columns, key=lambda column: column not in node.changed_columns)[:MAX_COLUMNS]
    columns = [column for column in node.columns if column in set(preferred)][:MAX_COLUMNS]
    return replace(node, columns=columns, extra_columns=node.extra_columns + len(node.columns) - len(columns))


def _rank_nodes(start: str, keys: Iterable[str], edges: Iterable[PictureEdge]) -> dict[str, int]:
    """Return the signed distance of each node from the start; behind all others for what is not connected to it."""
    targets: dict[str, list[str]] = {}
    sources: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
        sources.setdefault(edge.target, []).append(edge.source)
    downstream, upstream = _measure_distances(start, targets), _measure_distances(start, sources)
    last = max(downstream.values()) + 1
    ranks: dict[str, int] = {}
    for key in keys:
        after, before = downstream.get(key), upstream.get(key)
        if after is not None and (before is None or after <= before):
            ranks[key] = after
        else:
            ranks[key] = last if before is None else -before
    return ranks


def _measure_distances(start: str, neighbours: Mapping[str, Sequence[str]]) -> dict[str, int]:
    distances = {start: 0}
    queue = deque([start])
    while queue:
        key = queue.popleft()
        for neighbour in neighbours.get(key, ()):
            if neighbour not in distances:
                distances[neighbour] = distances[key] + 1
                queue.append(neighbour)
    return distances
