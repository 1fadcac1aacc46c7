"""Describe a step on the way of a change: how its column is made from that of the step before."""

from collections.abc import Iterable

from tessera_gql.policy.affected_teams import PathIndex
from tessera_gql.policy.enums import ColumnEdgeKind
from tessera_gql.policy.lineage_walk import ColumnLink

DIRECTNESS = (ColumnEdgeKind.COPIED, ColumnEdgeKind.DERIVED, ColumnEdgeKind.FILTER)
"""Kinds of edges, the one that says most first."""


def find_step_kind(links: Iterable[ColumnLink], before: str, after: str) -> ColumnEdgeKind | None:
    """Find how a column is made from that of the step before, by the links between their assets.

    An empty column stands for any. None if no link connects them, as where lineage is unknown.
    """
    kinds = {
        link.kind
        for link in links
        if do_paths_overlap(link.source_column, before) and _is_reached(link.follow(before.lower()), after)
    }
    return next((kind for kind in DIRECTNESS if kind in kinds), None)


def _is_reached(target: str, after: str) -> bool:
    return not target or not after or do_paths_overlap(target, after)


def do_paths_overlap(first: str, second: str) -> bool:
    """Return whether two paths are equal or one is inside of the other, ignoring case."""
    index: PathIndex[None] = PathIndex()
    index.add(first.lower(), None)
    return any(True for _ in index.find_overlapping(second.lower()))
