"""Silence means what the policy of the ask says, counted once, however late and by however many workers."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.errors import Forbidden, Invalid, Stale
from tessera_gql.notifications import deadlines
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import AssetTier, OnSilence, ProposalStatus, Response
from tessera_gql.store import teams as stored_teams
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import ask_policies, proposals, teams
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.teams import DelegateChange, EscalationChange, SubstituteChanges
from tests.conftest import FixedClock
from tests.world import World, without

DAY = timedelta(days=1)
DUE = 14


async def set_policy(world: World, tier: AssetTier = AssetTier.HIGH, **changes: Any) -> None:
    async with world.database.write() as session:
        await ask_policies.set_policy(session, world.actor, tier, {"due_days": DUE, **changes})


async def set_tier(world: World, asset: Asset, tier: AssetTier, *, is_confirmed: bool = True) -> None:
    async with world.database.write() as session:
        await session.update_row(Asset, asset.id, tier=tier, is_tier_confirmed=is_confirmed)


async def propose(world: World, on_silence: OnSilence, *, consumers: int = 1, **policy: Any) -> tuple[Asset, Proposal]:
    """An asset of the tier HIGH, and a proposal that asks under a policy."""
    await set_policy(world, on_silence=on_silence, **policy)
    asset = await world.published(consumers=consumers)
    await set_tier(world, asset, AssetTier.HIGH)
    result = await world.publish(asset, without("note"))
    assert result.proposal is not None
    return asset, result.proposal


async def substitute(
    world: World, team: Team, *, delegate: Team | None = None, until: Any = None, escalation: Team | None = None
) -> None:
    change = DelegateChange(TeamRef(id=delegate.id), until) if delegate else None
    new = EscalationChange(TeamRef(id=escalation.id)) if escalation else None
    async with world.database.write() as session:
        await teams.update(session, world.actor, TeamRef(id=team.id), substitutes=SubstituteChanges(change, new))


async def answer_as(world: World, team: Team, proposal: Proposal, asked: Team) -> None:
    actor = Actor(team.name, team.id, frozenset({Scope.WRITE}))
    async with world.database.write() as session:
        answer = AcknowledgmentInput(Response.APPROVED)
        await proposals.acknowledge(session, actor, proposal.id, team=TeamRef(id=asked.id), answer=answer)


@pytest.mark.parametrize(
    ("on_silence", "status", "response", "expiry"),
    [
        (OnSilence.EXPIRE, ProposalStatus.EXPIRED, None, DUE),
        (OnSilence.APPROVE, ProposalStatus.APPROVED, Response.SILENT, DUE),
        (OnSilence.BLOCK, ProposalStatus.REJECTED, Response.SILENT, DUE + 7),
        (OnSilence.EXTEND, ProposalStatus.PENDING, None, 2 * DUE),
    ],
)
async def test_silence_is_counted_once_at_the_due_date_by_any_number_of_workers(
    world: World,
    database: Database,
    clock: FixedClock,
    *,
    on_silence: OnSilence,
    status: ProposalStatus,
    response: Response | None,
    expiry: int,
) -> None:
    _, proposal = await propose(world, on_silence)
    start = clock.now
    second = Database(str(database.url), clock=clock)
    clock.now = start + DUE * DAY - timedelta(microseconds=1)
    await deadlines.apply_due_deadlines(database)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    clock.now = start + DUE * DAY
    for _ in range(2):
        await asyncio.gather(*(deadlines.apply_due_deadlines(worker) for worker in (database, second, database)))
    await second.dispose()
    row, [acknowledgment] = await world.proposal(proposal.id), await world.acknowledgments(proposal)
    assert (row.status, acknowledgment.response) == (status, response)
    assert row.expires_at == start + expiry * DAY
    kinds = await world.kinds()
    assert kinds.count("SILENCE_COUNTED") == int(on_silence is not OnSilence.EXPIRE)
    assert kinds.count("PROPOSAL_STATUS_CHANGED") == int(on_silence is not OnSilence.EXTEND)


@pytest.mark.parametrize(
    ("on_silence", "status"),
    [
        (OnSilence.APPROVE, ProposalStatus.APPROVED),
        (OnSilence.BLOCK, ProposalStatus.EXPIRED),
        (OnSilence.EXTEND, ProposalStatus.PENDING),
    ],
)
async def test_silence_before_the_expiry_counts_however_late_the_worker_runs(
    world: World, database: Database, clock: FixedClock, on_silence: OnSilence, status: ProposalStatus
) -> None:
    _, proposal = await propose(world, on_silence)
    clock.advance(days=100)
    await deadlines.apply_due_deadlines(database)
    row = await world.proposal(proposal.id)
    assert row.status is status
    if on_silence is OnSilence.EXTEND:
        assert row.expires_at == proposal.proposed_at + 8 * DUE * DAY


async def test_an_extension_ends_after_a_year(world: World, database: Database, clock: FixedClock) -> None:
    _, proposal = await propose(world, OnSilence.EXTEND)
    for _ in range(40):
        clock.advance(days=10)
        await deadlines.apply_due_deadlines(database)
    row = await world.proposal(proposal.id)
    assert row.status is ProposalStatus.EXPIRED
    assert row.expires_at <= proposal.proposed_at + 366 * DAY


async def test_silence_never_consents_before_the_days_to_answer_after_the_ask_to_that_team(
    world: World, database: Database, clock: FixedClock
) -> None:
    asset, proposal = await propose(world, OnSilence.APPROVE)
    clock.advance(days=10)
    late = await world.team("late")
    await world.register(asset, late, "note")
    clock.advance(days=DUE - 10)
    await deadlines.apply_due_deadlines(database)
    responses = {item.consumer_team_id: item.response for item in await world.acknowledgments(proposal)}
    assert responses == {world.consumers[0].id: Response.SILENT, late.id: None}
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    clock.advance(days=10)
    await deadlines.apply_due_deadlines(database)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_silence_approves_only_about_an_asset_whose_tier_an_administrator_has_set(
    world: World, database: Database, clock: FixedClock
) -> None:
    await set_policy(world, on_silence=OnSilence.APPROVE)
    await set_policy(world, AssetTier.NORMAL, on_silence=OnSilence.APPROVE)
    asset = await world.published(consumers=1)
    await set_tier(world, asset, AssetTier.HIGH, is_confirmed=False)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    clock.advance(days=DUE)
    await deadlines.apply_due_deadlines(database)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.EXPIRED


async def test_an_overdue_migration_extends_a_proposal_whose_policy_would_approve(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await propose(world, OnSilence.APPROVE)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now + 5 * DAY)
    for _ in range(6):
        clock.advance(days=10)
        await deadlines.apply_due_deadlines(database)
        assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    assert (await world.kinds()).count("MIGRATION_OVERDUE") == 1
    result = await world.answer(proposal, world.consumers[0], Response.APPROVED)
    assert result.proposal.status is ProposalStatus.APPROVED


async def test_a_team_whose_silence_blocked_may_still_answer_but_its_silence_never_carries(
    world: World, database: Database, clock: FixedClock
) -> None:
    asset, _ = await propose(world, OnSilence.BLOCK)
    clock.advance(days=DUE + 1)
    await deadlines.apply_due_deadlines(database)
    again = (await world.publish(asset, without("note", "total"), supersede=True)).proposal
    assert again is not None
    [acknowledgment] = await world.acknowledgments(again)
    assert (acknowledgment.response, acknowledgment.carried_from) == (None, None)
    clock.advance(days=DUE)
    await deadlines.apply_due_deadlines(database)
    result = await world.answer(again, world.consumers[0], Response.APPROVED)
    assert result.proposal.status is ProposalStatus.APPROVED


async def test_an_ask_keeps_the_policy_it_was_made_with(world: World, clock: FixedClock) -> None:
    _, proposal = await propose(world, OnSilence.APPROVE)
    await set_policy(world, on_silence=OnSilence.BLOCK, due_days=2, remind_days_before=(1,))
    [acknowledgment] = await world.acknowledgments(proposal)
    assert acknowledgment.policy["onSilence"] == "APPROVE"
    assert acknowledgment.due_at == clock.now + DUE * DAY


async def test_only_an_administrator_sets_policies_and_one_that_contradicts_itself_is_refused(world: World) -> None:
    size = await world.size()
    for changes, field in (
        ({"due_days": 0}, "dueDays"),
        ({"due_days": 367}, "dueDays"),
        ({"due_days": 3}, "remindDaysBefore"),
        ({"escalate_after_days": DUE}, "escalateAfterDays"),
    ):
        with pytest.raises(Invalid) as refused:
            await set_policy(world, **changes)
        assert refused.value.field == (field,)
    assert await world.size() == size
    await set_policy(world)
    async with world.database.write() as session:
        with pytest.raises(Stale):
            await ask_policies.set_policy(session, world.actor, AssetTier.HIGH, {}, expected_row_version=2)
    team = await world.team("plain")
    with pytest.raises(Forbidden):
        await set_policy(World(world.database, Actor("plain", team.id, frozenset({Scope.WRITE}))))


async def test_an_ask_without_an_answer_goes_to_the_escalation_team_once(
    world: World, database: Database, clock: FixedClock
) -> None:
    asset, proposal = await propose(world, OnSilence.EXPIRE, consumers=2, escalate_after_days=5)
    boss = await world.team("boss")
    first, second = world.consumers
    await substitute(world, first, escalation=boss)
    async with world.database.read() as session:
        owner = (await stored_teams.by_ids(session, [asset.owner_team_id]))[0]
    await substitute(world, second, escalation=owner)
    with pytest.raises(Forbidden):
        await answer_as(world, boss, proposal, first)
    clock.advance(days=5)
    for _ in range(2):
        await deadlines.apply_due_deadlines(database)
    assert (await world.kinds()).count("ACKNOWLEDGMENT_ESCALATED") == 1
    await answer_as(world, boss, proposal, first)
    with pytest.raises(Forbidden):
        await answer_as(world, owner, proposal, second)
    [answered, silent] = await world.acknowledgments(proposal)
    assert (answered.response, answered.responded_by, silent.escalated_to) == (Response.APPROVED, boss.id, None)


async def test_a_delegate_answers_until_its_date_and_never_for_the_delegate_of_a_delegate(
    world: World, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1)
    [asked] = world.consumers
    near, far = await world.team("near"), await world.team("far")
    await substitute(world, asked, delegate=near, until=clock.now + 2 * DAY)
    await substitute(world, near, delegate=far, until=clock.now + 2 * DAY)
    with pytest.raises(Forbidden):
        await answer_as(world, far, proposal, asked)
    await answer_as(world, near, proposal, asked)
    [acknowledgment] = await world.acknowledgments(proposal)
    assert acknowledgment.responded_by == near.id
    clock.advance(days=2)
    with pytest.raises(Forbidden, match="delegation of consumer-0 ended on 2026-01-03"):
        await answer_as(world, near, proposal, asked)


async def test_neither_the_owner_nor_the_delegate_of_a_team_that_left_answers(world: World, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1)
    [asked] = world.consumers
    async with world.database.read() as session:
        owner = (await stored_teams.by_ids(session, [asset.owner_team_id]))[0]
    await substitute(world, asked, delegate=owner, until=clock.now + DAY)
    with pytest.raises(Forbidden, match="owns the asset or proposes"):
        await answer_as(world, owner, proposal, asked)
    near = await world.team("near")
    await substitute(world, asked, delegate=near, until=clock.now + DAY)
    await world.unregister((await world.registrations())[0])
    with pytest.raises(Forbidden):
        await answer_as(world, near, proposal, asked)


async def test_a_delegate_is_asked_and_reminded_as_well(world: World, database: Database, clock: FixedClock) -> None:
    asset = await world.published(consumers=1)
    near = await world.team("near")
    await substitute(world, world.consumers[0], delegate=near, until=clock.now + 40 * DAY)
    await world.publish(asset, without("note"))
    clock.advance(days=27)
    await deadlines.apply_due_deadlines(database)
    audiences = {event.kind: set(event.teams) for event in await world.events()}
    both = {str(near.id), str(world.consumers[0].id)}
    assert audiences["ACKNOWLEDGMENT_REQUESTED"] == audiences["REMINDER_SENT"] == both


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_a_delegation_to_itself_or_without_a_near_end_is_refused(
    world: World, clock: FixedClock, days: int
) -> None:
    team, second = await world.team("a"), await world.team("b")
    for delegate, until in ((second, clock.now + days * DAY), (team, clock.now + DAY)):
        with pytest.raises(Invalid) as refused:
            await substitute(world, team, delegate=delegate, until=until)
        assert refused.value.field == ("delegate",)
    async with world.database.write() as session:
        with pytest.raises(Invalid):
            await teams.update(
                session,
                world.actor,
                TeamRef(id=team.id),
                substitutes=SubstituteChanges(escalation=EscalationChange(TeamRef(id=team.id))),
            )


async def test_an_expiry_is_extended_by_the_owner_alone_and_only_to_a_later_moment(
    world: World, clock: FixedClock
) -> None:
    asset, proposal = await world.proposed(consumers=1)

    async def extend(actor: Actor, days: int) -> Proposal:
        async with world.database.write() as session:
            result = await proposals.extend_proposal(session, actor, proposal.id, clock.now + days * DAY)
            return result.proposal

    owner = Actor("owner", asset.owner_team_id, frozenset({Scope.WRITE}))
    assert (await extend(owner, 60)).expires_at == clock.now + 60 * DAY
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (acknowledgment.due_at, acknowledgment.remind_at) == (clock.now + 60 * DAY, clock.now + 57 * DAY)
    for days in (59, 367, -1):
        with pytest.raises(Invalid):
            await extend(owner, days)
    with pytest.raises(Forbidden):
        await extend(Actor("reader", world.consumers[0].id, frozenset({Scope.WRITE})), 90)
