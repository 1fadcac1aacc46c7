"""An upgrade computes the history of fields again from stored contracts, and makes labels of the tags of dbt models."""

from typing import Any

from sqlalchemy import select

from tessera_gql.policy.enums import LabelOrigin
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, AssetColumn, AssetLabel, Contract, FieldChange, table
from tests.world import ORDERS, World, adding, without

BEFORE = "0010"


async def rows_of(world: World, model: Any, *columns: str) -> list[tuple[Any, ...]]:
    async with world.database.read() as session:
        rows = await session.rows(select(table(model)))
    return sorted(tuple(getattr(row, name) for name in columns) for row in rows)


async def state(world: World) -> list[Any]:
    changes = await rows_of(world, FieldChange, "contract_id", "path", "kind", "change_kind", "fingerprint", "message")
    return [changes, await rows_of(world, AssetColumn, "asset_id", "name_key")]


async def test_history_and_columns_are_computed_from_the_contracts(bare_url: str) -> None:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    world = World(database)
    asset = await world.published(consumers=0)
    await world.publish(asset, adding("coupon"))
    await world.publish(asset, adding("voucher", {"type": "string", "x-renamed-from": "coupon"}))
    await world.publish(asset, without("note", schema={"allOf": [ORDERS], **ORDERS}))
    tagged = await world.asset("shop.core.tagged", await world.team("tagged"))
    async with database.write() as session:
        tags = ["daily", "Daily ", "x" * 101, 7]
        await session.update_row(Asset, tagged.id, meta={"dbt": {"tags": tags}})
    before = await state(world)
    assert len(before[0]) == 4
    await migration.downgrade(bare_url, BEFORE)
    await migration.upgrade(bare_url)
    assert await state(world) == before
    labels = await rows_of(world, AssetLabel, "asset_id", "name_key", "origin")
    assert labels == [(tagged.id, "daily", LabelOrigin.DBT_MANIFEST)]
    times = await rows_of(world, Asset, "created_at", "updated_at")
    assert all(created == updated for created, updated in times)
    await database.dispose()


async def test_a_contract_that_can_no_longer_be_compared_does_not_stop_the_upgrade(bare_url: str) -> None:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    world = World(database)
    asset = await world.published(consumers=0)
    await world.publish(asset, adding("coupon"))
    (first, _) = await world.contracts(asset)
    async with database.write() as session:
        await session.update_row(Contract, first.id, schema_def={"type": "no such type"})
    await migration.downgrade(bare_url, BEFORE)
    await migration.upgrade(bare_url)
    assert await rows_of(world, FieldChange, "path") == [("",)]
    assert ("coupon",) in await rows_of(world, AssetColumn, "name_key")
    await database.dispose()
