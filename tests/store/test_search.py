"""The search forgives a wrong letter, explains its hits, and its documents follow the rows within a transaction."""

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select

from bench import _warehouse
from tessera_gql.policy.enums import ContractStatus, ResourceType
from tessera_gql.policy.search_documents import SearchPart
from tessera_gql.store import migration, search, suggestions
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.search import SearchRequest
from tessera_gql.store.search_index import DOCUMENTS, VARIANTS
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.labels import set_labels
from tests.world import ORDERS, World, adding, without

TYPES = ("Team", "Asset", "Proposal")


async def find(database: Database, text: str, *, types: Sequence[str] = TYPES, archived: bool = False) -> list[Any]:
    async with database.read() as session:
        return (await search.find_hits(session, SearchRequest(text, tuple(types), archived))).hits


async def titles(database: Database, text: str, **options: Any) -> list[str]:
    return [hit.key.title for hit in await find(database, text, **options)]


async def documents(database: Database) -> list[tuple[Any, ...]]:
    columns = [column for column in DOCUMENTS.c if column.key != "number"]
    async with database.read() as session:
        rows = await session.rows(select(*columns).order_by(DOCUMENTS.c.entity_id))
    return [tuple(getattr(row, column.key) for column in columns) for row in rows]


async def fill(database: Database, count: int) -> list[_warehouse.Table]:
    tables = _warehouse.generate_tables(count)
    rows = zip((Team, Asset, Contract), _warehouse.generate_rows(tables), strict=True)
    async with database.write() as session:
        for model, values in rows:
            await session.insert_all([model(**_complete(model, value)) for value in values])
    return tables


def _complete(model: Any, values: dict[str, Any]) -> dict[str, Any]:
    enums = {Asset: {"resource_type": ResourceType.TABLE}, Contract: {"status": ContractStatus.ACTIVE}}
    return values | enums.get(model, {})


def misspellings(name: str, generator: random.Random) -> list[str]:
    """Every letter left out, replaced, preceded by another, and exchanged with the next."""
    letters = [generator.choice("abcdefghijklmnopqrstuvwxyz") for _ in name]
    edits = [name[:at] + name[at + 1 :] for at in range(len(name))]
    edits += [name[:at] + letter + name[at + 1 :] for at, letter in enumerate(letters)]
    edits += [name[:at] + letter + name[at:] for at, letter in enumerate(letters)]
    return edits + [name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)]


@pytest.mark.long
async def test_a_mistake_in_any_letter_of_a_name_still_finds_it(database: Database) -> None:
    tables, generator, missed = await fill(database, 300), random.Random(3), []
    for table in generator.sample(tables, 4):
        leaf = table.fqn.rpartition(".")[2]
        for text in misspellings(leaf, generator):
            hits = await find(database, text, types=("Asset",))
            if table.id not in {hit.id for hit in hits}:
                missed.append((leaf, text))
    assert missed == []


async def test_words_in_any_order_find_a_name_a_column_and_a_description(world: World) -> None:
    owner = await world.team("Shop")
    asset = await world.asset("prod.finance.fct_OrderItems", owner, description="Lines of each Bestellung, über alles")
    await world.publish(asset, ORDERS)
    for text, part in {
        "items order": SearchPart.NAME,
        "orderitems": SearchPart.NAME,
        "ORDER ITEMS finance": SearchPart.NAME,
        "customer items": SearchPart.COLUMN,
        "uber bestellungen": None,
        "ÜBER bestelung": SearchPart.DESCRIPTION,
        "1.0.0 fct": SearchPart.CONTRACT,
    }.items():
        hits = await find(world.database, text, types=("Asset",))
        assert [hit.matched for hit in hits] == ([part] if part else []), text


async def test_a_space_too_many_or_too_few_still_finds_a_name(world: World) -> None:
    await world.asset("prod.finance.fct_customer_orders", await world.team("Shop"))
    for text in ("fctcustomer orders", "fct custom er orders", "fct custome rorders", "customerorders"):
        assert await titles(world.database, text) == ["prod finance fct customer orders"], text


async def test_exact_matches_come_before_columns_and_columns_before_misspelt_names(world: World) -> None:
    owner = await world.team("Shop")
    await world.asset("a.b.ordesr", owner)
    with_column = await world.asset("a.b.sales", owner)
    await world.publish(with_column, adding("orders"))
    await world.asset("a.b.described", owner, description="all orders")
    await world.asset("a.b.orders", owner)
    names = [title.rpartition(" ")[2] for title in await titles(world.database, "orders", types=("Asset",))]
    assert names == ["orders", "sales", "described", "ordesr"]


