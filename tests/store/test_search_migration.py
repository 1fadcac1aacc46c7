"""The upgrade that adds the search finds everything that was in the database before."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tessera_gql.store import migration
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.workflows import archiving
from tessera_gql.workflows.labels import set_labels
from tests.store.test_search import fill, find
from tests.store.test_search_histories import assert_index_is_whole, load_documents
from tests.world import ORDERS, World, adding, without

BEFORE_SEARCH = "0012"
ASSETS = 1_100
"""More than are read at once."""


async def build(world: World) -> None:
    """Write an example of all that is searched: open and ended, live and archived, with and without a contract."""
    owner, reader = await world.team("Shop"), await world.team("Finance")
    asset = await world.asset("shop.core.orders", owner, description="Lines of each Bestellung, über alles")
    schema = adding("coupon", {"type": "string", "description": "The voucher 🛒 that was redeemed."})
    await world.publish(asset, schema)
    async with world.database.write() as session:
        await set_labels(session, world.actor, AssetRef(id=asset.id), ["confidential"])
    await world.register(asset, reader)
    ended = (await world.publish(asset, without("note", schema=schema), reason="The ledger moved")).proposal
    assert ended is not None
    await world.withdraw(ended)
    await world.publish(asset, without("total", schema=schema), reason="Sums are elsewhere")
    await world.asset("shop.core.bare", owner)
    retired = await world.asset("shop.core.retired", owner)
    await world.publish(retired, ORDERS)
    contract = await world.active(retired)
    assert contract is not None
    await world.retire(contract)
    archived = await world.asset("shop.old.flamingo", owner)
    await world.team("Forgotten")
    async with world.database.write() as session:
        await archiving.archive_asset(session, world.actor, AssetRef(id=archived.id))


HITS: dict[str, set[str]] = {
    "shop": {"Team", "Asset", "Proposal"},
    "bestelung uber": {"Asset"},
    "coupon": {"Asset"},
    "vouchr": {"Asset"},
    "confidental": {"Asset"},
    "sums elsewhere": {"Proposal"},
    "flamingo": set(),
    "ledger moved": set(),
    "forgotten": {"Team"},
}


@pytest.mark.long
async def test_an_upgrade_finds_everything_from_before_it(bare_url: str) -> None:
    await migration.upgrade(bare_url)
    messages = list[str]()
    async with closing_database(bare_url) as database:
        await build(World(database))
        tables = await fill(database, ASSETS)
        documents = await load_documents(database)
    await migration.downgrade(bare_url, BEFORE_SEARCH)
    await migration.upgrade(bare_url, report_progress=messages.append)
    assert any("documents of the search" in message for message in messages)
    async with closing_database(bare_url) as database:  # which knows no words yet
        assert await load_documents(database) == documents
        for text, types in HITS.items():
            assert {hit.type_name for hit in await find(database, text)} == types, text
        for text, type_name in (("flamingo", "Asset"), ("ledger moved", "Proposal")):
            assert type_name in {hit.type_name for hit in await find(database, text, archived=True)}
        for table in (tables[0], tables[ASSETS // 2], tables[-1]):  # of the first batch and of the last
            assert table.id in {hit.id for hit in (await find(database, table.fqn))[:3]}
            assert table.id in {hit.id for hit in await find(database, table.rare_column)}
        world = World(database)
        await world.asset("shop.core.pelican", await world.team("Pelicans"))
        assert [hit.key.title for hit in await find(database, "pelicn", types=("Asset",))] == ["shop core pelican"]
        await assert_index_is_whole(database)


@asynccontextmanager
async def closing_database(url: str) -> AsyncGenerator[Database]:
    """A database as a new process sees it."""
    database = Database(url)
    try:
        yield database
    finally:
        await database.dispose()
