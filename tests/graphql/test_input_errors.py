"""Invalid ids, cursors, names and inputs are refused in the place where they occur, with names of the schema."""

import asyncio
import json
import random
from typing import Any

import pytest
from graphql import build_schema

from tessera_gql.graphql import context
from tessera_gql.graphql.ids import global_id
from tessera_gql.graphql.schema import print_sdl
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.database import Database
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World

NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
CREATE = "mutation ($i: CreateAssetInput!) { createAsset(input: $i) { asset { fqn } errors { code field message } } }"
PUBLISH = """
mutation ($i: PublishContractInput!) {
  publishContract(input: $i) { outcome contract { version } errors { code field message } }
}
"""


async def test_an_invalid_id_fails_only_at_its_position_of_a_list(world: World, answer: Ask) -> None:
    team = global_id("Team", (await world.team("shop")).id)
    reply = await answer(NODES, ids=["junk", team, global_id("Nope", (await world.team("x")).id), team])
    assert reply["data"]["nodes"] == [None, {"id": team}, None, {"id": team}]
    assert [(error["path"], error["extensions"]["code"]) for error in reply["errors"]] == [
        (["nodes", 0], "INVALID"),
        (["nodes", 2], "INVALID"),
    ]


@pytest.mark.parametrize("field", ["events", 'search(text: "o")', "assets"])
async def test_a_null_cursor_is_the_same_as_no_cursor(field: str, world: World, ask: Ask) -> None:
    await world.published()
    name, _, arguments = field.rstrip(")").partition("(")
    backwards = "" if name == "search" else f"back: {name}(before: null, last: 1) {{ pageInfo {{ hasNextPage }} }}"
    data = await ask(f"{{ {name}(after: null {arguments}) {{ pageInfo {{ hasPreviousPage }} }} {backwards} }}")
    assert data[name]["pageInfo"]["hasPreviousPage"] is False
    assert "back" not in data or data["back"]["pageInfo"]["hasNextPage"] is False


async def test_a_name_too_long_for_an_index_is_refused_alike_on_both_databases(world: World, ask: Ask) -> None:
    await world.team("shop")
    letters = random.Random(1)
    long = "a." + "".join(chr(0x20000 + letters.randrange(40_000)) for _ in range(998))
    for fqn, code in ((long, "INVALID"), (long[:600], None)):
        data = await ask(CREATE, i={"fqn": fqn, "owner": {"name": "shop"}})
        assert [error["code"] for error in data["createAsset"]["errors"]] == ([code] if code else [])


async def test_descriptions_are_searched_without_case_in_any_alphabet(world: World, ask: Ask) -> None:
    owner = await world.team("shop")
    await world.asset("shop.core.a", owner, description="ÜBERALL in der Straße, ПРИВЕТ")
    for text in ("überall", "Überall", "straße", "привет"):
        data = await ask(
            """query ($t: String!) {
              search(text: $t) { totalCount } assets(filter: {description: {contains: $t}}) { totalCount }
            }""",
            t=text,
        )
        assert data == {"search": {"totalCount": 1}, "assets": {"totalCount": 1}}, text


@pytest.mark.parametrize(
    ("bad", "field"),
    [({"version": "x"}, "version"), ({"metadata": [1]}, "metadata"), ({"reason": "x" * 20_001}, "reason")],
)
async def test_an_invalid_input_is_refused_although_nothing_would_change(
    bad: dict[str, Any], field: str, world: World, ask: Ask
) -> None:
    asset = await world.published()
    data = await ask(PUBLISH, i={"asset": {"fqn": asset.fqn}, "schema": ORDERS, **bad})
    (error,) = data["publishContract"]["errors"]
    assert (error["code"], error["field"]) == ("INVALID", ["input", field])
    same = {"asset": {"fqn": asset.fqn}, "schema": ORDERS, "version": "1.0.0"}
    assert (await ask(PUBLISH, i=same))["publishContract"]["outcome"] == "UNCHANGED"


