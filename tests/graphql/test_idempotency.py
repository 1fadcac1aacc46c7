"""A mutation repeated with its idempotency key returns the first payload and changes nothing."""

import asyncio
from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tests.graphql.conftest import Ask
from tests.world import World, adding, without

PUBLISH = """
mutation ($input: PublishContractInput!) {
  publishContract(input: $input) {
    outcome contract { id version } proposal { id status acknowledgments { totalCount } }
    diff { bump mode isCompatible changes { path counterexample } breaking { path } }
    errors { code field message } clientMutationId
  }
}
"""

CREATE = """
mutation ($input: CreateTeamInput!) { createTeam(input: $input) { team { id name } errors { code message field } } }
"""


def publish_input(schema: Any, **options: Any) -> dict[str, Any]:
    return {"asset": {"fqn": "analytics.core.orders"}, "schema": schema, "idempotencyKey": "k-1", **options}


@pytest.mark.parametrize("schema", [adding("extra"), without("note")])
async def test_a_retry_gets_the_first_payload_and_writes_nothing(schema: Any, world: World, ask: Ask) -> None:
    await world.published(consumers=2)
    first = (await ask(PUBLISH, input=publish_input(schema, clientMutationId="one")))["publishContract"]
    assert first["errors"] == []
    before = await world.size()
    again = (await ask(PUBLISH, input=publish_input(schema, clientMutationId="two")))["publishContract"]
    assert again.pop("clientMutationId") == "two"
    assert first.pop("clientMutationId") == "one"
    assert again == first
    assert await world.size() == before


async def test_a_retry_shows_current_objects_with_the_first_outcome(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    await ask(PUBLISH, input=publish_input(without("note")))
    await world.publish(asset, without("total"), force=True, reason="late")
    again = (await ask(PUBLISH, input=publish_input(without("note"))))["publishContract"]
    assert again["outcome"] == "PROPOSED"
    assert again["proposal"]["status"] == "SUPERSEDED"


async def test_a_key_used_with_another_input_is_a_conflict(world: World, ask: Ask) -> None:
    await world.published()
    await ask(PUBLISH, input=publish_input(adding("extra")))
    payload = (await ask(PUBLISH, input=publish_input(adding("other"))))["publishContract"]
    assert payload["errors"][0]["code"] == "CONFLICT"
    assert payload["errors"][0]["field"] == ["input", "idempotencyKey"]
    assert payload["outcome"] is None
    team = (await ask(CREATE, input={"name": "x", "idempotencyKey": "k-1"}))["createTeam"]
    assert team["errors"][0]["code"] == "CONFLICT"


async def test_keys_of_different_callers_do_not_collide(ask: Ask) -> None:
    for name in ("one", "two"):
        actor = Actor(name, None, frozenset(Scope))
        reply = await ask(CREATE, actor=actor, input={"name": f"team of {name}", "idempotencyKey": "same"})
        assert reply["createTeam"]["errors"] == []


async def test_a_refusal_is_not_stored(world: World, ask: Ask) -> None:
    arguments = {"asset": {"fqn": "analytics.core.orders"}, "team": {"name": "late"}, "idempotencyKey": "k-2"}
    query = """mutation ($input: RegisterInput!) { register(input: $input) { registration { id } errors { code } } }"""
    await world.published()
    assert (await ask(query, input=arguments))["register"]["errors"] == [{"code": "NOT_FOUND"}]
    await world.team("late")
    assert (await ask(query, input=arguments))["register"]["registration"] is not None


async def test_a_dry_run_is_not_stored(world: World, ask: Ask) -> None:
    await world.published()
    dry = (await ask(PUBLISH, input=publish_input(adding("extra"), dryRun=True)))["publishContract"]
    assert dry["outcome"] == "PUBLISHED"
    wet = (await ask(PUBLISH, input=publish_input(adding("extra"))))["publishContract"]
    assert wet["errors"] == []
    active = await world.active(await world.asset("other.asset", await world.team("other")))
    assert active is None
    assert wet["contract"]["version"] == "1.1.0"


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_too_short_or_too_long_key_is_refused(key: str, ask: Ask) -> None:
    reply = (await ask(CREATE, input={"name": "x", "idempotencyKey": key}))["createTeam"]
    assert reply["errors"][0]["code"] == "INVALID"
    assert reply["errors"][0]["field"] == ["input", "idempotencyKey"]


async def test_equal_concurrent_calls_have_one_effect_and_one_payload(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    before = await world.size()
    answers = await asyncio.gather(*(ask(PUBLISH, input=publish_input(without("note"))) for _ in range(6)))
    payloads = [answer["publishContract"] for answer in answers]
    assert all(payload == payloads[0] for payload in payloads)
    assert payloads[0]["outcome"] == "PROPOSED"
    after = await world.size()
    assert after["Proposal"] - before["Proposal"] == 1
    assert after["EventRow"] - before["EventRow"] == 2


async def test_every_creating_mutation_can_be_retried(world: World, ask: Ask) -> None:
    await world.published()
    query = """mutation {
      createTeam(input: {name: "t", idempotencyKey: "a"}) { team { id } errors { message } }
      createAsset(input: {fqn: "x.y", owner: {name: "t"}, idempotencyKey: "b"}) { asset { id } errors { message } }
      addDependency(input: {dependent: {fqn: "x.y"}, dependency: {fqn: "analytics.core.orders"}, idempotencyKey: "c"}) {
        dependency { id type } errors { message }
      }
      register(input: {asset: {fqn: "analytics.core.orders"}, team: {name: "t"}, idempotencyKey: "d"}) {
        registration { id } errors { message }
      }
    }"""
    first = await ask(query)
    assert [answer["errors"] for answer in first.values()] == [[]] * 4
    before = await world.size()
    assert await ask(query) == first
    assert await world.size() == before
