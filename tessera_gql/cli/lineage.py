"""`tessera lineage`: what an asset is made from, and what is made from it, as a tree, a table or a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tessera_gql.cli.api import FqnArgument, connect
from tessera_gql.cli.lineage_pictures import build_picture
from tessera_gql.cli.terminal import is_terminal, print_document, print_json, print_line, print_note, print_table
from tessera_gql.client.enums import LineageDirection
from tessera_gql.formats.lineage_mermaid import draw_mermaid
from tessera_gql.formats.lineage_svg import draw_svg

if TYPE_CHECKING:
    from tessera_gql.client import TesseraClient
    from tessera_gql.client.lineage_models import ColumnLink, LineageAsset, LineageEdge, LineageVia

MAX_ASSETS = 200
"""Assets of one direction that are printed; the nearest ones."""
HEADINGS = ("direction", "hops", "asset", "owner", "from", "columns")
DepthOption = Annotated[int, typer.Option(min=1, max=10, help="Number of steps to follow.")]


class LineageFormat(StrEnum):
    """Output format of `tessera lineage`."""

    TEXT = "text"
    JSON = "json"
    MERMAID = "mermaid"
    SVG = "svg"


def lineage(
    fqn: FqnArgument,
    upstream: Annotated[bool, typer.Option("--upstream", help="Only what the asset is made from.")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="Only what is made from the asset.")] = False,
    depth: DepthOption = 3,
    columns: Annotated[bool, typer.Option("--columns", help="Show which columns are made from which.")] = False,
    format_: Annotated[LineageFormat, typer.Option("--format", "-f", help="Output format.")] = LineageFormat.TEXT,
) -> None:
    """Show what an asset is made from and what is made from it: a tree, or in a pipe lines with tabs.

    A picture (mermaid, svg) has the 60 nearest assets.

    Example: tessera lineage analytics.marts.orders --downstream --columns --format svg > orders.svg
    """
    directions = [LineageDirection.UPSTREAM] if upstream else []
    directions += [LineageDirection.DOWNSTREAM] if downstream or not upstream else []
    if not upstream and not downstream:
        directions = [*LineageDirection]
    with connect() as client:
        start = client.lineage_start(fqn)
        loaded = {direction: load_edges(client, start, direction, depth) for direction in directions}
    edges_by_direction = {direction: edges[:MAX_ASSETS] for direction, edges in loaded.items()}
    is_cut = any(len(edges) > MAX_ASSETS for edges in loaded.values())
    if format_ is LineageFormat.JSON:
        print_json({"asset": start, **{name.value.lower(): edges for name, edges in edges_by_direction.items()}})
    elif format_ is LineageFormat.TEXT:
        _print_text(start, edges_by_direction, has_columns=columns)
    else:
        all_edges = [edge for edges in edges_by_direction.values() for edge in edges]
        picture = build_picture(start, all_edges, has_columns=columns)
        is_svg = format_ is LineageFormat.SVG
        print_document(draw_svg(picture, is_standalone=True) if is_svg else draw_mermaid(picture))
    if is_cut:
        print_note(f"Only the nearest {MAX_ASSETS} assets of a direction are listed; --depth limits the steps.")


def load_edges(
    client: TesseraClient, start: LineageAsset, direction: LineageDirection, depth: int
) -> Sequence[LineageEdge]:
    """Load the nearest assets of a direction, one more than are printed."""
    return [*islice(client.lineage(start, direction, depth=depth), MAX_ASSETS + 1)]


def _print_text(
    start: LineageAsset, edges_by_direction: dict[LineageDirection, Sequence[LineageEdge]], *, has_columns: bool
) -> None:
    if not is_terminal():
        rows = [
            (direction.value.lower(), edge.degree, edge.asset, edge.asset.owner, *_describe_ways(edge, direction))
            for direction, edges in edges_by_direction.items()
            for edge in edges
        ]
        size = len(HEADINGS) - (not has_columns)
        print_table(HEADINGS[:size], (row[:size] for row in rows), none="No lineage is known.")
        return
    print_line((start.fqn, "bold"), "  ", (start.owner.name, "dim"))
    for direction, edges in edges_by_direction.items():
        empty = "is made from nothing known" if direction is LineageDirection.UPSTREAM else "nothing is made from it"
        print_line((direction.value.lower() if edges else f"{direction.value.lower()}: {empty}", "cyan"))
        for line in _draw_tree(start, edges, direction, has_columns=has_columns):
            print_line(*line)


def _describe_ways(edge: LineageEdge, direction: LineageDirection) -> tuple[str, str]:
    """Describe the assets that the way comes from, and the columns that it connects."""
    nearer = [_find_nearer(via, direction) for via in edge.via]
    links = [_describe_link(link) for via in edge.via for link in via.columns]
    unknown = "" if links or not edge.via else "lineage unknown"
    return ", ".join(dict.fromkeys(name for _, name in nearer)), ", ".join(dict.fromkeys(links)) or unknown


def _find_nearer(via: LineageVia, direction: LineageDirection) -> tuple[str, str]:
    """Return id and fqn of the asset of a step that is nearer to the start."""
    dependency = via.dependency
    nearer = dependency.dependency if direction is LineageDirection.DOWNSTREAM else dependency.dependent
    return nearer.id, nearer.fqn


def _describe_link(link: ColumnLink) -> str:
    if link.target_column is None:
        return f"{link.kind.value.lower()} by {link.source_column or '*'}"
    return f"{link.source_column or '*'} → {link.target_column}"


def _draw_tree(
    start: LineageAsset, edges: Sequence[LineageEdge], direction: LineageDirection, *, has_columns: bool
) -> Iterator[tuple[Any, ...]]:
    """Draw each asset once, below the first asset that leads to it; the others are named behind it."""
    children: dict[str, list[LineageEdge]] = {}
    for edge in edges:
        parent = next((key for key, _ in (_find_nearer(via, direction) for via in edge.via)), start.id)
        children.setdefault(parent, []).append(edge)
    waiting = [
        (edge, "", index == len(items) - 1)
        for items in [children.get(start.id, [])]
        for index, edge in enumerate(items)
    ]
    waiting.reverse()
    while waiting:
        edge, indent, is_last = waiting.pop()
        branch = "└─ " if is_last else "├─ "
        further = [name for _, name in (_find_nearer(via, direction) for via in edge.via)][1:]
        also = f"  also from {', '.join(dict.fromkeys(further))}" if further else ""
        yield (indent + branch, "dim"), edge.asset.fqn, "  ", (edge.asset.owner.name, "dim"), (also, "dim")
        below = indent + ("   " if is_last else "│  ")
        items = children.get(edge.asset.id, [])
        if has_columns:
            rail = "│  " if items else "   "
            yield (below + rail, "dim"), (_describe_ways(edge, direction)[1], "green")
        waiting += [(child, below, index == len(items) - 1) for index, child in enumerate(items)][::-1]
