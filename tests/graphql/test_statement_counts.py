"""Each screen of a catalog is one request with a number of SQL statements that doesn't depend on the page size."""

from collections.abc import Callable
from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import DependencyType, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.workflows import dependencies
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World, without

PAGE = """
query ($first: Int) {
  assets(first: $first) {
    nodes {
      fqn
      owner { name }
      currentContract { version registrations(first: 10) { nodes { consumerTeam { name } status } } }
      openProposal { id }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

PULL_REQUEST = """
query ($asset: AssetRef!, $schema: JSON!) {
  impact(asset: $asset, schema: $schema) {
    outcome version bump
    breaking { message path counterexample hint }
    asked { team { name } because { message } }
    informed { name }
    downstream(first: 20) { edges { degree node { fqn owner { name } } } }
    asset {
      fqn
      openProposal {
        status proposedVersion reason expiresAt
        breakingChanges { message teams { name } }
        acknowledgments { totalCount nodes { team { name } response migrationDeadline notes because { message } } }
        awaiting { name }
        viewerCanAcknowledge viewerCanPublish viewerCanWithdraw
      }
    }
  }
}
"""

COLUMNS = """
query ($asset: AssetRef!) {
  asset(by: $asset) {
    fqn viewerCanPublish
    fields { nodes { path type required nullable readerCount readers { name } } }
    upstream { edges { degree node { fqn } } }
    downstream(depth: 10) { totalCount edges { degree node { fqn owner { name } currentContract { version } } } }
    consumers { nodes { name } }
  }
}
"""

INBOX = """
{
  viewer {
    actor scopes team { name } teams { name }
    inbox { totalCount nodes {
      because { message path }
      proposal {
        id status reason expiresAt asset { fqn owner { name } } proposedBy { name } breakingChanges { message }
      }
    } }
  }
}
"""


async def catalog(world: World, size: int, consumers: int = 2) -> None:
    owner = await world.team("owners")
    readers = [await world.team(f"reader-{number}") for number in range(consumers)]
    for number in range(size):
        asset = await world.asset(f"shop.core.table_{number:02}", owner)
        await world.publish(asset)
        for reader in readers[: number % (consumers + 1)]:
            await world.register(asset, reader)
        if number % 2:
            await world.publish(asset, without("note"))


@pytest.mark.parametrize("size", [1, 12])
async def test_a_catalog_page_takes_one_statement_whatever_its_size(
    size: int, world: World, ask: Ask, counted: Callable[[], Any]
) -> None:
    await catalog(world, 12)
    with counted() as statements:
        data = await ask(PAGE, first=size)
    assert len(data["assets"]["nodes"]) == size
    assert len(statements) == 1


async def test_the_catalog_page_shows_the_current_data(world: World, ask: Ask) -> None:
    await catalog(world, 3)
    data = await ask(PAGE, first=2)
    first, second = data["assets"]["nodes"]
    assert first == {
        "fqn": "shop.core.table_00",
        "owner": {"name": "owners"},
        "currentContract": {"version": "1.0.0", "registrations": {"nodes": []}},
        "openProposal": None,
    }
    assert second["openProposal"] is not None
    readers = second["currentContract"]["registrations"]["nodes"]
    assert readers == [{"consumerTeam": {"name": "reader-0"}, "status": "ACTIVE"}]
    assert data["assets"]["pageInfo"]["hasNextPage"] is True


async def lineage(world: World, database: Database, length: int) -> None:
    """orders -> step-0 -> step-1 …, each of another team."""
    before = AssetRef(fqn="analytics.core.orders")
    for number in range(length):
        team = await world.team(f"builder-{number}")
        asset = await world.asset(f"shop.mart.step_{number}", team)
        await world.publish(asset)
        async with database.write() as session:
            await dependencies.add(
                session,
                world.actor,
                dependent=AssetRef(id=asset.id),
                dependency=before,
                type_=DependencyType.TRANSFORMS,
            )
        before = AssetRef(id=asset.id)


@pytest.mark.parametrize("consumers", [1, 5])
async def test_the_pull_request_page_is_one_request_with_a_fixed_number_of_statements(
    consumers: int, world: World, database: Database, ask: Ask, counted: Callable[[], Any]
) -> None:
    await world.proposed(consumers=consumers, reason="cleaning up")
    await lineage(world, database, consumers)
    asked = {"asset": {"fqn": "analytics.core.orders"}, "schema": without("note", "total")}
    with counted() as statements:
        data = await ask(PULL_REQUEST, **asked)
    impact = data["impact"]
    assert impact["outcome"] == "PROPOSED"
    assert impact["version"] == "2.0.0"
    assert {change["path"] for change in impact["breaking"]} == {"note", "total"}
    assert len(impact["asked"]) == consumers + 1  # builder-0 owns the table that is made from it by unknown lineage
    assert all(len(team["because"]) == 2 for team in impact["asked"])
    assert {team["name"] for team in impact["informed"]} == {f"builder-{number}" for number in range(1, consumers)}
    assert [edge["degree"] for edge in impact["downstream"]["edges"]] == list(range(1, consumers + 1))
    proposal = impact["asset"]["openProposal"]
    assert proposal["acknowledgments"]["totalCount"] == consumers + 1
    assert len(proposal["awaiting"]) == consumers + 1
    assert len(proposal["breakingChanges"][0]["teams"]) == consumers + 1
    assert proposal["viewerCanAcknowledge"] is True
    assert proposal["viewerCanPublish"] is False
    assert len(statements) == 18


@pytest.mark.parametrize("size", [1, 5])
async def test_the_column_page_is_one_request_with_a_fixed_number_of_statements(
    size: int, world: World, database: Database, ask: Ask, counted: Callable[[], Any]
) -> None:
    asset = await world.published(consumers=size)
    precise = await world.team("precise")
    await world.register(asset, precise, "total")
    await lineage(world, database, size)
    with counted() as statements:
        data = await ask(COLUMNS, asset={"fqn": "ANALYTICS.core.orders"})
    readers = {field["path"]: field["readerCount"] for field in data["asset"]["fields"]["nodes"]}
    assert readers == {"order_id": size, "customer_id": size, "total": size + 1, "note": size}
    total = next(field for field in data["asset"]["fields"]["nodes"] if field["path"] == "total")
    assert {"name": "precise"} in total["readers"]
    assert data["asset"]["downstream"]["totalCount"] == size
    assert len(data["asset"]["consumers"]["nodes"]) == size + 1
    assert len(statements) == 9


@pytest.mark.parametrize("size", [1, 4])
async def test_the_inbox_is_one_request_with_a_fixed_number_of_statements(
    size: int, world: World, ask: Ask, counted: Callable[[], Any]
) -> None:
    owner, reader = await world.team("owners"), await world.team("readers")
    for number in range(size):
        asset = await world.asset(f"shop.core.table_{number}", owner)
        await world.publish(asset)
        await world.register(asset, reader, "note")
        await world.publish(asset, without("note"), reason="cleaning up")
    me = Actor("ci", reader.id, frozenset({Scope.READ, Scope.WRITE}))
    with counted() as statements:
        data = await ask(INBOX, actor=me)
    viewer = data["viewer"]
    assert viewer["actor"] == "ci"
    assert viewer["scopes"] == ["READ", "WRITE"]
    assert viewer["team"] == {"name": "readers"}
    assert viewer["inbox"]["totalCount"] == size
    assert {node["proposal"]["asset"]["fqn"] for node in viewer["inbox"]["nodes"]} == {
        f"shop.core.table_{number}" for number in range(size)
    }
    assert all([change["path"] for change in node["because"]] == ["note"] for node in viewer["inbox"]["nodes"])
    assert len(statements) == 6


async def test_an_acknowledged_proposal_leaves_the_inbox(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=2)
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    data = await ask(INBOX)
    assert data["viewer"]["team"] is None
    assert data["viewer"]["inbox"]["totalCount"] == 1
    me = Actor("ci", world.consumers[0].id, frozenset({Scope.READ, Scope.WRITE}))
    assert (await ask(INBOX, actor=me))["viewer"]["inbox"]["nodes"] == []


async def test_siblings_at_the_root_share_their_statements(world: World, ask: Ask, counted: Callable[[], Any]) -> None:
    await catalog(world, 5, consumers=0)
    fields = " ".join(f'a{n}: asset(by: {{fqn: "shop.core.table_{n:02}"}}) {{ fqn }}' for n in range(5))
    with counted() as statements:
        data = await ask(f"{{ {fields} }}")
    assert [data[f"a{n}"]["fqn"] for n in range(5)] == [f"shop.core.table_{n:02}" for n in range(5)]
    assert len(statements) == 1


async def test_a_count_is_computed_only_when_selected(world: World, ask: Ask, counted: Callable[[], Any]) -> None:
    await catalog(world, 3, consumers=0)
    with counted() as statements:
        await ask("{ assets { nodes { fqn } } }")
    assert len(statements) == 1
    with counted() as statements:
        assert (await ask("{ assets(first: 1) { totalCount } }"))["assets"]["totalCount"] == 3
    assert len(statements) == 1
    assert ORDERS
