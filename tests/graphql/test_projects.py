"""Projects over GraphQL: created and changed by administrators, read by every key, with their keys for their owners."""

from typing import Any

import pytest

from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Scope
from tessera_gql.store.database import Database
from tests.graphql.authenticated_api import AuthenticatedApi, authenticated_api, codes
from tests.world import World

PROJECT = "id name schemas rowVersion createdAt owners { name }"
CREATE = f"""
mutation ($input: CreateProjectInput!) {{
  createProject(input: $input) {{ project {{ {PROJECT} }} errors {{ code field message }} }}
}}
"""
UPDATE = f"""
mutation ($input: UpdateProjectInput!) {{
  updateProject(input: $input) {{ project {{ {PROJECT} }} errors {{ code field message }} }}
}}
"""
CREATE_KEY = """
mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) {
    token apiKey { id scopes team { name } project { name } } errors { code field message }
  }
}
"""
REVOKE = "mutation ($id: ID!) { revokeApiKey(input: {apiKey: $id}) { errors { code message } } }"
BY_NAME = f"query ($by: ProjectRef!) {{ project(by: $by) {{ {PROJECT} }} }}"
VIEWER = "{ viewer { project { name } teams { name } } }"


@pytest.fixture
def api(database: Database) -> AuthenticatedApi:
    return authenticated_api(database)


async def root(api: AuthenticatedApi) -> str:
    return (await api.create_key(None, Scope.ADMIN, name="root")).token


async def run(api: AuthenticatedApi, token: str, query: str, **asked: Any) -> dict[str, Any]:
    (payload,) = (await api.data(token, query, input=asked)).values()
    return payload


async def test_an_administrator_creates_a_project_that_every_key_can_read(api: AuthenticatedApi, world: World) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    asked = {"name": "warehouse", "owners": [{"name": "SHOP"}, {"id": global_id("Team", finance.id)}]}
    created = await run(api, await root(api), CREATE, **asked, schemas=["Prod.Marts", "prod.stg_*"])
    assert created["errors"] == []
    project = created["project"]
    assert project == project | {
        "name": "warehouse",
        "schemas": ["prod.marts", "prod.stg_*"],
        "rowVersion": 1,
        "owners": [{"name": "shop"}, {"name": "finance"}],
    }
    reader = (await api.create_key(shop, Scope.READ)).token
    for by in ({"name": "WAREHOUSE"}, {"id": project["id"]}):
        assert (await api.data(reader, BY_NAME, by=by))["project"] == project
    node = await api.data(reader, "query ($id: ID!) { node(id: $id) { ... on Project { name } } }", id=project["id"])
    assert node == {"node": {"name": "warehouse"}}
    assert await api.data(reader, BY_NAME, by={"name": "gone"}) == {"project": None}


async def test_projects_are_listed_by_name_and_filtered(api: AuthenticatedApi, world: World) -> None:
    shop = await world.team("shop")
    for name in ("b", "C", "a"):
        await world.project(name, shop)
    reader = (await api.create_key(shop, Scope.READ)).token
    query = """query ($filter: ProjectFilter, $order: ProjectOrder) {
      projects(filter: $filter, orderBy: $order) { totalCount nodes { name owners { name } } } }"""
    names = [node["name"] for node in (await api.data(reader, query))["projects"]["nodes"]]
    assert names == ["a", "b", "C"]
    order = {"field": "CREATED_AT", "direction": "DESC"}
    filter_ = {"name": {"in": ["a", "b"]}}
    result = (await api.data(reader, query, filter=filter_, order=order))["projects"]
    assert (result["totalCount"], [node["name"] for node in result["nodes"]]) == (2, ["a", "b"])
    assert result["nodes"][0]["owners"] == [{"name": "shop"}]


async def test_the_same_call_with_an_idempotency_key_creates_one_project(api: AuthenticatedApi, world: World) -> None:
    await world.team("shop")
    token, asked = await root(api), {"name": "dbt", "owners": [{"name": "shop"}], "idempotencyKey": "one"}
    first = await run(api, token, CREATE, **asked)
    assert await run(api, token, CREATE, **asked) == first
    other_input = await run(api, token, CREATE, **asked | {"name": "another"})
    assert [error["code"] for error in other_input["errors"]] == ["CONFLICT"]
    without_key = await run(api, token, CREATE, name="DBT", owners=[{"name": "shop"}])
    assert [(error["code"], error["field"]) for error in without_key["errors"]] == [("CONFLICT", ["input", "name"])]


