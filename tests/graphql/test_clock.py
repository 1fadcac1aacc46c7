"""When the clock steps back, events keep the order of commits and nothing expires too early."""

from datetime import timedelta

import pytest

from tessera_gql.auth import InvalidCredential
from tessera_gql.policy.access import Scope
from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.store import audit
from tests.conftest import FixedClock
from tests.graphql.authenticated_api import authenticated_api
from tests.graphql.conftest import Ask
from tests.world import World, adding

CREATE = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { team { id } errors { code } } }"


async def test_the_event_log_and_the_versions_keep_the_order_of_commits(world: World, clock: FixedClock) -> None:
    asset = await world.published(consumers=1)
    clock.advance(hours=-2)
    await world.publish(asset, adding("extra"))
    active = await world.active(asset)
    assert active is not None
    assert active.version == "1.1.0"
    log = await world.events()
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    assert log[-1].occurred_at < log[0].occurred_at
    assert (await audit.verify_log(world.database)).sequence == len(log)


async def test_a_proposal_neither_expires_early_nor_hangs(world: World, clock: FixedClock) -> None:
    _, proposal = await world.proposed(consumers=1)
    clock.advance(hours=-2)
    assert (await world.apply_time(proposal)).proposal.status is ProposalStatus.PENDING
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now + timedelta(days=1))
    assert (await world.apply_time(proposal)).proposal.status is ProposalStatus.PENDING
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    assert (await world.publish_proposal(proposal)).proposal.status is ProposalStatus.PUBLISHED


async def test_a_retry_gets_the_first_payload(world: World, clock: FixedClock, ask: Ask) -> None:
    first = await ask(CREATE, input={"name": "one", "idempotencyKey": "k"})
    clock.advance(hours=-2)
    assert await ask(CREATE, input={"name": "one", "idempotencyKey": "k"}) == first
    assert (await world.size())["Team"] == 1


async def test_a_key_is_valid_until_it_expires(world: World, clock: FixedClock) -> None:
    api = authenticated_api(world.database)
    created_key = await api.create_key(await world.team("one"), Scope.READ, expires_at=clock.now + timedelta(hours=1))
    clock.advance(hours=-2)
    assert (await api.keys.identify(f"Bearer {created_key.token}")).actor.key_id == created_key.key.id
    clock.advance(hours=3)
    with pytest.raises(InvalidCredential, match="expired at"):
        await api.keys.identify(f"Bearer {created_key.token}")
