"""Lists of more than 10,000 items: what is counted of them, and how their texts are found."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from tessera_gql.config import Executor
from tessera_gql.policy.enums import LabelOrigin
from tessera_gql.server.http import Transport, execute
from tessera_gql.store import related_matches
from tessera_gql.store.pagination import MAX_COUNT
from tessera_gql.store.tables import Asset, AssetColumn, AssetLabel, new_id
from tessera_gql.store.tables import table as table_of
from tests.conftest import START
from tests.graphql.conftest import Ask, anyone
from tests.world import World

COUNTS = """
query ($filter: AssetFilter) {
  assets(first: 2, filter: $filter) { totalCount isTotalCountExact nodes { fqn } }
  teams(first: 5) { nodes { name assets(first: 0, filter: $filter) { totalCount isTotalCountExact } } }
}
"""
FQNS = "query ($filter: AssetFilter) { assets(first: 100, filter: $filter) { totalCount nodes { fqn } } }"
ONE = 'filter: {fqn: {eq: "shop.core.t00007"}}'
EXECUTORS = (Executor.PUSHDOWN, Executor.PLANNED, Executor.REFERENCE)


async def multiply(world: World, fqns: list[str]) -> None:
    """Insert assets like one that exists, beside the workflows."""
    template = (await world.rows(Asset))[0]
    row = {column.key: getattr(template, column.key) for column in table_of(Asset).c}
    async with world.database.write() as session:
        for start in range(0, len(fqns), 5_000):
            names = fqns[start : start + 5_000]
            await session.append(table_of(Asset), [row | {"id": new_id(), "fqn": n, "fqn_key": n} for n in names])


def with_executor(transport: Transport, executor: Executor) -> Transport:
    plan = transport.plan_pushdown if executor is Executor.PUSHDOWN else None
    return replace(transport, executor=executor, plan_pushdown=plan)


@pytest.mark.long
async def test_a_long_list_says_that_it_has_more_items_than_are_counted(world: World, transport: Transport) -> None:
    team = await world.team("owners")
    await world.team("others")
    await world.asset("shop.core.a", team)
    await multiply(world, [f"shop.core.t{number}" for number in range(MAX_COUNT)])
    for executor in EXECUTORS:
        run = with_executor(transport, executor)
        for filters, expected in (
            ({}, {"totalCount": MAX_COUNT, "isTotalCountExact": False}),
            ({"fqn": {"startsWith": "shop.core.t"}}, {"totalCount": MAX_COUNT, "isTotalCountExact": True}),
            ({"fqn": {"contains": "core.t123"}}, {"totalCount": 11, "isTotalCountExact": True}),
            ({"fqn": {"contains": "CORE.T"}}, {"totalCount": MAX_COUNT, "isTotalCountExact": True}),
            ({"fqn": {"contains": "core.u"}}, {"totalCount": 0, "isTotalCountExact": True}),
        ):
            reply = await execute(run, query=COUNTS, variables={"filter": filters}, identity=await anyone(None))
            data = reply["data"]
            assert {name: data["assets"][name] for name in expected} == expected, (executor, filters)
            by_team = {item["name"]: item["assets"] for item in data["teams"]["nodes"]}
            assert by_team == {"owners": expected, "others": {"totalCount": 0, "isTotalCountExact": True}}


TEXTS = (
    ("Straße", ["shop.straße_1"]),
    ("STRASSE", ["shop.straße_1"]),
    ("100%", ["shop.100%_off"]),
    ("%_o", ["shop.100%_off"]),
    ('say "hi"', ['shop.say "hi"']),
    ("*", ["shop.a*b"]),
    ("a*b", ["shop.a*b"]),
    ("/or", ["shop.and/or"]),
    ("日本語", ["shop.日本語の表"]),
    ("本語の", ["shop.日本語の表"]),
    ("語", ["shop.日本語の表"]),
    ("shop.x", []),
    ("'; --", []),
)

FORBIDDEN = set('%" /')
"""Characters that no name of an asset has."""


@pytest.mark.parametrize("column", ["fqn", "description"])
async def test_a_text_is_found_wherever_it_stands(column: str, world: World, ask: Ask) -> None:
    team = await world.team("owners")
    names = [*dict.fromkeys(name for _, matches in TEXTS for name in matches)]
    if column == "fqn":
        names = [name for name in names if not set(name) & FORBIDDEN]
    for index, name in enumerate(names):
        await world.asset(name if column == "fqn" else f"shop.t{index}", team, description=name)
    fqns = {name: name if column == "fqn" else f"shop.t{index}" for index, name in enumerate(names)}
    for text, matches in TEXTS:
        if column == "description" and text == "STRASSE":
            continue  # descriptions are compared in lower case, and names case-folded
        data = await ask(FQNS, filter={column: {"contains": text}})
        expected = [fqns[name] for name in matches if name in fqns]
        assert [node["fqn"] for node in data["assets"]["nodes"]] == expected, text


async def test_a_changed_text_is_found_and_its_former_one_is_not(world: World, ask: Ask) -> None:
    asset = await world.asset("shop.core.orders", await world.team("owners"), description="What was sold.")
    async with world.database.write() as session:
        await session.update_row(
            Asset, asset.id, fqn="shop.core.sales", fqn_key="shop.core.sales", description="Who bought."
        )
    for filters, count in (
        ({"fqn": {"contains": "order"}}, 0),
        ({"fqn": {"contains": "sales"}}, 1),
        ({"description": {"contains": "sold"}}, 0),
        ({"description": {"contains": "bought"}}, 1),
        ({"not": {"fqn": {"contains": "sales"}}}, 0),
        ({"or": [{"fqn": {"contains": "order"}}, {"description": {"contains": "WHO"}}]}, 1),
        ({"fqn": {"contains": "sales"}, "description": {"contains": "sold"}}, 0),
    ):
        assert (await ask(FQNS, filter=filters))["assets"]["totalCount"] == count, filters


@pytest.mark.long
async def test_a_sample_says_which_texts_the_index_finds(
    world: World, ask: Ask, counted: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    await world.asset("shop.core.a", await world.team("owners"))
    await multiply(world, [f"shop.core.t{number:04}" for number in range(5_000)])
    for filters, total, uses_index in (
        ({"fqn": {"contains": "core.t"}}, 5_000, False),
        ({"fqn": {"contains": "core.t1234"}}, 1, True),
        ({"not": {"fqn": {"contains": "core.t"}}}, 1, False),
        ({"not": {"fqn": {"contains": "core.a"}}}, 5_000, True),
        ({"or": [{"fqn": {"contains": "core.a"}}, {"fqn": {"contains": "core.t"}}]}, 5_001, True),
    ):
        with counted() as statements:
            data: Any = await ask(FQNS, filter=filters)
        assert data["assets"]["totalCount"] == total, filters
        assert len(data["assets"]["nodes"]) == min(total, 100), filters
        (page,) = [text for text in statements if "LIMIT" in text and "fqn_key" in text and "TABLESAMPLE" not in text]
        assert ("trigrams" in page or "search_index_asset_texts" in page) is uses_index, page


async def test_assets_are_found_by_related_rows_that_are_rare_and_by_those_that_are_common(
    world: World, ask: Ask, transport: Transport, counted: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    """SQLite looks assets up by 1,000 related rows at most; where more meet a condition, it reads the list itself."""
    await world.asset("shop.core.t0000", await world.team("owners"))
    await multiply(world, [f"shop.core.t{number:04}" for number in range(1, 1_100)])
    assets = sorted(await world.rows(Asset), key=lambda row: row.fqn)
    rows = [{"asset_id": row.id, "name_key": "common"} for row in assets[:1_050]]
    rows += [{"asset_id": row.id, "name_key": "rare"} for row in assets[1_000:1_020]]
    async with world.database.write() as session:
        await session.append(table_of(AssetColumn), rows)
    first, without = [f"shop.core.t{number:04}" for number in range(100)], [row.fqn for row in assets[1_050:]]
    common, rare = ({"column": {"eq": name}} for name in ("common", "Rare"))
    for filters, total, expected, in_order in (
        (common, 1_050, first, True),
        ({"column": {"startsWith": "comm"}}, 1_050, first, True),
        ({"column": {"in": ["rare", "common"]}}, 1_050, first, True),
        (rare, 20, [row.fqn for row in assets[1_000:1_020]], False),
        ({"column": {"eq": "none"}}, 0, [], False),
        ({"not": common}, 50, without, True),
        (common | {"not": rare}, 1_030, first, True),
        ({"or": [rare, {"not": common}]}, 70, [row.fqn for row in [*assets[1_000:1_020], *assets[1_050:]]], True),
        (common | {"fqn": {"contains": "t1049"}}, 1, ["shop.core.t1049"], True),
    ):
        with counted() as statements:
            data: Any = await ask(FQNS, filter=filters)
        assert data["assets"]["totalCount"] == total, filters
        assert [node["fqn"] for node in data["assets"]["nodes"]] == expected, filters
        for executor in EXECUTORS:
            run = with_executor(transport, executor)
            reply = await execute(run, query=FQNS, variables={"filter": filters}, identity=await anyone(None))
            assert reply["data"] == data, (executor, filters)
        if world.database.dialect == "sqlite":
            assert any("EXISTS" in text for text in statements) is in_order, filters


async def test_both_ways_find_the_same_assets_for_each_kind_of_related_rows(
    world: World, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset, _ = await world.proposed(consumers=2)
    lonely = await world.asset("shop.core.lonely", await world.team("owners"))
    async with world.database.write() as session:
        label = {"asset_id": lonely.id, "name_key": "pii", "name": "PII", "origin": LabelOrigin.DECLARED}
        await session.append(table_of(AssetLabel), [label])
    page = "{ totalCount nodes { fqn } }"
    nested_page = f"teams {{ nodes {{ assets(filter: $filter) {page} }} }}"
    query = f"query ($filter: AssetFilter) {{ assets(filter: $filter) {page} {nested_page} }}"
    teams = await execute(transport, query="{ teams { nodes { id name } } }", identity=await anyone(None))
    ids = {team["name"]: team["id"] for team in teams["data"]["teams"]["nodes"]}
    filters_by_kind = {
        "consumer": ({"consumer": {"eq": ids["consumer-0"]}}, [asset.fqn]),
        "open proposal": ({"hasOpenProposal": {"eq": True}}, [asset.fqn]),
        "no open proposal": ({"hasOpenProposal": {"eq": False}}, [lonely.fqn]),
        "deprecation": ({"isDeprecated": {"eq": True}}, []),
        "label": ({"label": {"startsWith": "P"}}, [lonely.fqn]),
        "column": ({"column": {"eq": "note"}}, [asset.fqn]),
    }
    for max_found, executor in itertools.product((1_000, 0), EXECUTORS):
        monkeypatch.setattr(related_matches, "MAX_FOUND", max_found)
        run = with_executor(transport, executor)
        for name, (filters, expected) in filters_by_kind.items():
            reply = await execute(run, query=query, variables={"filter": filters}, identity=await anyone(None))
            assert "errors" not in reply, (name, reply)
            nested = [node["fqn"] for team in reply["data"]["teams"]["nodes"] for node in team["assets"]["nodes"]]
            assert [node["fqn"] for node in reply["data"]["assets"]["nodes"]] == expected, (name, max_found, executor)
            assert reply["data"]["assets"]["totalCount"] == len(expected), (name, max_found, executor)
            assert nested == expected, (name, max_found, executor)


@pytest.mark.long
async def test_a_long_list_is_not_counted_anew_until_the_process_writes(
    world: World, transport: Transport, counted: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    team = await world.team("owners")
    await world.asset("shop.core.a", team)
    await multiply(world, [f"shop.core.t{number:05}" for number in range(MAX_COUNT)])
    page = "totalCount isTotalCountExact nodes { fqn }"
    for executor, arguments in itertools.product(EXECUTORS, ("first: 0", "first: 1")):
        run = with_executor(transport, executor)
        query = f"{{ all: assets({arguments}) {{ {page} }} one: assets({arguments}, {ONE}) {{ {page} }} }}"
        expected = {"totalCount": MAX_COUNT, "isTotalCountExact": False}

        async def read(run: Transport = run, query: str = query) -> tuple[dict[str, Any], dict[str, Any], int]:
            with counted() as statements:
                data = (await execute(run, query=query, identity=await anyone(None)))["data"]
            counts = sum(text.count(f"LIMIT {MAX_COUNT + 1}") for text in statements)
            return data["all"], data["one"], counts

        results = [await read(), await read()]
        assert [{name: result[0][name] for name in expected} for result in results] == [expected, expected]
        assert [result[1]["totalCount"] for result in results] == [1, 1]
        assert results[0][:2] == results[1][:2]
        assert results[0][2] == 2, executor
        assert results[1][2] == 1, executor  # only the short list is counted
        asset = (await world.rows(Asset))[-1]
        async with world.database.write() as session:
            await session.update_row(Asset, asset.id, archived_at=START)
        data = (await read())[0]
        assert (data["totalCount"], data["isTotalCountExact"]) == (MAX_COUNT, True)
        async with world.database.write() as session:
            await session.update_row(Asset, asset.id, archived_at=None)
