"""Lineage upstream and downstream, and the impact of a change on it."""

from typing import Any

from tessera_gql.policy.enums import ColumnEdgeKind
from tessera_gql.store.tables import ColumnEdge, Team
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World, adding, without

ADD = """
mutation ($from: String!, $to: String!) {
  addDependency(input: {dependent: {fqn: $to}, dependency: {fqn: $from}, type: TRANSFORMS}) {
    dependency { type evidence dependent { fqn } dependency { fqn } } errors { code field message }
  }
}
"""

STREAM = """
query ($fqn: String!, $depth: Int! = 10, $first: Int, $after: String) {
  asset(by: {fqn: $fqn}) {
    downstream(depth: $depth, first: $first, after: $after) {
      totalCount nodes { fqn } edges { cursor degree node { fqn } } pageInfo { hasNextPage hasPreviousPage endCursor }
    }
    upstream(depth: $depth) { edges { degree node { fqn } } }
    dependencies { nodes { dependency { fqn } } }
    dependents { totalCount nodes { type dependent { fqn } } }
  }
}
"""


async def diamond(world: World, ask: Ask) -> None:
    """The lineage a -> b, c -> d -> a: a diamond with a cycle."""
    owner = await world.team("owners")
    for name in "abcd":
        await world.asset(f"x.{name}", owner)
    for before, after in ("ab", "ac", "bd", "cd", "da"):
        data = await ask(ADD, **{"from": f"x.{before}", "to": f"x.{after}"})
        assert data["addDependency"]["errors"] == []


def edges(asset: dict[str, Any]) -> list[tuple[str, int]]:
    return sorted((edge["node"]["fqn"], edge["degree"]) for edge in asset["edges"])


async def test_every_downstream_asset_is_listed_with_its_distance(world: World, ask: Ask) -> None:
    await diamond(world, ask)
    asset = (await ask(STREAM, fqn="x.a"))["asset"]
    assert edges(asset["downstream"]) == [("x.b", 1), ("x.c", 1), ("x.d", 2)]
    assert edges(asset["upstream"]) == [("x.b", 2), ("x.c", 2), ("x.d", 1)]
    assert [node["dependency"]["fqn"] for node in asset["dependencies"]["nodes"]] == ["x.d"]
    assert asset["dependents"]["totalCount"] == 2
    near = (await ask(STREAM, fqn="x.a", depth=1))["asset"]
    assert edges(near["downstream"]) == [("x.b", 1), ("x.c", 1)]


async def test_lineage_is_read_in_pages(world: World, ask: Ask) -> None:
    await diamond(world, ask)
    page = (await ask(STREAM, fqn="x.a", first=2))["asset"]["downstream"]
    assert page["totalCount"] == 3
    assert page["pageInfo"]["hasNextPage"] is True
    remaining = (await ask(STREAM, fqn="x.a", first=2, after=page["pageInfo"]["endCursor"]))["asset"]["downstream"]
    assert [node["fqn"] for node in remaining["nodes"]] == ["x.d"]
    assert remaining["pageInfo"] | {"endCursor": None} == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "endCursor": None,
    }


async def test_an_invalid_depth_or_cursor_is_refused(world: World, ask: Ask, answer: Ask) -> None:
    await diamond(world, ask)
    for arguments in ({"depth": 0}, {"depth": 11}, {"after": "junk"}, {"first": 101}, {"first": -1}):
        reply = await answer(STREAM, fqn="x.a", **arguments)
        assert reply["errors"][0]["extensions"]["code"] in {"INVALID", "QUERY_TOO_COMPLEX"}, arguments


async def test_an_edge_is_added_once_and_removed_once(world: World, ask: Ask) -> None:
    await diamond(world, ask)
    again = (await ask(ADD, **{"from": "x.a", "to": "x.b"}))["addDependency"]
    assert again["errors"][0]["code"] == "CONFLICT"
    itself = (await ask(ADD, **{"from": "x.a", "to": "x.a"}))["addDependency"]
    assert itself["errors"][0] | {"message": ""} == {"code": "INVALID", "field": ["input", "dependency"], "message": ""}
    query = """mutation { removeDependency(input: {
      dependent: {fqn: "x.b"}, dependency: {fqn: "x.a"}, type: TRANSFORMS
    }) { dependency { dependent { fqn } } errors { code } } }"""
    assert (await ask(query))["removeDependency"] == {"dependency": {"dependent": {"fqn": "x.b"}}, "errors": []}
    assert (await ask(query))["removeDependency"]["errors"] == [{"code": "CONFLICT"}]


IMPACT = """
query ($schema: JSON!, $version: String, $guarantees: JSON) {
  impact(asset: {fqn: "analytics.core.orders"}, schema: $schema, version: $version, guarantees: $guarantees) {
    outcome version bump mode changes { path } breaking { path } asked { team { name } because { path } }
    informed { name } asset { fqn } downstream { totalCount }
  }
}
"""


