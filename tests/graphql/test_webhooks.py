"""Webhooks through the graph: made, changed, tried out, sent once more; the secret is shown once."""

import pytest

from tessera_gql.policy.access import Actor, Scope
from tests.graphql.conftest import Ask
from tests.world import World

CREATE = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
  webhook { id host url kinds format isActive document rowVersion team { name } } secret errors { code message } } }"""
UPDATE = """mutation($input: UpdateWebhookInput!) { updateWebhook(input: $input) {
  webhook { id kinds isActive format document rowVersion } secret errors { code field message } } }"""
URL = "https://hooks.example.com/services/T0/very-secret"


async def test_a_webhook_is_made_and_its_secret_shown_once(ask: Ask, world: World) -> None:
    await world.team("growth")
    asked = {"url": URL, "team": {"name": "growth"}, "kinds": ["PROPOSAL_OPENED"], "idempotencyKey": "k"}
    made = (await ask(CREATE, input=asked))["createWebhook"]
    assert made["errors"] == []
    assert made["secret"].startswith("whsec_")
    assert (made["webhook"]["host"], made["webhook"]["team"]["name"]) == ("hooks.example.com", "growth")
    again = (await ask(CREATE, input=asked))["createWebhook"]
    assert again["errors"][0]["code"] == "CONFLICT"
    assert "shown once" in again["errors"][0]["message"]
    told = str([one.payload for one in await world.events()])
    assert "very-secret" not in told
    assert made["secret"] not in told


async def test_a_webhook_of_another_team_does_not_exist_for_a_writer(ask: Ask, world: World) -> None:
    mine, other = await world.team("mine"), await world.team("other")
    made = (await ask(CREATE, input={"url": URL, "team": {"name": "mine"}}))["createWebhook"]["webhook"]
    document = "query($id: ID!) { node(id: $id) { ... on Webhook { url host } } webhooks { nodes { url } totalCount } }"
    owner = Actor("ci", mine.id, frozenset({Scope.WRITE}))
    stranger = Actor("ci", other.id, frozenset({Scope.WRITE}))
    assert (await ask(document, actor=owner, id=made["id"]))["webhooks"]["nodes"] == [{"url": URL}]
    seen = await ask(document, actor=stranger, id=made["id"])
    assert seen == {"node": None, "webhooks": {"nodes": [], "totalCount": 0}}


async def test_what_is_left_out_stays_and_null_means_all(ask: Ask) -> None:
    made = (await ask(CREATE, input={"url": URL, "kinds": ["TEAM_CREATED"]}))["createWebhook"]["webhook"]
    paused = (await ask(UPDATE, input={"webhook": made["id"], "isActive": False}))["updateWebhook"]
    assert (paused["webhook"]["isActive"], paused["webhook"]["kinds"]) == (False, ["TEAM_CREATED"])
    assert paused["secret"] is None
    everything = (await ask(UPDATE, input={"webhook": made["id"], "kinds": None, "rotateSecret": True}))[
        "updateWebhook"
    ]
    assert everything["webhook"]["kinds"] is None
    assert everything["secret"].startswith("whsec_")
    stale = (await ask(UPDATE, input={"webhook": made["id"], "isActive": True, "expectedRowVersion": 1}))[
        "updateWebhook"
    ]
    assert stale["errors"][0]["code"] == "STALE"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "Syntax Error"),
        ("query($event: ID!) { node(id: $event) { nonsense } }", "nonsense"),
        ('mutation { testWebhook(input: {webhook: "x"}) { errors { code } } }', "must be a query"),
        ("query($event: ID!, $n: Int!) { node(id: $event) { id } assets(first: $n) { nodes { id } } }", "asks for $n"),
    ],
)
async def test_a_document_that_would_always_fail_is_refused_at_once(ask: Ask, document: str, told: str) -> None:
    refused = (await ask(CREATE, input={"url": URL, "document": document}))["createWebhook"]
    assert refused["webhook"] is None
    assert refused["errors"][0]["code"] == "INVALID"
    assert told in refused["errors"][0]["message"]


async def test_a_ping_and_a_redelivery_are_deliveries_one_can_look_at(ask: Ask) -> None:
    made = (await ask(CREATE, input={"url": URL}))["createWebhook"]["webhook"]
    pinged = (
        await ask(
            "mutation($id: ID!) { testWebhook(input: {webhook: $id}) { delivery { id status event { kind } } } }",
            id=made["id"],
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
        id=made["id"],
    )
    assert listed["node"]["deliveries"]["nodes"] == [
        {"id": pinged["id"], "webhook": {"id": made["id"]}, "attempts": []}
    ]
    gone = await ask(
        "mutation($id: ID!) { deleteWebhook(input: {webhook: $id}) { deletedId errors { code } } }", id=made["id"]
    )
    assert gone["deleteWebhook"] == {"deletedId": made["id"], "errors": []}
