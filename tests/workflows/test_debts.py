"""What a publish leaves undone for a team is recorded as a debt, and stays until it is settled."""

from typing import Any
from uuid import UUID

import pytest

from tessera_gql.errors import Conflict, Forbidden
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import DebtKind, Evidence, Outcome, ProposalStatus, Response
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Debt, Registration
from tessera_gql.workflows import debt_answers, registrations
from tessera_gql.workflows.debts import MAX_LISTED
from tests.conftest import statements
from tests.workflows.test_archiving import archive_team
from tests.workflows.test_lineage_asks import chain, link
from tests.world import ORDERS, World, adding, without

REMOVED, UNKNOWN, FORCED = DebtKind.REMOVED_FIELD, DebtKind.UNKNOWN_FIELD, DebtKind.FORCED
ADDRESS: dict[str, Any] = {"type": "object", "properties": {"zip": {"type": "string"}, "city": {"type": "string"}}}


async def force(world: World, asset: Asset, schema: Any) -> None:
    result = await world.publish(asset, schema, force=True, reason="the source is gone")
    assert result.outcome is Outcome.FORCED


async def correct(world: World, row: Registration, *fields: str) -> Registration:
    async with world.database.write() as session:
        return await registrations.update(session, world.actor, row.id, changes={"fields": fields or None})


async def acknowledge(world: World, debt: Debt, actor: Actor = ANONYMOUS, notes: str | None = None) -> Debt:
    async with world.database.write() as session:
        return await debt_answers.acknowledge(session, actor, debt.id, notes=notes)


async def acknowledge_all(world: World) -> None:
    for debt in await open_debts(world, FORCED):
        await acknowledge(world, debt)


async def open_debts(world: World, kind: DebtKind | None = None) -> list[Debt]:
    return [row for row in await world.rows(Debt) if row.settled_at is None and kind in (None, row.kind)]


async def settlement(world: World) -> dict[str, Any]:
    """The payload of the latest settlement."""
    return [event for event in await world.events() if event.kind == "DEBT_SETTLED"][-1].payload


async def asked(world: World, asset: Asset, schema: Any) -> set[UUID]:
    """The teams that a proposal of the schema asks."""
    proposal = (await world.publish(asset, schema, supersede=True)).proposal
    assert proposal is not None
    return await world.asked(proposal)


async def test_a_removed_field_stays_as_a_debt_of_the_teams_that_registered_it(world: World) -> None:
    asset = await world.published()
    reader, bystander = await world.team("reader"), await world.team("bystander")
    await world.register(asset, reader, "note", "total")
    await world.register(asset, bystander, "total")
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    await world.answer(proposal, reader, Response.APPROVED)
    contract = (await world.publish_proposal(proposal)).contract
    assert contract is not None
    (debt,) = await open_debts(world)
    assert (debt.kind, debt.asset_id, debt.team_id, debt.path) == (REMOVED, asset.id, reader.id, "note")
    assert (debt.contract_id, debt.message) == (contract.id, "version 2.0.0 removed note")
    (event,) = [event for event in await world.events() if event.kind == "DEBT_RECORDED"]
    assert set(event.teams) == {str(reader.id), str(asset.owner_team_id)}
    assert event.payload == {
        "team_id": str(reader.id),
        "debt_kind": "REMOVED_FIELD",
        "count": 1,
        "debts": [str(debt.id)],
        "paths": ["note"],
        "changes": ["version 2.0.0 removed note"],
        "contract_id": str(contract.id),
        "reason": None,
    }


async def test_a_further_publish_records_no_second_debt_of_a_removed_field(world: World) -> None:
    asset = await world.published()
    await world.register(asset, await world.team("reader"), "note")
    await force(world, asset, without("note"))
    before = await open_debts(world)
    await world.publish(asset, adding("channel", schema=without("note")))
    assert await open_debts(world) == before


async def test_a_removed_field_that_comes_back_settles_the_debt_and_is_asked_about_again(world: World) -> None:
    asset = await world.published()
    reader = await world.team("reader")
    await world.register(asset, reader, "note")
    await force(world, asset, without("note"))
    await world.publish(asset, ORDERS)
    assert await open_debts(world, REMOVED) == []
    assert await settlement(world) | {"debts": []} == {
        "team_id": str(reader.id),
        "debt_kind": "REMOVED_FIELD",
        "count": 1,
        "debts": [],
        "paths": ["note"],
        "reason": "version 2.1.0 has the field",
        "notes": None,
    }
    assert await asked(world, asset, without("note")) == {reader.id}


