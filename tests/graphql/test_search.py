"""Search finds teams and assets, exact matches first."""

from typing import Any

import pytest

from tessera_gql.store.search import MAX_CANDIDATES
from tests.graphql.conftest import Ask
from tests.world import World, adding

SEARCH = """
query ($text: String!, $first: Int, $after: String, $types: [SearchType!]) {
  search(text: $text, first: $first, after: $after, types: $types) {
    totalCount isTotalCountExact
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
    assert (data["search"]["totalCount"], data["search"]["isTotalCountExact"]) == (6, True)


@pytest.mark.long
async def test_a_search_says_when_it_ranks_some_of_the_matches_only(world: World, ask: Ask) -> None:
    owner = await world.team("owners")
    for number in range(MAX_CANDIDATES):
        await world.asset(f"shop.core.orders_{number}", owner)
    data = await ask(SEARCH, text="orders")
    assert data["search"]["isTotalCountExact"] is False
    assert data["search"]["totalCount"] == MAX_CANDIDATES
    assert (await ask(SEARCH, text="orders 17"))["search"]["isTotalCountExact"] is True


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


REASONS = """
query ($text: String!, $archived: Boolean! = false) {
  search(text: $text, includeArchived: $archived) {
    edges { type nodeId title matched highlights { part text terms } node { ... on Proposal { reason } } }
    facets { types { type count } owners { owner { name } count } tiers { tier count } }
  }
}
"""


async def test_a_hit_has_the_reason_why_it_is_found(world: World, ask: Ask) -> None:
    owner = await world.team("Shop")
    described = {"type": "string", "description": "The code of the voucher that was redeemed."}
    asset = await world.asset("shop.core.orders", owner, description="One row for each of the purchases.")
    await world.publish(asset, adding("coupon", described))
    edge, expected = (await ask(REASONS, text="ORDERS cuopon vouchers purchases"))["search"]["edges"], []
    expected += [("NAME", "shop.core.orders", ["orders"]), ("COLUMN", "coupon", ["coupon"])]
    expected += [("DESCRIPTION", "The code of the voucher that was redeemed.", ["voucher"])]
    expected += [("DESCRIPTION", "One row for each of the purchases.", ["purchases"])]
    got = [(item["part"], item["text"], item["terms"]) for item in edge[0]["highlights"]]
    assert (got, edge[0]["title"], edge[0]["matched"]) == (expected, "shop.core.orders", "DESCRIPTION")


async def test_matches_are_counted_by_type_owner_and_tier(world: World, ask: Ask) -> None:
    await shop(world)
    assert (await ask(REASONS, text="orders"))["search"]["facets"] == {
        "types": [{"type": "TEAM", "count": 3}, {"type": "ASSET", "count": 3}],
        "owners": [{"owner": {"name": "Orders"}, "count": 3}],
        "tiers": [{"tier": "NORMAL", "count": 3}],
    }


async def test_proposals_are_found_while_they_are_open_and_afterwards_on_request(world: World, ask: Ask) -> None:
    asset, proposal = await world.proposed(consumers=1, reason="The ledger moved")
    edges = (await ask(REASONS, text="ledger"))["search"]["edges"]
    assert [(edge["type"], edge["title"], edge["node"]) for edge in edges] == [
        ("PROPOSAL", asset.fqn, {"reason": "The ledger moved"})
    ]
    await world.withdraw(proposal)
    assert (await ask(REASONS, text="ledger"))["search"]["edges"] == []
    assert len((await ask(REASONS, text="ledger", archived=True))["search"]["edges"]) == 1


async def test_suggestions_complete_what_is_typed(world: World, ask: Ask, answer: Ask) -> None:
    await shop(world)
    query = "query ($p: String!, $n: Int! = 3) { searchSuggestions(prefix: $p, first: $n) { text type } }"
    texts = (await ask(query, p="reo"))["searchSuggestions"]
    assert texts == [{"text": "Reorders", "type": "TEAM"}, {"text": "reorders", "type": None}]
    for arguments in ({"p": " "}, {"p": "x" * 201}, {"p": "x", "n": 0}):
        assert (await answer(query, **arguments))["errors"][0]["extensions"]["code"] == "INVALID"
