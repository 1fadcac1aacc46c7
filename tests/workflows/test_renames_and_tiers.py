"""An asset keeps its history under a new name, and its tier counts once an administrator has set it."""

from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.policy.access import ANONYMOUS, Actor, ProjectScope, Scope
from tessera_gql.policy.enums import AssetTier
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset
from tessera_gql.workflows import assets
from tessera_gql.workflows.assets import AssetDetails
from tests.world import World


async def rename(world: World, asset: Asset, fqn: str, actor: Actor = ANONYMOUS) -> Asset:
    async with world.database.write() as session:
        return await assets.rename(session, actor, AssetRef(id=asset.id), fqn)


async def set_tier(world: World, asset: Asset, tier: AssetTier, actor: Actor = ANONYMOUS) -> Asset:
    async with world.database.write() as session:
        return await assets.set_tier(session, actor, AssetRef(id=asset.id), tier)


async def suggest(world: World, asset: Asset, **details: Any) -> Asset:
    owner = Actor("key", asset.owner_team_id, frozenset({Scope.WRITE}))
    async with world.database.write() as session:
        return await assets.update(session, owner, AssetRef(id=asset.id), details=AssetDetails(**details))


async def test_a_renamed_asset_keeps_its_id_contracts_readers_and_proposal_and_frees_the_old_name(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    owner = Actor("key", asset.owner_team_id, frozenset({Scope.WRITE}))
    renamed = await rename(world, asset, " Analytics.Marts.Orders ", owner)
    assert (renamed.id, renamed.fqn, renamed.row_version) == (asset.id, "Analytics.Marts.Orders", 2)
    event = (await world.events())[-1]
    assert event.payload == {"before": "analytics.core.orders", "after": "Analytics.Marts.Orders"}
    assert (event.kind, set(event.teams)) == ("ASSET_RENAMED", {str(asset.owner_team_id), str(world.consumers[0].id)})
    assert await world.asked(proposal) == {world.consumers[0].id}
    assert len(await world.contracts(renamed)) == 1
    assert (await world.asset("analytics.core.orders", world.consumers[0])).id != asset.id
    assert (await rename(world, renamed, "analytics.marts.orders")).fqn == "analytics.marts.orders"


async def test_a_name_that_exists_in_any_case_or_is_no_name_is_refused(world: World) -> None:
    asset = await world.published()
    await world.asset("core.other", await world.team("other"))
    size = await world.size()
    with pytest.raises(Conflict, match=r"core\.other exists already"):
        await rename(world, asset, "CORE.Other")
    with pytest.raises(Invalid, match="not a fully qualified name"):
        await rename(world, asset, "orders")
    assert (await rename(world, asset, asset.fqn)).row_version == 1
    assert await world.size() == size


async def test_a_projects_key_renames_within_the_schemas_of_the_project_only(world: World) -> None:
    asset = await world.published()
    project = ProjectScope(asset.id, "shop", frozenset({asset.owner_team_id}), ("analytics.core", "analytics.marts"))
    ci = Actor("ci", None, frozenset({Scope.WRITE}), project=project)
    with pytest.raises(Forbidden, match=r"may not change raw\.shop\.orders"):
        await rename(world, asset, "raw.shop.orders", ci)
    assert (await rename(world, asset, "analytics.marts.orders", ci)).fqn == "analytics.marts.orders"
    await rename(world, asset, "raw.shop.orders")
    with pytest.raises(Forbidden, match=r"may not change raw\.shop\.orders"):
        await rename(world, asset, "analytics.core.orders", ci)


async def test_an_owner_suggests_a_tier_and_only_an_administrator_sets_it(world: World) -> None:
    asset = await world.published()
    assert (asset.tier, asset.is_tier_confirmed) == (AssetTier.NORMAL, False)
    suggested = await suggest(world, asset, tier=AssetTier.HIGH)
    assert (suggested.tier, suggested.is_tier_confirmed) == (AssetTier.HIGH, False)
    with pytest.raises(Forbidden, match="may not set the tier of assets"):
        await set_tier(world, asset, AssetTier.LOW, Actor("key", asset.owner_team_id, frozenset({Scope.WRITE})))
    confirmed = await set_tier(world, asset, AssetTier.HIGH)
    assert (confirmed.tier, confirmed.is_tier_confirmed) == (AssetTier.HIGH, True)
    event = (await world.events())[-1]
    assert (event.kind, event.payload["changes"]) == (
        "ASSET_UPDATED",
        {"is_tier_confirmed": {"before": False, "after": True}},
    )
    size = await world.size()
    await set_tier(world, asset, AssetTier.HIGH)
    with pytest.raises(Conflict, match=r"An administrator has set the tier of analytics\.core\.orders to HIGH"):
        await suggest(world, asset, tier=AssetTier.LOW)
    await suggest(world, asset, tier=AssetTier.HIGH)
    assert await world.size() == size