async def test_a_removed_field_is_no_reason_to_ask_about_what_surrounded_it(world: World) -> None:
    asset = await world.published(schema=adding("address", ADDRESS))
    reader, neighbour = await world.team("reader"), await world.team("neighbour")
    await world.register(asset, reader, "address.zip")
    await world.register(asset, neighbour, "address.city")
    city = {"type": "object", "properties": {"city": {"type": "string"}}}
    await force(world, asset, adding("address", city))
    assert await asked(world, asset, ORDERS) == {neighbour.id}


async def test_a_registration_with_a_removed_field_can_be_corrected_and_that_settles_the_debt(world: World) -> None:
    asset = await world.published()
    row = await world.register(asset, await world.team("reader"), "note", "total")
    await force(world, asset, without("note"))
    assert (await correct(world, row, "note", "order_id")).fields == ["note", "order_id"]
    assert [debt.path for debt in await open_debts(world, REMOVED)] == ["note"]
    assert (await correct(world, row, "order_id")).fields == ["order_id"]
    assert await open_debts(world, REMOVED) == []
    assert (await settlement(world))["reason"] == "the registration was corrected"


async def test_a_debt_of_a_field_stays_while_another_registration_of_the_team_names_it(world: World) -> None:
    asset = await world.published()
    reader = await world.team("reader")
    own, second = [await world.asset(fqn, reader) for fqn in ("marts.one", "marts.two")]
    rows = [await world.register(asset, reader, "note", via=via) for via in (own, second)]
    await force(world, asset, without("note"))
    assert len(await open_debts(world, REMOVED)) == 1
    await world.unregister(rows[0])
    assert len(await open_debts(world, REMOVED)) == 1
    await world.unregister(rows[1])
    assert await open_debts(world, REMOVED) == []


async def test_a_field_that_the_first_contract_does_not_have_is_unknown_and_counts_as_everything(world: World) -> None:
    owner, reader = await world.team("owner"), await world.team("reader")
    asset = await world.asset("core.orders", owner)
    row = await world.register(asset, reader, "total", "totl")
    await world.publish(asset)
    (debt,) = await open_debts(world)
    assert (debt.kind, debt.team_id, debt.path, debt.message) == (
        UNKNOWN,
        reader.id,
        "totl",
        "no version up to 1.0.0 has totl",
    )
    event = (await world.events())[-1]
    assert (event.kind, set(event.teams)) == ("DEBT_RECORDED", {str(owner.id), str(reader.id)})
    assert await asked(world, asset, without("note")) == {reader.id}
    await correct(world, row, "total")
    assert await open_debts(world) == []
    assert await asked(world, asset, without("note", "customer_id")) == set()


async def test_an_unknown_field_that_a_later_contract_has_is_settled_and_releases_its_team(world: World) -> None:
    owner, reader = await world.team("owner"), await world.team("reader")
    asset = await world.asset("core.orders", owner)
    await world.register(asset, reader, "channel")
    await world.publish(asset)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert await world.asked(proposal) == {reader.id}
    await world.publish(asset, adding("channel"))
    assert await open_debts(world) == []
    assert await world.asked(proposal) == set()


async def test_after_a_retired_contract_its_fields_were_removed_and_others_are_unknown(world: World) -> None:
    asset = await world.published()
    active = await world.active(asset)
    assert active is not None
    await world.retire(active)
    reader = await world.team("reader")
    await world.register(asset, reader, "note", "nope")
    await world.publish(asset, without("note"))
    assert {(debt.kind, debt.path) for debt in await open_debts(world)} == {(REMOVED, "note"), (UNKNOWN, "nope")}


async def test_a_field_that_a_manifest_reads_is_not_unknown(world: World) -> None:
    owner, reader = await world.team("owner"), await world.team("reader")
    asset = await world.asset("core.orders", owner)
    row = await world.register(asset, reader, "undescribed")
    async with world.database.write() as session:
        await session.update_row(Registration, row.id, evidence=Evidence.DBT_MANIFEST)
    await world.publish(asset)
    assert await open_debts(world) == []