async def test_documents_follow_every_change_and_equal_those_built_anew(world: World) -> None:
    database, owner = world.database, await world.team("Shop")
    asset = await world.asset("a.b.orders", owner, description="first")
    await world.publish(asset, ORDERS)
    assert await titles(database, "note") == ["a b orders"]
    await world.publish(asset, adding("loyalty"))
    assert await titles(database, "loyalty") == ["a b orders"]
    reader = await world.team("Finance")
    await world.register(asset, reader)
    await world.publish(asset, without("note", schema=adding("loyalty")))
    assert [hit.type_name for hit in await find(database, "note orders")] == ["Asset", "Proposal"]
    async with database.write() as session:
        ref = AssetRef(id=asset.id)
        await asset_verbs.update(session, world.actor, ref, details=AssetDetails(description="second"))
        await asset_verbs.rename(session, world.actor, ref, "a.b.bookings")
    assert await titles(database, "first") == []
    assert {hit.key.title for hit in await find(database, "bookings")} == {"a b bookings"}
    assert len(await find(database, "bookings")) == 2
    async with database.write() as session:
        await set_labels(session, world.actor, AssetRef(id=asset.id), ["pii", "team:growth"])
    existing = await documents(database)
    await migration.reindex(database.url)
    assert await documents(database) == existing


async def test_what_is_rolled_back_is_not_found(world: World) -> None:
    owner = await world.team("Shop")
    with suppress(RuntimeError):
        async with world.database.write() as session:
            await _create(world, session, "a.b.lost", owner)
            raise RuntimeError
    async with world.database.write() as session:
        await _create(world, session, "a.b.kept", owner)
        with suppress(RuntimeError):
            async with session.savepoint():
                await _create(world, session, "a.b.dropped", owner)
                raise RuntimeError
    assert await titles(world.database, "b", types=("Asset",)) == ["a b kept"]


async def _create(world: World, session: Session, fqn: str, owner: Team) -> None:
    details = AssetDetails(owner=TeamRef(id=owner.id))
    await asset_verbs.create(session, world.actor, fqn=fqn, details=details)


async def test_strange_texts_are_answered(world: World) -> None:
    owner = await world.team("Shop 🛒")
    await world.asset("a.b.orders", owner, description='He said "NEAR" AND 100% of 東京タワー')
    for text in ('"', "' OR --", "NEAR(", "a* OR b", "%", "_", "\\", "-- ;", "((", "^b", "{names}: b", "a:b"):
        await find(world.database, text)
    assert await titles(world.database, "🛒") == ["shop 🛒"]
    assert await titles(world.database, "%") == ["a b orders"]
    assert await titles(world.database, '"near" AND') == ["a b orders"]
    assert await titles(world.database, "タワー") == ["a b orders"]
    assert await titles(world.database, "...") == []
    assert await titles(world.database, "x " * 100) == []
    assert await titles(world.database, "y" * 200) == []


async def test_a_prefix_is_completed_to_names_and_to_words_that_have_hits(world: World) -> None:
    owner = await world.team("Orderly")
    await world.asset("prod.finance.orders", owner)
    await world.asset("prod.finance.order_items", owner)

    async def suggest(text: str) -> list[tuple[str, str | None]]:
        async with world.database.read() as session:
            return await suggestions.suggest(session, SearchRequest(text, TYPES), 8)

    assert await suggest("ord") == [
        ("prod.finance.orders", "Asset"),
        ("prod.finance.order_items", "Asset"),
        ("Orderly", "Team"),
        ("order", None),
        ("orderly", None),
        ("orders", None),
    ]
    assert await suggest("finance it") == [("finance items", None)]
    assert await suggest("zzz") == []


async def test_numbers_take_few_variants(world: World) -> None:
    await world.asset("a.b.t_20240101", await world.team("Shop"))
    async with world.database.read() as session:
        rows = await session.rows(select(VARIANTS.c.variant).where(VARIANTS.c.term == "20240101"))
    assert [row.variant for row in rows] == ["=20240101"]


async def test_an_asset_is_found_by_a_label_while_it_has_it(world: World) -> None:
    asset = await world.published()
    async with world.database.write() as session:
        await set_labels(session, world.actor, AssetRef(id=asset.id), ["confidential"])
    (hit,) = await find(world.database, "confidental")
    assert hit.matched == SearchPart.LABEL
    async with world.database.write() as session:
        await set_labels(session, world.actor, AssetRef(id=asset.id), [])
    assert not await find(world.database, "confidential")
