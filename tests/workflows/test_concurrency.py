"""Two processes on one PostgreSQL: two databases with pools of their own, so nothing but the server orders them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Refusal
from tessera_gql.policy.enums import ContractStatus, ProposalStatus, Response
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import teams as team_verbs
from tests.conftest import FixedClock
from tests.store.test_events import assert_chained
from tests.world import World, adding, without

TRIALS = 8


@pytest.fixture
async def pair(postgres_database_url: str, clock: FixedClock) -> AsyncIterator[tuple[World, World]]:
    found = [Database(postgres_database_url, clock=clock) for _ in range(2)]
    yield World(found[0]), World(found[1])
    for one in found:
        await one.dispose()


async def both(*calls: Awaitable[Any]) -> tuple[list[Any], list[Refusal]]:
    """What was done and what was refused; anything else is raised."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException) and not isinstance(one, Refusal):
            raise one
    refused = [one for one in ended if isinstance(one, Refusal)]
    return [one for one in ended if not isinstance(one, Refusal)], refused


async def test_of_two_that_create_the_same_one_succeeds_and_the_other_gets_a_conflict(
    pair: tuple[World, World],
) -> None:
    one, other = pair
    for trial in range(TRIALS):
        done, refused = await both(one.team(f"Team {trial}"), other.team(f"TEAM {trial}"))
        assert (len(done), [type(why) for why in refused]) == (1, [Conflict])
        owner = done[0]
        done, refused = await both(one.asset(f"a.t{trial}", owner), other.asset(f"A.T{trial}", owner))
        assert (len(done), [type(why) for why in refused]) == (1, [Conflict])
        done, refused = await both(one.register(done[0], owner), other.register(done[0], owner))
        assert (len(done), [type(why) for why in refused]) == (1, [Conflict])
    assert_chained(await one.events())


async def test_of_two_teams_that_take_one_name_at_once_one_keeps_its_own(pair: tuple[World, World]) -> None:
    async def rename(world: World, team: Any, name: str) -> Any:
        async with world.database.write() as session:
            return await team_verbs.update(session, world.actor, TeamRef(id=team.id), name=name)

    one, other = pair
    first, second = await one.team("first"), await one.team("second")
    for trial in range(TRIALS):
        done, refused = await both(rename(one, first, f"new {trial}"), rename(other, second, f"NEW {trial}"))
        assert (len(done), [type(why) for why in refused]) == (1, [Conflict])


async def test_first_contracts_published_at_once_are_one_after_the_other(pair: tuple[World, World]) -> None:
    one, other = pair
    owner = await one.team("owner")
    for trial in range(TRIALS):
        asset = await one.asset(f"a.t{trial}", owner)
        await both(one.publish(asset), other.publish(asset, adding("more")))
        found = await one.contracts(asset)
        assert sum(contract.status is ContractStatus.ACTIVE for contract in found) == 1
        assert found[0].version == "1.0.0"


async def test_an_answer_and_a_withdrawal_at_once_leave_one_end(pair: tuple[World, World]) -> None:
    one, other = pair
    owner, consumer = await one.team("owner"), await one.team("consumer")
    for trial in range(TRIALS):
        asset = await one.asset(f"a.t{trial}", owner)
        await one.publish(asset)
        await one.register(asset, consumer)
        row = (await one.publish(asset, without("note"), publish_when_approved=True)).proposal
        assert row is not None
        done, refused = await both(one.answer(row, consumer, Response.APPROVED), other.withdraw(row))
        assert (len(done), [type(why) for why in refused]) == (1, [Conflict])
        ended = done[0].proposal.status
        assert ended in {ProposalStatus.PUBLISHED, ProposalStatus.WITHDRAWN}
        assert len(await one.contracts(asset)) == 1 + (ended is ProposalStatus.PUBLISHED)


async def test_a_publish_and_a_registration_at_once_ask_the_new_reader_either_way(pair: tuple[World, World]) -> None:
    one, other = pair
    owner, consumer = await one.team("owner"), await one.team("consumer")
    for trial in range(TRIALS):
        asset = await one.asset(f"a.t{trial}", owner)
        await one.publish(asset)
        await both(one.publish(asset, without("note")), other.register(asset, consumer))
        row = (await one.rows(Proposal))[-1]
        assert await one.asked(row) == {consumer.id}
        assert row.status is ProposalStatus.PENDING


async def test_the_last_blocker_leaves_while_the_owner_publishes(pair: tuple[World, World]) -> None:
    one, other = pair
    owner, consumer = await one.team("owner"), await one.team("consumer")
    for trial in range(TRIALS):
        asset = await one.asset(f"a.t{trial}", owner)
        await one.publish(asset)
        registration = await one.register(asset, consumer)
        row = (await one.publish(asset, without("note"))).proposal
        assert row is not None
        await one.answer(row, consumer, Response.BLOCKED)
        await both(one.unregister(registration), other.publish_proposal(row))
        status = (await one.proposal(row.id)).status
        assert status in {ProposalStatus.APPROVED, ProposalStatus.PUBLISHED}


async def test_many_verbs_of_two_processes_leave_a_log_without_gaps(pair: tuple[World, World]) -> None:
    one, other = pair
    owner = await one.team("owner")
    assets = [await one.asset(f"a.t{number}", owner) for number in range(4)]
    calls = [world.publish(asset, adding(f"c{turn}")) for asset in assets for turn in range(3) for world in pair]
    await both(*calls)
    assert_chained(await other.events())
    for asset in assets:
        found = await other.contracts(asset)
        assert [one.status for one in found].count(ContractStatus.ACTIVE) == 1
