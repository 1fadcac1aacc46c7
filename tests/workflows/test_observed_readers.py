"""One call maps a principal and registers its team for what it was seen reading."""

from datetime import timedelta

import pytest

from tessera_gql.errors import Forbidden, Invalid, NotFound
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import Evidence
from tessera_gql.store.tables import Principal, Registration, Team, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.observed_readers import RegisteredReader, register_observed_reader
from tests.conftest import START
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import World, without

HOUR = timedelta(hours=1)


async def observe_reader(world: World, *paths: str, name: str = "bob") -> Principal:
    """A principal of which a source has seen reads of these paths."""
    await usage_source(world)
    await import_log(world, log_of(*((name, path, START - HOUR) for path in paths)))
    (principal,) = await world.rows(Principal)
    return principal


async def register(
    world: World, principal: Principal, team: Team | None = None, *, actor: Actor = ANONYMOUS
) -> RegisteredReader:
    async with world.database.write() as session:
        ref = TeamRef(id=team.id) if team else None
        return await register_observed_reader(session, actor, principal.id, ref)


async def registered(world: World) -> list[tuple[str, ...] | None]:
    return [None if row.fields is None else tuple(row.fields) for row in await world.rows(Registration)]


@pytest.mark.parametrize(
    ("paths", "fields"), [(("note", "total"), ("note", "total")), (("note", ""), None), (("note", "gone"), ("note",))]
)
async def test_a_team_is_registered_for_what_its_principal_read(
    world: World, paths: tuple[str, ...], fields: tuple[str, ...] | None
) -> None:
    await world.published()
    team = await world.team("finance")
    result = await register(world, await observe_reader(world, *paths), team)
    assert result.principal.team_id == team.id
    assert await registered(world) == [fields]
    (row,) = await world.rows(Registration)
    assert (row.evidence, row.consumer_team_id) == (Evidence.OBSERVED, team.id)
    assert (await register(world, result.principal)).registrations == []


async def test_a_registration_is_widened_and_never_narrowed(world: World) -> None:
    asset = await world.published()
    team = await world.team("finance")
    await world.register(asset, team, "total")
    await register(world, await observe_reader(world, "note"), team)
    assert await registered(world) == [("total", "note")]


async def test_everything_is_wide_enough(world: World) -> None:
    asset = await world.published()
    team = await world.team("finance")
    await world.register(asset, team)
    assert (await register(world, await observe_reader(world, "note"), team)).registrations == []


async def test_an_open_proposal_asks_the_team_at_once(world: World) -> None:
    asset = await world.published()
    principal = await observe_reader(world, "note")
    proposal = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert proposal is not None
    team = await world.team("finance")
    await register(world, principal, team)
    assert await world.asked(proposal) == {team.id}


async def test_the_owner_is_not_registered_with_its_own_asset(world: World) -> None:
    asset = await world.published()
    (owner,) = [row for row in await world.rows(Team) if row.id == asset.owner_team_id]
    result = await register(world, await observe_reader(world, "note"), owner)
    assert (result.principal.team_id, result.registrations) == (owner.id, [])


async def test_without_a_team_its_own_or_the_suggested_one_is_taken(world: World) -> None:
    await world.published()
    finance, growth = await world.team("finance"), await world.team("growth")
    principal = await observe_reader(world, "note", name="svc_finance")
    assert (await register(world, principal)).team.id == finance.id
    await map_principal(world, "svc_finance", growth)
    (principal,) = await world.rows(Principal)
    assert (await register(world, principal)).team.id == growth.id


async def test_bad_requests_say_what_to_do(world: World) -> None:
    await world.published()
    team = await world.team("finance")
    principal = await observe_reader(world, "note", name="b*b")
    with pytest.raises(Invalid, match="its name suggests none"):
        await register(world, principal)
    with pytest.raises(Invalid, match="a pattern of other names"):
        await register(world, principal, team)
    writer = Actor("finance", team.id, frozenset({Scope.READ, Scope.WRITE}))
    with pytest.raises(Forbidden):
        await register(world, principal, team, actor=writer)
    with pytest.raises(NotFound, match="There is no principal"):
        async with world.database.write() as session:
            await register_observed_reader(session, ANONYMOUS, new_id(), None)
