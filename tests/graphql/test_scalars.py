"""Scalars: ids, references, date-times, JSON, and text that a database can't store."""

from typing import Any

import pytest

from tessera_gql.formats.storage_faults import find_storage_fault
from tessera_gql.graphql.ids import global_id, local_id
from tessera_gql.store.tables import new_id
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"


async def test_every_object_can_be_loaded_by_its_id(world: World, ask: Ask) -> None:
    await world.proposed(consumers=1)
    data = await ask(
        """{
          teams { nodes { id } } assets { nodes { id } } contracts { nodes { id } } registrations { nodes { id } }
          proposals { nodes { id acknowledgments { nodes { id } } } } events { nodes { id } }
        }"""
    )
    ids = [node["id"] for connection in data.values() for node in connection["nodes"]]
    ids += [node["id"] for node in data["proposals"]["nodes"][0]["acknowledgments"]["nodes"]]
    connection = await ask("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)
    assert [node["id"] for node in connection["nodes"]] == ids
    assert {node["__typename"] for node in connection["nodes"]} == {
        "Team",
        "Asset",
        "Contract",
        "Registration",
        "Proposal",
        "Acknowledgment",
        "Event",
    }
    assert (await ask(NODE, id=ids[0]))["node"]["id"] == ids[0]


async def test_a_missing_object_is_null(ask: Ask) -> None:
    absent = new_id()
    assert await ask(NODE, id=global_id("Asset", absent)) == {"node": None}
    data = await ask(
        """query ($c: ID!, $r: ID!, $p: ID!) {
          asset(by: {fqn: "no.such"}) { id } team(by: {name: "nobody"}) { id }
          contract(id: $c) { id } registration(id: $r) { id } proposal(id: $p) { id }
        }""",
        c=global_id("Contract", absent),
        r=global_id("Registration", absent),
        p=global_id("Proposal", absent),
    )
    assert set(data.values()) == {None}


@pytest.mark.parametrize("junk", ["", "x", "AAAA", "QXNzZXQ6eA==", "💥", "a" * 10_000, "VW5rbm93bjowMDAw"])
async def test_a_junk_id_is_refused_and_never_an_internal_error(junk: str, answer: Ask) -> None:
    for query in (
        NODE,
        "query ($id: ID!) { contract(id: $id) { id } }",
        "query ($id: ID!) { asset(by: {id: $id}) { id } }",
        "query ($id: ID!) { assets(filter: {owner: {in: [$id]}}) { totalCount } }",
    ):
        reply = await answer(query, id=junk)
        assert reply["errors"][0]["extensions"]["code"] == "INVALID", reply
        assert "is not an id" in reply["errors"][0]["message"]


async def test_an_id_of_another_type_is_refused_with_the_expected_type(world: World, answer: Ask) -> None:
    team = await world.team("shop")
    reply = await answer("query ($id: ID!) { asset(by: {id: $id}) { id } }", id=global_id("Team", team.id))
    assert "of type Team" in reply["errors"][0]["message"]
    refused = await answer(
        "mutation ($id: ID!) { retireContract(input: {contract: $id}) { errors { code field message } } }",
        id=global_id("Team", team.id),
    )
    error = refused["data"]["retireContract"]["errors"][0]
    assert error["field"] == ["input", "contract"]
    assert "id of a Contract" in error["message"]


def test_an_id_is_decoded_to_what_was_encoded() -> None:
    identity = new_id()
    assert local_id(global_id("Asset", identity), "Asset") == identity


@pytest.mark.parametrize(
    "ref", [{}, {"id": "x", "fqn": "y"}, {"fqn": None}, {"id": None, "fqn": "shop.core.orders"}, "x", 1]
)
async def test_a_reference_is_exactly_one_name(ref: Any, answer: Ask) -> None:
    reply = await answer("query ($ref: AssetRef!) { asset(by: $ref) { id } }", ref=ref)
    assert reply["errors"][0]["extensions"]["code"] in {"BAD_REQUEST", "GRAPHQL_VALIDATION_FAILED"}


MOMENT = "query ($at: DateTime!) { assets(filter: {createdAt: {gte: $at}}) { totalCount } }"


@pytest.mark.parametrize(
    "moment", ["2026-03-01T09:30:00Z", "2026-03-01T10:30:00.123+01:00", "2026-03-01t09:30:00.123456789z"]
)
async def test_a_date_time_has_an_offset(moment: str, ask: Ask) -> None:
    assert await ask(MOMENT, at=moment) == {"assets": {"totalCount": 0}}


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-01",
        "2026-03-01T09:30:00",
        "2026-03-01 09:30:00Z",
        "2026-02-30T09:30:00Z",
        "2026-03-01T25:30:00Z",
        "2026-03-01T09:30Z",
        "0001-01-01T00:00:00+14:00",
        "20260301T093000Z",
        "2026-W09-7T09:30:00Z",
        "yesterday",
        "",
        1772357400,
        True,
        None,
    ],
)
async def test_an_invalid_date_time_is_refused(moment: Any, answer: Ask) -> None:
    reply = await answer(MOMENT, at=moment)
    assert reply["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


PUBLISH = """
mutation ($schema: JSON!, $metadata: JSON) {
  publishContract(input: {asset: {fqn: "analytics.core.orders"}, schema: $schema, metadata: $metadata}) {
    outcome contract { schema metadata publishedAt } errors { code field message }
  }
}
"""


async def test_json_is_returned_as_it_was_stored(world: World, ask: Ask) -> None:
    await world.asset("analytics.core.orders", await world.team("producers"))
    metadata = {"deep": [{"ü": [None, True, 1.5, -(2**40), "🙂"]}], "": {"a.b": []}}
    data = await ask(PUBLISH, schema=ORDERS, metadata=metadata)
    contract = data["publishContract"]["contract"]
    assert contract == {"schema": ORDERS, "metadata": metadata, "publishedAt": "2026-01-01T12:00:00Z"}


async def test_json_can_be_written_into_the_document(world: World, ask: Ask) -> None:
    await world.asset("analytics.core.orders", await world.team("producers"))
    data = await ask(
        """mutation ($type: JSON!) {
          publishContract(input: {
            asset: {fqn: "analytics.core.orders"}
            schema: {type: "object", properties: {a: {type: $type, maximum: 1.5}}, required: ["a"]}
          }) { contract { schema } errors { message } }
        }""",
        type="number",
    )
    assert data["publishContract"]["contract"]["schema"] == {
        "type": "object",
        "properties": {"a": {"type": "number", "maximum": 1.5}},
        "required": ["a"],
    }


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"title": "a\0b"}, "NUL"),
        ({"a\0b": 1}, "NUL"),
        ({"title": "\ud800"}, "surrogate"),
        ({"maximum": float("nan")}, "not finite"),
        ({"maximum": float("-inf")}, "not finite"),
        ({"const": nested(300)}, "deeper than 200"),
    ],
)
async def test_json_that_can_not_be_stored_is_refused_before_execution(value: Any, told: str, answer: Ask) -> None:
    reply = await answer(PUBLISH, schema=value)
    assert reply["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert told in reply["errors"][0]["message"]


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
async def test_text_that_can_not_be_stored_is_refused_in_every_argument(text: str, world: World, answer: Ask) -> None:
    await world.published()
    for query in (
        "query ($text: String!) { asset(by: {fqn: $text}) { id } }",
        "query ($text: String!) { team(by: {name: $text}) { id } }",
        "query ($text: String!) { teams(filter: {name: {contains: $text}}) { totalCount } }",
        "query ($text: String!) { search(text: $text) { totalCount } }",
        'query ($text: String!) { asset(by: {fqn: "analytics.core.orders"}) { contract(version: $text) { id } } }',
        "query ($text: String!) { assets(after: $text) { totalCount } }",
        "query ($text: String!) { events(after: $text) { totalCount } }",
    ):
        reply = await answer(query, text=text)
        assert reply["errors"][0]["extensions"]["code"] == "INVALID", query
    for mutation in (
        "mutation ($text: String!) { done: createTeam(input: {name: $text}) { errors { code } } }",
        'mutation ($text: String!) { done: createTeam(input: {name: "x", idempotencyKey: $text}) { errors { code } } }',
        "mutation ($text: String!) { done: createAsset(input: {fqn: $text}) { errors { code } } }",
        "mutation ($text: String!) { done: register(input: {asset: {fqn: $text}}) { errors { code } } }",
        """mutation ($text: String!) {
          done: publishContract(input: {asset: {fqn: "a.b"}, schema: {}, reason: $text}) { errors { code } }
        }""",
    ):
        reply = await answer(mutation, text=text)
        assert reply["data"]["done"]["errors"] == [{"code": "INVALID"}], mutation


def test_a_wide_value_is_checked_without_recursion() -> None:
    assert find_storage_fault({"a": [[{"b": list(range(1000))}] * 1000]}) is None
    assert find_storage_fault(nested(200)) is None
    assert find_storage_fault(nested(201)) is not None
