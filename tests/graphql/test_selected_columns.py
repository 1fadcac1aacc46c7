"""A query reads only the columns it selects, or all of them where the selection can't be known."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tessera_gql.store import assets, contracts, teams
from tests.graphql.conftest import Ask
from tests.world import World

Counted = Callable[[], AbstractContextManager[list[str]]]

WHOLE = len(assets.TABLE.c)


def read(sql: list[str], table: Any) -> list[int]:
    """The number of columns that each statement on the table selects."""
    table_name = f"{table.name} "
    return [text.partition("FROM")[0].count(",") + 1 for text in sql if table_name in text.partition("FROM")[2] + " "]


async def test_a_page_reads_the_selected_columns(world: World, ask: Ask, counted: Counted) -> None:
    await world.published(consumers=2)
    with counted() as sql:
        data = await ask("{ assets { nodes { fqn metadata owner { name } currentContract { version } } } }")
    assert data["assets"]["nodes"][0]["currentContract"] == {"version": "1.0.0"}
    assert read(sql, assets.TABLE) == [5]  # id, fqn and metadata, the owner's id, and what makes a cursor with the id
    assert read(sql, teams.TABLE) == [2]
    assert read(sql, contracts.TABLE) == [2]


async def test_cursors_do_not_depend_on_the_selected_columns(world: World, ask: Ask) -> None:
    owner = await world.team("producers")
    for number in range(3):
        await world.asset(f"shop.core.table_{number}", owner)
    few = await ask("{ assets(first: 2) { nodes { fqn } pageInfo { endCursor hasNextPage } } }")
    next_page = await ask(
        "query ($after: String) { assets(after: $after) { edges { cursor node { fqn } } } }",
        after=few["assets"]["pageInfo"]["endCursor"],
    )
    fqns = [node["fqn"] for node in few["assets"]["nodes"]] + [
        edge["node"]["fqn"] for edge in next_page["assets"]["edges"]
    ]
    assert fqns == sorted(fqns)
    assert len(fqns) == 3


@pytest.mark.parametrize(
    "selection",
    ["viewerCanPublish", "fields { nodes { path } }", "upstream { totalCount }", 'contract(version: "1.0.0") { id }'],
)
async def test_a_field_with_unknown_columns_reads_all_columns(
    selection: str, world: World, ask: Ask, counted: Counted
) -> None:
    await world.published(consumers=1)
    with counted() as sql:
        data = await ask(f"{{ assets {{ nodes {{ fqn {selection} }} }} }}")
    assert data["assets"]["nodes"]
    assert WHOLE in read(sql, assets.TABLE)


async def test_after_a_plan_is_abandoned_all_columns_are_read(world: World, answer: Ask, counted: Counted) -> None:
    await world.published(consumers=1)
    with counted() as sql:
        reply = await answer('{ assets { nodes { fqn } } asset(by: { id: "none" }) { fqn } }')
    assert reply["data"]["assets"]["nodes"], reply
    assert [error["path"] for error in reply["errors"]] == [["asset"]]
    assert read(sql, assets.TABLE)[-1] == WHOLE
