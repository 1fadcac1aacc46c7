"""Writers of several processes on one PostgreSQL never deadlock over the words of the search, and lose none."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable

import pytest

from tessera_gql.policy.search_terms import list_variants
from tessera_gql.store import migration
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, Proposal
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows.assets import AssetDetails
from tests.conftest import FixedClock
from tests.store.test_search import find
from tests.store.test_search_histories import assert_index_is_whole, load_variants
from tests.world import World, adding, without

pytestmark = pytest.mark.long

TRIALS = 40
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
async def processes(postgres_database_url: str, clock: FixedClock) -> AsyncIterator[list[World]]:
    """Three processes, each with its own connections and its own memory of words."""
    databases = [Database(postgres_database_url, clock=clock) for _ in range(3)]
    yield [World(database) for database in databases]
    for database in databases:
        await database.dispose()


async def run_together(*calls: Awaitable[object]) -> None:
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def describe(world: World, asset: Asset, terms: list[str]) -> None:
    async with world.database.write() as session:
        details = AssetDetails(description=" ".join(terms))
        await asset_verbs.update(session, world.actor, AssetRef(id=asset.id), details=details)


@pytest.mark.parametrize("count", [6, 40])
async def test_processes_that_introduce_the_same_words_at_once_lose_none(processes: list[World], count: int) -> None:
    """With few new words a process inserts them at once, with many it looks first which of them exist."""
    dice = random.Random(count)
    owner = await processes[0].team("owner")
    assets = [await processes[0].asset(f"a.b.table{number}", owner) for number in range(3)]
    for _ in range(TRIALS):
        terms = ["".join(dice.choices(LETTERS, k=8)) for _ in range(count)]
        orders = [dice.sample(terms, len(terms)) for _ in processes]
        await run_together(*(describe(*arguments) for arguments in zip(processes, assets, orders, strict=True)))
        variants = await load_variants(processes[0].database)
        assert {(variant, term) for term in terms for variant in list_variants(term)} <= variants
        assert len(await find(processes[1].database, terms[0][:-1] + "0")) == len(assets)
    await assert_index_is_whole(processes[0].database)


async def test_a_rename_meets_changes_of_the_proposals_of_the_asset(processes: list[World]) -> None:
    first, second, third = processes
    owner, reader = await first.team("owner"), await first.team("reader")
    asset = await first.asset("a.b.orders", owner)
    await first.publish(asset)
    await first.register(asset, reader)
    for trial in range(TRIALS):
        proposal = (await first.publish(asset, without("note"), supersede=True, reason=f"reason{trial}")).proposal
        assert proposal is not None
        await run_together(
            rename(first, asset, f"a.b.bookings{trial}"),
            second.withdraw(proposal),
            describe(third, asset, [f"bookings{trial}", f"reason{trial}"]),
        )
    assert len(await first.rows(Proposal)) == TRIALS
    await assert_index_is_whole(first.database)


async def rename(world: World, asset: Asset, fqn: str) -> None:
    async with world.database.write() as session:
        await asset_verbs.rename(session, world.actor, AssetRef(id=asset.id), fqn)


async def test_a_reindex_beside_writers_loses_no_word_and_no_document(processes: list[World]) -> None:
    first, second, _ = processes
    owner = await first.team("owner")
    assets = [await first.asset(f"a.b.table{number}", owner) for number in range(2)]
    dice = random.Random(1)

    async def write(world: World, asset: Asset) -> None:
        for number in range(TRIALS // 2):
            await describe(world, asset, ["".join(dice.choices(LETTERS, k=6)) for _ in range(dice.choice([2, 20]))])
            await world.publish(asset, adding("".join(dice.choices(LETTERS, k=6))), force=True, reason=f"n{number}")

    async def reindex() -> None:
        for _ in range(TRIALS // 4):
            await migration.reindex(first.database.url)

    await run_together(write(first, assets[0]), write(second, assets[1]), reindex())
    await assert_index_is_whole(second.database)
