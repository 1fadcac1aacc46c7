"""API keys over GraphQL: the token is shown once, keys are listed to those who may see them, revocation is at once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Scope
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Base
from tests.conftest import FixedClock
from tests.graphql.authenticated_api import AuthenticatedApi, authenticated_api, codes
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
def api(database: Database) -> AuthenticatedApi:
    return authenticated_api(database)


async def create(api: AuthenticatedApi, token: str, **asked: Any) -> dict[str, Any]:
    return (await api.data(token, CREATE, input=asked))["createApiKey"]


async def test_an_administrator_creates_a_key_that_works_at_once(api: AuthenticatedApi, world: World) -> None:
    team = await world.team("shop")
    admin = await api.create_key(None, Scope.ADMIN, name="root")
    created = await create(api, admin.token, name="ci", team={"name": "SHOP"}, scopes=["WRITE"])
    assert created["errors"] == []
    assert created["apiKey"] == {
        "id": created["apiKey"]["id"],
        "name": "ci",
        "prefix": created["token"][:8],
        "scopes": ["READ", "WRITE"],
        "team": {"name": "shop"},
        "createdBy": f"root ({admin.key.prefix})",
        "expiresAt": None,
        "revokedAt": None,
    }
    viewer = (await api.data(created["token"], VIEWER))["viewer"]
    assert viewer["actor"] == f"ci ({created['apiKey']['prefix']})"
    assert viewer["team"] == {"name": team.name}
    assert viewer["apiKey"]["scopes"] == ["READ", "WRITE"]


async def test_a_retry_does_not_get_the_token_again(api: AuthenticatedApi, world: World) -> None:
    team = await world.team("shop")
    writer = await api.create_key(team, Scope.WRITE)
    asked = {"name": "next", "scopes": ["READ"], "idempotencyKey": "one"}
    first = await create(api, writer.token, **asked)
    again = await create(api, writer.token, **asked)
    assert first["token"]
    assert again["token"] is None
    assert again["errors"][0]["code"] == "CONFLICT"
    assert first["apiKey"]["prefix"] in again["errors"][0]["message"]
    assert "shown once" in again["errors"][0]["message"]
    assert (await api.data(writer.token, LIST))["apiKeys"]["totalCount"] == 2


async def test_no_row_of_any_table_holds_a_token(api: AuthenticatedApi, world: World) -> None:
    await world.team("shop")
    admin = await api.create_key(None, Scope.ADMIN)
    created = await create(api, admin.token, name="ci", team={"name": "shop"}, idempotencyKey="one")
    async with api.database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in await session.rows(select(table)):
                assert created["token"][8:] not in str(row)


async def test_equal_idempotency_keys_of_api_keys_of_one_name_do_not_collide(
    api: AuthenticatedApi, world: World
) -> None:
    tokens = [
        (await api.create_key(await world.team(name), Scope.WRITE, name="ci")).token for name in ("shop", "finance")
    ]
    created = [await create(api, token, name="next", idempotencyKey="one") for token in tokens]
    assert [payload["errors"] for payload in created] == [[], []]
    assert [payload["apiKey"]["team"]["name"] for payload in created] == ["shop", "finance"]


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
async def test_a_key_that_its_caller_may_not_create_is_refused_with_the_reason(
    api: AuthenticatedApi, world: World, scope: Scope, asked: dict[str, Any], code: str, field: list[str] | None
) -> None:
    await world.team("finance")
    key = await api.create_key(await world.team("shop"), scope)
    created = await create(api, key.token, **asked)
    assert created["token"] is None
    assert [(error["code"], error["field"]) for error in created["errors"]] == [(code, field)]


async def test_a_revoked_key_is_refused_by_the_very_next_call(api: AuthenticatedApi, world: World) -> None:
    team = await world.team("shop")
    writer, other_key = await api.create_key(team, Scope.WRITE), await api.create_key(team, Scope.WRITE)
    assert codes(await api.reply(other_key.token, VIEWER)) == []
    for key in (other_key, writer):
        payload = (await api.data(writer.token, REVOKE, id=global_id("ApiKey", key.key.id)))["revokeApiKey"]
        assert payload["errors"] == []
        assert payload["apiKey"]["revokedAt"]
        assert codes(await api.reply(key.token, VIEWER)) == ["UNAUTHENTICATED"]
    assert "was revoked" in (await api.reply(other_key.token, VIEWER))["errors"][0]["message"]


async def test_an_id_of_another_type_is_no_key(api: AuthenticatedApi) -> None:
    admin = await api.create_key(None, Scope.ADMIN)
    payload = (await api.data(admin.token, REVOKE, id="VGVhbTox"))["revokeApiKey"]
    assert [error["code"] for error in payload["errors"]] == ["INVALID"]


async def test_keys_are_listed_to_administrators_and_to_writers_of_their_team_only(
    api: AuthenticatedApi, world: World
) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    admin = await api.create_key(None, Scope.ADMIN, name="root")
    writer = await api.create_key(shop, Scope.WRITE, name="shop-ci")
    reader = await api.create_key(finance, Scope.READ, name="finance-bi")
    everything = (await api.data(admin.token, LIST))["apiKeys"]
    assert {node["name"] for node in everything["nodes"]} == {"root", "shop-ci", "finance-bi"}
    own = (await api.data(writer.token, LIST))["apiKeys"]
    assert ([node["name"] for node in own["nodes"]], own["totalCount"]) == (["shop-ci"], 1)
    refused = await api.reply(reader.token, LIST)
    assert refused["data"] == {"apiKeys": None}
    assert codes(refused) == ["FORBIDDEN"]


async def test_a_filter_does_not_show_a_writer_keys_of_other_teams(api: AuthenticatedApi, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    writer = await api.create_key(shop, Scope.WRITE)
    await api.create_key(finance, Scope.READ, name="finance-bi")
    query = '{ apiKeys(filter: {name: {eq: "finance-bi"}}) { totalCount nodes { name } } }'
    assert (await api.data(writer.token, query))["apiKeys"] == {"totalCount": 0, "nodes": []}


async def test_a_key_by_its_id_is_null_to_those_who_may_not_see_it(api: AuthenticatedApi, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    admin = await api.create_key(None, Scope.ADMIN, name="root")
    writer, reader = await api.create_key(shop, Scope.WRITE), await api.create_key(finance, Scope.READ)
    node = "query ($id: ID!) { node(id: $id) { ... on ApiKey { name } } }"
    ids = {node["name"]: node["id"] for node in (await api.data(admin.token, LIST))["apiKeys"]["nodes"]}
    assert (await api.data(writer.token, node, id=ids["root"])) == {"node": None}
    assert (await api.data(reader.token, node, id=ids["root"])) == {"node": None}
    assert (await api.data(admin.token, node, id=ids["root"])) == {"node": {"name": "root"}}


async def test_a_reader_sees_its_own_key(api: AuthenticatedApi, world: World) -> None:
    reader = await api.create_key(await world.team("shop"), Scope.READ, name="bi")
    viewer = (await api.data(reader.token, VIEWER))["viewer"]
    assert viewer["apiKey"] == {"name": "bi", "prefix": reader.key.prefix, "scopes": ["READ"], "team": {"name": "shop"}}


async def test_an_expired_key_is_refused_with_the_time_of_its_expiry(
    api: AuthenticatedApi, world: World, clock: FixedClock
) -> None:
    team = await world.team("shop")
    key = await api.create_key(team, Scope.READ, expires_at=clock.now + timedelta(hours=1))
    assert codes(await api.reply(key.token, VIEWER)) == []
    clock.advance(hours=1)
    refused = await api.reply(key.token, VIEWER)
    assert codes(refused) == ["UNAUTHENTICATED"]
    assert "expired at 2026-01-01 13:00 UTC" in refused["errors"][0]["message"]
