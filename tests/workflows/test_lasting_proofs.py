"""The proof that a team no longer reads what changes holds for later proposals, until the team reads it again."""

from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.notifications import deadlines
from tessera_gql.policy.enums import Intent, ProposalStatus, Response
from tessera_gql.store.tables import Asset, Proposal
from tests.conftest import FixedClock
from tests.workflows.test_usage import DAY, HEADER, START, cover, import_log, map_principal, migrating, usage_source
from tests.world import World, adding, without


async def proven(world: World, clock: FixedClock) -> tuple[Proposal, Proposal]:
    """A proposal from which a quiet team was released, and the one that superseded it."""
    asset, first, _ = await migrating(world, clock)
    await cover(world, clock, 16)
    clock.advance(hours=1)
    return first, await ask(world, asset, without("note", schema=adding("more")))


async def ask(world: World, asset: Asset, schema: Any) -> Proposal:
    row = (await world.publish(asset, schema, supersede=True, intent=Intent.ASK)).proposal
    assert row is not None
    return row


async def test_a_proof_holds_for_the_proposal_that_supersedes_and_names_its_evidence(
    world: World, clock: FixedClock
) -> None:
    first, second = await proven(world, clock)
    (before,), (after,) = await world.acknowledgments(first), await world.acknowledgments(second)
    assert second.status is ProposalStatus.APPROVED
    assert (after.released_at, after.released_by) == (before.released_at, before.released_by)
    assert (after.response, after.carried_from) == (Response.MIGRATING, before.id)
    kinds = await world.kinds()
    assert kinds.count("ACKNOWLEDGMENT_REQUESTED") == 1
    assert kinds.count("ACKNOWLEDGMENT_RELEASED") == 2


async def test_a_later_read_asks_about_the_proposal_that_superseded(world: World, clock: FixedClock) -> None:
    first, second = await proven(world, clock)
    (ask,) = await world.acknowledgments(first)
    await cover(world, clock, 1, ("bob", "note", clock.now + timedelta(hours=5)))
    assert await world.asked(second) == {ask.consumer_team_id}
    assert (await world.proposal(second.id)).status is ProposalStatus.PENDING


async def test_a_proof_holds_after_a_rebase_and_further_breaks_ask_about_themselves_only(
    world: World, clock: FixedClock
) -> None:
    asset, proposal, team = await migrating(world, clock)
    await cover(world, clock, 16)
    clock.advance(hours=1)
    await world.publish(asset, adding("more"))
    await world.register(asset, await world.team("other"), "more")
    row = await ask(world, asset, without("note"))
    assert row.id == proposal.id
    assert len(row.breaking_changes) == 2
    assert team.id not in await world.asked(row)
    wider = await ask(world, asset, without("note", "total"))
    assert team.id not in await world.asked(wider)


async def test_a_reader_of_everything_is_asked_only_about_what_no_proof_covers(world: World, clock: FixedClock) -> None:
    asset, _, team = await migrating(world, clock, fields="")
    await cover(world, clock, 16)
    clock.advance(hours=1)
    wider = await ask(world, asset, without("note", "total"))
    (request,) = await world.acknowledgments(wider)
    messages = [
        item["message"] for item in wider.breaking_changes if item["fingerprint"] in request.change_fingerprints
    ]
    assert (request.consumer_team_id, request.response, len(messages)) == (team.id, None, 1)
    assert "total" in messages[0]


async def test_a_proof_that_no_import_confirms_ends_after_ninety_days(world: World, clock: FixedClock) -> None:
    asset, proposal, team = await migrating(world, clock)
    await cover(world, clock, 16)
    await world.withdraw(proposal)
    clock.advance(days=89)
    early = await ask(world, asset, without("note"))
    assert await world.asked(early) == set()
    await world.withdraw(early)
    clock.advance(days=2)
    late = await ask(world, asset, without("note"))
    assert await world.asked(late) == {team.id}


async def test_a_column_that_comes_back_and_goes_again_is_asked_about_again(world: World, clock: FixedClock) -> None:
    asset, proposal, team = await migrating(world, clock)
    await cover(world, clock, 16)
    await world.publish_proposal(proposal)
    await world.publish(asset)
    clock.advance(hours=1)
    assert await world.asked(await ask(world, asset, without("note"))) == {team.id}


async def test_the_worker_looks_at_every_proposal_however_many_one_import_proves(
    world: World, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessera_gql.workflows.usage_import.MAX_PROOFS", 1)
    team, _ = await world.team("finance"), await usage_source(world)
    await map_principal(world, "bob", team)
    owner = await world.team("producers")
    published = [await world.asset(f"shop.core.table_{number}", owner) for number in range(3)]
    for asset in published:
        await world.publish(asset)
        await world.register(asset, team, "note")
    rows = [f"bob,{asset.fqn},note,{(START + DAY).isoformat()}" for asset in published]
    clock.advance(days=2)
    await import_log(world, "\n".join([HEADER, *rows]), covers=(START, clock.now))
    waiting = [await ask(world, asset, without("note")) for asset in published]
    for proposal in waiting:
        await world.answer(proposal, team, Response.MIGRATING, clock.now + 60 * DAY)
    await cover(world, clock, 20)
    assert [bool(await world.asked(row)) for row in waiting].count(True) == 2
    await deadlines.apply_due_deadlines(world.database)
    assert [await world.asked(row) for row in waiting] == [set(), set(), set()]