async def test_impact_returns_what_a_publish_would_do_and_writes_nothing(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    precise = await world.team("precise")
    await world.register(asset, precise, "total")
    before = await world.size()
    same = (await ask(IMPACT, schema=ORDERS))["impact"]
    assert (same["outcome"], same["version"], same["bump"]) == ("UNCHANGED", None, "NONE")
    compatible = (await ask(IMPACT, schema=adding("extra")))["impact"]
    assert (compatible["outcome"], compatible["version"], compatible["asked"]) == ("PUBLISHED", "1.1.0", [])
    less = (await ask(IMPACT, schema=without("note")))["impact"]
    assert (less["outcome"], less["version"], less["bump"]) == ("PROPOSED", "2.0.0", "MAJOR")
    assert less["asked"] == [{"team": {"name": "consumer-0"}, "because": [{"path": "note"}]}]
    assert less["informed"] == [{"name": "precise"}]
    assert await world.size() == before


async def test_impact_agrees_with_what_the_publish_then_does(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=2)
    foreseen = (await ask(IMPACT, schema=without("note", "total")))["impact"]
    result = await world.publish(asset, without("note", "total"))
    assert result.outcome == foreseen["outcome"]
    assert result.proposal is not None
    assert result.proposal.proposed_version == foreseen["version"]
    assert len(await world.asked(result.proposal)) == len(foreseen["asked"])


async def test_impact_refuses_what_a_publish_would_refuse(world: World, answer: Ask) -> None:
    missing = await answer(IMPACT, schema=ORDERS)
    assert missing["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    await world.published()
    for arguments in (
        {"schema": [1]},
        {"schema": adding("x"), "version": "1.0.0"},
        {"schema": ORDERS, "guarantees": 1},
    ):
        reply = await answer(IMPACT, **arguments)
        assert reply["data"] == {"impact": None}
        assert reply["errors"][0]["extensions"]["code"] == "INVALID"


COLUMNS = """
query ($fqn: String!, $direction: LineageDirection!, $column: String, $first: Int, $after: String) {
  asset(by: {fqn: $fqn}) {
    columnLineage(direction: $direction, column: $column, first: $first, after: $after) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes { sourceColumn targetColumn kind source { fqn } target { fqn } } edges { cursor node { kind } }
    }
  }
}
"""
ASKED = """
query ($schema: JSON!) {
  impact(asset: {fqn: "analytics.core.orders"}, schema: $schema) {
    askedByUnknownLineage
    asked { team { name } isLineageUnknown paths { isKnown steps { asset { fqn } field } } }
  }
}
"""


async def test_column_lineage_is_listed_and_its_paths_are_reasons_of_the_impact(world: World, ask: Ask) -> None:
    orders = await world.published()
    owner = next(team for team in await world.rows(Team) if team.id == orders.owner_team_id)
    finance, sales = await world.team("finance"), await world.team("sales")
    marts, stocks = await world.asset("x.marts", owner), await world.asset("x.stocks", owner)
    for asset, team in ((marts, finance), (stocks, sales)):
        await world.publish(asset)
        await world.depend(asset, orders)
        await world.register(asset, team, "total")
    async with world.database.write() as session:
        ends = {"source_asset_id": orders.id, "target_asset_id": marts.id, "created_at": session.now}
        links = [("note", "total", ColumnEdgeKind.DERIVED), ("order_id", "", ColumnEdgeKind.FILTER)]
        names = ("source_column", "target_column", "kind")
        await session.insert_all([ColumnEdge(**ends, **dict(zip(names, link, strict=True))) for link in links])
    page = (await ask(COLUMNS, fqn=orders.fqn, direction="DOWNSTREAM", first=1))["asset"]["columnLineage"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (2, True)
    cursor = page["pageInfo"]["endCursor"]
    remaining = (await ask(COLUMNS, fqn=orders.fqn, direction="DOWNSTREAM", after=cursor))["asset"]["columnLineage"]
    assert [(node["sourceColumn"], node["targetColumn"]) for node in remaining["nodes"]] == [("order_id", None)]
    upstream = (await ask(COLUMNS, fqn="x.marts", direction="UPSTREAM", column="total"))["asset"]["columnLineage"]
    assert [node["kind"] for node in upstream["nodes"]] == ["DERIVED", "FILTER"]
    impact = (await ask(ASKED, schema=without("note")))["impact"]
    assert impact["askedByUnknownLineage"] == 1
    by_team = {item["team"]["name"]: item for item in impact["asked"]}
    assert {name: item["isLineageUnknown"] for name, item in by_team.items()} == {"finance": False, "sales": True}
    assert by_team["finance"]["paths"] == [
        {
            "isKnown": True,
            "steps": [
                {"asset": {"fqn": "analytics.core.orders"}, "field": "note"},
                {"asset": {"fqn": "x.marts"}, "field": "total"},
            ],
        }
    ]
