"""No reader behind the owner's tables is missed while a proposal opens, and no transaction deadlocks, on PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from tessera_gql.compute import Computer, run_deferrable
from tessera_gql.policy.enums import DependencyType, Intent
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets, dependencies, registrations
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails
from tests.conftest import FixedClock
from tests.world import World, without

pytestmark = pytest.mark.long
T = TypeVar("T")
TRIALS = 30 if os.environ.get("TESSERA_FUZZ") else 5


@pytest.fixture
async def processes(postgres_database_url: str, clock: FixedClock) -> AsyncIterator[tuple[World, World]]:
    databases = [Database(postgres_database_url, clock=clock) for _ in range(2)]
    yield World(databases[0]), World(databases[1])
    for database in databases:
        await database.dispose()


async def run(world: World, execute: Callable[[Session], Awaitable[T]]) -> T:
    """Run a transaction as a mutation does: again with more locks, if it lacks some."""
    computer = Computer()

    async def attempt(may_defer: bool) -> T:
        async with world.database.write() as session:
            session.computer, session.may_defer = computer, may_defer
            return await execute(session)

    return await run_deferrable(computer, attempt)


def asking(world: World, asset: Asset) -> Awaitable[Any]:
    request = PublishRequest(schema=without("note"), intent=Intent.ASK)
    return run(world, lambda session: publish_contract(session, world.actor, AssetRef(id=asset.id), request))


def registering(world: World, asset: Asset, team: Team) -> Awaitable[Any]:
    details = RegistrationDetails(fields=("note",))
    return run(
        world,
        lambda session: registrations.register(
            session, world.actor, AssetRef(id=asset.id), team=TeamRef(id=team.id), details=details
        ),
    )


def linking(world: World, dependent: Asset, dependency: Asset) -> Awaitable[Any]:
    refs = {"dependent": AssetRef(id=dependent.id), "dependency": AssetRef(id=dependency.id)}
    return run(world, lambda session: dependencies.add(session, world.actor, **refs, type_=DependencyType.TRANSFORMS))


def transferring(world: World, asset: Asset, team: Team) -> Awaitable[Any]:
    details = AssetDetails(owner=TeamRef(id=team.id))
    return run(world, lambda session: assets.update(session, world.actor, AssetRef(id=asset.id), details=details))


async def family(world: World, owner: Team, trial: int) -> list[Asset]:
    """Create three tables of one team, so that their ids rise along the lineage in one trial and fall in the next."""
    tables = [await world.asset(f"t{trial}.{name}", owner) for name in ("one", "two", "three")]
    for table in tables:
        await world.publish(table)
    return tables if trial % 2 else tables[::-1]


async def test_a_reader_that_registers_behind_own_tables_while_a_proposal_opens_is_asked(
    processes: tuple[World, World],
) -> None:
    first, second = processes
    owner, finance = await first.team("owner"), await first.team("finance")
    for trial in range(TRIALS):
        top, middle, last = await family(first, owner, trial)
        await first.depend(middle, top)
        await first.depend(last, middle)
        await asyncio.gather(asking(first, top), registering(second, last, finance))
        (proposal,) = await first.proposals_of(top)
        assert await first.asked(proposal) == {finance.id}


async def test_an_edge_that_is_added_while_a_proposal_opens_and_a_reader_registers_asks_the_reader(
    processes: tuple[World, World],
) -> None:
    first, second = processes
    owner, finance = await first.team("owner"), await first.team("finance")
    for trial in range(TRIALS):
        top, middle, last = await family(first, owner, trial)
        await first.depend(last, middle)
        calls = [asking(first, top), linking(second, middle, top), registering(second, last, finance)]
        await asyncio.gather(*calls)
        (proposal,) = await first.proposals_of(top)
        assert await first.asked(proposal) == {finance.id}


async def test_a_table_that_changes_its_owner_while_a_proposal_opens_asks_the_new_owner(
    processes: tuple[World, World],
) -> None:
    first, second = processes
    owner, finance, sales = [await first.team(name) for name in ("owner", "finance", "sales")]
    for trial in range(TRIALS):
        top, middle, last = await family(first, owner, trial)
        await first.depend(middle, top)
        await first.depend(last, middle)
        await first.register(last, finance, "note")
        await asyncio.gather(asking(first, top), transferring(second, middle, sales))
        (proposal,) = await first.proposals_of(top)
        assert await first.asked(proposal) == {sales.id}
