"""Deadlines are applied by the worker and by every workflow that touches a proposal, before anything else."""

from datetime import timedelta

import pytest

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.enums import ProposalStatus, RegistrationStatus, Response
from tessera_gql.store import registrations
from tests.conftest import FixedClock
from tests.world import World, without

DAY = timedelta(days=1)


async def test_a_passed_migration_deadline_lets_nobody_publish_and_the_team_may_still_agree(
    world: World, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1)
    [team] = world.consumers
    await world.answer(proposal, team, Response.MIGRATING, clock.now + 3 * DAY)
    clock.advance(days=29)
    with pytest.raises(Conflict, match=r"waits for consumer-0\. .* Still migrating: consumer-0"):
        await world.publish_proposal(proposal)
    assert (await world.answer(proposal, team, Response.APPROVED)).proposal.status is ProposalStatus.APPROVED


@pytest.mark.parametrize(("late", "status"), [(-1, ProposalStatus.PENDING), (0, ProposalStatus.EXPIRED)])
async def test_a_proposal_expires_exactly_at_its_moment(
    world: World, clock: FixedClock, late: int, status: ProposalStatus
) -> None:
    _, proposal = await world.proposed(consumers=1)
    clock.now = proposal.expires_at + timedelta(microseconds=late)
    assert (await world.apply_time(proposal)).proposal.status is status


@pytest.mark.parametrize(("late", "is_overdue"), [(-1, False), (0, True)])
async def test_a_migration_is_overdue_once_exactly_from_its_deadline_on(
    world: World, clock: FixedClock, late: int, *, is_overdue: bool
) -> None:
    _, proposal = await world.proposed(consumers=1)
    deadline = clock.now + DAY
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, deadline)
    clock.now = deadline + timedelta(microseconds=late)
    for _ in range(2):
        assert (await world.apply_time(proposal)).proposal.status is ProposalStatus.PENDING
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (acknowledgment.overdue_at is not None) is is_overdue
    assert (await world.kinds()).count("MIGRATION_OVERDUE") == int(is_overdue)


@pytest.mark.parametrize(("days", "expiry"), [(1, 30), (23, 30), (24, 31), (359, 366)])
async def test_a_migration_keeps_the_proposal_open_for_a_week_behind_its_deadline(
    world: World, clock: FixedClock, days: int, expiry: int
) -> None:
    _, proposal = await world.proposed(consumers=1)
    start = clock.now
    result = await world.answer(proposal, world.consumers[0], Response.MIGRATING, start + days * DAY)
    assert result.proposal.expires_at == start + expiry * DAY
    clock.now = result.proposal.expires_at
    assert (await world.apply_time(proposal)).proposal.status is ProposalStatus.EXPIRED


async def test_an_earlier_expiry_does_not_end_a_migration_before_its_time(world: World, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1)
    start = clock.now
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, start + 50 * DAY)
    again = await world.publish(asset, without("note"), expires_at=start + DAY)
    assert again.proposal is not None
    assert (again.proposal.id, again.proposal.expires_at) == (proposal.id, start + 57 * DAY)


async def test_an_expired_proposal_asks_no_team(world: World, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1)
    clock.advance(days=31)
    late = await world.team("late")
    before = (await world.events())[-1].sequence
    await world.register(asset, late)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.EXPIRED
    assert await world.kinds(before) == ["REGISTRATION_CREATED", "PROPOSAL_STATUS_CHANGED"]
    assert await world.asked(proposal) == {world.consumers[0].id}


async def test_a_reader_of_what_was_approved_and_not_published_in_time_gets_as_long_as_any_other(
    world: World, clock: FixedClock
) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    clock.advance(days=31)
    late = await world.team("late")
    before = (await world.events())[-1].sequence
    await world.register(asset, late)
    reopened = await world.proposal(proposal.id)
    assert (reopened.status, reopened.expires_at) == (ProposalStatus.PENDING, clock.now + 30 * DAY)
    kinds = ["REGISTRATION_CREATED", "PROPOSAL_EXTENDED", "ACKNOWLEDGMENT_REQUESTED", "PROPOSAL_STATUS_CHANGED"]
    assert await world.kinds(before) == kinds
    assert (await world.apply_time(proposal)).proposal.status is ProposalStatus.PENDING


async def test_a_consumer_that_leaves_after_the_expiry_does_not_bring_the_proposal_back(
    world: World, clock: FixedClock
) -> None:
    asset, proposal = await world.proposed(consumers=1)
    clock.advance(days=31)
    async with world.database.read() as session:
        registration = (await registrations.list_live(session, [asset.id]))[0]
    await world.unregister(registration)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.EXPIRED


async def test_a_late_answer_is_refused_with_the_time_and_kind_of_the_end(world: World, clock: FixedClock) -> None:
    _, proposal = await world.proposed(consumers=1)
    clock.advance(days=31)
    too_late = r"ran out on 2026-01-31 12:00 UTC without everyone's consent. The owning team can publish"
    for _ in range(2):  # before the worker runs, and afterwards
        with pytest.raises(Conflict, match=too_late):
            await world.answer(proposal, world.consumers[0], Response.APPROVED)
        with pytest.raises(Conflict, match=too_late):
            await world.withdraw(proposal)
        with pytest.raises(Conflict, match=too_late):
            await world.publish_proposal(proposal)
        await world.apply_time(proposal)


@pytest.mark.parametrize("end", ["withdrawn", "expired", "superseded", "forced"])
async def test_registrations_stop_migrating_when_the_proposal_ends(world: World, clock: FixedClock, end: str) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now + 90 * DAY)
    assert await live_statuses(world) == [RegistrationStatus.MIGRATING]
    match end:
        case "withdrawn":
            await world.withdraw(proposal)
        case "expired":
            clock.advance(days=97)
            await world.apply_time(proposal)
        case "superseded":
            await world.publish(asset, without("total"), supersede=True)
        case _:
            await world.publish(asset, without("total"), force=True, reason="the source is gone")
    assert await live_statuses(world) == [RegistrationStatus.ACTIVE]


async def live_statuses(world: World) -> list[RegistrationStatus]:
    return [registration.status for registration in await world.registrations()]


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_a_proposal_may_only_stay_open_until_a_moment_within_a_year(
    world: World, clock: FixedClock, days: int
) -> None:
    asset = await world.published(consumers=1)
    with pytest.raises(Invalid, match="within the next 366 days"):
        await world.publish(asset, without("note"), expires_at=clock.now + days * DAY)


@pytest.mark.parametrize("deadline", [None, timedelta(0), -DAY])
async def test_migrating_needs_a_deadline_in_the_future(
    world: World, clock: FixedClock, deadline: timedelta | None
) -> None:
    _, proposal = await world.proposed(consumers=1)
    moment = None if deadline is None else clock.now + deadline
    with pytest.raises(Invalid, match="migrationDeadline") as refused:
        await world.answer(proposal, world.consumers[0], Response.MIGRATING, moment)
    assert refused.value.field == ("migrationDeadline",)


async def test_a_stale_proposal_is_reported_once_however_often_it_is_checked(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    grown = {**without(), "properties": {**without()["properties"], "channel": {"type": "string"}}}
    await world.publish(asset, grown)
    before = (await world.events())[-1].sequence
    approved = await world.answer(proposal, world.consumers[0], Response.APPROVED)
    assert approved.proposal.status is ProposalStatus.APPROVED
    assert await world.kinds(before) == ["PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED", "PROPOSAL_STALE"]
    size = await world.size()
    await world.apply_time(proposal)
    await world.apply_time(proposal)
    assert await world.size() == size
