"""Contracts published from documents of other formats keep their source and are exported as ODCS."""

from typing import Any

import pytest

from tessera_gql.formats import odcs
from tests.formats.test_schema_documents import AVRO, DCS, DDL, ODCS, descriptors
from tests.graphql.conftest import Ask
from tests.world import World

PUBLISH = """mutation ($input: PublishContractInput!) {
  publishContract(input: $input) {
    outcome contract { id version schema guarantees source { format text part dialect } exported }
    proposal { id } errors { code field message }
  }
}"""
IMPACT = """query ($asset: AssetRef!, $schema: JSON, $document: DocumentInput) {
  impact(asset: $asset, schema: $schema, document: $document) { outcome version }
}"""
PUBLISH_PROPOSAL = """mutation ($input: PublishProposalInput!) {
  publishProposal(input: $input) { contract { version source { format text } } errors { message } }
}"""
ORDERS = {"fqn": "analytics.core.orders"}
EMPTY = {"type": "object"}


@pytest.mark.parametrize(
    "document",
    [
        {"format": "AVRO", "text": AVRO},
        {"format": "ODCS", "text": ODCS},
        {"format": "DCS", "text": DCS},
        {"format": "DDL", "text": DDL, "part": "shop.orders", "dialect": "postgres"},
        {"format": "PROTOBUF", "text": descriptors("Orders", "Item")},
        {"format": "JSON_SCHEMA", "text": '{"type": "object", "properties": {"id": {}}}'},
    ],
    ids=lambda document: document["format"],
)
async def test_a_document_is_published_and_stored_unchanged(world: World, ask: Ask, document: Any) -> None:
    await world.asset("analytics.core.orders", await world.team("shop"))
    assert (await ask(IMPACT, asset=ORDERS, document=document))["impact"] == {
        "outcome": "PUBLISHED",
        "version": "1.0.0",
    }
    payload = (await ask(PUBLISH, input={"asset": ORDERS, "document": document}))["publishContract"]
    assert payload["errors"] == []
    assert payload["outcome"] == "PUBLISHED"
    contract = payload["contract"]
    assert contract["source"] == {"part": None, "dialect": None, **document}
    assert list(contract["schema"]["properties"]) == ["id"]
    (exported,) = odcs.parse_contract(contract["exported"])
    assert (exported.name, exported.version) == ("analytics.core.orders", "1.0.0")
    again = (await ask(PUBLISH, input={"asset": ORDERS, "document": document}))["publishContract"]
    assert again["outcome"] == "UNCHANGED"


async def test_what_is_left_out_of_a_document_is_in_the_payload_and_in_the_impact(world: World, ask: Ask) -> None:
    await world.asset("analytics.core.orders", await world.team("shop"))
    document = {"format": "DDL", "text": "create table orders (id int);\ndo $$ begin end $$;"}
    warnings = ["Line 2: the code of a DO block is not read."]
    query = "query ($a: AssetRef!, $d: DocumentInput) { impact(asset: $a, document: $d) { warnings } }"
    assert (await ask(query, a=ORDERS, d=document))["impact"]["warnings"] == warnings
    mutation = "mutation ($input: PublishContractInput!) { publishContract(input: $input) { warnings outcome } }"
    arguments = {"asset": ORDERS, "document": document, "idempotencyKey": "once"}
    for _ in range(2):
        payload = (await ask(mutation, input=arguments))["publishContract"]
        assert payload == {"warnings": warnings, "outcome": "PUBLISHED"}


async def test_the_constraints_of_sql_leave_other_guarantees_as_they_are(world: World, ask: Ask) -> None:
    await world.asset("analytics.core.orders", await world.team("shop"))
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    freshness, accepted = {"freshness": {"hours": 24}}, {"accepted_values": {"id": [1]}}
    await ask(PUBLISH, input={"asset": ORDERS, "schema": schema, "guarantees": freshness | accepted})
    keys = {"uniqueness": {"id": "always"}}
    for sql, guarantees in (
        ("create table orders (id bigint unique)", freshness | accepted | keys),
        ("create table orders (id bigint unique, note text)", freshness | keys),
        ("create table orders (id bigint, note text)", freshness),
    ):
        document = {"format": "DDL", "text": sql, "dialect": "postgres"}
        payload = await ask(PUBLISH, input={"asset": ORDERS, "document": document, "force": True, "reason": "x"})
        assert payload["publishContract"]["contract"]["guarantees"] == guarantees


