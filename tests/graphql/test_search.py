"""Search finds teams and assets, exact matches first."""

from typing import Any

from tests.graphql.conftest import Ask
from tests.world import World

SEARCH = """
query ($text: String!, $first: Int, $after: String, $types: [SearchType!]) {
  search(text: $text, first: $first, after: $after, types: $types) {
    totalCount
    nodes { __typename ... on Team { name } ... on Asset { fqn owner { name } } }
    edges { cursor }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def hits(data: dict[str, Any]) -> list[str]:
    return [node.get("name") or node["fqn"] for node in data["search"]["nodes"]]


async def shop(world: World) -> None:
    owner = await world.team("Orders")
    await world.team("orders-eu")
    await world.team("Reorders")
    await world.asset("orders.core.items", owner)
    await world.asset("shop.core.ORDERS", owner)
    await world.asset("shop.core.lines", owner, description="One line for each of the Orders, 100% of them")


async def test_exact_matches_come_before_prefixes_and_prefixes_before_other_matches(world: World, ask: Ask) -> None:
    await shop(world)
    data = await ask(SEARCH, text="orders")
    assert hits(data)[0] == "Orders"
    assert set(hits(data)[1:3]) == {"orders-eu", "orders.core.items"}
    assert set(hits(data)[3:]) == {"Reorders", "shop.core.ORDERS", "shop.core.lines"}
    assert data["search"]["totalCount"] == 6


async def test_hits_are_read_in_pages(world: World, ask: Ask) -> None:
    await shop(world)
    whole = hits(await ask(SEARCH, text="ORDERS"))
    met, after = [], None
    for _ in range(3):
        data = await ask(SEARCH, text="ORDERS", first=2, after=after)
        met += hits(data)
        after = data["search"]["pageInfo"]["endCursor"]
    assert met == whole
    assert data["search"]["pageInfo"]["hasNextPage"] is False


async def test_one_type_can_be_searched(world: World, ask: Ask) -> None:
    await shop(world)
    assert hits(await ask(SEARCH, text="orders", types=["TEAM"])) == ["Orders", "orders-eu", "Reorders"]
    assert len(hits(await ask(SEARCH, text="orders", types=["ASSET"]))) == 3


async def test_wildcards_of_sql_are_literal(world: World, ask: Ask) -> None:
    await shop(world)
    assert hits(await ask(SEARCH, text="%")) == ["shop.core.lines"]
    assert hits(await ask(SEARCH, text="_")) == []
    assert hits(await ask(SEARCH, text="' OR 1=1 --")) == []


async def test_an_invalid_search_text_is_refused(answer: Ask) -> None:
    for arguments in ({"text": " "}, {"text": "x" * 201}, {"text": "x", "after": "junk"}, {"text": "x", "first": -1}):
        reply = await answer(SEARCH, **arguments)
        assert reply["errors"][0]["extensions"]["code"] == "INVALID"
        assert reply["data"] == {"search": None}
