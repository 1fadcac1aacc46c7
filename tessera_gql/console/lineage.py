"""The picture of an asset's lineage, one step each way, from the data of its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tessera_gql.formats.lineage_picture import LineagePicture, PictureEdge, PictureNode, follow_changes
from tessera_gql.formats.lineage_svg import draw_svg


def draw_lineage(asset: Mapping[str, Any], link: Callable[..., str], changed: Sequence[str]) -> Markup:
    """Draw the asset between what it is made from and what is made from it. `changed` are columns of a proposal.

    A neighbour leads to its own page, and so does the number of assets behind it.
    """
    peers = {peer["fqn"]: peer for peer in _iterate_peers(asset)}
    peers.pop(asset["fqn"], None)
    edges = [*_create_edges(asset)]
    edges = [edge for edge in edges if {edge.source, edge.target} <= {asset["fqn"], *peers}]
    columns = _collect_columns(edges)
    drawn_changes = [path for path in changed if path in columns.get(asset["fqn"], ())]
    columns[asset["fqn"]] = [*dict.fromkeys([*drawn_changes, *columns.get(asset["fqn"], ())])]
    nodes = [_create_node(item, link, columns.get(item["fqn"], [])) for item in (asset, *peers.values())]
    picture = LineagePicture(
        start=asset["fqn"],
        title=f"Lineage of {asset['fqn']}, one step each way; the tables above say the same",
        nodes=nodes,
        edges=edges,
        omitted_nodes=_count_omitted(asset),
    )
    return Markup(draw_svg(follow_changes(picture, drawn_changes)))  # noqa: S704 - draw_svg escapes every text


def _iterate_peers(asset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (node["dependency"] for node in asset["dependencies"]["nodes"])
    yield from (node["dependent"] for node in asset["dependents"]["nodes"])


def _count_omitted(asset: Mapping[str, Any]) -> int:
    sides = (asset["dependencies"], asset["dependents"])
    return sum(side["totalCount"] - len(side["nodes"]) for side in sides)


def _create_edges(asset: Mapping[str, Any]) -> Iterator[PictureEdge]:
    """Create an edge for each link of columns, and one of unknown lineage for each peer without any."""
    for node in (*asset["sources"]["nodes"], *asset["targets"]["nodes"]):
        yield PictureEdge(
            source=node["source"]["fqn"],
            target=node["target"]["fqn"],
            source_column=node["sourceColumn"],
            target_column=node["targetColumn"],
            is_filter=node["kind"] == "FILTER",
        )
    sources = {node["source"]["fqn"] for node in asset["sources"]["nodes"]}
    targets = {node["target"]["fqn"] for node in asset["targets"]["nodes"]}
    for node in asset["dependencies"]["nodes"]:
        if (fqn := node["dependency"]["fqn"]) not in sources:
            yield PictureEdge(source=fqn, target=asset["fqn"], is_unknown=True)
    for node in asset["dependents"]["nodes"]:
        if (fqn := node["dependent"]["fqn"]) not in targets:
            yield PictureEdge(source=asset["fqn"], target=fqn, is_unknown=True)


def _collect_columns(edges: Sequence[PictureEdge]) -> dict[str, list[str]]:
    """Collect the columns of each asset that edges join, in the order of the edges."""
    columns: dict[str, dict[str, None]] = {}
    for edge in edges:
        for fqn, column in ((edge.source, edge.source_column), (edge.target, edge.target_column)):
            if column is not None:
                columns.setdefault(fqn, {})[column] = None
    return {fqn: [*names] for fqn, names in columns.items()}


def _create_node(asset: Mapping[str, Any], link: Callable[..., str], columns: Sequence[str]) -> PictureNode:
    href = link("assets", asset["fqn"], "lineage")
    count = asset["behind"]["totalCount"] if "behind" in asset else 0
    return PictureNode(
        key=asset["fqn"],
        fqn=asset["fqn"],
        team=asset["owner"]["name"],
        columns=tuple(columns),
        href=href,
        unfolded_count=count,
        unfold_href=href,
    )
