"""Workflows of two processes on one PostgreSQL database are serialized correctly."""

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
async def processes(postgres_database_url: str, clock: FixedClock) -> AsyncIterator[tuple[World, World]]:
    databases = [Database(postgres_database_url, clock=clock) for _ in range(2)]
    yield World(databases[0]), World(databases[1])
    for database in databases:
        await database.dispose()


async def run_concurrently(*calls: Awaitable[Any]) -> tuple[list[Any], list[Refusal]]:
    """Run calls concurrently; return results and refusals, and raise other errors."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    for result in ended:
        if isinstance(result, BaseException) and not isinstance(result, Refusal):
            raise result
    refused = [result for result in ended if isinstance(result, Refusal)]
    return [result for result in ended if not isinstance(result, Refusal)], refused


async def test_creating_the_same_thing_at_once_succeeds_once_and_conflicts_once(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    for trial in range(TRIALS):
        succeeded, refused = await run_concurrently(
            first_process.team(f"Team {trial}"), second_process.team(f"TEAM {trial}")
        )
        assert (len(succeeded), [type(error) for error in refused]) == (1, [Conflict])
        owner = succeeded[0]
        succeeded, refused = await run_concurrently(
            first_process.asset(f"a.t{trial}", owner), second_process.asset(f"A.T{trial}", owner)
        )
        assert (len(succeeded), [type(error) for error in refused]) == (1, [Conflict])
        succeeded, refused = await run_concurrently(
            first_process.register(succeeded[0], owner), second_process.register(succeeded[0], owner)
        )
        assert (len(succeeded), [type(error) for error in refused]) == (1, [Conflict])
    assert_chained(await first_process.events())


async def test_two_teams_renamed_to_the_same_name_at_once_conflict(processes: tuple[World, World]) -> None:
    async def rename(world: World, team: Any, name: str) -> Any:
        async with world.database.write() as session:
            return await team_verbs.update(session, world.actor, TeamRef(id=team.id), name=name)

    first_process, second_process = processes
    first, second = await first_process.team("first"), await first_process.team("second")
    for trial in range(TRIALS):
        succeeded, refused = await run_concurrently(
            rename(first_process, first, f"new {trial}"), rename(second_process, second, f"NEW {trial}")
        )
        assert (len(succeeded), [type(error) for error in refused]) == (1, [Conflict])


async def test_concurrent_first_contracts_are_published_one_after_the_other(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner = await first_process.team("owner")
    for trial in range(TRIALS):
        asset = await first_process.asset(f"a.t{trial}", owner)
        await run_concurrently(first_process.publish(asset), second_process.publish(asset, adding("more")))
        contracts = await first_process.contracts(asset)
        assert sum(contract.status is ContractStatus.ACTIVE for contract in contracts) == 1
        assert contracts[0].version == "1.0.0"


async def test_a_concurrent_answer_and_withdrawal_end_the_proposal_once(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset = await first_process.asset(f"a.t{trial}", owner)
        await first_process.publish(asset)
        await first_process.register(asset, consumer)
        row = (await first_process.publish(asset, without("note"), publish_when_approved=True)).proposal
        assert row is not None
        succeeded, refused = await run_concurrently(
            first_process.answer(row, consumer, Response.APPROVED), second_process.withdraw(row)
        )
        assert (len(succeeded), [type(error) for error in refused]) == (1, [Conflict])
        ended = succeeded[0].proposal.status
        assert ended in {ProposalStatus.PUBLISHED, ProposalStatus.WITHDRAWN}
        assert len(await first_process.contracts(asset)) == 1 + (ended is ProposalStatus.PUBLISHED)


async def test_a_concurrent_publish_and_registration_always_ask_the_new_reader(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset = await first_process.asset(f"a.t{trial}", owner)
        await first_process.publish(asset)
        await run_concurrently(first_process.publish(asset, without("note")), second_process.register(asset, consumer))
        row = (await first_process.rows(Proposal))[-1]
        assert await first_process.asked(row) == {consumer.id}
        assert row.status is ProposalStatus.PENDING


async def test_the_last_blocker_leaves_while_the_owner_publishes(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset = await first_process.asset(f"a.t{trial}", owner)
        await first_process.publish(asset)
        registration = await first_process.register(asset, consumer)
        row = (await first_process.publish(asset, without("note"))).proposal
        assert row is not None
        await first_process.answer(row, consumer, Response.BLOCKED)
        await run_concurrently(first_process.unregister(registration), second_process.publish_proposal(row))
        status = (await first_process.proposal(row.id)).status
        assert status in {ProposalStatus.APPROVED, ProposalStatus.PUBLISHED}


async def test_workflows_of_two_processes_leave_a_log_without_gaps(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner = await first_process.team("owner")
    assets = [await first_process.asset(f"a.t{number}", owner) for number in range(4)]
    calls = [world.publish(asset, adding(f"c{turn}")) for asset in assets for turn in range(3) for world in processes]
    await run_concurrently(*calls)
    assert_chained(await second_process.events())
    for asset in assets:
        contracts = await second_process.contracts(asset)
        assert [contract.status for contract in contracts].count(ContractStatus.ACTIVE) == 1
