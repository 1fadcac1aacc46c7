"""Teams, assets and dependencies are changed with the right checks and events."""

from typing import Any

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import DependencyType, ResourceType
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets, dependencies, teams
from tessera_gql.workflows.assets import AssetDetails
from tests.world import World


def writer(team: Team) -> Actor:
    return Actor("key", team.id, frozenset({Scope.WRITE}))


async def rename(world: World, team: Team, actor: Actor | None = None, **changes: Any) -> Team:
    async with world.database.write() as session:
        return await teams.update(session, actor or world.actor, TeamRef(id=team.id), **changes)


async def change(
    world: World, asset: Asset, actor: Actor | None = None, version: int | None = None, **details: Any
) -> Asset:
    async with world.database.write() as session:
        described = AssetDetails(**details)
        ref = AssetRef(id=asset.id)
        return await assets.update(session, actor or world.actor, ref, details=described, expected_row_version=version)


async def test_a_team_renames_itself_and_the_event_lists_the_changes(world: World) -> None:
    team = await world.team("One")
    renamed = await rename(world, team, writer(team), name="one", metadata={"a": 1}, expected_row_version=1)
    assert (renamed.name, renamed.meta, renamed.row_version) == ("one", {"a": 1}, 2)
    event = (await world.events())[-1]
    assert (event.kind, event.payload["changed"], event.teams) == ("TEAM_UPDATED", ["metadata", "name"], [str(team.id)])
    assert event.payload["changes"] == {
        "metadata": {"before": {}, "after": {"a": 1}},
        "name": {"before": "One", "after": "one"},
    }
    size = await world.size()
    assert (await rename(world, team, name="one")).row_version == 2
    assert await world.size() == size


async def test_a_name_is_unique_without_regard_to_case_and_normalization(world: World) -> None:
    await world.team("Équipe")
    second = await world.team("other")
    for name in ("équipe", "ÉQUIPE", "e\u0301quipe", " Équipe "):
        with pytest.raises(Conflict, match="A team named Équipe exists already"):
            await world.team(name)
        with pytest.raises(Conflict, match="A team named Équipe exists already"):
            await rename(world, second, name=name)
    async with world.database.write() as session:
        assert (await teams.update(session, world.actor, TeamRef(name="E\u0301QUIPE"), metadata={})).name == "Équipe"


async def test_updating_a_changed_team_is_stale_and_updating_another_team_is_forbidden(world: World) -> None:
    team, second = await world.team("one"), await world.team("other")
    await rename(world, team, name="uno")
    with pytest.raises(Stale, match="rowVersion 2, not 1"):
        await rename(world, team, name="eins", expected_row_version=1)
    with pytest.raises(Forbidden, match="own team only"):
        await rename(world, team, writer(second), name="mine")
    with pytest.raises(Forbidden, match="lacks the scope ADMIN"):
        await World(world.database, writer(team)).team("new")


async def test_an_asset_belongs_to_the_callers_team_unless_an_administrator_names_another(world: World) -> None:
    own_team, other_team = await world.team("one"), await world.team("other")
    async with world.database.write() as session:
        asset = await assets.create(session, writer(own_team), fqn="Core.Orders", details=AssetDetails())
    assert (asset.owner_team_id, asset.resource_type, asset.compatibility_mode) == (
        own_team.id,
        ResourceType.TABLE,
        Mode.BACKWARD,
    )
    event = (await world.events())[-1]
    assert (event.kind, event.asset_id, event.payload, event.teams) == (
        "ASSET_CREATED",
        asset.id,
        {"fqn": "Core.Orders"},
        [str(own_team.id)],
    )
    with pytest.raises(Forbidden, match="own team only"):
        await World(world.database, writer(own_team)).asset("core.other", other_team)
    with pytest.raises(Conflict, match=r"Core\.Orders exists already"):
        await world.asset("core.ORDERS", other_team)
    with pytest.raises(NotFound):
        await world.asset("core.new", Team(id=asset.id))


