"""A proposal whose base moved asks about what that adds, and only those who read it."""

from typing import Any

import pytest

from tessera_gql.errors import Conflict
from tessera_gql.policy.enums import Intent, Outcome, ProposalStatus, Response
from tessera_gql.store.tables import Asset, Proposal, Team
from tests.conftest import FixedClock
from tests.world import World, adding, without

YES, NO = Response.APPROVED, Response.BLOCKED


async def note_readers(world: World, number: int = 2, **request: Any) -> tuple[Asset, Proposal, list[Team]]:
    """A proposal to drop the column `note`, which some teams read."""
    asset = await world.published()
    readers = [await world.team(f"reader-{item}") for item in range(number)]
    for team in readers:
        await world.register(asset, team, "note")
    proposal = (await world.publish(asset, without("note"), **request)).proposal
    assert proposal is not None
    return asset, proposal, readers


async def grow(world: World, asset: Asset, *readers: str) -> list[Team]:
    """Publish a compatible column `channel`, and register its readers."""
    await world.publish(asset, adding("channel"))
    teams = [await world.team(name) for name in readers]
    for team in teams:
        await world.register(asset, team, "channel")
    return teams


@pytest.mark.parametrize("intent", Intent)
async def test_the_same_terms_on_a_new_base_ask_only_the_readers_of_what_is_new(world: World, intent: Intent) -> None:
    asset, proposal, (first, second) = await note_readers(world)
    await world.answer(proposal, first, YES)
    await world.answer(proposal, second, YES)
    (late,) = await grow(world, asset, "late")
    before = (await world.events())[-1].sequence
    result = await world.publish(asset, without("note"), intent=intent)
    assert result.proposal is not None
    assert (result.outcome, result.proposal.id) == (Outcome.PROPOSED, proposal.id)
    assert (result.proposal.status, result.proposal.proposed_version) == (ProposalStatus.PENDING, "2.0.0")
    answers = {item.consumer_team_id: item.response for item in await world.acknowledgments(proposal)}
    assert answers == {first.id: YES, second.id: YES, late.id: None}
    assert await world.kinds(before) == ["PROPOSAL_REBASED", "ACKNOWLEDGMENT_REQUESTED", "PROPOSAL_STATUS_CHANGED"]
    rebased, requested, _ = await world.events(before)
    assert rebased.payload["changes"] == requested.payload["changes"] == ["channel was removed."]
    assert (rebased.payload["asked"], rebased.payload["base_version"]) == ([str(late.id)], "1.1.0")
    await world.answer(proposal, late, YES)
    released = await world.publish(asset, without("note"))
    assert (released.outcome, released.contract and released.contract.version) == (Outcome.PUBLISHED, "2.0.0")


async def test_a_release_passes_what_is_new_and_read_by_nobody_and_names_it(world: World) -> None:
    asset, proposal, (reader,) = await note_readers(world, 1)
    await world.answer(proposal, reader, YES)
    await grow(world, asset)
    before = (await world.events())[-1].sequence
    result = await world.publish(asset, without("note"))
    assert result.outcome is Outcome.PUBLISHED
    kinds = ["PROPOSAL_REBASED", "CONTRACT_PUBLISHED", "DEBT_RECORDED", "PROPOSAL_STATUS_CHANGED"]
    assert await world.kinds(before) == kinds
    rebased, published, *_ = await world.events(before)
    assert (rebased.payload["changes"], rebased.payload["asked"]) == (["channel was removed."], [])
    assert published.payload["changes"] == ["channel was removed.", "note was removed."]
    assert [change.message for change in result.judgement.breaking] == ["channel was removed.", "note was removed."]


