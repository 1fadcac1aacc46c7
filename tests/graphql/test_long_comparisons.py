"""A mutation with a long comparison computes it without locks, then runs its transaction again."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tessera_gql.compute import Pool
from tessera_gql.executor import core_schema
from tessera_gql.graphql import context
from tessera_gql.graphql.errors import to_graphql_error
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Actor
from tessera_gql.server.http import Transport, execute
from tessera_gql.store.database import Database

PUBLISH = """mutation($schema: JSON!, $key: String, $fqn: String! = "a.b", $supersede: Boolean! = false) {
  publishContract(input: { asset: { fqn: $fqn }, schema: $schema, idempotencyKey: $key, supersede: $supersede }) {
    outcome contract { version } proposal { id } errors { code message } diff { changes { certainty } }
  }
}"""
PREPARE = """mutation {
  team: createTeam(input: { name: "t" }) { errors { message } }
  a: createAsset(input: { fqn: "a.b", owner: { name: "t" } }) { errors { message } }
  b: createAsset(input: { fqn: "a.c", owner: { name: "t" } }) { errors { message } }
}"""
EVENTS = "{ events(first: 100) { nodes { kind } } contracts { totalCount } proposals { totalCount } }"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(processes=2, seconds=0.5)
    yield pool
    pool.close()


@dataclass
class Identity:
    actor: Actor = ANONYMOUS


@dataclass
class Api:
    """Operations as the server runs them, with worker processes for comparisons."""

    database: Database
    pool: Pool

    async def data(self, query: str, **variables: Any) -> Any:
        resources = context.Resources(pool=self.pool)
        transport = Transport(
            schema=core_schema(schema),
            authenticate=lambda _: asyncio.sleep(0, Identity()),
            open_operation_context=lambda identity: context.Context(self.database, identity.actor, resources),
            to_graphql_error=to_graphql_error,
        )
        reply = await execute(transport, query=query, variables=variables, identity=Identity())
        assert "errors" not in reply, reply
        return reply["data"]

    async def publish(self, schema_: Any, **variables: Any) -> Any:
        return (await self.data(PUBLISH, schema=schema_, **variables))["publishContract"]


@pytest.fixture
async def api(database: Database, pool: Pool) -> Api:
    api = Api(database, pool)
    await api.data(PREPARE)
    return api


def table(count: int, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {f"c{n}": {"type": kind, "minLength": 1} for n in range(count)}, **more}


def endless(kind: str) -> dict[str, Any]:
    return {"oneOf": [{"properties": {f"p{n}": {"type": kind}}} for n in range(1500)]}


async def test_a_long_comparison_has_the_same_outcome_as_a_short_one(api: Api) -> None:
    assert (await api.publish(table(200)))["contract"] == {"version": "1.0.0"}
    assert (await api.publish(table(200)))["outcome"] == "UNCHANGED"
    assert (await api.publish(table(201)))["contract"] == {"version": "1.1.0"}
    broken = await api.publish(table(150))
    assert broken["outcome"] == "PUBLISHED"
    assert {change["certainty"] for change in broken["diff"]["changes"]} == {"PROVEN"}
    reply = await api.data(EVENTS)
    assert (reply["contracts"]["totalCount"], reply["proposals"]["totalCount"]) == (3, 1)
    assert [node["kind"] for node in reply["events"]["nodes"]].count("CONTRACT_PUBLISHED") == 3


async def test_a_retry_with_the_same_key_has_no_second_effect(api: Api) -> None:
    first = await api.publish(table(200), key="build-1")
    assert await api.publish(table(200), key="build-1") == first
    assert (await api.data(EVENTS))["contracts"]["totalCount"] == 1


async def test_a_comparison_that_takes_too_long_is_refused_and_changes_nothing(api: Api) -> None:
    assert (await api.publish(endless("string")))["outcome"] == "PUBLISHED"
    refused = await api.publish(endless("integer"))
    assert refused["outcome"] is None
    assert [error["code"] for error in refused["errors"]] == ["INVALID"]
    assert "longer than 0.5 seconds" in refused["errors"][0]["message"]
    assert (await api.data(EVENTS))["contracts"]["totalCount"] == 1


async def test_other_transactions_write_while_a_comparison_runs(api: Api) -> None:
    await api.publish(endless("string"))
    slow = asyncio.create_task(api.publish(endless("integer")))
    await asyncio.sleep(0.2)
    quick = await api.publish({"type": "object"}, fqn="a.c")
    assert quick["outcome"] == "PUBLISHED"
    assert not slow.done()
    await slow


async def test_versions_published_meanwhile_are_compared_with_as_well(api: Api) -> None:
    await api.publish(table(200))
    outcomes = await asyncio.gather(*(api.publish(table(200 + count)) for count in (1, 2, 3, 4)))
    codes = [error["code"] for outcome in outcomes for error in outcome["errors"]]
    assert set(codes) <= {"CONFLICT"}, outcomes  # of who would propose beside an open proposal
    reply = await api.data("{ contracts(first: 10) { nodes { version status } } }")
    assert [node["status"] for node in reply["contracts"]["nodes"]].count("ACTIVE") == 1
    versions = [node["version"] for node in reply["contracts"]["nodes"]]
    assert len(versions) == len(set(versions))
    ends = [outcome["outcome"] for outcome in outcomes]
    assert ends.count("PUBLISHED") == len(versions) - 1
    assert ends.count("PROPOSED") + ends.count("PUBLISHED") + len(codes) == 4
