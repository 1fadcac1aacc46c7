"""Workflows of two processes on one PostgreSQL database are serialized correctly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Refusal
from tessera_gql.policy.enums import ContractStatus, Intent, Outcome, ProposalStatus, Response
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, ChangeSet, Proposal, Team
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


async def test_a_concurrent_ask_and_registration_always_ask_the_new_reader(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset = await first_process.asset(f"a.t{trial}", owner)
        await first_process.publish(asset)
        ask = first_process.publish(asset, without("note"), intent=Intent.ASK)
        await run_concurrently(ask, second_process.register(asset, consumer))
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


async def approved(world: World, name: str, owner: Team, consumer: Team, **request: Any) -> tuple[Asset, Proposal]:
    """An asset with an approved proposal that an ask opened."""
    asset = await world.asset(name, owner)
    await world.publish(asset)
    await world.register(asset, consumer)
    row = (await world.publish(asset, without("note"), intent=Intent.ASK, **request)).proposal
    assert row is not None
    await world.answer(row, consumer, Response.APPROVED)
    return asset, row


async def test_two_releases_of_an_approved_proposal_publish_it_once(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset, row = await approved(first_process, f"a.t{trial}", owner, consumer)
        before = (await first_process.events())[-1].sequence
        succeeded, refused = await run_concurrently(*(world.publish(asset, without("note")) for world in processes))
        assert sorted(result.outcome for result in succeeded) == [Outcome.PUBLISHED, Outcome.UNCHANGED]
        assert refused == []
        assert await second_process.kinds(before) == ["CONTRACT_PUBLISHED", "PROPOSAL_STATUS_CHANGED"]
        assert (await second_process.proposal(row.id)).status is ProposalStatus.PUBLISHED


async def test_a_release_and_an_explicit_publish_publish_once(processes: tuple[World, World]) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset, row = await approved(first_process, f"a.t{trial}", owner, consumer)
        await run_concurrently(first_process.publish(asset, without("note")), second_process.publish_proposal(row))
        assert [contract.version for contract in await first_process.contracts(asset)] == ["1.0.0", "2.0.0"]


async def test_an_ask_beside_a_release_publishes_nothing_twice_and_opens_nothing_new(
    processes: tuple[World, World],
) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        asset, row = await approved(first_process, f"a.t{trial}", owner, consumer)
        (asked, released), refused = await run_concurrently(
            first_process.publish(asset, without("note"), intent=Intent.ASK),
            second_process.publish(asset, without("note")),
        )
        assert refused == []
        assert (asked.outcome, released.outcome) in {
            (Outcome.PROPOSED, Outcome.PUBLISHED),
            (Outcome.UNCHANGED, Outcome.PUBLISHED),
        }
        rows = [item for item in await first_process.rows(Proposal) if item.asset_id == asset.id]
        assert [(item.id, item.status) for item in rows] == [(row.id, ProposalStatus.PUBLISHED)]


async def test_a_change_set_is_opened_once_by_two_calls_with_its_key(processes: tuple[World, World]) -> None:
    for trial in range(TRIALS):
        succeeded, refused = await run_concurrently(*(world.change_set(f"repo#{trial}") for world in processes))
        assert (len({row.id for row in succeeded}), refused) == (1, [])
    assert len(await processes[0].rows(ChangeSet)) == TRIALS


async def test_a_change_set_that_is_published_while_its_proposals_are_released_ends_once(
    processes: tuple[World, World],
) -> None:
    first_process, second_process = processes
    owner, consumer = await first_process.team("owner"), await first_process.team("consumer")
    for trial in range(TRIALS):
        change_set = await first_process.change_set(f"repo#{trial}")
        names = [f"a.t{trial}_{number}" for number in range(3)]
        pairs = [await approved(first_process, name, owner, consumer, change_set_id=change_set.id) for name in names]
        releases = [second_process.publish(asset, without("note")) for asset, _ in reversed(pairs)]
        await run_concurrently(first_process.publish_change_set(change_set.key), *releases)
        assert {(await first_process.proposal(row.id)).status for _, row in pairs} == {ProposalStatus.PUBLISHED}
        published = [event for event in await first_process.events() if event.entity_id == change_set.id]
        ends = [event.kind for event in published if event.kind in {"CHANGE_SET_OPENED", "CHANGE_SET_PUBLISHED"}]
        assert ends == ["CHANGE_SET_OPENED", "CHANGE_SET_PUBLISHED"]


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
