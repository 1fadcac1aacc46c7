"""Turn lineage that the API returns into the picture that `formats` draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tessera_gql.client.enums import ColumnEdgeKind
from tessera_gql.formats.lineage_picture import LineagePicture, PictureEdge, PictureNode, follow_changes

if TYPE_CHECKING:
    from tessera_gql.client.lineage_models import LineageAsset, LineageEdge, LineageVia


def build_picture(
    start: LineageAsset,
    edges: Sequence[LineageEdge],
    *,
    has_columns: bool = False,
    changed_columns: Iterable[str] = (),
    omitted: int = 0,
) -> LineagePicture:
    """Build the picture of an asset with what surrounds it; with columns, the changed ones are followed."""
    assets = {start.id: start} | {edge.asset.id: edge.asset for edge in edges}
    steps = {_key(via): via for edge in edges for via in edge.via if _connects(via, assets)}
    drawn = [item for via in steps.values() for item in _draw_step(via, has_columns=has_columns)]
    columns = _list_columns(drawn)
    changed = [*dict.fromkeys(changed_columns)]
    columns[start.id] = [*dict.fromkeys([*changed, *columns.get(start.id, ())])]
    nodes = [
        PictureNode(key=key, fqn=asset.fqn, team=asset.owner.name, columns=tuple(columns.get(key, ())))
        for key, asset in assets.items()
    ]
    picture = LineagePicture(
        start=start.id, title=f"Lineage of {start.fqn}", nodes=nodes, edges=drawn, omitted_nodes=omitted
    )
    return follow_changes(picture, changed)


def _key(via: LineageVia) -> tuple[str, str]:
    return via.dependency.dependency.id, via.dependency.dependent.id


def _connects(via: LineageVia, assets: Mapping[str, LineageAsset]) -> bool:
    return via.dependency.dependency.id in assets and via.dependency.dependent.id in assets


def _draw_step(via: LineageVia, *, has_columns: bool) -> list[PictureEdge]:
    source, target = _key(via)
    if not has_columns or not via.columns:
        return [PictureEdge(source=source, target=target, is_unknown=has_columns)]
    return [
        PictureEdge(
            source=source,
            target=target,
            source_column=link.source_column,
            target_column=link.target_column,
            is_filter=link.kind is ColumnEdgeKind.FILTER,
        )
        for link in via.columns
    ]


def _list_columns(edges: Iterable[PictureEdge]) -> dict[str, list[str]]:
    """List the columns of each asset that edges name, sorted."""
    columns: dict[str, set[str]] = {}
    for edge in edges:
        for key, column in ((edge.source, edge.source_column), (edge.target, edge.target_column)):
            if column is not None:
                columns.setdefault(key, set()).add(column)
    return {key: sorted(names) for key, names in columns.items()}