async def test_each_team_that_a_forced_publish_did_not_ask_has_a_debt_for_each_change_until_it_answers(
    world: World,
) -> None:
    asset = await world.published()
    first, second = await world.team("first"), await world.team("second")
    await world.register(asset, first, "note", "total")
    await world.register(asset, second, "total")
    await force(world, asset, without("note", "total"))
    rows = await open_debts(world, FORCED)
    assert {(debt.team_id, debt.path) for debt in rows} == {
        (first.id, "note"),
        (first.id, "total"),
        (second.id, "total"),
    }
    assert all(debt.change_fingerprint and "removed" in debt.message for debt in rows)
    notices = [event for event in await world.events() if event.payload.get("debt_kind") == "FORCED"]
    assert {event.payload["team_id"]: event.payload["count"] for event in notices} == {
        str(first.id): 2,
        str(second.id): 1,
    }
    assert {event.payload["reason"] for event in notices} == {"the source is gone"}
    (debt,) = [row for row in rows if row.team_id == second.id]
    settled = await acknowledge(world, debt, Actor("key", second.id, frozenset({Scope.WRITE})), notes=" we moved on ")
    assert settled.settled_at is not None
    assert await settlement(world) | {"debts": []} == {
        "team_id": str(second.id),
        "debt_kind": "FORCED",
        "count": 1,
        "debts": [],
        "paths": ["total"],
        "reason": "the team acknowledged it",
        "notes": "we moved on",
    }
    assert {row.team_id for row in await open_debts(world, FORCED)} == {first.id}


async def test_a_forced_debt_outlives_the_registration_and_a_second_force_adds_none(world: World) -> None:
    asset = await world.published()
    row = await world.register(asset, await world.team("reader"), "note")
    await force(world, asset, without("note"))
    await world.publish(asset, ORDERS)
    await force(world, asset, without("note"))
    (debt,) = await open_debts(world, FORCED)
    await world.unregister(row)
    assert await open_debts(world) == [debt]


async def test_only_the_team_acknowledges_and_only_a_forced_debt_that_is_open(world: World) -> None:
    asset = await world.published()
    reader = await world.team("reader")
    await world.register(asset, reader, "note")
    await force(world, asset, without("note"))
    (forced,), (removed,) = await open_debts(world, FORCED), await open_debts(world, REMOVED)
    size = await world.size()
    with pytest.raises(Forbidden, match="own team only"):
        await acknowledge(world, forced, Actor("key", asset.owner_team_id, frozenset({Scope.WRITE})))
    with pytest.raises(Conflict, match=r"does not have the field note\. Change the fields of the team's registration"):
        await acknowledge(world, removed)
    assert await world.size() == size
    await acknowledge(world, forced)
    with pytest.raises(Conflict, match="settled already"):
        await acknowledge(world, forced)


async def test_an_event_lists_some_of_many_debts_and_counts_all(world: World) -> None:
    names = [f"column_{number}" for number in range(MAX_LISTED + 10)]
    wide = {"type": "object", "properties": {name: {"type": "string"} for name in (*names, "rest")}}
    asset = await world.published(schema=wide)
    await world.register(asset, await world.team("reader"), *names)
    await force(world, asset, without(*names, schema={**wide, "required": []}))
    event = [event for event in await world.events() if event.payload.get("debt_kind") == "REMOVED_FIELD"][-1]
    assert (event.payload["count"], len(event.payload["debts"])) == (len(names), MAX_LISTED)
    assert len(await open_debts(world, REMOVED)) == len(names)


async def test_a_field_of_a_large_schema_is_found_at_any_depth(world: World) -> None:
    columns = {f"c{number}": {"type": "string"} for number in range(300)}
    large = {"type": "object", "properties": {**columns, "address": ADDRESS}}
    asset = await world.published(schema=large)
    await world.register(asset, await world.team("reader"), "c7", "address.zip", "address.city")
    city = {"type": "object", "properties": {"city": {"type": "string"}}}
    await force(world, asset, {"type": "object", "properties": {**columns, "address": city}})
    assert [debt.path for debt in await open_debts(world, REMOVED)] == ["address.zip"]


