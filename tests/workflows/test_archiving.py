"""Assets and teams are archived once nothing uses them, and restored with their history."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Stale
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import ApiKey, Asset, Debt, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import archiving, assets, keys, registrations, teams
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.keys import KeyRequest
from tessera_gql.workflows.registrations import RegistrationDetails
from tests.world import World, without


async def archive(world: World, asset: Asset, actor: Actor = ANONYMOUS, version: int | None = None) -> Asset:
    async with world.database.write() as session:
        return await archiving.archive_asset(session, actor, AssetRef(id=asset.id), expected_row_version=version)


async def unarchive(world: World, asset: Asset, actor: Actor = ANONYMOUS) -> Asset:
    async with world.database.write() as session:
        return await archiving.unarchive_asset(session, actor, AssetRef(id=asset.id))


async def archive_team(world: World, team: Team) -> Team:
    async with world.database.write() as session:
        return await archiving.archive_team(session, ANONYMOUS, TeamRef(id=team.id))


async def unarchive_team(world: World, team: Team) -> Team:
    async with world.database.write() as session:
        return await archiving.unarchive_team(session, ANONYMOUS, TeamRef(id=team.id))


async def test_an_asset_that_is_used_is_not_archived_and_the_refusal_says_by_what(world: World) -> None:
    asset, _ = await world.proposed(consumers=2)
    built = await world.asset("marts.sales", world.consumers[0])
    await world.depend(built, asset)
    size = await world.size()
    with pytest.raises(Conflict, match=r"analytics\.core\.orders can't be archived") as refused:
        await archive(world, asset)
    assert "it has an open proposal (PENDING)" in refused.value.message
    assert "its readers are consumer-0, consumer-1" in refused.value.message
    assert "it is the source of marts.sales" in refused.value.message
    await world.register(await world.asset("raw.orders", world.consumers[1]), world.consumers[0], via=built)
    with pytest.raises(Conflict, match=r"it is registered as a reader of raw\.orders"):
        await archive(world, built)
    assert await world.size() == size | {
        "Asset": size["Asset"] + 1,
        "Registration": size["Registration"] + 1,
        "EventRow": size["EventRow"] + 2,
    }


async def test_an_archived_asset_keeps_its_history_and_refuses_everything_new_until_it_is_restored(
    world: World,
) -> None:
    asset, owner = await world.published(), "analytics.core.orders"
    reader = await world.team("reader")
    dependent = await world.asset("marts.sales", reader)
    archived = await archive(world, asset, version=1)
    assert (archived.archived_at is not None, archived.row_version) == (True, 2)
    event = (await world.events())[-1]
    assert (event.kind, event.asset_id, event.payload) == ("ASSET_ARCHIVED", asset.id, {"fqn": owner})
    size = await world.size()
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: world.publish(asset, without("note")),
        lambda: world.register(asset, reader),
        lambda: world.depend(dependent, asset),
        lambda: world.propose_retirement(asset),
        lambda: world.register(dependent, archived_owner, via=asset),
    ]
    archived_owner = next(team for team in await world.rows(Team) if team.id == asset.owner_team_id)
    for call in calls:
        with pytest.raises(Conflict, match=r"was archived on 2026-01-01. Restore it with unarchiveAsset first"):
            await call()
    with pytest.raises(Conflict, match="It is archived: restore it with unarchiveAsset"):
        await world.asset("ANALYTICS.core.orders", reader)
    with pytest.raises(Stale):
        await archive(world, asset, version=1)
    assert (await archive(world, asset)).row_version == 2
    assert await world.size() == size
    assert (await unarchive(world, asset)).archived_at is None
    assert (await world.kinds())[-1] == "ASSET_UNARCHIVED"
    active = await world.active(asset)
    assert active is not None
    assert active.version == "1.0.0"
    await world.register(asset, reader)


async def test_only_the_owner_or_an_administrator_archives_an_asset(world: World) -> None:
    asset = await world.published()
    stranger = Actor("key", (await world.team("other")).id, frozenset({Scope.WRITE}))
    with pytest.raises(Forbidden, match="Only the owning team, producers, may archive"):
        await archive(world, asset, stranger)
    owner = Actor("key", asset.owner_team_id, frozenset({Scope.WRITE}))
    await archive(world, asset, owner)
    with pytest.raises(Forbidden, match="Only the owning team, producers, may restore"):
        await unarchive(world, asset, stranger)
    assert (await unarchive(world, asset, owner)).archived_at is None


async def test_a_team_that_has_something_is_not_archived_and_the_refusal_says_what(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    reader, owner = world.consumers[0], TeamRef(id=asset.owner_team_id)
    await world.project("shop", reader)
    async with world.database.write() as session:
        key = (await keys.create(session, ANONYMOUS, KeyRequest("ci", team=TeamRef(id=reader.id)))).key
        await session.update_row(Team, asset.owner_team_id, escalation_team_id=reader.id)
    with pytest.raises(Conflict, match="consumer-0 can't be archived") as refused:
        await archive_team(world, reader)
    for sentence in (
        "it is registered with analytics.core.orders",
        "a proposal asks it about analytics.core.orders",
        "it has the API keys ci",
        "it owns the projects shop",
        "it is the delegate or the escalation team of producers",
    ):
        assert sentence in refused.value.message
    with pytest.raises(Conflict, match=r"producers can't be archived: it owns analytics\.core\.orders"):
        async with world.database.write() as session:
            await archiving.archive_team(session, ANONYMOUS, owner)
    await world.answer(proposal, reader, Response.APPROVED)
    assert key.revoked_at is None
    assert (await world.rows(ApiKey))[0].revoked_at is None


async def test_an_archived_team_can_own_read_and_get_nothing_until_it_is_restored(world: World) -> None:
    asset = await world.published()
    idle = await world.team("idle")
    assert (await archive_team(world, idle)).archived_at is not None
    event = (await world.events())[-1]
    assert (event.kind, event.payload["name"], event.teams) == ("TEAM_ARCHIVED", "idle", [str(idle.id)])
    size = await world.size()
    as_idle = Actor("oidc:ann", idle.id, frozenset({Scope.WRITE}))

    async def transfer() -> None:
        async with world.database.write() as session:
            details = AssetDetails(owner=TeamRef(id=idle.id))
            await assets.update(session, ANONYMOUS, AssetRef(id=asset.id), details=details)

    async def create_key() -> None:
        async with world.database.write() as session:
            await keys.create(session, ANONYMOUS, KeyRequest("ci", team=TeamRef(id=idle.id)))

    async def create_own() -> None:
        async with world.database.write() as session:
            await assets.create(session, as_idle, fqn="core.own", details=AssetDetails())

    async def rename() -> None:
        async with world.database.write() as session:
            await teams.create(session, ANONYMOUS, name="Idle")

    for call in (
        lambda: world.asset("core.new", idle),
        lambda: world.register(asset, idle),
        lambda: world.project("shop", idle),
        transfer,
        create_key,
        create_own,
        rename,
    ):
        with pytest.raises(Conflict, match=r"archived.*unarchiveTeam"):
            await call()
    assert await world.size() == size
    await unarchive_team(world, idle)
    await world.register(asset, idle)


async def test_an_asset_of_an_archived_team_is_restored_after_its_team(world: World) -> None:
    asset = await world.published()
    owner = next(team for team in await world.rows(Team) if team.id == asset.owner_team_id)
    await archive(world, asset)
    await archive_team(world, owner)
    with pytest.raises(Conflict, match="The team producers was archived"):
        await unarchive(world, asset)
    await unarchive_team(world, owner)
    assert (await unarchive(world, asset)).archived_at is None


async def test_archiving_keeps_the_debts_of_an_asset(world: World) -> None:
    asset = await world.published()
    registration = await world.register(asset, await world.team("reader"))
    await world.publish(asset, without("note"), force=True, reason="the source is gone")
    await world.unregister(registration)
    await archive(world, asset)
    assert [debt.settled_at for debt in await world.rows(Debt)] == [None]


async def test_what_is_archived_at_the_same_moment_gets_no_reader_and_no_dependent(world: World) -> None:
    owner = await world.team("owner")
    for number in range(4):
        asset = await world.asset(f"core.t{number}", owner)
        dependent = await world.asset(f"marts.t{number}", owner)
        reader = await world.team(f"reader-{number}")
        calls = [world.register(asset, reader), world.depend(dependent, asset)]
        calls += [archive(world, asset), archive_team(world, reader)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, Conflict) for result in results if isinstance(result, BaseException)), results
        asset = next(row for row in await world.rows(Asset) if row.id == asset.id)
        reader = next(row for row in await world.rows(Team) if row.id == reader.id)
        registered, depended = (not isinstance(result, BaseException) for result in results[:2])
        assert not (asset.archived_at and (registered or depended))
        assert not (reader.archived_at and registered)


async def test_a_table_is_not_archived_while_it_is_being_registered_as_a_reader(world: World) -> None:
    asset = await world.published()
    team = await world.team("finance")
    report = await world.asset("finance.report", team)
    async with world.database.write() as session:
        await registrations.register(
            session,
            world.actor,
            AssetRef(id=asset.id),
            team=TeamRef(id=team.id),
            consumer_asset=AssetRef(id=report.id),
            details=RegistrationDetails(),
        )
        archiving_report = asyncio.create_task(archive(world, report))
        await asyncio.sleep(0.2)
    with pytest.raises(Conflict, match="registered as a reader"):
        await archiving_report
