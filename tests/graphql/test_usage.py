"""Observed reads over GraphQL: sources, keys with the scope EVIDENCE, imports, principals and observations."""

from typing import Any

import pytest

from tessera_gql.formats.raw_json import RawJson
from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Scope
from tessera_gql.store.database import Database
from tests.conftest import FixedClock
from tests.graphql.authenticated_api import AuthenticatedApi, authenticated_api, codes
from tests.world import World

ERRORS = "errors { code field message }"
CREATE = f"""
mutation ($input: CreateUsageSourceInput!) {{
  createUsageSource(input: $input) {{ usageSource {{ id name covered {{ from to }} }} {ERRORS} }}
}}
"""
CREATE_KEY = f"""
mutation ($input: CreateApiKeyInput!) {{
  createApiKey(input: $input) {{ token apiKey {{ id scopes team {{ name }} usageSource {{ name }} }} {ERRORS} }}
}}
"""
REVOKE = f"mutation ($input: RevokeApiKeyInput!) {{ revokeApiKey(input: $input) {{ {ERRORS} }} }}"
IMPORT = f"""
mutation ($input: ImportUsageInput!) {{
  importUsage(input: $input) {{
    report {{
      rows reads isTruncated covered {{ from to }} ignored {{ reason count line }}
      principalsCreated observationsCreated daysChanged
    }}
    usageSource {{ name covered {{ from to }} }}
    {ERRORS}
  }}
}}
"""
MAP = f"""
mutation ($input: MapPrincipalInput!) {{
  mapPrincipal(input: $input) {{ principalRule {{ id pattern team {{ name }} }} principalsChanged {ERRORS} }}
}}
"""
UNMAP = f"""
mutation ($input: UnmapPrincipalInput!) {{
  unmapPrincipal(input: $input) {{ pattern principalsChanged {ERRORS} }}
}}
"""
LOG = """principal,asset,field,read_at,count
bob,analytics.core.orders,note,2025-12-28T10:00:00Z,2
bob,analytics.core.orders,,2025-12-30T10:00:00Z,
eve,analytics.core.orders,total,2025-12-30T11:00:00Z,1
eve,no.such.table,total,2025-12-31T11:00:00Z,1
"""


@pytest.fixture
def api(database: Database) -> AuthenticatedApi:
    return authenticated_api(database)


async def root(api: AuthenticatedApi) -> str:
    return (await api.create_key(None, Scope.ADMIN, name="root")).token


async def run(api: AuthenticatedApi, token: str, query: str, **asked: Any) -> dict[str, Any]:
    (payload,) = (await api.data(token, query, input=asked)).values()
    return payload


async def loader(api: AuthenticatedApi, name: str = "snowflake") -> tuple[str, str]:
    """An administrator's token, and that of a key of a new source."""
    token = await root(api)
    created = await run(api, token, CREATE, name=name)
    assert created["usageSource"]["covered"] == created["errors"] == []
    key = await run(api, token, CREATE_KEY, name="loader", usageSource={"name": name.upper()})
    assert key["apiKey"] == key["apiKey"] | {
        "scopes": ["READ", "EVIDENCE"],
        "team": None,
        "usageSource": {"name": name},
    }
    return token, key["token"]


async def test_a_key_of_a_source_imports_its_log_and_reports_what_it_took(api: AuthenticatedApi, world: World) -> None:
    await world.published()
    _, token = await loader(api)
    asked = {"source": {"name": "snowflake"}, "idempotencyKey": "december"}
    first = await run(api, token, IMPORT, document=LOG, **asked)
    span = {"from": "2025-12-28T10:00:00Z", "to": "2025-12-31T11:00:00Z"}
    assert first == {
        "report": {
            "rows": 4,
            "reads": 4,
            "isTruncated": False,
            "covered": span,
            "ignored": [{"reason": "UNKNOWN_ASSET", "count": 1, "line": None}],
            "principalsCreated": 2,
            "observationsCreated": 3,
            "daysChanged": 3,
        },
        "usageSource": {"name": "snowflake", "covered": [span]},
        "errors": [],
    }
    assert await run(api, token, IMPORT, document=LOG, **asked) == first
    again = await run(api, token, IMPORT, document=RawJson(LOG.encode()), source={"name": "snowflake"})
    assert (again["report"]["daysChanged"], again["usageSource"]) == (0, first["usageSource"])


async def test_observations_and_principals_are_listed(api: AuthenticatedApi, world: World) -> None:
    asset = await world.published()
    team = await world.team("finance")
    admin, token = await loader(api)
    await run(api, token, IMPORT, document=LOG, source={"name": "snowflake"}, to="2026-01-01T00:00:00Z")
    mapped = await run(api, admin, MAP, pattern="B*", team={"name": "finance"})
    assert (mapped["principalRule"]["pattern"], mapped["principalsChanged"]) == ("b*", 1)
    query = """query ($asset: AssetRef!, $mapped: PrincipalFilter) {
      asset(by: $asset) { observations(orderBy: {field: FIRST_SEEN}) { totalCount nodes {
        field firstSeen lastSeen readCount longestPauseSeconds asset { fqn } principal { name team { name } } } } }
      principals(filter: $mapped) { nodes { name source { name } team { name } } }
      principalRules { nodes { pattern team { name } } }
      usageSources { nodes { name covered { from to } } }
      usageSource(by: {name: "SNOWFLAKE"}) { name }
    }"""
    reader = (await api.create_key(team)).token
    data = await api.data(reader, query, asset={"fqn": asset.fqn}, mapped={"isMapped": {"eq": False}})
    observations = data["asset"]["observations"]
    assert observations["nodes"][0] == {
        "field": "note",
        "firstSeen": "2025-12-28T10:00:00Z",
        "lastSeen": "2025-12-28T10:00:00Z",
        "readCount": 2,
        "longestPauseSeconds": 0,
        "asset": {"fqn": asset.fqn},
        "principal": {"name": "bob", "team": {"name": "finance"}},
    }
    assert (observations["totalCount"], [node["field"] for node in observations["nodes"]]) == (
        3,
        ["note", None, "total"],
    )
    assert data["principals"]["nodes"] == [{"name": "eve", "source": {"name": "snowflake"}, "team": None}]
    assert data["principalRules"]["nodes"] == [{"pattern": "b*", "team": {"name": "finance"}}]
    assert data["usageSources"]["nodes"][0]["covered"][0]["to"] == "2026-01-01T00:00:00Z"
    removed = await run(api, admin, UNMAP, pattern="b*")
    assert removed == {"pattern": "b*", "principalsChanged": 1, "errors": []}
    again = await run(api, admin, UNMAP, pattern="b*")
    assert [(error["code"], error["field"]) for error in again["errors"]] == [("NOT_FOUND", ["input", "pattern"])]


