"""Registrations are created, updated and ended with the right checks and events."""

from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Evidence, ProposalStatus, RegistrationStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Registration, Team, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import registrations
from tessera_gql.workflows.registrations import RegistrationDetails
from tests.world import World, without


async def register(world: World, asset: Asset, team: Team, **reading: Any) -> Registration:
    async with world.database.write() as session:
        ref, wanted = TeamRef(id=team.id), RegistrationDetails(**reading)
        return await registrations.register(session, world.actor, AssetRef(id=asset.id), team=ref, details=wanted)


async def update(
    world: World, row: Registration, version: int | None = None, actor: Actor | None = None, **changes: Any
) -> Registration:
    async with world.database.write() as session:
        return await registrations.update(
            session, actor or world.actor, row.id, changes=changes, expected_row_version=version
        )


async def test_a_registration_notifies_the_owner_and_the_consumer(world: World) -> None:
    asset = await world.published()
    team = await world.team("readers")
    row = await register(world, asset, team, fields=("total", "note", "total"), pinned_version="1.0.0", purpose=" bi ")
    assert (row.fields, row.pinned_version, row.purpose) == (["total", "note"], "1.0.0", "bi")
    assert (row.status, row.evidence) == (RegistrationStatus.ACTIVE, Evidence.DECLARED)
    event = (await world.events())[-1]
    assert (event.kind, event.entity_id, event.asset_id) == ("REGISTRATION_CREATED", row.id, asset.id)
    assert set(event.teams) == {str(team.id), str(asset.owner_team_id)}
    assert event.payload["reads"] == ["total", "note"]


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        ({"fields": ("totl",)}, "no field 'totl'. Nearest: total"),
        ({"fields": ()}, "`fields` is empty"),
        ({"fields": tuple(map(str, range(5_001)))}, "5000 is the limit"),
        ({"pinned_version": "latest"}, "is not a semantic version"),
        ({"purpose": "a" * 20_001}, "20000 is the limit"),
        ({"metadata": []}, "must be a JSON object"),
    ],
)
async def test_an_invalid_registration_is_refused(world: World, reading: dict[str, Any], sentence: str) -> None:
    asset = await world.published()
    team = await world.team("readers")
    size = await world.size()
    with pytest.raises(Invalid) as refused:
        await register(world, asset, team, **reading)
    assert sentence in refused.value.message
    assert await world.size() == size


async def test_before_there_is_a_schema_any_field_may_be_named(world: World) -> None:
    team = await world.team("readers")
    asset = await world.asset("a.b", await world.team("owner"))
    assert (await register(world, asset, team, fields=("to come",))).fields == ["to come"]


async def test_a_team_registers_once_for_itself_and_once_for_each_asset_of_its_own(world: World) -> None:
    asset = await world.published(consumers=1)
    team = world.consumers[0]
    with pytest.raises(Conflict, match=r"registered with analytics\.core\.orders already .*updateRegistration"):
        await world.register(asset, team)
    own = await world.asset("marts.own", team)
    await world.register(asset, team, via=own)
    with pytest.raises(Conflict):
        await world.register(asset, team, via=own)
    foreign = await world.asset("marts.foreign", await world.team("foreign"))
    with pytest.raises(Invalid, match=r"marts\.foreign belongs to another team"):
        await world.register(asset, team, via=foreign)
    with pytest.raises(Invalid, match="its own reader"):
        await world.register(own, team, via=own)


async def test_a_key_registers_its_own_team_only(world: World) -> None:
    asset = await world.published(consumers=1)
    other_team = await world.team("other")
    actor = Actor("key", world.consumers[0].id, frozenset({Scope.WRITE}))
    with pytest.raises(Forbidden, match="own team only"):
        await World(world.database, actor).register(asset, other_team)
    row = await world.register(asset, other_team)
    with pytest.raises(Forbidden, match="own team only"):
        await World(world.database, actor).unregister(row)
    with pytest.raises(Forbidden, match="own team only"):
        await update(world, row, actor=actor, purpose="mine now")


async def test_an_update_changes_only_the_named_fields(world: World) -> None:
    asset = await world.published()
    row = await register(world, asset, await world.team("readers"), fields=("total",), purpose="bi")
    changed = await update(world, row, 1, fields=("note",), metadata={"a": 1})
    assert (changed.fields, changed.purpose, changed.meta, changed.row_version) == (["note"], "bi", {"a": 1}, 2)
    payload = (await world.events())[-1].payload
    assert payload["changed"] == ["fields", "metadata"]
    assert payload["changes"] == {
        "fields": {"before": ["total"], "after": ["note"]},
        "metadata": {"before": {}, "after": {"a": 1}},
    }
    everything = await update(world, row, fields=None, purpose=None)
    assert (everything.fields, everything.purpose, everything.row_version) == (None, None, 3)
    size = await world.size()
    assert (await update(world, row, 3, fields=None)).row_version == 3
    assert await world.size() == size


async def test_an_update_of_a_registration_changed_meanwhile_is_stale(world: World) -> None:
    asset = await world.published()
    row = await register(world, asset, await world.team("readers"))
    await update(world, row, purpose="one")
    with pytest.raises(Stale, match="rowVersion 2, not 1: somebody changed it") as refused:
        await update(world, row, 1, purpose="two")
    assert refused.value.field == ("expectedRowVersion",)


async def test_an_ended_registration_is_neither_updated_nor_ended_again(world: World) -> None:
    asset = await world.published(consumers=1)
    row = (await world.registrations())[0]
    await world.unregister(row)
    for late in (update(world, row, purpose="x"), world.unregister(row)):
        with pytest.raises(Conflict, match="ended already"):
            await late
    with pytest.raises(NotFound):
        await world.unregister(Registration(id=new_id()))
    await world.register(asset, world.consumers[0])
    assert len(await world.registrations(live=False)) == 2


async def test_fields_removed_from_the_schema_stay_registered_but_cannot_be_added(world: World) -> None:
    asset = await world.published()
    row = await register(world, asset, await world.team("readers"), fields=("note",))
    await world.publish(asset, without("note"), force=True, reason="gone")
    assert (await update(world, row, fields=("note", "total"))).fields == ["note", "total"]
    with pytest.raises(Invalid, match="no field 'notes'"):
        await update(world, row, fields=("note", "notes"))


async def test_registering_fewer_fields_releases_and_registering_more_asks_again(world: World) -> None:
    asset = await world.published()
    team = await world.team("readers")
    row = await register(world, asset, team, fields=("note",))
    proposal = (await world.publish(asset, without("note", "total"))).proposal
    assert proposal is not None
    await world.answer(proposal, team, Response.BLOCKED)
    await update(world, row, fields=("order_id",))
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    await update(world, row, fields=("order_id", "total"))
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (acknowledgment.response, acknowledgment.released_at, len(acknowledgment.change_fingerprints)) == (
        None,
        None,
        1,
    )
    await world.answer(proposal, team, Response.APPROVED)
    await update(world, row, purpose="bi")
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    await update(world, row, fields=None)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
