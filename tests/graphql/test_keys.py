"""API keys over the graph: shown once, listed to those who may know, revoked at once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Scope
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Base
from tests.conftest import FixedClock
from tests.graphql.authenticated_api import Door, codes, door
from tests.world import World

CREATE = """
mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) {
    token apiKey { id name prefix scopes team { name } createdBy expiresAt revokedAt } errors { code field message }
  }
}
"""
REVOKE = "mutation ($id: ID!) { revokeApiKey(input: {apiKey: $id}) { apiKey { revokedAt } errors { code message } } }"
LIST = "{ apiKeys { totalCount nodes { id name team { name } scopes } } }"
VIEWER = "{ viewer { actor scopes team { name } apiKey { name prefix scopes team { name } } } }"


@pytest.fixture
def gate(database: Database) -> Door:
    return door(database)


async def create(gate: Door, token: str, **asked: Any) -> dict[str, Any]:
    return (await gate.data(token, CREATE, input=asked))["createApiKey"]


async def test_an_administrator_makes_a_key_that_works_from_then_on(gate: Door, world: World) -> None:
    team = await world.team("shop")
    admin = await gate.mint(None, Scope.ADMIN, name="root")
    made = await create(gate, admin.token, name="ci", team={"name": "SHOP"}, scopes=["WRITE"])
    assert made["errors"] == []
    assert made["apiKey"] == {
        "id": made["apiKey"]["id"],
        "name": "ci",
        "prefix": made["token"][:8],
        "scopes": ["READ", "WRITE"],
        "team": {"name": "shop"},
        "createdBy": f"root ({admin.key.prefix})",
        "expiresAt": None,
        "revokedAt": None,
    }
    viewer = (await gate.data(made["token"], VIEWER))["viewer"]
    assert viewer["actor"] == f"ci ({made['apiKey']['prefix']})"
    assert viewer["team"] == {"name": team.name}
    assert viewer["apiKey"]["scopes"] == ["READ", "WRITE"]


async def test_a_retry_is_told_that_the_token_was_shown_and_does_not_get_it(gate: Door, world: World) -> None:
    team = await world.team("shop")
    writer = await gate.mint(team, Scope.WRITE)
    asked = {"name": "next", "scopes": ["READ"], "idempotencyKey": "one"}
    first = await create(gate, writer.token, **asked)
    again = await create(gate, writer.token, **asked)
    assert first["token"]
    assert again["token"] is None
    assert again["errors"][0]["code"] == "CONFLICT"
    assert first["apiKey"]["prefix"] in again["errors"][0]["message"]
    assert "shown once" in again["errors"][0]["message"]
    assert (await gate.data(writer.token, LIST))["apiKeys"]["totalCount"] == 2


async def test_no_row_of_any_table_holds_a_token(gate: Door, world: World) -> None:
    await world.team("shop")
    admin = await gate.mint(None, Scope.ADMIN)
    made = await create(gate, admin.token, name="ci", team={"name": "shop"}, idempotencyKey="one")
    async with gate.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in await session.rows(select(table)):
                assert made["token"][8:] not in str(row)


async def test_equal_idempotency_keys_of_keys_of_one_name_do_not_meet(gate: Door, world: World) -> None:
    tokens = [(await gate.mint(await world.team(name), Scope.WRITE, name="ci")).token for name in ("shop", "finance")]
    made = [await create(gate, token, name="next", idempotencyKey="one") for token in tokens]
    assert [one["errors"] for one in made] == [[], []]
    assert [one["apiKey"]["team"]["name"] for one in made] == ["shop", "finance"]


@pytest.mark.parametrize(
    ("scope", "asked", "code", "field"),
    [
        (Scope.WRITE, {"name": "x", "scopes": ["ADMIN"]}, "FORBIDDEN", ["input", "scopes"]),
        (Scope.WRITE, {"name": "x", "team": {"name": "finance"}}, "FORBIDDEN", ["input", "team"]),
        (Scope.READ, {"name": "x"}, "FORBIDDEN", None),
        (Scope.WRITE, {"name": " "}, "INVALID", ["input", "name"]),
        (Scope.WRITE, {"name": "x", "scopes": []}, "INVALID", ["input", "scopes"]),
        (Scope.WRITE, {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, "INVALID", ["input", "expiresAt"]),
        (Scope.WRITE, {"name": "x", "team": {"name": "nobody"}}, "NOT_FOUND", ["input", "team"]),
    ],
)
async def test_what_a_key_can_not_make_is_refused_with_its_reason(
    gate: Door, world: World, scope: Scope, asked: dict[str, Any], code: str, field: list[str] | None
) -> None:
    await world.team("finance")
    key = await gate.mint(await world.team("shop"), scope)
    made = await create(gate, key.token, **asked)
    assert made["token"] is None
    assert [(one["code"], one["field"]) for one in made["errors"]] == [(code, field)]


async def test_a_revoked_key_is_refused_by_the_very_next_call(gate: Door, world: World) -> None:
    team = await world.team("shop")
    writer, other = await gate.mint(team, Scope.WRITE), await gate.mint(team, Scope.WRITE)
    assert codes(await gate.reply(other.token, VIEWER)) == []
    for key in (other, writer):
        done = (await gate.data(writer.token, REVOKE, id=global_id("ApiKey", key.key.id)))["revokeApiKey"]
        assert done["errors"] == []
        assert done["apiKey"]["revokedAt"]
        assert codes(await gate.reply(key.token, VIEWER)) == ["UNAUTHENTICATED"]
    assert "was revoked" in (await gate.reply(other.token, VIEWER))["errors"][0]["message"]


async def test_an_id_of_something_else_is_no_key(gate: Door) -> None:
    admin = await gate.mint(None, Scope.ADMIN)
    done = (await gate.data(admin.token, REVOKE, id="VGVhbTox"))["revokeApiKey"]
    assert [one["code"] for one in done["errors"]] == ["INVALID"]


async def test_keys_are_listed_to_administrators_and_to_writers_of_their_team_only(gate: Door, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    admin = await gate.mint(None, Scope.ADMIN, name="root")
    writer = await gate.mint(shop, Scope.WRITE, name="shop-ci")
    reader = await gate.mint(finance, Scope.READ, name="finance-bi")
    everything = (await gate.data(admin.token, LIST))["apiKeys"]
    assert {one["name"] for one in everything["nodes"]} == {"root", "shop-ci", "finance-bi"}
    own = (await gate.data(writer.token, LIST))["apiKeys"]
    assert ([one["name"] for one in own["nodes"]], own["totalCount"]) == (["shop-ci"], 1)
    refused = await gate.reply(reader.token, LIST)
    assert refused["data"] == {"apiKeys": None}
    assert codes(refused) == ["FORBIDDEN"]


async def test_a_filter_does_not_lead_a_writer_to_keys_of_others(gate: Door, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    writer = await gate.mint(shop, Scope.WRITE)
    await gate.mint(finance, Scope.READ, name="finance-bi")
    query = '{ apiKeys(filter: {name: {eq: "finance-bi"}}) { totalCount nodes { name } } }'
    assert (await gate.data(writer.token, query))["apiKeys"] == {"totalCount": 0, "nodes": []}


async def test_a_key_by_its_id_is_null_to_those_who_may_not_see_it(gate: Door, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    admin = await gate.mint(None, Scope.ADMIN, name="root")
    writer, reader = await gate.mint(shop, Scope.WRITE), await gate.mint(finance, Scope.READ)
    node = "query ($id: ID!) { node(id: $id) { ... on ApiKey { name } } }"
    ids = {one["name"]: one["id"] for one in (await gate.data(admin.token, LIST))["apiKeys"]["nodes"]}
    assert (await gate.data(writer.token, node, id=ids["root"])) == {"node": None}
    assert (await gate.data(reader.token, node, id=ids["root"])) == {"node": None}
    assert (await gate.data(admin.token, node, id=ids["root"])) == {"node": {"name": "root"}}


async def test_a_reader_knows_its_own_key(gate: Door, world: World) -> None:
    reader = await gate.mint(await world.team("shop"), Scope.READ, name="bi")
    viewer = (await gate.data(reader.token, VIEWER))["viewer"]
    assert viewer["apiKey"] == {"name": "bi", "prefix": reader.key.prefix, "scopes": ["READ"], "team": {"name": "shop"}}


async def test_an_expired_key_is_told_when_it_expired(gate: Door, world: World, clock: FixedClock) -> None:
    team = await world.team("shop")
    key = await gate.mint(team, Scope.READ, expires_at=clock.now + timedelta(hours=1))
    assert codes(await gate.reply(key.token, VIEWER)) == []
    clock.advance(hours=1)
    refused = await gate.reply(key.token, VIEWER)
    assert codes(refused) == ["UNAUTHENTICATED"]
    assert "expired at 2026-01-01 13:00 UTC" in refused["errors"][0]["message"]