async def test_publishing_an_approved_proposal_passes_what_is_new_and_read_by_nobody(world: World) -> None:
    asset, proposal, (reader,) = await note_readers(world, 1)
    await world.answer(proposal, reader, YES)
    await grow(world, asset)
    result = await world.publish_proposal(proposal)
    assert result.contract is not None
    assert result.contract.schema_def == without("note")
    row = await world.proposal(proposal.id)
    assert [change["message"] for change in row.breaking_changes] == ["channel was removed.", "note was removed."]
    assert "PROPOSAL_REBASED" in await world.kinds()


async def test_publishing_an_approved_proposal_is_a_conflict_while_readers_of_what_is_new_were_not_asked(
    world: World,
) -> None:
    asset, proposal, (reader,) = await note_readers(world, 1)
    await world.answer(proposal, reader, YES)
    (late,) = await grow(world, asset, "late")
    size = await world.size()
    with pytest.raises(Conflict, match=r"1\.1\.0 it also breaks late: channel was removed\. Publish the same schema"):
        await world.publish_proposal(proposal)
    assert await world.size() == size
    await world.publish(asset, without("note"))
    await world.answer(proposal, late, YES)
    assert (await world.publish_proposal(proposal)).contract is not None


async def test_a_team_that_what_is_new_affects_as_well_is_asked_again(world: World) -> None:
    asset, proposal = await world.proposed(consumers=2)
    first, second = world.consumers
    await world.answer(proposal, first, YES)
    await world.unregister(next(row for row in await world.registrations() if row.consumer_team_id == second.id))
    await world.publish(asset, adding("channel"))
    await world.publish(asset, without("note"))
    assert {item.consumer_team_id: item.response for item in await world.acknowledgments(proposal)} == {
        first.id: None,
        second.id: None,
    }
    assert await world.asked(proposal) == {first.id}


async def test_a_blocker_keeps_its_answer_on_a_new_base(world: World) -> None:
    asset, proposal, (blocker,) = await note_readers(world, 1)
    await world.answer(proposal, blocker, NO)
    (late,) = await grow(world, asset, "late")
    assert (await world.publish(asset, without("note"))).outcome is Outcome.PROPOSED
    assert (await world.answer(proposal, late, YES)).proposal.status is ProposalStatus.REJECTED


async def test_a_team_that_is_asked_on_a_new_base_gets_as_long_as_any_other(world: World, clock: FixedClock) -> None:
    asset, proposal, (reader,) = await note_readers(world, 1, require_explicit_publish=True)
    await world.answer(proposal, reader, YES)
    clock.advance(days=40)
    await grow(world, asset, "late")
    result = await world.publish(asset, without("note"))
    assert result.proposal is not None
    assert (result.proposal.status, (result.proposal.expires_at - clock.now).days) == (ProposalStatus.PENDING, 30)


async def test_a_last_consent_on_a_moved_base_publishes_what_nobody_reads(world: World) -> None:
    asset, proposal, (reader,) = await note_readers(world, 1, publish_when_approved=True)
    await grow(world, asset)
    assert (await world.answer(proposal, reader, YES)).contract is not None


async def test_a_last_consent_on_a_moved_base_is_stale_while_readers_of_what_is_new_were_not_asked(
    world: World,
) -> None:
    asset, proposal, (reader,) = await note_readers(world, 1, publish_when_approved=True)
    await grow(world, asset, "late")
    answered = await world.answer(proposal, reader, YES)
    assert (answered.contract, answered.proposal.status) == (None, ProposalStatus.APPROVED)
    event = (await world.events())[-1]
    assert (event.kind, event.payload["changes"]) == (
        "PROPOSAL_STALE",
        ["since version 1.1.0 it also breaks late: channel was removed."],
    )


async def test_the_same_terms_again_on_the_same_base_write_nothing(world: World) -> None:
    asset, _, _ = await note_readers(world, 1)
    await grow(world, asset, "late")
    await world.publish(asset, without("note"))
    size = await world.size()
    await world.publish(asset, without("note"))
    await world.publish(asset, without("note"), intent=Intent.ASK)
    assert await world.size() == size
