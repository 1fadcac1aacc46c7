"""Field history, columns and labels follow publishes, manifests, files and upgrades."""

from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlmodel import SQLModel

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import FieldChangeKind, LabelOrigin
from tessera_gql.store import labels
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, AssetColumn, AssetLabel, FieldChange, table
from tessera_gql.workflows.labels import follow_manifest_labels, set_labels
from tests.conftest import FixedClock
from tests.workflows.git_folders import pull, push
from tests.world import World, adding, without

M = TypeVar("M", bound=SQLModel)


async def load_rows(world: World, model: type[M]) -> list[M]:
    async with world.database.read() as session:
        return await session.list(select(table(model)), model)


async def columns_of(world: World, asset: Asset) -> set[str]:
    return {row.name_key for row in await load_rows(world, AssetColumn) if row.asset_id == asset.id}


async def changes_of(world: World) -> list[tuple[FieldChangeKind, str]]:
    rows = sorted(await load_rows(world, FieldChange), key=lambda row: (row.changed_at, row.path))
    return [(row.kind, row.path) for row in rows]


async def label(world: World, asset: Asset, *names: str) -> None:
    async with world.database.write() as session:
        await set_labels(session, ANONYMOUS, AssetRef(id=asset.id), names)


async def labels_of(world: World) -> dict[str, LabelOrigin]:
    return {row.name: row.origin for row in await load_rows(world, AssetLabel)}


async def test_a_publish_records_columns_and_changes_and_a_retirement_forgets_the_columns(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published()
    clock.advance(hours=1)
    await world.publish(asset, adding("Coupon"))
    assert await columns_of(world, asset) == {"order_id", "customer_id", "total", "note", "coupon"}
    clock.advance(hours=1)
    await world.publish(asset, without("note"), force=True, reason="late")
    assert await columns_of(world, asset) == {"order_id", "customer_id", "total"}
    added, removed = FieldChangeKind.ADDED, FieldChangeKind.REMOVED
    assert await changes_of(world) == [(added, ""), (added, "Coupon"), (removed, "Coupon"), (removed, "note")]
    await world.propose_retirement(asset)
    assert await columns_of(world, asset) == set()


async def test_labels_of_a_manifest_follow_it_and_leave_those_of_the_team(world: World) -> None:
    asset = await world.published()
    await label(world, asset, "pii", "old")

    async def follow(**stated: str) -> None:
        async with world.database.write() as session:
            present = await labels.list_by_assets(session, [asset.id])
            await follow_manifest_labels(session, {asset.id: stated}, present)

    await follow(daily="daily", pii="PII")
    declared, imported = LabelOrigin.DECLARED, LabelOrigin.DBT_MANIFEST
    assert await labels_of(world) == {"pii": declared, "old": declared, "daily": imported}
    await label(world, asset, "pii", "daily")
    assert await labels_of(world) == {"pii": declared, "daily": imported}
    await follow(hourly="Hourly")
    assert await labels_of(world) == {"pii": declared, "Hourly": imported}


async def test_field_history_and_labels_survive_files_in_git(
    world: World, clock: FixedClock, tmp_path: Path, empty_database: Database
) -> None:
    asset = await world.published()
    clock.advance(hours=1)
    await world.publish(asset, adding("coupon"))
    await label(world, asset, "pii")
    await push(world.database, tmp_path)
    restored = World(empty_database)
    await pull(empty_database, tmp_path)
    assert await changes_of(restored) == await changes_of(world)
    assert {row.name_key for row in await load_rows(restored, AssetColumn)} == await columns_of(world, asset)
    assert await labels_of(restored) == {"pii": LabelOrigin.DECLARED}
