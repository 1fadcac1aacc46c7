"""Pagination, filters and orders are the same for every list."""

import base64
from typing import Any

import pytest

from tests.graphql.conftest import Ask
from tests.world import World, without

ASSETS = """
query ($first: Int, $after: String, $last: Int, $before: String, $filter: AssetFilter, $order: AssetOrder) {
  assets(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order) {
    totalCount
    edges { cursor node { fqn } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


def forged(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode()


def names(data: dict[str, Any]) -> list[str]:
    return [edge["node"]["fqn"][-1] for edge in data["assets"]["edges"]]


async def letters(world: World, text: str = "bdaec") -> None:
    owner = await world.team("owners")
    for letter in text:
        await world.asset(f"shop.core.{letter}", owner)


async def test_paging_forwards_returns_each_item_once(world: World, ask: Ask) -> None:
    await letters(world)
    met, after = [], None
    while True:
        data = await ask(ASSETS, first=2, after=after)
        met += names(data)
        info = data["assets"]["pageInfo"]
        assert info["hasPreviousPage"] is (after is not None)
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]
    assert met == list("abcde")


async def test_paging_backwards_returns_each_item_once(world: World, ask: Ask) -> None:
    await letters(world)
    first = await ask(ASSETS, last=2)
    assert names(first) == list("de")
    assert first["assets"]["pageInfo"]["hasPreviousPage"] is True
    second = await ask(ASSETS, last=3, before=first["assets"]["pageInfo"]["startCursor"])
    assert names(second) == list("abc")
    assert second["assets"]["pageInfo"]["hasPreviousPage"] is False
    assert second["assets"]["totalCount"] == 5


async def test_an_order_can_be_reversed(world: World, ask: Ask) -> None:
    await letters(world)
    data = await ask(ASSETS, order={"field": "FQN", "direction": "DESC"}, first=3)
    assert names(data) == list("edc")
    remaining = await ask(
        ASSETS, order={"field": "FQN", "direction": "DESC"}, after=data["assets"]["pageInfo"]["endCursor"]
    )
    assert names(remaining) == list("ba")
    assert names(await ask(ASSETS, order={"field": "CREATED_AT"})) == list("bdaec")


async def test_filters_are_anded(world: World, ask: Ask) -> None:
    await letters(world)
    other_team = await world.team("other")
    await world.asset("shop.mart.a", other_team)
    data = await ask(ASSETS, filter={"fqn": {"contains": "CORE.", "in": ["shop.core.a", "shop.core.b", "shop.mart.a"]}})
    assert names(data) == ["a", "b"]
    assert data["assets"]["totalCount"] == 2
    team = (await ask('{ team(by: {name: "OTHER"}) { id } }'))["team"]["id"]
    assert names(await ask(ASSETS, filter={"owner": {"eq": team}})) == ["a"]
    assert names(await ask(ASSETS, filter={"resourceType": {"in": ["VIEW"]}})) == []
    assert names(await ask(ASSETS, filter={"createdAt": {"gte": "2027-01-01T00:00:00Z"}})) == []
    assert len(names(await ask(ASSETS, filter={"createdAt": {"lt": "2027-01-01T00:00:00+01:00"}}))) == 6
    assert names(await ask(ASSETS, filter={"fqn": {"in": []}})) == []
    assert names(await ask(ASSETS, filter={"fqn": {"contains": "%"}})) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": -1}, "`first` is -1"),
        ({"last": 101}, "101 items"),
        ({"first": 1, "last": 1}, "not both"),
        ({"after": "junk"}, "does not belong to this list"),
        (
            {"after": base64.urlsafe_b64encode(b'["fqn_key",7,"00000000-0000-0000-0000-000000000000"]').decode()},
            "cursor",
        ),
        (
            {
                "after": base64.urlsafe_b64encode(
                    b'["fqn_key","\\u0000","00000000-0000-0000-0000-000000000000"]'
                ).decode()
            },
            "",
        ),
        ({"after": forged(b'["fqn_key",null,1]')}, "does not belong"),
        ({"filter": {"fqn": {"eq": "a\0b"}}}, "NUL"),
        ({"filter": {"fqn": None}}, "is null"),
        ({"filter": {"fqn": {"eq": None}}}, "is null"),
        ({"filter": {"owner": {"eq": "junk"}}}, "is not an id"),
        ({"filter": {"owner": {"eq": forged(b"Asset:00000000-0000-0000-0000-000000000000")}}}, "Asset"),
    ],
)
async def test_an_invalid_page_request_is_refused_with_a_message(
    arguments: dict[str, Any], message: str, world: World, answer: Ask
) -> None:
    await letters(world, "a")
    reply = await answer(ASSETS, **arguments)
    assert reply["errors"][0]["extensions"]["code"] in {"INVALID", "BAD_REQUEST", "QUERY_TOO_COMPLEX"}
    assert message in reply["errors"][0]["message"]


async def test_every_root_list_can_be_read(world: World, ask: Ask) -> None:
    await world.proposed(consumers=1)
    data = await ask(
        """{
          teams {
            totalCount
            nodes { name assets { nodes { fqn } } registrations { totalCount } proposals { totalCount } }
          }
          contracts { totalCount nodes { version publishedBy { name } schemaHash } }
          registrations { nodes { fields status asset { fqn } consumerTeam { name } consumerAsset { fqn } } }
          proposals { nodes { status asset { fqn } baseContract { version } contract { version } } }
          events { totalCount nodes { kind } }
        }"""
    )
    assert data["teams"]["totalCount"] == 2
    assert data["contracts"]["nodes"][0]["version"] == "1.0.0"
    assert data["registrations"]["nodes"] == [
        {
            "fields": None,
            "status": "ACTIVE",
            "asset": {"fqn": "analytics.core.orders"},
            "consumerTeam": {"name": "consumer-0"},
            "consumerAsset": None,
        }
    ]
    assert data["proposals"]["nodes"][0]["baseContract"] == {"version": "1.0.0"}
    assert data["proposals"]["nodes"][0]["contract"] is None
    assert data["events"]["totalCount"] == len(await world.events())


async def test_lists_can_be_filtered_by_text(world: World, ask: Ask) -> None:
    asset, _ = await world.proposed(consumers=2)
    await world.publish(asset, without("total"), force=True, reason="late")
    data = await ask(
        """{
          active: contracts(filter: {status: {eq: ACTIVE}}) { nodes { version } }
          old: contracts(filter: {status: {in: [DEPRECATED, RETIRED]}}) { nodes { version } }
          gone: proposals(filter: {status: {eq: SUPERSEDED}}) { totalCount }
          open: proposals(filter: {status: {in: [PENDING, APPROVED, REJECTED]}}) { totalCount }
          forced: events(filter: {kind: {eq: CONTRACT_PUBLISHED}}) { nodes { kind actor } }
        }"""
    )
    assert data["active"]["nodes"] == [{"version": "2.0.0"}]
    assert data["old"]["nodes"] == [{"version": "1.0.0"}]
    assert data["gone"]["totalCount"] == 1
    assert data["open"]["totalCount"] == 0
    assert len(data["forced"]["nodes"]) == 2
