"""An answer to a whole change set against whatever else ends or changes its proposals: no deadlock, no loss."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete

from tessera_gql.errors import Conflict, Forbidden
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.enums import Intent, ProposalStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Answer, Asset, ChangeSet, Proposal, Team, table
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows.assets import AssetDetails
from tests.conftest import FixedClock
from tests.store.test_events import assert_chained
from tests.workflows.test_change_set_answers import KEY, answer, ask, read_tables
from tests.workflows.test_concurrency import run_concurrently
from tests.world import World, adding, without

pytestmark = pytest.mark.long

TRIALS = 30 if os.environ.get("TESSERA_FUZZ") else 5
TABLES = 3
Rival = Callable[[World, list[Asset], FixedClock], Awaitable[Any]]


@pytest.fixture
async def processes(postgres_database_url: str, clock: FixedClock) -> AsyncIterator[tuple[World, World]]:
    databases = [Database(postgres_database_url, clock=clock) for _ in range(2)]
    yield World(databases[0]), World(databases[1])
    for database in databases:
        await database.dispose()


async def supersede(world: World, assets: list[Asset], _: FixedClock) -> None:
    """Replace the proposals from the last table to the first, each in a transaction of its own."""
    for asset in reversed(assets):
        await world.publish(asset, without("total"), supersede=True)


async def supersede_in_change_set(world: World, assets: list[Asset], _: FixedClock) -> None:
    await ask(world, [*reversed(assets)], "total")


async def withdraw(world: World, _assets: list[Asset], _: FixedClock) -> None:
    await world.withdraw_change_set(KEY)


async def publish(world: World, _assets: list[Asset], _: FixedClock) -> None:
    await world.publish_change_set(KEY)


async def expire(world: World, _assets: list[Asset], clock: FixedClock) -> None:
    clock.advance(days=31)
    await apply_due_deadlines(world.database)


async def read_more(world: World, assets: list[Asset], _: FixedClock) -> None:
    """Let another team register for all tables, from the last to the first."""
    second_reader = next(team for team in await world.rows(Team) if team.name == "other")
    for asset in reversed(assets):
        await world.register(asset, second_reader)


async def rebase(world: World, assets: list[Asset], _: FixedClock) -> None:
    """Move the proposals to a newer contract, from the last table to the first; the reader is asked about more."""
    for asset in reversed(assets):
        await world.publish(asset, adding("more"))
        await world.publish(asset, without("note"), intent=Intent.ASK)


async def transfer(world: World, assets: list[Asset], _: FixedClock) -> None:
    """Give the tables to their reader and back, from the last to the first; it is asked about none meanwhile."""
    teams = {team.name: team for team in await world.rows(Team)}
    for asset in reversed(assets):
        for owner in (teams["reader"], teams["producers"]):
            async with world.database.write() as session:
                details = AssetDetails(owner=TeamRef(id=owner.id))
                await asset_verbs.update(session, world.actor, AssetRef(id=asset.id), details=details)


async def begin_again(world: World, assets: list[Asset]) -> None:
    """End what a trial has left, so that the next one asks anew."""
    for registration in await world.registrations():
        if registration.consumer_team_id in {team.id for team in await world.rows(Team) if team.name == "other"}:
            await world.unregister(registration)
    for row in await world.rows(Proposal):
        if row.status.is_open:
            await world.withdraw(row)
    for asset in assets:
        await world.publish(asset, force=True, reason="another trial")
    async with world.database.write() as session:
        await session.execute(delete(table(Answer)))


RIVALS = (supersede, supersede_in_change_set, withdraw, publish, expire, read_more, rebase, transfer)


@pytest.mark.parametrize("rival", RIVALS)
async def test_an_answer_to_a_change_set_and_a_rival_leave_a_state_that_one_order_explains(
    processes: tuple[World, World], clock: FixedClock, rival: Rival
) -> None:
    first, second = processes
    await first.team("other")
    _, assets, reader = await read_tables(first, TABLES)
    for trial in range(TRIALS):
        rows = await ask(first, assets)
        async with asyncio.timeout(30):
            _, refused = await run_concurrently(
                begin_after(trial % 6, answer(first, reader)), begin_after(trial % 5, rival(second, assets, clock))
            )
        assert all(isinstance(error, Conflict | Forbidden) for error in refused), refused
        await check(first, reader, rows)
        await begin_again(first, assets)
    assert_chained(await first.events())


async def test_the_last_two_proposals_published_at_once_leave_their_change_set_published_once(
    processes: tuple[World, World], clock: FixedClock
) -> None:
    first, second = processes
    owner = await first.team("producers")
    for trial in range(TRIALS):
        change_set = await first.change_set(f"repo#{trial}")
        rows: list[Proposal] = []
        for number in range(2):
            asset = await first.asset(f"core.t{trial}_{number}", owner)
            await first.publish(asset)
            rows += await ask_in(first, asset, change_set)
        clock.advance(minutes=1)
        await run_concurrently(*(world.publish_proposal(row) for world, row in zip(processes, rows, strict=True)))
        await asyncio.gather(*(apply_due_deadlines(world.database) for world in processes))
        [after] = [row for row in await second.rows(ChangeSet) if row.id == change_set.id]
        assert after.status == "PUBLISHED"
    assert (await first.kinds()).count("CHANGE_SET_PUBLISHED") == TRIALS


async def ask_in(world: World, asset: Asset, change_set: ChangeSet) -> list[Proposal]:
    row = (await world.publish(asset, without("note"), intent=Intent.ASK, change_set_id=change_set.id)).proposal
    return [row] if row else []


async def begin_after(steps: int, call: Awaitable[Any]) -> Any:
    """Begin a call some milliseconds later, so that the trials meet in different places."""
    await asyncio.sleep(steps * 0.004)
    return await call


async def check(world: World, reader: Team, rows: list[Proposal]) -> None:
    """Check that each proposal has one event for its answer, and that none was published without an answer."""
    events = await world.events()
    for row in rows:
        after = await world.proposal(row.id)
        [request] = [item for item in await world.acknowledgments(row) if item.consumer_team_id == reader.id]
        answers = [item for item in events if item.kind == "PROPOSAL_ANSWERED" and item.proposal_id == row.id]
        is_asked_more = len(after.breaking_changes) > len(row.breaking_changes)
        assert len(answers) == (request.response is Response.APPROVED) or (is_asked_more and len(answers) == 1)
        assert answers or after.status is not ProposalStatus.PUBLISHED
        contract = await world.active(next(item for item in await world.rows(Asset) if item.id == row.asset_id))
        assert contract is not None
    change_set = next(item for item in await world.rows(ChangeSet) if item.key == KEY)
    open_rows = [row for row in await world.rows(Proposal) if row.status.is_open and row.change_set_id == change_set.id]
    assert change_set.status == "OPEN" or not open_rows
