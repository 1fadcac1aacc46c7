"""The size of a reply is limited where it is known only during execution."""

from dataclasses import replace
from typing import Any

import pytest

from tessera_gql.config import Executor
from tessera_gql.graphql import changes, context
from tessera_gql.graphql.errors import to_graphql_error
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.http import Transport, execute

PREPARE = """mutation {
  team: createTeam(input: { name: "t" }) { errors { message } }
  a: createAsset(input: { fqn: "a.b", owner: { name: "t" } }) { errors { message } }
}"""
PUBLISH = """mutation($schema: JSON!) {
  publishContract(input: { asset: { fqn: "a.b" }, schema: $schema }) { outcome }
}"""
SCHEMAS = "{ contracts(first: 10) { nodes { version schema } } }"
VERSIONS = "{ contracts(first: 10) { nodes { version } } }"
DIFF = "query($old: JSON!, $new: JSON!) { diffSchemas(old: $old, new: $new) { changes { path } breaking { path } } }"


def table(count: int, kind: str = "string") -> dict[str, Any]:
    return {"type": "object", "properties": {f"c{n}": {"type": kind, "minLength": 1} for n in range(count)}}


@pytest.fixture(params=Executor)
def api(request: pytest.FixtureRequest, transport: Transport) -> Transport:
    return replace(transport, to_graphql_error=to_graphql_error, executor=request.param)


async def reply(api: Transport, query: str, **variables: Any) -> dict[str, Any]:
    return await execute(api, query=query, variables=variables, identity=ANONYMOUS)


def limit(refused: dict[str, Any]) -> str:
    (error,) = refused["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX", error
    return str(error["extensions"]["limit"])


async def test_an_operation_reads_a_bounded_amount_of_json(api: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    await reply(api, PREPARE)
    for columns in (100, 101, 102):
        await reply(api, PUBLISH, schema=table(columns))
    whole = await reply(api, SCHEMAS)
    assert len(whole["data"]["contracts"]["nodes"]) == 3
    monkeypatch.setattr(context, "MAX_JSON_CHARACTERS", 8_000)
    assert limit(await reply(api, SCHEMAS)) == "json"
    if api.executor is Executor.PLANNED:  # which reads only what the answer shows
        assert len((await reply(api, VERSIONS))["data"]["contracts"]["nodes"]) == 3


async def test_a_reply_holds_a_bounded_number_of_changes(api: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {"old": table(300), "new": table(300, "integer")}
    whole = (await reply(api, DIFF, **pair))["data"]["diffSchemas"]
    assert len(whole["changes"]) > changes.CHUNK_SIZE
    assert {change["path"] for change in whole["breaking"]} == {f"c{n}" for n in range(300)}
    monkeypatch.setattr(changes, "MAX_CHANGES", len(whole["changes"]) + len(whole["breaking"]) - 1)
    assert limit(await reply(api, DIFF, **pair)) == "changes"
    assert "errors" not in await reply(api, DIFF.replace("breaking { path }", ""), **pair)
