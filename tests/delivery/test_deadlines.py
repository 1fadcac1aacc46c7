"""What the passing of time does, applied by the worker and never by a read."""

from tessera_gql.delivery import deadlines
from tessera_gql.policy.words import ProposalStatus, Response
from tessera_gql.store.database import Database
from tests.conftest import FixedClock
from tests.world import World


async def test_a_proposal_that_nobody_answers_expires(world: World, database: Database, clock: FixedClock) -> None:
    _, proposal = await world.proposed(consumers=1)
    clock.advance(days=31)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    assert await deadlines.apply(database) == 1
    expired = await world.proposal(proposal.id)
    assert (expired.status, expired.resolved_at) == (ProposalStatus.EXPIRED, clock.now)
    assert await deadlines.apply(database) == 0


async def test_a_passed_migration_deadline_is_consent(world: World, database: Database, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    deadline = clock.now.replace(day=8)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, deadline)
    clock.advance(days=6)
    assert await deadlines.apply(database) == 0
    clock.advance(days=1)
    await deadlines.apply(database)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PUBLISHED
    active = await world.active(asset)
    assert active is not None
    assert active.version == "2.0.0"


async def test_a_deadline_passed_before_the_proposal_ran_out_counts_however_late_the_worker_is(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now.replace(day=20))
    clock.advance(days=90)
    await deadlines.apply(database)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_an_approved_proposal_waits_for_its_publisher_and_never_expires(
    world: World, database: Database, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    clock.advance(days=400)
    await deadlines.apply(database)
    assert (await world.publish_proposal(proposal)).proposal.status is ProposalStatus.PUBLISHED
