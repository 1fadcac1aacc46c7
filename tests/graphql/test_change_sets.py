"""Change sets and retirements over GraphQL: asked by a pull request, read by key, withdrawn and published together."""

from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Response
from tests.graphql.conftest import Ask
from tests.world import World, adding, without

KEY, URL = "github.com/shop/warehouse#17", "https://github.com/shop/warehouse/pull/17"
ORDERS = {"fqn": "analytics.core.orders"}

PUBLISH = """
mutation ($input: PublishContractInput!) {
  publishContract(input: $input) {
    outcome contract { version }
    proposal { id kind status requireExplicitPublish changeSet { key title url status isOpen openedBy { name } } }
    errors { code field message }
  }
}
"""
RETIRE = """
mutation ($input: ProposeRetirementInput!) {
  proposeRetirement(input: $input) {
    proposal {
      id kind status reason proposedSchema proposedVersion guarantees changeType
      breakingChanges { kind path message teams { name } } contract { version } changeSet { key }
      acknowledgments { nodes { because { kind } } }
    }
    contract { version status }
    errors { code field message }
  }
}
"""
SHOW = """
query ($by: ChangeSetRef!) {
  changeSet(by: $by) { id key status closedAt proposals { totalCount nodes { status kind asset { fqn } } } }
}
"""
END = "mutation ($by: ChangeSetRef!) { %s(input: {changeSet: $by}) { changeSet { status } errors { code message } } }"


async def publish(ask: Ask, schema: Any, **options: Any) -> dict[str, Any]:
    arguments = {"asset": ORDERS, "schema": schema, **options}
    payload: dict[str, Any] = (await ask(PUBLISH, input=arguments))["publishContract"]
    return payload