async def test_a_refusal_names_a_field_of_the_input(world: World, ask: Ask) -> None:
    asset = await world.published()
    data = await ask(
        """mutation ($fqn: String!) {
          register(input: {asset: {fqn: $fqn}, team: {name: "producers"}, pinnedVersion: "zz"}) { errors { field } }
          createAsset(input: {fqn: "a.b"}) { errors { field } }
          createTeam(input: {name: "x", idempotencyKey: "\\u0000"}) { errors { field message } }
        }""",
        fqn=asset.fqn,
    )
    core = build_schema(print_sdl())
    assert core.mutation_type is not None
    for name, payload in data.items():
        (error,) = payload["errors"]
        kind: Any = core.mutation_type.fields[name].args["input"].type
        assert error["field"][1] in kind.of_type.fields, (name, error)
    assert data["register"]["errors"][0]["field"] == ["input", "pinnedVersion"]
    assert data["createAsset"]["errors"][0]["field"] == ["input", "owner"]
    assert "idempotencyKey" in data["createTeam"]["errors"][0]["message"]


async def test_a_conflict_of_idempotency_keys_names_the_mutation_as_the_schema_does(ask: Ask) -> None:
    create = 'mutation ($n: String!) { createTeam(input: {name: $n, idempotencyKey: "k"}) { errors { code message } } }'
    await ask(create, n="a")
    (error,) = (await ask(create, n="b"))["createTeam"]["errors"]
    assert error["code"] == "CONFLICT"
    assert "createTeam" in error["message"]


async def test_an_empty_list_does_not_mean_all(world: World, answer: Ask) -> None:
    asset = await world.published()
    reply = await answer('{ search(text: "o", types: []) { totalCount } }')
    assert reply["errors"][0]["extensions"]["code"] == "INVALID"
    fields = await answer(
        "query ($f: String!) { asset(by: {fqn: $f}) { fields(filter: {paths: []}) { nodes { path } } } }", f=asset.fqn
    )
    assert fields["data"]["asset"]["fields"] == {"nodes": []}


async def test_a_webhook_document_that_would_always_fail_is_refused(ask: Ask) -> None:
    create = """mutation ($d: String!) {
      createWebhook(input: {url: "https://example.com/", document: $d}) { errors { code field message } }
    }"""
    data = await ask(create, d="query ($event: Int!) { assets(first: $event) { totalCount } }")
    (error,) = data["createWebhook"]["errors"]
    assert (error["code"], error["field"]) == ("INVALID", ["input", "document"])
    good = await ask(create, d="query ($event: ID!) { node(id: $event) { id } }")
    assert good["createWebhook"]["errors"] == []


@pytest.mark.parametrize("inner", ["[" * 400 + "]" * 400, "{a: " * 250 + "1" + "}" * 250])
async def test_a_too_deeply_nested_input_is_refused_as_such(inner: str, answer: Ask) -> None:
    reply = await answer(f'{{ impact(asset: {{fqn: "a.b"}}, schema: {inner}) {{ outcome }} }}')
    (error,) = reply["errors"]
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "nested too deeply" in error["message"], json.dumps(error)


