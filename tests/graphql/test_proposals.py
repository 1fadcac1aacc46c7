"""A breaking change over GraphQL: proposed, acknowledged, published, or refused with a reason."""

from typing import Any

from tessera_gql.diff import Mode
from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.store.tables import Team
from tests.graphql.conftest import Ask
from tests.world import ORDERS, World, adding, without

WRITE = frozenset({Scope.READ, Scope.WRITE})

PUBLISH = """
mutation ($input: PublishContractInput!) {
  publishContract(input: $input) {
    outcome
    contract { version guarantees compatibilityMode publishedBy { name } }
    proposal {
      id status isOpen reason proposedVersion publishWhenApproved
      breakingChanges { kind path message breaks certainty teams { name } }
      acknowledgments { nodes { team { name } response because { path } } }
      awaiting { name }
    }
    diff { isCompatible none: isCompatible(mode: NONE) bump mode changes { path kind } breaking { path fingerprint } }
    errors { code field message }
  }
}
"""

ANSWER = """
mutation ($input: AcknowledgeProposalInput!) {
  acknowledgeProposal(input: $input) {
    acknowledgment { response notes migrationDeadline respondedAt team { name } proposal { status } }
    proposal { status awaiting { name } }
    contract { version }
    errors { code field message }
  }
}
"""

FINISH = """
mutation ($id: ID!) {
  publishProposal(input: {proposal: $id}) {
    contract { version status proposal { id } changesFromPrevious { path } asset { fqn currentContract { version } } }
    proposal { status isOpen contract { version } resolvedAt events { nodes { kind } } awaiting { name } }
    errors { code message }
  }
}
"""


def acting(team: Team) -> Actor:
    return Actor(f"key of {team.name}", team.id, WRITE)


def publish_input(schema: Any, **options: Any) -> dict[str, Any]:
    return {"asset": {"fqn": "analytics.core.orders"}, "schema": schema, **options}


async def publish(ask: Ask, schema: Any, **options: Any) -> dict[str, Any]:
    shown_proposal: dict[str, Any] = (await ask(PUBLISH, input=publish_input(schema, **options)))["publishContract"]
    return shown_proposal


async def test_a_breaking_change_asks_its_consumers_and_is_published_with_their_approval(
    world: World, ask: Ask
) -> None:
    await world.published(consumers=2)
    payload = await publish(ask, without("note"), reason="nobody writes it", publishedBy={"name": "producers"})
    assert payload["errors"] == []
    assert payload["outcome"] == "PROPOSED"
    assert payload["contract"]["version"] == "1.0.0"
    proposal = payload["proposal"]
    assert proposal["status"] == "PENDING"
    assert proposal["reason"] == "nobody writes it"
    assert [change["path"] for change in proposal["breakingChanges"]] == ["note"]
    assert [team["name"] for team in proposal["breakingChanges"][0]["teams"]] == ["consumer-0", "consumer-1"]
    assert payload["diff"]["isCompatible"] is False
    assert payload["diff"]["none"] is True
    assert payload["diff"]["bump"] == "MAJOR"

    for number, team in enumerate(world.consumers):
        reply = await ask(
            ANSWER, actor=acting(team), input={"proposal": proposal["id"], "response": "APPROVED", "notes": "fine"}
        )
        answered = reply["acknowledgeProposal"]
        assert answered["errors"] == []
        assert answered["acknowledgment"]["team"] == {"name": team.name}
        assert answered["acknowledgment"]["response"] == "APPROVED"
        assert len(answered["proposal"]["awaiting"]) == 1 - number
    finished = (await ask(FINISH, id=proposal["id"]))["publishProposal"]
    assert finished["contract"]["version"] == "2.0.0"
    assert finished["contract"]["proposal"] == {"id": proposal["id"]}
    assert [change["path"] for change in finished["contract"]["changesFromPrevious"]] == ["note"]
    assert finished["contract"]["asset"]["currentContract"] == {"version": "2.0.0"}
    assert finished["proposal"]["status"] == "PUBLISHED"
    assert finished["proposal"]["isOpen"] is False
    assert [event["kind"] for event in finished["proposal"]["events"]["nodes"]] == [
        "PROPOSAL_OPENED",
        "ACKNOWLEDGMENT_REQUESTED",
        "ACKNOWLEDGMENT_REQUESTED",
        "PROPOSAL_ANSWERED",
        "PROPOSAL_ANSWERED",
        "PROPOSAL_STATUS_CHANGED",
        "CONTRACT_PUBLISHED",
        "PROPOSAL_STATUS_CHANGED",
    ]