async def test_a_pull_request_asks_and_the_merge_releases(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    change_set = {"key": KEY, "title": "Drop notes", "url": URL}
    asked = await publish(ask, without("note"), intent="ASK", changeSet=change_set)
    assert (asked["outcome"], asked["contract"], asked["errors"]) == ("PROPOSED", {"version": "1.0.0"}, [])
    shown_change_set = asked["proposal"].pop("changeSet")
    assert shown_change_set == {**change_set, "status": "OPEN", "isOpen": True, "openedBy": None}
    assert (await publish(ask, without("note"), changeSet=change_set))["outcome"] == "PROPOSED"
    [proposal] = (await ask(SHOW, by={"key": KEY}))["changeSet"]["proposals"]["nodes"]
    assert proposal == {"status": "PENDING", "kind": "CHANGE", "asset": {"fqn": asset.fqn}}
    row = await world.proposals_of(asset)
    await world.answer(row[0], world.consumers[0], Response.APPROVED)
    released = await publish(ask, without("note"), changeSet=change_set)
    assert (released["outcome"], released["contract"]) == ("PUBLISHED", {"version": "2.0.0"})
    assert released["proposal"]["changeSet"]["status"] == "PUBLISHED"


COMMIT = "9f3c2ab" * 5


async def test_a_change_set_has_the_commit_that_was_proposed_last(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    show = "query ($by: ChangeSetRef!) { changeSet(by: $by) { commit } }"
    for commit, expected in ((COMMIT.upper(), COMMIT), (None, COMMIT), ("0a" * 20, "0a" * 20)):
        asked = await publish(ask, without("note"), intent="ASK", changeSet={"key": KEY, "commit": commit})
        assert asked["errors"] == []
        assert (await ask(show, by={"key": KEY}))["changeSet"]["commit"] == expected
    payloads = {event.kind: event.payload for event in await world.events()}
    assert payloads["CHANGE_SET_OPENED"]["commit"] == COMMIT
    assert payloads["CHANGE_SET_UPDATED"]["changes"]["commit"] == {"before": COMMIT, "after": "0a" * 20}


@pytest.mark.parametrize("commit", ["main", "9f3c2", "9f3c2ab; rm", "f" * 65])
async def test_what_is_no_commit_is_refused(commit: str, world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    refused = await publish(ask, without("note"), intent="ASK", changeSet={"key": KEY, "commit": commit})
    [error] = refused["errors"]
    assert error["code"] == "INVALID"
    assert error["message"].startswith("`commit` must be the id of a commit, 7 to 64 hexadecimal digits")


async def test_an_ask_about_compatible_terms_opens_no_proposal(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    payload = await publish(ask, adding("channel"), intent="ASK")
    assert (payload["outcome"], payload["contract"], payload["proposal"]) == ("COMPATIBLE", {"version": "1.0.0"}, None)


async def test_an_explicit_publish_is_shown_on_the_proposal(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    payload = await publish(ask, without("note"), requireExplicitPublish=True)
    assert payload["proposal"]["requireExplicitPublish"] is True
    refused = await publish(ask, without("note"), requireExplicitPublish=True, publishWhenApproved=True)
    assert (refused["errors"][0]["code"], refused["errors"][0]["field"]) == (
        "INVALID",
        ["input", "requireExplicitPublish"],
    )


async def test_a_refused_publish_leaves_no_change_set_behind(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    size = await world.size()
    payload = await publish(ask, {"type": "objekt"}, changeSet={"key": KEY})
    assert payload["errors"][0]["code"] == "INVALID"
    payload = await publish(ask, without("note"), changeSet={"key": KEY, "url": "ftp://example.com"})
    assert payload["errors"][0]["code"] == "INVALID"
    assert await world.size() == size


async def test_a_change_set_is_listed_filtered_and_found_by_id(world: World, ask: Ask) -> None:
    await world.change_set(KEY, title="Drop notes")
    await world.change_set("other")
    await world.withdraw_change_set("other")
    listed = await ask(
        """{ changeSets(filter: {status: {eq: OPEN}, key: {contains: "SHOP"}}, orderBy: {field: OPENED_AT}) {
          totalCount nodes { id key } } }"""
    )
    [node] = listed["changeSets"]["nodes"]
    assert (listed["changeSets"]["totalCount"], node["key"]) == (1, KEY)
    assert (await ask(SHOW, by={"id": node["id"]}))["changeSet"]["key"] == KEY
    assert (await ask("query ($id: ID!) { node(id: $id) { ... on ChangeSet { title } } }", id=node["id"]))["node"] == {
        "title": "Drop notes"
    }
    assert (await ask(SHOW, by={"key": "unknown"}))["changeSet"] is None


async def test_proposals_are_filtered_by_change_set_and_kind(world: World, ask: Ask) -> None:
    await world.published(consumers=1)
    await publish(ask, without("note"), changeSet={"key": KEY})
    change_set = (await ask(SHOW, by={"key": KEY}))["changeSet"]["id"]
    query = """query ($set: ID!, $kind: ProposalKind!) {
      proposals(filter: {changeSet: {eq: $set}, kind: {eq: $kind}}) { totalCount }
    }"""
    counts = [
        (await ask(query, set=change_set, kind=kind))["proposals"]["totalCount"] for kind in ("CHANGE", "RETIREMENT")
    ]
    assert counts == [1, 0]


@pytest.mark.parametrize(
    ("field", "message"), [("publishChangeSet", "waits for consumer-0"), ("withdrawChangeSet", None)]
)
async def test_a_change_set_is_published_only_when_all_agree_and_withdrawn_at_any_time(
    world: World, ask: Ask, field: str, message: str | None
) -> None:
    await world.published(consumers=1)
    await publish(ask, without("note"), changeSet={"key": KEY})
    payload = (await ask(END % field, by={"key": KEY}))[field]
    if message:
        assert (payload["changeSet"], payload["errors"][0]["code"]) == (None, "CONFLICT")
        assert message in payload["errors"][0]["message"]
    else:
        assert payload == {"changeSet": {"status": "WITHDRAWN"}, "errors": []}


async def test_a_retirement_has_no_schema_and_asks_every_reader(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    arguments = {"asset": ORDERS, "reason": "the source is gone", "changeSet": {"key": KEY}}
    payload = (await ask(RETIRE, input=arguments))["proposeRetirement"]
    assert (payload["errors"], payload["contract"]) == ([], None)
    proposal = payload["proposal"]
    assert (proposal["kind"], proposal["status"], proposal["changeType"]) == ("RETIREMENT", "PENDING", "MAJOR")
    assert (proposal["proposedSchema"], proposal["proposedVersion"], proposal["guarantees"]) == (None, None, None)
    assert proposal["breakingChanges"] == [
        {
            "kind": "ASSET_RETIRED",
            "path": "",
            "message": "The asset is retired: its contract ends and has no successor.",
            "teams": [{"name": "consumer-0"}],
        }
    ]
    assert proposal["acknowledgments"]["nodes"] == [{"because": [{"kind": "ASSET_RETIRED"}]}]
    row = await world.proposals_of(asset)
    await world.answer(row[0], world.consumers[0], Response.APPROVED)
    finish = """mutation ($id: ID!) { publishProposal(input: {proposal: $id}) {
      proposal { status contract { version } } contract { version status asset { currentContract { id } } }
    } }"""
    assert (await ask(finish, id=proposal["id"]))["publishProposal"] == {
        "proposal": {"status": "PUBLISHED", "contract": None},
        "contract": {"version": "1.0.0", "status": "RETIRED", "asset": {"currentContract": None}},
    }


async def test_the_owner_team_retires_at_once_what_nobody_else_reads(world: World, ask: Ask) -> None:
    asset = await world.published()
    owner = Actor("producers", asset.owner_team_id, frozenset({Scope.WRITE}))
    arguments = {"asset": ORDERS, "reason": "moved", "idempotencyKey": "once"}
    first = await ask(RETIRE, actor=owner, input=arguments)
    assert first["proposeRetirement"]["contract"] == {"version": "1.0.0", "status": "RETIRED"}
    assert await ask(RETIRE, actor=owner, input=arguments) == first
    refused = (await ask(RETIRE, input={"asset": ORDERS, "reason": " "}))["proposeRetirement"]
    assert (refused["errors"][0]["code"], refused["errors"][0]["field"]) == ("INVALID", ["input", "reason"])
