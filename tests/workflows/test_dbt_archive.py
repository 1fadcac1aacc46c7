"""A dbt sync restores archived tables, follows renamed ones, and only suggests tiers."""

from typing import Any

import pytest

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import AssetTier
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset
from tessera_gql.workflows import archiving, assets
from tessera_gql.workflows.dbt.report import SyncOutcome
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import asset_at, plan, reading, run_sync, team_table
from tests.world import World

FQN = "analytics.core.orders"
ORDERS = team_table("orders", "shop", "id", "total")
CUSTOMERS = team_table("customers", "shop", "id")


def with_tier(tier: object) -> dict[str, Any]:
    return {**ORDERS, "config": {**ORDERS["config"], "meta": {"owner": "shop", "tier": tier}}}


async def archive(world: World, fqn: str = FQN) -> Asset:
    async with world.database.write() as session:
        return await archiving.archive_asset(session, ANONYMOUS, AssetRef(fqn=fqn))


@pytest.mark.parametrize("columns", [("id", "total"), ("id",)])
async def test_a_table_that_a_manifest_has_again_is_restored_with_its_history(
    world: World, columns: tuple[str, ...]
) -> None:
    await run_sync(world, manifest(ORDERS, CUSTOMERS))
    before = await archive(world)
    await run_sync(world, manifest(team_table("orders", "shop", *columns), CUSTOMERS))
    restored = await asset_at(world, FQN)
    assert (restored.id, restored.archived_at) == (before.id, None)
    active = await world.active(restored)
    assert active is not None
    assert active.version == ("1.0.0" if "total" in columns else "2.0.0")
    (event,) = [event for event in await world.events() if event.kind == "ASSET_UNARCHIVED"]
    assert event.payload["reason"] == "a manifest has the table"
    size = await world.size()
    await run_sync(world, manifest(team_table("orders", "shop", *columns), CUSTOMERS))
    assert await world.size() == size


async def test_an_archived_table_that_a_manifest_does_not_have_is_no_removal(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CUSTOMERS))
    await archive(world)
    size = await world.size()
    report = await run_sync(world, manifest(CUSTOMERS), retire_removed=True)
    assert report.removed == ()
    assert await world.size() == size


async def test_an_archived_table_of_another_project_gets_no_reader_by_a_sync(world: World) -> None:
    await run_sync(world, manifest(ORDERS))
    await archive(world)
    books = manifest(ORDERS, reading("closing", "finance", "total", package_name="books"))
    books["metadata"]["project_name"] = "books"
    report = await run_sync(world, books)
    assert f"No reads of {FQN} were registered, because the tables are archived." in report.warnings
    assert await world.registrations() == []


async def test_a_table_that_was_renamed_keeps_its_history_under_the_new_name_of_a_manifest(world: World) -> None:
    await run_sync(world, manifest(ORDERS, CUSTOMERS))
    before = await asset_at(world, FQN)
    async with world.database.write() as session:
        await assets.rename(session, ANONYMOUS, AssetRef(fqn=FQN), "analytics.mart.orders")
    await run_sync(world, manifest({**ORDERS, "schema": "mart"}, CUSTOMERS))
    assert {asset.fqn: asset.id for asset in await world.rows(Asset)}["analytics.mart.orders"] == before.id
    assert len(await world.rows(Asset)) == 2
    old = await plan(world, manifest(ORDERS, CUSTOMERS))
    removal = old.tables["analytics.mart.orders"].removal
    assert removal is not None
    assert (removal.reason, removal.successor) == (f"was moved to {FQN}", FQN)


async def test_the_tier_of_a_model_is_a_suggestion_that_never_replaces_that_of_an_administrator(world: World) -> None:
    await run_sync(world, manifest(with_tier("critical")))
    asset = await asset_at(world, FQN)
    assert (asset.tier, asset.is_tier_confirmed) == (AssetTier.CRITICAL, False)
    await run_sync(world, manifest(with_tier("low")))
    assert (await asset_at(world, FQN)).tier is AssetTier.LOW
    async with world.database.write() as session:
        await assets.set_tier(session, ANONYMOUS, AssetRef(id=asset.id), AssetTier.HIGH)
    report = await run_sync(world, manifest(with_tier("critical")))
    assert [model.outcome for model in report.models] == [SyncOutcome.UNCHANGED]
    asset = await asset_at(world, FQN)
    assert (asset.tier, asset.is_tier_confirmed) == (AssetTier.HIGH, True)
    report = await run_sync(world, manifest(with_tier("gold")))
    assert f"`meta.tier` is none of CRITICAL, HIGH, NORMAL, LOW and was ignored: {FQN}" in report.warnings