async def test_the_last_approval_publishes_when_that_was_requested(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    proposal = (await publish(ask, without("note"), publishWhenApproved=True))["proposal"]
    reply = await ask(
        ANSWER, actor=acting(world.consumers[0]), input={"proposal": proposal["id"], "response": "APPROVED"}
    )
    assert reply["acknowledgeProposal"]["contract"] == {"version": "2.0.0"}
    assert reply["acknowledgeProposal"]["proposal"]["status"] == "PUBLISHED"


async def test_migrating_needs_a_deadline_and_the_refusal_names_the_input(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    arguments = {"proposal": global_id("Proposal", proposal.id), "response": "MIGRATING"}
    me = acting(world.consumers[0])
    refused = (await ask(ANSWER, actor=me, input=arguments))["acknowledgeProposal"]
    assert refused["acknowledgment"] is None
    assert refused["errors"][0]["code"] == "INVALID"
    assert refused["errors"][0]["field"] == ["input", "migrationDeadline"]
    reply = await ask(ANSWER, actor=me, input=arguments | {"migrationDeadline": "2026-02-01T00:00:00+01:00"})
    assert reply["acknowledgeProposal"]["acknowledgment"]["migrationDeadline"] == "2026-01-31T23:00:00Z"
    assert reply["acknowledgeProposal"]["proposal"]["status"] == "PENDING"


async def test_a_team_that_is_not_asked_may_not_acknowledge(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    stranger = await world.team("stranger")
    arguments = {"proposal": global_id("Proposal", proposal.id), "response": "APPROVED"}
    refused = (await ask(ANSWER, actor=acting(stranger), input=arguments))["acknowledgeProposal"]
    assert refused["errors"][0]["code"] == "FORBIDDEN"
    assert "consumer-0" in refused["errors"][0]["message"]
    for_another_team = await ask(ANSWER, actor=acting(stranger), input=arguments | {"team": {"name": "consumer-0"}})
    assert for_another_team["acknowledgeProposal"]["errors"][0]["code"] == "FORBIDDEN"


async def test_the_fields_viewer_can_agree_with_the_mutations(world: World, ask: Ask) -> None:
    asset, proposal = await world.proposed(consumers=1)
    query = """query ($id: ID!) { proposal(id: $id) {
      viewerCanAcknowledge viewerCanWithdraw viewerCanPublish asset { viewerCanPublish viewerCanUpdate }
    } }"""
    permissions: dict[str, tuple[bool, ...]] = {}
    owner = Team(id=asset.owner_team_id, name="producers", name_key="", meta={}, created_at=proposal.created_at)
    readonly = Actor("reader", owner.id)
    for name, actor in (("owner", acting(owner)), ("asked", acting(world.consumers[0])), ("readonly", readonly)):
        shown_proposal = (await ask(query, actor=actor, id=global_id("Proposal", proposal.id)))["proposal"]
        permissions[name] = (
            shown_proposal["viewerCanAcknowledge"],
            shown_proposal["viewerCanWithdraw"],
            shown_proposal["asset"]["viewerCanPublish"],
        )
        assert shown_proposal["viewerCanPublish"] is False
    assert permissions == {
        "owner": (False, True, True),
        "asked": (True, False, False),
        "readonly": (False, False, False),
    }


async def test_another_teams_key_cannot_publish_and_nothing_is_left_behind(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    before = await world.size()
    actor = acting(world.consumers[0])
    for schema in (ORDERS, adding("extra"), without("note")):
        payload = (await ask(PUBLISH, actor=actor, input=publish_input(schema)))["publishContract"]
        assert payload["errors"][0]["code"] == "FORBIDDEN"
        assert payload["outcome"] is None
        assert payload["contract"] is None
    assert await world.size() == before


async def test_withdrawing_ends_a_proposal_for_good(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    query = """mutation ($id: ID!) { withdrawProposal(input: {proposal: $id}) {
      proposal { status } errors { code message }
    } }"""
    identity = global_id("Proposal", proposal.id)
    assert (await ask(query, id=identity))["withdrawProposal"]["proposal"] == {"status": "WITHDRAWN"}
    again = (await ask(query, id=identity))["withdrawProposal"]
    assert again["proposal"] is None
    assert again["errors"][0]["code"] == "CONFLICT"
    payload = (await ask(query, id=global_id("Proposal", world.consumers[0].id)))["withdrawProposal"]
    assert payload["errors"][0]["code"] == "NOT_FOUND"


async def test_omitted_guarantees_stay_and_null_guarantees_are_removed(world: World, ask: Ask) -> None:
    await world.asset("analytics.core.orders", await world.team("producers"))
    first = await publish(ask, ORDERS, guarantees={"custom": {"fresh": True}}, compatibilityMode="NONE")
    assert first["contract"]["guarantees"] == {"custom": {"fresh": True}}
    reply = await publish(ask, adding("extra"))
    assert reply["contract"]["guarantees"] == {"custom": {"fresh": True}}
    assert reply["contract"]["version"] == "1.1.0"
    dropped = await publish(ask, adding("extra"), guarantees=None)
    assert dropped["outcome"] == "PUBLISHED"
    assert dropped["contract"]["guarantees"] is None


async def test_a_refused_publish_names_the_input_field_in_camel_case(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    for arguments, field in (
        (publish_input(adding("x"), version="1.0.0"), "version"),
        (publish_input(["no schema"]), "schema"),
        (publish_input(ORDERS, guarantees=[1]), "guarantees"),
        (publish_input(without("note"), expiresAt="2020-01-01T00:00:00Z"), "expiresAt"),
        (publish_input(without("note"), force=True), "reason"),
        (publish_input(adding("x"), publishedBy={"name": "nobody"}), "publishedBy"),
        (publish_input(adding("x")) | {"asset": {"fqn": "no.such"}}, "asset"),
    ):
        refused = (await ask(PUBLISH, input=arguments))["publishContract"]
        assert refused["errors"][0]["field"] == ["input", field], refused
        assert refused["outcome"] is None


async def test_a_dry_run_returns_the_whole_payload_and_writes_nothing(world: World, ask: Ask) -> None:
    await world.published(consumers=2)
    before = await world.size()
    payload = await publish(ask, without("note"), dryRun=True, reason="to see")
    assert payload["outcome"] == "PROPOSED"
    assert [node["team"]["name"] for node in payload["proposal"]["acknowledgments"]["nodes"]] == [
        "consumer-0",
        "consumer-1",
    ]
    assert [team["name"] for team in payload["proposal"]["awaiting"]] == ["consumer-0", "consumer-1"]
    assert await world.size() == before
    compatible = await publish(ask, adding("extra"), dryRun=True)
    assert compatible["contract"]["version"] == "1.1.0"
    assert await world.size() == before
    assert (await publish(ask, adding("extra")))["contract"]["version"] == "1.1.0"


async def test_a_mutation_after_a_dry_run_in_one_operation_is_not_dry(world: World, ask: Ask) -> None:
    await world.published()
    data = await ask(
        """mutation ($schema: JSON!, $asset: AssetRef!) {
          dry: publishContract(input: {asset: $asset, schema: $schema, dryRun: true}) { contract { id version } }
          wet: publishContract(input: {asset: $asset, schema: $schema}) { contract { version } }
        }""",
        schema=adding("extra"),
        asset={"fqn": "analytics.core.orders"},
    )
    assert data["dry"]["contract"]["version"] == data["wet"]["contract"]["version"] == "1.1.0"


async def test_contracts_can_be_compared(world: World, ask: Ask) -> None:
    asset = await world.published()
    await world.publish(asset, adding("extra"))
    data = await ask(
        """{
          asset(by: {fqn: "analytics.core.orders"}) {
            old: contract(version: "1.0.0") { id status changeType } none: contract(version: "9.9.9") { id }
            currentContract { id version changesFromPrevious { path kind } }
          }
        }"""
    )
    assert data["asset"]["old"]["status"] == "DEPRECATED"
    assert data["asset"]["none"] is None
    assert [change["path"] for change in data["asset"]["currentContract"]["changesFromPrevious"]] == ["extra"]
    compared = await ask(
        """query ($id: ID!, $to: ID!) { contract(id: $id) {
          diff(to: $to) { isCompatible mode bump changes { path } }
          strict: diff(to: $to, mode: FULL) { isCompatible breaking { path } }
        } }""",
        id=data["asset"]["currentContract"]["id"],
        to=data["asset"]["old"]["id"],
    )
    assert compared["contract"]["diff"]["isCompatible"] is False
    assert [change["path"] for change in compared["contract"]["strict"]["breaking"]] == ["extra"]


async def test_contracts_are_compared_under_another_mode_than_their_own(world: World, ask: Ask) -> None:
    asset = await world.published(mode=Mode.NONE)
    await world.publish(asset, without("note"), mode=Mode.FULL)
    data = await ask(
        """{ asset(by: {fqn: "analytics.core.orders"}) {
          old: contract(version: "1.0.0") { id } currentContract { id version compatibilityMode }
        } }"""
    )
    assert data["asset"]["currentContract"]["version"] == "2.0.0"
    query = """query ($id: ID!, $to: ID!) { contract(id: $id) {
      diff(to: $to) { mode bump breaking { kind } }
      strict: diff(to: $to, mode: FULL) { mode bump breaking { kind } }
    } }"""
    ends = (data["asset"]["old"]["id"], data["asset"]["currentContract"]["id"])
    forth = (await ask(query, id=ends[0], to=ends[1]))["contract"]
    assert forth["diff"] == {"mode": "NONE", "bump": "MAJOR", "breaking": []}
    assert forth["strict"] == {"mode": "FULL", "bump": "MAJOR", "breaking": [{"kind": "PROPERTY_REMOVED"}]}
    back = (await ask(query, id=ends[1], to=ends[0]))["contract"]
    kinds = [{"kind": "PROPERTY_ADDED"}, {"kind": "MODE_WEAKENED"}]
    assert back["diff"] == back["strict"] == {"mode": "FULL", "bump": "MAJOR", "breaking": kinds}


async def test_a_weaker_mode_shows_in_impact_proposal_and_acknowledgment(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    foreseen = await ask(
        """query ($schema: JSON!) {
          impact(asset: {fqn: "analytics.core.orders"}, schema: $schema, compatibilityMode: NONE) {
            outcome version breaking { kind fields } asked { team { name } because { kind } }
          }
        }""",
        schema=ORDERS,
    )
    assert foreseen["impact"] == {
        "outcome": "PROPOSED",
        "version": "2.0.0",
        "breaking": [{"kind": "MODE_WEAKENED", "fields": [""]}],
        "asked": [{"team": {"name": "consumer-0"}, "because": [{"kind": "MODE_WEAKENED"}]}],
    }
    await publish(ask, ORDERS, compatibilityMode="NONE")
    data = await ask(
        """{ asset(by: {fqn: "analytics.core.orders"}) { openProposal {
          breakingChanges { kind before after message teams { name } }
          acknowledgments { nodes { because { kind fingerprint } } }
        } } }"""
    )
    proposal = data["asset"]["openProposal"]
    assert proposal["breakingChanges"] == [
        {
            "kind": "MODE_WEAKENED",
            "before": "BACKWARD",
            "after": "NONE",
            "message": "The compatibility mode was weakened from BACKWARD to NONE.",
            "teams": [{"name": "consumer-0"}],
        }
    ]
    (reason,) = proposal["acknowledgments"]["nodes"][0]["because"]
    assert reason["kind"] == "MODE_WEAKENED"
    assert reason["fingerprint"].startswith("2:")


async def test_schemas_outside_the_catalog_can_be_compared(ask: Ask, answer: Ask) -> None:
    query = """query ($old: JSON!, $new: JSON!) { diffSchemas(old: $old, new: $new) {
      isCompatible bump breaking { message path before after counterexample certainty }
    } }"""
    data = await ask(query, old=ORDERS, new=without("note"))
    assert data["diffSchemas"]["isCompatible"] is False
    assert data["diffSchemas"]["bump"] == "MAJOR"
    assert (await ask(query, old=ORDERS, new=ORDERS))["diffSchemas"]["bump"] == "NONE"
    reply = await answer(query, old=ORDERS, new="not a schema")
    assert reply["errors"][0]["extensions"]["code"] == "INVALID"


async def test_a_contract_is_retired_only_when_nobody_reads_it(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    active = await world.active(asset)
    assert active is not None
    query = "mutation ($id: ID!) { retireContract(input: {contract: $id}) { contract { status } errors { code } } }"
    refused = (await ask(query, id=global_id("Contract", active.id)))["retireContract"]
    assert refused == {"contract": None, "errors": [{"code": "CONFLICT"}]}
    for registration in await world.registrations():
        await world.unregister(registration)
    payload = (await ask(query, id=global_id("Contract", active.id)))["retireContract"]
    assert payload == {"contract": {"status": "RETIRED"}, "errors": []}
