"""The worker applies deadlines, expiry and reminders."""

import asyncio
from datetime import timedelta

from tessera_gql.notifications import deadlines
from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.store.database import Database
from tests.conftest import FixedClock
from tests.world import World


async def test_an_unanswered_proposal_expires(world: World, database: Database, clock: FixedClock) -> None:
    _, proposal = await world.proposed(consumers=1)
    clock.advance(days=31)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    assert await deadlines.apply_due_deadlines(database) == 1
    expired = await world.proposal(proposal.id)
    assert (expired.status, expired.resolved_at) == (ProposalStatus.EXPIRED, clock.now)
    assert await deadlines.apply_due_deadlines(database) == 0


async def test_a_passed_migration_deadline_is_noted_once_and_never_consent(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now.replace(day=8))
    clock.advance(days=6)
    assert await deadlines.apply_due_deadlines(database) == 0
    clock.advance(days=1)
    assert await deadlines.apply_due_deadlines(database) == 1
    assert await deadlines.apply_due_deadlines(database) == 0
    assert (await world.kinds())[-1] == "MIGRATION_OVERDUE"
    clock.advance(days=80)
    await deadlines.apply_due_deadlines(database)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.EXPIRED


async def test_an_approved_proposal_waits_for_its_publisher_and_never_expires(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    clock.advance(days=400)
    await deadlines.apply_due_deadlines(database)
    assert (await world.publish_proposal(proposal)).proposal.status is ProposalStatus.PUBLISHED


async def test_an_awaited_team_is_reminded_once_three_days_and_once_one_day_before_the_end(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=2)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    days: list[int] = []
    for day in range(1, 31):
        clock.advance(days=1)
        before = (await world.events())[-1].sequence
        await asyncio.gather(*(deadlines.apply_due_deadlines(database) for _ in range(3)))
        reminders = [event for event in await world.events(before) if event.kind == "REMINDER_SENT"]
        assert all(event.teams == [str(world.consumers[1].id)] for event in reminders)
        days += [day for _ in reminders]
    assert days == [27, 29]


async def test_a_worker_that_was_down_sends_only_the_last_reminder(
    world: World, database: Database, clock: FixedClock
) -> None:
    await world.proposed(consumers=1)
    clock.advance(days=29, hours=12)
    for _ in range(2):
        await deadlines.apply_due_deadlines(database)
    assert [event.payload["days_before"] for event in await world.events() if event.kind == "REMINDER_SENT"] == [1]


async def test_no_reminder_follows_immediately_after_the_request(
    world: World, database: Database, clock: FixedClock
) -> None:
    await world.proposed(consumers=1, expires_at=clock.now + timedelta(days=2))
    await deadlines.apply_due_deadlines(database)
    assert "REMINDER_SENT" not in await world.kinds()
    clock.advance(days=1, hours=1)
    await deadlines.apply_due_deadlines(database)
    assert (await world.kinds())[-1] == "REMINDER_SENT"


async def test_no_reminder_is_sent_after_an_answer_or_after_the_end(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now + timedelta(days=60))
    clock.advance(days=28)
    await deadlines.apply_due_deadlines(database)
    await world.withdraw(proposal)
    clock.advance(days=1, hours=12)
    await deadlines.apply_due_deadlines(database)
    assert "REMINDER_SENT" not in await world.kinds()


async def test_two_processes_remind_once(world: World, database: Database, clock: FixedClock) -> None:
    await world.proposed(consumers=1)
    clock.advance(days=27, hours=1)
    second = Database(str(database.url), clock=clock)
    await asyncio.gather(*(deadlines.apply_due_deadlines(process) for process in (database, second, database, second)))
    await second.dispose()
    assert (await world.kinds()).count("REMINDER_SENT") == 1
