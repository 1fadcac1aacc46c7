"""Webhooks over GraphQL: created, updated, tested, redelivered; the secret is shown once."""

import pytest

from tessera_gql.policy.access import Actor, Scope
from tests.graphql.conftest import Ask
from tests.world import World

CREATE = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
  webhook { id host url kinds format isActive document rowVersion team { name } } secret errors { code message } } }"""
UPDATE = """mutation($input: UpdateWebhookInput!) { updateWebhook(input: $input) {
  webhook { id kinds isActive format document rowVersion } secret errors { code field message } } }"""
URL = "https://hooks.example.com/services/T0/very-secret"


async def test_a_webhook_is_created_and_its_secret_shown_once(ask: Ask, world: World) -> None:
    await world.team("growth")
    asked = {"url": URL, "team": {"name": "growth"}, "kinds": ["PROPOSAL_OPENED"], "idempotencyKey": "k"}
    created = (await ask(CREATE, input=asked))["createWebhook"]
    assert created["errors"] == []
    assert created["secret"].startswith("whsec_")
    assert (created["webhook"]["host"], created["webhook"]["team"]["name"]) == ("hooks.example.com", "growth")
    again = (await ask(CREATE, input=asked))["createWebhook"]
    assert again["errors"][0]["code"] == "CONFLICT"
    assert "shown once" in again["errors"][0]["message"]
    payloads = str([event.payload for event in await world.events()])
    assert "very-secret" not in payloads
    assert created["secret"] not in payloads


async def test_a_webhook_of_another_team_does_not_exist_for_a_writer(ask: Ask, world: World) -> None:
    own_team, other_team = await world.team("mine"), await world.team("other")
    created = (await ask(CREATE, input={"url": URL, "team": {"name": "mine"}}))["createWebhook"]["webhook"]
    document = "query($id: ID!) { node(id: $id) { ... on Webhook { url host } } webhooks { nodes { url } totalCount } }"
    owner = Actor("ci", own_team.id, frozenset({Scope.WRITE}))
    stranger = Actor("ci", other_team.id, frozenset({Scope.WRITE}))
    assert (await ask(document, actor=owner, id=created["id"]))["webhooks"]["nodes"] == [{"url": URL}]
    visible = await ask(document, actor=stranger, id=created["id"])
    assert visible == {"node": None, "webhooks": {"nodes": [], "totalCount": 0}}


async def test_an_omitted_field_stays_and_null_kinds_mean_all(ask: Ask) -> None:
    created = (await ask(CREATE, input={"url": URL, "kinds": ["TEAM_CREATED"]}))["createWebhook"]["webhook"]
    paused = (await ask(UPDATE, input={"webhook": created["id"], "isActive": False}))["updateWebhook"]
    assert (paused["webhook"]["isActive"], paused["webhook"]["kinds"]) == (False, ["TEAM_CREATED"])
    assert paused["secret"] is None
    everything = (await ask(UPDATE, input={"webhook": created["id"], "kinds": None, "rotateSecret": True}))[
        "updateWebhook"
    ]
    assert everything["webhook"]["kinds"] is None
    assert everything["secret"].startswith("whsec_")
    stale = (await ask(UPDATE, input={"webhook": created["id"], "isActive": True, "expectedRowVersion": 1}))[
        "updateWebhook"
    ]
    assert stale["errors"][0]["code"] == "STALE"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Syntax Error"),
        ("query($event: ID!) { node(id: $event) { nonsense } }", "nonsense"),
        ('mutation { testWebhook(input: {webhook: "x"}) { errors { code } } }', "must be a query"),
        ("query($event: ID!, $n: Int!) { node(id: $event) { id } assets(first: $n) { nodes { id } } }", "asks for $n"),
    ],
)
async def test_a_document_that_would_always_fail_is_refused_at_once(ask: Ask, document: str, message: str) -> None:
    refused = (await ask(CREATE, input={"url": URL, "document": document}))["createWebhook"]
    assert refused["webhook"] is None
    assert refused["errors"][0]["code"] == "INVALID"
    assert message in refused["errors"][0]["message"]


async def test_a_ping_and_a_redelivery_are_listed_as_deliveries(ask: Ask) -> None:
    created = (await ask(CREATE, input={"url": URL}))["createWebhook"]["webhook"]
    pinged = (
        await ask(
            "mutation($id: ID!) { testWebhook(input: {webhook: $id}) { delivery { id status event { kind } } } }",
            id=created["id"],
        )
    )["testWebhook"]["delivery"]
    assert (pinged["status"], pinged["event"]) == ("PENDING", None)
    again = await ask(
        "mutation($id: ID!) { redeliverWebhook(input: {delivery: $id}) { delivery { id } errors { code } } }",
        id=pinged["id"],
    )
    assert again["redeliverWebhook"] == {"delivery": {"id": pinged["id"]}, "errors": []}
    listed = await ask(
        "query($id: ID!) { node(id: $id) { ... on Webhook { deliveries(filter: {status: {eq: PENDING}}) {"
        " totalCount nodes { id webhook { id } attempts { at error } } } } } }",
        id=created["id"],
    )
    assert listed["node"]["deliveries"]["nodes"] == [
        {"id": pinged["id"], "webhook": {"id": created["id"]}, "attempts": []}
    ]
    payload = await ask(
        "mutation($id: ID!) { deleteWebhook(input: {webhook: $id}) { deletedId errors { code } } }", id=created["id"]
    )
    assert payload["deleteWebhook"] == {"deletedId": created["id"], "errors": []}