async def test_a_team_can_make_no_evidence_and_no_key_for_it(api: AuthenticatedApi, world: World) -> None:
    team = await world.team("finance")
    admin, _ = await loader(api)
    writer = (await api.create_key(team, Scope.WRITE)).token
    refused = await run(api, writer, IMPORT, document=LOG, source={"name": "snowflake"})
    assert (refused["report"], [(error["code"], error["field"]) for error in refused["errors"]]) == (
        None,
        [("FORBIDDEN", ["input", "source"])],
    )
    by_team = await run(api, writer, CREATE_KEY, name="x", usageSource={"name": "snowflake"})
    assert [(error["code"], error["field"]) for error in by_team["errors"]] == [("FORBIDDEN", ["input", "usageSource"])]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"scopes": ["EVIDENCE"], "team": {"name": "finance"}}, ["input", "scopes"]),
        ({"scopes": ["EVIDENCE", "ADMIN"]}, ["input", "scopes"]),
        ({"usageSource": {"name": "snowflake"}, "scopes": ["WRITE"]}, ["input", "scopes"]),
        ({"usageSource": {"name": "snowflake"}, "team": {"name": "finance"}}, ["input", "usageSource"]),
    ]
    for asked, field in cases:
        payload = await run(api, admin, CREATE_KEY, name="x", **asked)
        assert [(error["code"], error["field"]) for error in payload["errors"]] == [("INVALID", field)]
    missing = await run(api, admin, CREATE_KEY, name="x", usageSource={"name": "gone"})
    assert [(error["code"], error["field"]) for error in missing["errors"]] == [("NOT_FOUND", ["input", "usageSource"])]


async def test_a_key_of_a_source_changes_nothing_else_and_is_revoked_by_an_administrator(
    api: AuthenticatedApi, world: World
) -> None:
    team = await world.team("finance")
    admin, token = await loader(api)
    await run(api, admin, CREATE, name="bigquery")
    wrong = await run(api, token, IMPORT, document=LOG, source={"name": "bigquery"})
    assert [error["code"] for error in wrong["errors"]] == ["FORBIDDEN"]
    for query in (CREATE, CREATE_KEY):
        refused = await run(api, token, query, name="mine")
        assert [error["code"] for error in refused["errors"]] == ["FORBIDDEN"]
    listed = '{ apiKeys(filter: {name: {eq: "loader"}}) { nodes { id } } viewer { scopes apiKey { name } } }'
    assert codes(await api.reply(token, "{ apiKeys { totalCount } }")) == ["FORBIDDEN"]
    viewer = await api.data(token, "{ viewer { scopes team { name } apiKey { name } } }")
    assert viewer["viewer"] == {"scopes": ["READ", "EVIDENCE"], "team": None, "apiKey": {"name": "loader"}}
    (key,) = (await api.data(admin, listed))["apiKeys"]["nodes"]
    writer = (await api.create_key(team, Scope.WRITE)).token
    assert [error["code"] for error in (await run(api, writer, REVOKE, apiKey=key["id"]))["errors"]] == ["NOT_FOUND"]
    assert (await run(api, admin, REVOKE, apiKey=key["id"]))["errors"] == []
    assert codes(await api.reply(token, IMPORT, input={"source": {"name": "snowflake"}, "document": LOG})) == [
        "UNAUTHENTICATED"
    ]


@pytest.mark.parametrize(
    ("asked", "code", "field"),
    [
        ({"document": 3}, "INVALID", ["input", "document"]),
        ({"document": "a,b\n"}, "INVALID", ["input", "document"]),
        ({"document": RawJson(b"\xff\xfe")}, "INVALID", ["input", "document"]),
        ({"from": "2026-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}, "INVALID", ["input", "from"]),
        ({"to": "2027-01-01T00:00:00Z"}, "INVALID", ["input", "to"]),
        ({"source": {"id": global_id("Team", "0" * 32)}}, "INVALID", ["input", "source"]),
        ({"source": {"name": "gone"}}, "NOT_FOUND", ["input", "source"]),
    ],
)
async def test_invalid_imports_are_refused_with_their_field(
    api: AuthenticatedApi, world: World, clock: FixedClock, asked: dict[str, Any], code: str, field: list[str]
) -> None:
    del world, clock
    admin, _ = await loader(api)
    payload = await run(api, admin, IMPORT, **{"source": {"name": "snowflake"}, "document": LOG, **asked})
    assert (payload["report"], [(error["code"], error["field"]) for error in payload["errors"]]) == (
        None,
        [(code, field)],
    )