async def test_readers_are_notified_of_a_new_owner_or_mode_but_not_of_a_description(world: World) -> None:
    asset = await world.published(consumers=1)
    reader, owner, heir = str(world.consumers[0].id), str(asset.owner_team_id), await world.team("heir")
    for details, audience, changed in (
        ({"description": "rows"}, {owner}, ["description"]),
        ({"compatibility_mode": Mode.FULL}, {owner, reader}, ["compatibility_mode"]),
        ({"owner": TeamRef(name="heir")}, {owner, reader, str(heir.id)}, ["owner"]),
        ({"description": "", "metadata": {"a": 1}}, {str(heir.id)}, ["description", "metadata"]),
    ):
        await change(world, asset, **details)
        event = (await world.events())[-1]
        assert (event.kind, set(event.teams), event.payload["changed"]) == ("ASSET_UPDATED", audience, changed)
    size = await world.size()
    assert (await change(world, asset, owner=TeamRef(id=heir.id), version=5)).row_version == 5
    assert await world.size() == size


async def test_an_asset_is_changed_by_its_owner_or_an_administrator_of_any_team(world: World) -> None:
    asset = await world.published(consumers=1)
    stranger = world.consumers[0]
    with pytest.raises(Forbidden, match="Only the owning team, producers, may"):
        await change(world, asset, writer(stranger), description="mine")
    admin = Actor("admin", stranger.id, frozenset({Scope.ADMIN}))
    assert (await change(world, asset, admin, description="ours")).description == "ours"
    with pytest.raises(Stale, match="rowVersion 2, not 1"):
        await change(world, asset, description="late", version=1)


async def test_an_edge_notifies_both_owners_and_exists_once(world: World) -> None:
    own_team, other_team = await world.team("one"), await world.team("other")
    source, built = await world.asset("core.source", own_team), await world.asset("marts.built", other_team)
    edge = await world.depend(built, source)
    event = (await world.events())[-1]
    assert (event.kind, event.entity_id, event.asset_id) == ("DEPENDENCY_ADDED", edge.id, built.id)
    assert set(event.teams) == {str(own_team.id), str(other_team.id)}
    with pytest.raises(Conflict, match=r"marts\.built already consumes core\.source"):
        await world.depend(built, source)
    with pytest.raises(Invalid, match="can't depend on itself"):
        await world.depend(built, built)
    with pytest.raises(Forbidden, match="Only the owning team, other, may"):
        await World(world.database, writer(own_team)).depend(built, source)
    await world.depend(source, built)  # warehouses contain cycles


async def test_an_edge_that_is_not_there_cannot_be_removed(world: World) -> None:
    team = await world.team("one")
    source, built = await world.asset("core.source", team), await world.asset("marts.built", team)
    await world.depend(built, source)

    async def remove(kind: DependencyType) -> None:
        async with world.database.write() as session:
            dependent, dependency = AssetRef(id=built.id), AssetRef(id=source.id)
            await dependencies.remove(session, world.actor, dependent=dependent, dependency=dependency, type_=kind)

    with pytest.raises(Conflict, match=r"marts\.built does not transform core\.source"):
        await remove(DependencyType.TRANSFORMS)
    await remove(DependencyType.CONSUMES)
    assert (await world.kinds())[-1] == "DEPENDENCY_REMOVED"
    with pytest.raises(Conflict, match="does not consume"):
        await remove(DependencyType.CONSUMES)


async def test_the_event_of_an_asset_holds_the_values_before_and_after_and_cuts_long_ones(world: World) -> None:
    owner, successor = await world.team("owner"), await world.team("successor")
    asset = await world.asset("core.orders", owner, description="Orders.")
    await change(world, asset, owner=TeamRef(id=successor.id), description="a" * 20_000)
    assert (await world.events())[-1].payload["changes"] == {
        "description": {"before": "Orders.", "after": f"{'a' * 500}… (20000 characters)"},
        "owner": {"before": str(owner.id), "after": str(successor.id)},
    }
