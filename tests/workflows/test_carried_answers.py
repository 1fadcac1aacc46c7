"""Answers belong to a team and a change: they hold for later proposals, for 90 days and until a publish."""

from datetime import timedelta

import pytest

from tessera_gql.diff import Mode
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Intent, ProposalStatus, RegistrationStatus, Response
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.proposals import AcknowledgmentInput, acknowledge
from tests.conftest import FixedClock
from tests.world import World, adding, without

DAY = timedelta(days=1)
YES, NO, LATER = Response.APPROVED, Response.BLOCKED, Response.MIGRATING


async def propose(
    world: World, asset: Asset, *columns: str, supersede: bool = False
) -> tuple[Proposal, Acknowledgment]:
    """Propose to drop columns; returns the proposal and the acknowledgment of the first team."""
    result = await world.publish(asset, without(*columns), supersede=supersede, intent=Intent.ASK)
    assert result.proposal is not None
    return result.proposal, (await world.acknowledgments(result.proposal))[0]


async def answered(world: World, clock: FixedClock, response: Response) -> tuple[Asset, Proposal, Team]:
    asset, proposal = await world.proposed(consumers=1)
    [team] = world.consumers
    await world.answer(proposal, team, response, clock.now + 40 * DAY if response is LATER else None)
    return asset, proposal, team


@pytest.mark.parametrize("response", [YES, LATER, NO])
@pytest.mark.parametrize("end", ["withdrawn", "expired", "superseded"])
async def test_an_answer_holds_for_the_next_proposal_of_the_same_change(
    world: World, clock: FixedClock, end: str, response: Response
) -> None:
    asset, proposal, team = await answered(world, clock, response)
    [first], start = await world.acknowledgments(proposal), clock.now
    match end:
        case "withdrawn":
            await world.withdraw(proposal)
        case "expired" if response is NO:
            clock.advance(days=31)
        case "expired":  # a proposal that all agree to never expires, and no migration is overdue before it does
            await world.withdraw(proposal)
            clock.advance(days=31)
        case _:
            await world.publish(asset, without("total"), supersede=True)
    before = (await world.events())[-1].sequence
    second, carried = await propose(world, asset, "note", supersede=True)
    assert second.id != proposal.id
    assert (carried.response, carried.responded_at, carried.carried_from) == (response, start, first.id)
    assert (carried.notes, carried.migration_deadline) == (first.notes, first.migration_deadline)
    assert "ACKNOWLEDGMENT_REQUESTED" not in await world.kinds(before)
    assert (await world.kinds(before)).count("ANSWER_CARRIED") == 1
    [registration] = await world.registrations()
    assert (registration.status is RegistrationStatus.MIGRATING) is (response is LATER)
    if response is LATER:
        assert second.expires_at >= start + 47 * DAY
    changed = await world.answer(second, team, NO)
    assert changed.proposal.status is ProposalStatus.REJECTED
    assert (await world.acknowledgments(second))[0].carried_from is None


@pytest.mark.parametrize(("days", "holds"), [(89, True), (90, False)])
async def test_an_answer_holds_for_ninety_days_and_carrying_it_does_not_renew_it(
    world: World, clock: FixedClock, days: int, *, holds: bool
) -> None:
    asset, proposal, _ = await answered(world, clock, YES)
    await world.withdraw(proposal)
    clock.advance(days=60)
    carried, _ = await propose(world, asset, "note")
    assert carried.status is ProposalStatus.APPROVED
    await world.withdraw(carried)
    clock.advance(days=days - 60)
    _, acknowledgment = await propose(world, asset, "note")
    assert (acknowledgment.response is YES) is holds


async def test_an_overdue_migration_does_not_hold(world: World, clock: FixedClock) -> None:
    asset, proposal, _ = await answered(world, clock, LATER)
    await world.withdraw(proposal)
    clock.advance(days=40)
    _, acknowledgment = await propose(world, asset, "note")
    assert acknowledgment.response is None


async def test_a_team_is_asked_again_if_more_is_at_stake_and_the_earlier_answer_is_referred_to(
    world: World, clock: FixedClock
) -> None:
    asset, proposal, _ = await answered(world, clock, NO)
    [first] = await world.acknowledgments(proposal)
    _, wider = await propose(world, asset, "note", "total", supersede=True)
    assert (wider.response, wider.carried_from, wider.previous_id) == (None, None, first.id)


async def test_a_team_that_reads_more_than_before_is_asked_again(world: World) -> None:
    asset = await world.published()
    team = await world.team("reader")
    registration = await world.register(asset, team, "note")
    proposal, _ = await propose(world, asset, "note")
    await world.answer(proposal, team, YES)
    await world.withdraw(proposal)
    await world.unregister(registration)
    await world.register(asset, team)
    _, acknowledgment = await propose(world, asset, "note")
    assert acknowledgment.response is None


async def test_the_strictest_of_several_answers_holds(world: World, clock: FixedClock) -> None:
    asset = await world.published(consumers=1)
    [team] = world.consumers
    for column, response in (("note", NO), ("total", YES)):
        proposal, _ = await propose(world, asset, column)
        await world.answer(proposal, team, response)
        await world.withdraw(proposal)
        clock.advance(days=1)
    both, acknowledgment = await propose(world, asset, "note", "total")
    assert (both.status, acknowledgment.response) == (ProposalStatus.REJECTED, NO)


@pytest.mark.parametrize("way", ["proposal", "force", "mode NONE"])
async def test_a_publish_consumes_the_answers_to_what_it_changes(world: World, clock: FixedClock, way: str) -> None:
    asset, proposal, team = await answered(world, clock, YES)
    match way:
        case "proposal":
            await world.publish_proposal(proposal)
        case "force":
            await world.withdraw(proposal)
            await world.publish(asset, without("note"), force=True, reason="it must be")
        case _:
            await world.withdraw(proposal)
            weaker = (await world.publish(asset, mode=Mode.NONE)).proposal
            assert weaker is not None
            await world.answer(weaker, team, YES)
            await world.publish_proposal(weaker)
            await world.publish(asset, without("note"))
    active = await world.active(asset)
    assert active is not None
    assert active.schema_def == without("note")
    await world.publish(asset, mode=Mode.BACKWARD)
    _, acknowledgment = await propose(world, asset, "note")
    assert acknowledgment.response is None


async def test_a_rebase_keeps_the_answers_and_asks_about_what_is_new(world: World, clock: FixedClock) -> None:
    asset, proposal, _ = await answered(world, clock, YES)
    await world.publish(asset, adding("channel"))
    late = await world.team("late")
    await world.register(asset, late, "channel")
    await world.publish(asset, without("note"))
    responses = {item.consumer_team_id: item.response for item in await world.acknowledgments(proposal)}
    assert responses == {world.consumers[0].id: None, late.id: None}  # the first team reads everything


async def test_a_carried_answer_keeps_the_delegate_that_gave_it(world: World, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1)
    [team], delegate = world.consumers, await world.team("delegate")
    async with world.database.write() as session:
        await session.update_row(Team, team.id, delegate_team_id=delegate.id, delegate_until=clock.now + DAY)
        await acknowledge(
            session,
            Actor("delegate", delegate.id, frozenset({Scope.WRITE})),
            proposal.id,
            team=TeamRef(id=team.id),
            answer=AcknowledgmentInput(YES),
        )
    _, carried = await propose(world, asset, "note", "total", supersede=True)
    assert (carried.response, carried.responded_by) == (None, None)
    _, carried = await propose(world, asset, "note", supersede=True)
    assert (carried.response, carried.responded_by) == (YES, delegate.id)
