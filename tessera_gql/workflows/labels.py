"""Set the labels of assets, and import those of a dbt manifest."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from tessera_gql.policy.access import Action, Actor
from tessera_gql.policy.enums import LabelOrigin
from tessera_gql.policy.events import AssetUpdated
from tessera_gql.policy.labels import clean_labels
from tessera_gql.store import assets, labels, search_index
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetLabel
from tessera_gql.workflows.teams import require_owning_team, require_row_version


async def set_labels(
    session: Session, actor: Actor, ref: AssetRef, names: Iterable[str], *, expected_row_version: int | None = None
) -> Asset:
    """Replace the labels that the owner team has set; those of a manifest stay. Raises Invalid for bad labels."""
    asset = await assets.lock(session, ref)
    await require_owning_team(session, actor, Action.SET_LABELS, asset, f"label {asset.fqn}")
    require_row_version(asset.row_version, expected_row_version, "asset")
    present = await labels.list_by_assets(session, [asset.id])
    imported = {row.name_key for row in present if row.origin is LabelOrigin.DBT_MANIFEST}
    new_names = {key: name for key, name in clean_labels(names).items() if key not in imported}
    before = {row.name_key: row.name for row in present if row.name_key not in imported}
    if before == new_names:
        return asset
    await _replace(session, asset.id, before, new_names, LabelOrigin.DECLARED)
    imported_names = (row.name for row in present if row.origin is not LabelOrigin.DECLARED)
    search_index.note_labels(session, asset.id, [*new_names.values(), *imported_names])
    await session.update_row(Asset, asset.id, row_version=asset.row_version + 1)
    changes = {"labels": {"before": sorted(before.values()), "after": sorted(new_names.values())}}
    audience = frozenset({asset.owner_team_id})
    session.record(AssetUpdated(audience_team_ids=audience, asset_id=asset.id, changed=("labels",), changes=changes))
    return await assets.get(session, AssetRef(id=asset.id))


async def follow_manifest_labels(
    session: Session, stated: Mapping[UUID, Mapping[str, str]], present: Sequence[AssetLabel]
) -> None:
    """Make the labels of assets that come from a manifest those that it states, by their keys.

    `present` are all labels of these assets. One that the owner team has set stays its own.
    """
    new_rows: list[dict[str, Any]] = []
    for asset_id, names in stated.items():
        rows = {row.name_key: row for row in present if row.asset_id == asset_id}
        before = {key: row.name for key, row in rows.items() if row.origin is LabelOrigin.DBT_MANIFEST}
        declared = rows.keys() - before.keys()
        new_names = {key: name for key, name in names.items() if key not in declared}
        if removed := sorted(key for key, name in before.items() if new_names.get(key) != name):
            await labels.remove(session, asset_id, removed)
        added = {key: name for key, name in new_names.items() if before.get(key) != name}
        new_rows += _to_rows(asset_id, added, LabelOrigin.DBT_MANIFEST)
        if removed or added:
            search_index.note_labels(session, asset_id, [*new_names.values(), *(rows[key].name for key in declared)])
    await session.insert_many(AssetLabel, new_rows)


async def _replace(
    session: Session, asset_id: UUID, before: Mapping[str, str], after: Mapping[str, str], origin: LabelOrigin
) -> None:
    if removed := sorted(key for key, name in before.items() if after.get(key) != name):
        await labels.remove(session, asset_id, removed)
    added = {key: name for key, name in after.items() if before.get(key) != name}
    await session.insert_many(AssetLabel, _to_rows(asset_id, added, origin))


def _to_rows(asset_id: UUID, names: Mapping[str, str], origin: LabelOrigin) -> list[dict[str, Any]]:
    return [{"asset_id": asset_id, "name_key": key, "name": name, "origin": origin} for key, name in names.items()]