@pytest.mark.parametrize("readers", [1, 8])
async def test_debts_cost_as_many_statements_for_many_readers_as_for_one(
    world: World, database: Database, readers: int
) -> None:
    asset = await world.published()
    for number in range(readers):
        await world.register(asset, await world.team(f"reader-{number}"), "note", "total")
    with statements(database) as texts:
        await force(world, asset, without("note", "total"))
    assert len(await open_debts(world)) == 4 * readers
    concerning = [text for text in texts if "debts" in text]
    assert len(concerning) == 3, concerning
    with statements(database) as texts:
        await world.publish(asset, ORDERS)
    assert len([text for text in texts if "debts" in text]) == 2


async def test_a_team_with_a_forced_debt_reads_what_changed_until_it_answers(world: World) -> None:
    asset = await world.published()
    owing, bystander = await world.team("owing"), await world.team("bystander")
    row = await world.register(asset, owing, "note")
    await world.register(asset, bystander, "total")
    note_as_number = adding("note", {"type": "number"})
    await force(world, asset, note_as_number)
    await world.unregister(row)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert await world.asked(proposal) == {owing.id}
    total_proposal = (await world.publish(asset, without("total", schema=note_as_number), supersede=True)).proposal
    assert total_proposal is not None
    assert await world.asked(total_proposal) == {bystander.id}
    event = [event for event in await world.events() if event.kind == "PROPOSAL_OPENED"][-1]
    assert event.payload["informed"] == [str(owing.id)]
    proposal = (await world.publish(asset, without("note"), supersede=True)).proposal
    assert proposal is not None
    await acknowledge_all(world)
    assert await world.asked(proposal) == set()
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_a_forced_debt_of_a_removed_field_matters_again_only_if_that_field_comes_back(world: World) -> None:
    asset = await world.published(schema=adding("address", ADDRESS))
    owing = await world.team("owing")
    row = await world.register(asset, owing, "address.zip")
    city = adding("address", {"type": "object", "properties": {"city": {"type": "string"}}})
    await force(world, asset, city)
    await world.unregister(row)
    assert await asked(world, asset, ORDERS) == set()
    await world.publish(asset, adding("address", ADDRESS))
    assert await asked(world, asset, ORDERS) == {owing.id}
    assert await asked(world, asset, city) == {owing.id}


async def test_a_forced_rename_is_a_debt_of_both_names(world: World) -> None:
    asset = await world.published()
    owing = await world.team("owing")
    row = await world.register(asset, owing, "note")
    renamed = adding("order_note", {"type": ["string", "null"]}, schema=without("note"))
    await force(world, asset, renamed)
    assert [debt.path for debt in await open_debts(world, FORCED)] == ["order_note"]
    await world.unregister(row)
    assert await asked(world, asset, without("note")) == {owing.id}
    await world.publish(asset, adding("note", schema=renamed))
    assert await asked(world, asset, renamed) == {owing.id}


async def test_a_forced_debt_of_the_whole_asset_concerns_only_changes_of_all_of_it(world: World) -> None:
    asset = await world.published()
    owing = await world.team("owing")
    row = await world.register(asset, owing, "note")
    await force(world, asset, {**ORDERS, "minProperties": 3})
    await world.unregister(row)
    assert await asked(world, asset, without("note")) == set()
    await world.publish(asset, without("note"))
    proposal = (await world.propose_retirement(asset)).proposal
    assert await world.asked(proposal) == {owing.id}


async def test_a_forced_debt_is_a_reader_of_a_table_on_the_way(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    row = await world.register(staging, finance, "note")
    proposal = (await world.publish(orders, without("note"))).proposal
    assert proposal is not None
    await world.answer(proposal, finance, Response.APPROVED)
    await force(world, staging, adding("note", {"type": "number"}))
    await world.unregister(row)
    assert await world.asked(proposal) == {finance.id}
    await acknowledge_all(world)
    assert await world.asked(proposal) == set()


async def test_a_team_with_a_forced_debt_is_not_archived(world: World) -> None:
    asset = await world.published()
    owing = await world.team("owing")
    row = await world.register(asset, owing, "note")
    await force(world, asset, without("note"))
    await world.unregister(row)
    with pytest.raises(Conflict, match=r"it has not answered a forced publish of analytics\.core\.orders"):
        await archive_team(world, owing)
    await acknowledge_all(world)
    assert (await archive_team(world, owing)).archived_at is not None
