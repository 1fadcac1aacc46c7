"""The picture of an asset's lineage, one step each way and what was unfolded, from the data of its page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from tessera_gql.formats.lineage_picture import LineagePicture, PictureEdge, PictureNode, follow_changes
from tessera_gql.formats.lineage_svg import draw_svg

NOTHING: Mapping[str, Any] = {"nodes": []}


def draw_lineage(
    data: Mapping[str, Any],
    link: Callable[..., str],
    fold: Callable[[str, str], str],
    changed: Sequence[str],
    team_classes: Mapping[str, str],
) -> Markup:
    """Draw an asset between what it is made from and what is made from it. `changed` are columns of a proposal.

    A neighbour leads to its own page. The number of assets behind it unfolds them in place: `fold` returns the address
    that unfolds or folds an asset on a side, `up` or `down`.
    """
    asset = data["asset"]
    unfolded = {side: data.get(name, NOTHING)["nodes"] for side, name in (("up", "above"), ("down", "below"))}
    peers = {peer["fqn"]: peer for peer in _iterate_peers(asset)}
    for item in (*unfolded["up"], *unfolded["down"]):
        peers = {peer["fqn"]: peer for peer in _iterate_peers(item)} | peers
    peers.pop(asset["fqn"], None)
    drawn_fqns = {asset["fqn"], *peers}
    edges = [edge for item in (asset, *unfolded["up"], *unfolded["down"]) for edge in _create_edges(item)]
    edges = [edge for edge in dict.fromkeys(edges) if {edge.source, edge.target} <= drawn_fqns]
    columns = _collect_columns(edges)
    drawn_changes = [path for path in changed if path in columns.get(asset["fqn"], ())]
    columns[asset["fqn"]] = [*dict.fromkeys([*drawn_changes, *columns.get(asset["fqn"], ())])]
    open_fqns = {side: {item["fqn"] for item in items} for side, items in unfolded.items()}
    nodes = [
        _create_node(item, link, fold, columns.get(item["fqn"], []), open_fqns) for item in (asset, *peers.values())
    ]
    picture = LineagePicture(
        start=asset["fqn"],
        title=f"Lineage of {asset['fqn']}; the tables above say the same of its neighbours",
        nodes=nodes,
        edges=edges,
        omitted_nodes=sum(map(_count_omitted, (asset, *unfolded["up"], *unfolded["down"]))),
    )
    svg = draw_svg(follow_changes(picture, drawn_changes), team_classes=team_classes)
    return Markup(svg)  # noqa: S704 - draw_svg escapes every text


def _iterate_peers(asset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from ({**node["dependency"], "side": "up"} for node in asset.get("dependencies", NOTHING)["nodes"])
    yield from ({**node["dependent"], "side": "down"} for node in asset.get("dependents", NOTHING)["nodes"])


def _count_omitted(asset: Mapping[str, Any]) -> int:
    sides = [asset[name] for name in ("dependencies", "dependents") if name in asset]
    return sum(side["totalCount"] - len(side["nodes"]) for side in sides)


def _create_edges(asset: Mapping[str, Any]) -> Iterator[PictureEdge]:
    """Create an edge for each link of columns, and one of unknown lineage for each peer without any."""
    asset = {"sources": NOTHING, "targets": NOTHING, "dependencies": NOTHING, "dependents": NOTHING, **asset}
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


def _create_node(
    asset: Mapping[str, Any],
    link: Callable[..., str],
    fold: Callable[[str, str], str],
    columns: Sequence[str],
    open_fqns: Mapping[str, Collection[str]],
) -> PictureNode:
    fqn, side = asset["fqn"], asset.get("side", "")
    return PictureNode(
        key=fqn,
        fqn=fqn,
        team=asset["owner"]["name"],
        columns=tuple(columns),
        href=link("assets", fqn, "lineage"),
        unfolded_count=asset["behind"]["totalCount"] if "behind" in asset else 0,
        unfold_href=fold(side, fqn) if side else "",
        is_unfolded=fqn in open_fqns.get(side, ()),
    )