async def test_an_update_replaces_what_it_names_and_needs_the_row_version_that_was_read(
    api: AuthenticatedApi, world: World
) -> None:
    shop, _ = await world.team("shop"), await world.team("finance")
    await world.project("dbt", shop, schemas=["a.b"])
    token, ref = await root(api), {"project": {"name": "dbt"}}
    updated = await run(api, token, UPDATE, **ref, owners=[{"name": "finance"}], expectedRowVersion=1)
    project = updated["project"]
    assert (project["owners"], project["schemas"], project["rowVersion"]) == ([{"name": "finance"}], ["a.b"], 2)
    stale = await run(api, token, UPDATE, **ref, schemas=[], expectedRowVersion=1)
    assert (stale["project"], [error["code"] for error in stale["errors"]]) == (None, ["STALE"])
    updated = await run(api, token, UPDATE, **ref, schemas=[], name="warehouse", expectedRowVersion=2)
    assert (updated["project"]["name"], updated["project"]["schemas"]) == ("warehouse", [])


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"owners": []}, "INVALID", ["input", "owners"]),
        ({"owners": [{"name": "nobody"}]}, "NOT_FOUND", ["input", "owners"]),
        ({"owners": [{"id": "VGVhbTox"}]}, "INVALID", ["input", "owners"]),
        ({"name": ""}, "INVALID", ["input", "name"]),
        ({"schemas": ["a.b.c"]}, "INVALID", ["input", "schemas"]),
    ],
)
async def test_invalid_input_is_refused_with_its_field(
    api: AuthenticatedApi, world: World, asked: dict[str, Any], code: str, field: list[str]
) -> None:
    await world.project("dbt", await world.team("shop"))
    token = await root(api)
    created = await run(api, token, CREATE, **{"name": "new", "owners": [{"name": "shop"}], **asked})
    updated = await run(api, token, UPDATE, project={"name": "dbt"}, **asked)
    for payload in (created, updated):
        assert (payload["project"], [(error["code"], error["field"]) for error in payload["errors"]]) == (
            None,
            [(code, field)],
        )


async def test_a_key_of_a_project_is_created_by_an_administrator_and_its_token_is_not_returned_again(
    api: AuthenticatedApi, world: World
) -> None:
    shop = await world.team("shop")
    project = await world.project("dbt", shop)
    token, asked = await root(api), {"name": "ci", "project": {"name": "DBT"}, "scopes": ["WRITE"]}
    created = await run(api, token, CREATE_KEY, **asked, idempotencyKey="one")
    assert created["apiKey"] == created["apiKey"] | {
        "scopes": ["READ", "WRITE"],
        "team": None,
        "project": {"name": "dbt"},
    }
    assert await api.data(created["token"], VIEWER) == {
        "viewer": {"project": {"name": "dbt"}, "teams": [{"name": "shop"}]}
    }
    again = await run(api, token, CREATE_KEY, **asked, idempotencyKey="one")
    assert (again["token"], [error["code"] for error in again["errors"]]) == (None, ["CONFLICT"])
    writer = (await api.create_key(shop, Scope.WRITE)).token
    refused = await run(api, writer, CREATE_KEY, **asked)
    assert [(error["code"], error["field"]) for error in refused["errors"]] == [("FORBIDDEN", ["input", "project"])]
    admin_scope = await run(
        api, token, CREATE_KEY, name="ci", project={"id": global_id("Project", project.id)}, scopes=["ADMIN"]
    )
    assert [(error["code"], error["field"]) for error in admin_scope["errors"]] == [("INVALID", ["input", "scopes"])]


async def test_the_keys_of_a_project_are_listed_to_administrators_and_owners(
    api: AuthenticatedApi, world: World
) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    project = await world.project("dbt", shop)
    first = await api.create_project_key(project, Scope.WRITE, "first")
    await api.create_project_key(project, Scope.READ, "second")
    tokens = {
        "admin": await root(api),
        "owner": (await api.create_key(shop, Scope.WRITE)).token,
        "stranger": (await api.create_key(finance, Scope.WRITE)).token,
        "first": first.token,
    }
    listed = "query ($id: ID!) { apiKeys(filter: {project: {eq: $id}}) { totalCount } }"
    for caller, count in (("admin", 2), ("owner", 2), ("stranger", 0)):
        data = await api.data(tokens[caller], listed, id=global_id("Project", project.id))
        assert data["apiKeys"]["totalCount"] == count


async def test_an_owner_revokes_a_key_of_its_project_and_the_next_call_is_refused(
    api: AuthenticatedApi, world: World
) -> None:
    shop, finance = await world.team("shop"), await world.team("finance")
    key = await api.create_project_key(await world.project("dbt", shop), Scope.WRITE)
    assert codes(await api.reply(key.token, VIEWER)) == []
    identity = global_id("ApiKey", key.key.id)
    stranger = (await api.create_key(finance, Scope.WRITE)).token
    refused = (await api.data(stranger, REVOKE, id=identity))["revokeApiKey"]
    assert [error["code"] for error in refused["errors"]] == ["NOT_FOUND"]
    owner = (await api.create_key(shop, Scope.WRITE)).token
    assert (await api.data(owner, REVOKE, id=identity))["revokeApiKey"]["errors"] == []
    assert codes(await api.reply(key.token, VIEWER)) == ["UNAUTHENTICATED"]


async def test_a_team_that_is_no_owner_any_more_is_refused_to_the_projects_key_at_once(
    api: AuthenticatedApi, world: World
) -> None:
    shop, _ = await world.team("shop"), await world.team("finance")
    key = await api.create_project_key(await world.project("dbt", shop), Scope.WRITE)
    create_asset = "mutation ($input: CreateAssetInput!) { createAsset(input: $input) { errors { code } } }"
    asked = {"fqn": "a.b.first", "owner": {"name": "shop"}}
    assert (await run(api, key.token, create_asset, **asked))["errors"] == []
    await run(api, await root(api), UPDATE, project={"name": "dbt"}, owners=[{"name": "finance"}])
    refused = await run(api, key.token, create_asset, **asked | {"fqn": "a.b.second"})
    assert refused["errors"] == [{"code": "FORBIDDEN"}]
    asked["owner"] = {"name": "finance"}
    assert (await run(api, key.token, create_asset, **asked | {"fqn": "a.b.second"}))["errors"] == []