async def test_an_export_publishes_the_same_terms_for_another_asset(world: World, ask: Ask) -> None:
    team = await world.team("shop")
    await world.asset("analytics.core.orders", team)
    await world.asset("analytics.core.copies", team)
    terms = {
        "schema": {"type": "object", "properties": {"id": {"enum": [1, None]}}, "required": ["id"]},
        "guarantees": {"freshness": {"hours": 24}, "nullability": {"id": "never"}},
        "compatibilityMode": "FULL",
    }
    payload = (await ask(PUBLISH, input={"asset": ORDERS, **terms}))["publishContract"]
    copy = {"asset": {"fqn": "analytics.core.copies"}, "document": {"format": "ODCS"}}
    copy["document"]["text"] = payload["contract"]["exported"]
    query = PUBLISH.replace("exported }", "compatibilityMode }")
    contract = (await ask(query, input=copy))["publishContract"]["contract"]
    assert {name: contract[name] for name in terms} == terms


async def test_a_proposal_publishes_the_document_that_was_approved(world: World, ask: Ask) -> None:
    asset = await world.published()
    await world.register(asset, reader := await world.team("reader"))
    document = {"format": "AVRO", "text": AVRO}
    payload = (await ask(PUBLISH, input={"asset": ORDERS, "document": document}))["publishContract"]
    assert (payload["outcome"], payload["contract"]["source"]) == ("PROPOSED", None)
    answer = """mutation ($input: AcknowledgeProposalInput!) {
      acknowledgeProposal(input: $input) { proposal { status } errors { message } }
    }"""
    proposal = payload["proposal"]["id"]
    await ask(answer, input={"proposal": proposal, "team": {"name": reader.name}, "response": "APPROVED"})
    published = (await ask(PUBLISH_PROPOSAL, input={"proposal": proposal}))["publishProposal"]
    assert published == {"contract": {"version": "2.0.0", "source": document}, "errors": []}


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        ({}, "INVALID", ["input", "schema"]),
        ({"schema": EMPTY, "document": {"format": "AVRO", "text": AVRO}}, "INVALID", ["input", "schema"]),
        ({"document": {"format": "AVRO", "text": "{"}}, "INVALID", ["input", "document"]),
        ({"document": {"format": "DDL", "text": DDL, "part": "nothing"}}, "INVALID", ["input", "document"]),
        ({"document": {"format": "JSON_SCHEMA", "text": '{"type": 7}'}}, "INVALID", ["input", "schema"]),
        ({"document": {"format": "JSON_SCHEMA", "text": "7"}}, "INVALID", ["input", "schema"]),
        ({"schema": None}, "INVALID", ["input", "schema"]),
        ({"document": {"format": "JSON_SCHEMA", "text": '{"title": "\\u0000"}'}}, "INVALID", ["input", "document"]),
    ],
)
async def test_a_publish_takes_either_a_schema_or_a_valid_document(
    world: World, ask: Ask, content: Any, code: str, field: list[str]
) -> None:
    await world.asset("analytics.core.orders", await world.team("shop"))
    before = await world.size()
    payload = (await ask(PUBLISH, input={"asset": ORDERS, **content}))["publishContract"]
    assert [(error["code"], error["field"]) for error in payload["errors"]] == [(code, field)]
    assert await world.size() == before


async def test_only_odcs_is_exported(world: World, answer: Ask) -> None:
    await world.published(schema=True)
    query = """query ($f: DocumentFormat!, $asset: AssetRef!) {
      asset(by: $asset) { currentContract { exported(format: $f) } }
    }"""
    assert "errors" not in await answer(query, f="ODCS", asset=ORDERS)
    assert (await answer(query, f="AVRO", asset=ORDERS))["errors"][0]["extensions"]["code"] == "INVALID"