async def test_an_acknowledgment_raises_the_row_version_of_its_registrations(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    data = await ask(
        """mutation ($p: ID!) {
          acknowledgeProposal(input: {proposal: $p, team: {name: "consumer-0"}, response: APPROVED}) {
            errors { code message } query { registrations { nodes { rowVersion acknowledgedAt } } }
          }
        }""",
        p=global_id("Proposal", proposal.id),
    )
    assert data["acknowledgeProposal"]["errors"] == []
    (node,) = data["acknowledgeProposal"]["query"]["registrations"]["nodes"]
    assert node["rowVersion"] == 2


DECIDE = """
mutation ($p: ID!, $r: ID!, $seen: Int) {
  acknowledgeProposal(
    input: {proposal: $p, team: {name: "consumer-0"}, response: APPROVED, expectedRowVersion: $seen}
  ) { proposal { rowVersion } errors { code field } }
  publishProposal(input: {proposal: $p, publishedBy: {name: "producers"}, expectedRowVersion: $seen}) {
    errors { code field }
  }
  withdrawProposal(input: {proposal: $p, team: {name: "producers"}, expectedRowVersion: $seen}) {
    errors { code field }
  }
  unregister(input: {registration: $r, expectedRowVersion: $seen}) { errors { code field } }
}
"""


async def test_a_decision_on_an_outdated_row_version_is_refused(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    (registration,) = await world.registrations()
    ids: dict[str, Any] = {"p": global_id("Proposal", proposal.id), "r": global_id("Registration", registration.id)}
    for payload in (await ask(DECIDE, **ids, seen=77)).values():
        assert payload["errors"] == [{"code": "STALE", "field": ["input", "expectedRowVersion"]}]
    answered = (await ask(DECIDE, **ids, seen=proposal.row_version))["acknowledgeProposal"]
    assert answered["errors"] == []
    assert answered["proposal"]["rowVersion"] == proposal.row_version + 1


async def test_a_repeated_last_acknowledgment_gets_the_first_outcome(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    answer = """mutation ($p: ID!) {
      acknowledgeProposal(
        input: {proposal: $p, team: {name: "consumer-0"}, response: APPROVED, idempotencyKey: "once"}
      ) { proposal { status } contract { version } acknowledgment { response } errors { code } }
    }"""
    first = await ask(answer, p=global_id("Proposal", proposal.id))
    before = await world.kinds()
    assert first["acknowledgeProposal"]["contract"] == {"version": "2.0.0"}
    assert await ask(answer, p=global_id("Proposal", proposal.id)) == first
    assert await world.kinds() == before


async def test_an_approved_proposal_is_published_once_however_often_it_is_requested(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=0, require_explicit_publish=True)
    publish = """mutation ($p: ID!) {
      publishProposal(input: {proposal: $p, publishedBy: {name: "producers"}, idempotencyKey: "once"}) {
        proposal { status } contract { version } errors { code }
      }
    }"""
    first = await ask(publish, p=global_id("Proposal", proposal.id))
    assert first["publishProposal"]["contract"] == {"version": "2.0.0"}
    assert await ask(publish, p=global_id("Proposal", proposal.id)) == first


async def test_a_url_is_a_scalar_of_its_own(ask: Ask, answer: Ask) -> None:
    create = "mutation ($u: URL!) { createWebhook(input: {url: $u}) { webhook { url } errors { code } } }"
    assert (await ask(create, u="https://example.com/x"))["createWebhook"]["webhook"]["url"] == "https://example.com/x"
    assert (await ask(create, u="nothing"))["createWebhook"]["errors"] == [{"code": "INVALID"}]
    assert (await answer(create, u=5))["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("failing", "standing"),
    [
        (
            "assets { nodes { owner { name } upstream(depth: 99) { totalCount } } }",
            "assets { nodes { owner { name } } }",
        ),
        (
            'registrations { nodes { asset { owner { name } registrations(after: "x") { totalCount } } } }',
            "registrations { nodes { asset { owner { name } } consumerTeam { name } } }",
        ),
    ],
)
async def test_a_failing_field_does_not_fail_another_one_with_the_same_rows(
    failing: str, standing: str, world: World, answer: Ask
) -> None:
    await world.published(consumers=2)
    owner = await world.team("others")
    for name in "abcd":
        await world.asset(f"x.y.{name}", owner)
    alone = (await answer(f"{{ good: {standing} }}"))["data"]["good"]
    reply = await answer(f"{{ bad: {failing} good: {standing} }}")
    assert {error["extensions"]["code"] for error in reply["errors"]} == {"INVALID"}
    assert reply["data"] == {"bad": None, "good": alone}


async def test_cancelling_a_load_does_not_cancel_another_one_of_the_same_rows(world: World, database: Database) -> None:
    team = await world.team("shop")
    async with context.Context(database, ANONYMOUS) as open_request:
        loaders = open_request.loaders
        given_up = [
            asyncio.ensure_future(loaders.team.load(team.id)),
            asyncio.ensure_future(loaders.team.load_many([team.id])),
        ]
        waiting = asyncio.gather(loaders.team.load(team.id), loaders.team.load_many([team.id]))
        await asyncio.sleep(0)
        for task in given_up:
            task.cancel()
        row, (same_row,) = await waiting
        assert row is not None
        assert row == same_row
        assert row.id == team.id
