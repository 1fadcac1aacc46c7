"""What the hints of a change lead to, what dropping columns would do, and an open proposal published by force."""

from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Response
from tests.conftest import statements
from tests.graphql.conftest import Ask
from tests.world import World, adding, without

ALTERNATIVE = """
query ($max: Int! = 500) { proposals { nodes { status alternative(maxFields: $max) {
  outcome version bump breaking { path } asked { team { name } } changes { path kind }
} } } }
"""
IMPACT = """
query ($asset: AssetRef!, $fields: [String!], $schema: JSON) {
  impact(asset: $asset, withoutFields: $fields, schema: $schema) {
    outcome version breaking { path } asked { team { name } }
    alternative { version outcome asked { team { name } } alternative { version } }
  }
}
"""
FORCE = """
mutation ($input: PublishProposalInput!) {
  publishProposal(input: $input) { contract { version } proposal { status } errors { code message field } }
}
"""


async def alternative(ask: Ask, **variables: Any) -> Any:
    [proposal] = (await ask(ALTERNATIVE, **variables))["proposals"]["nodes"]
    return proposal["alternative"]


async def test_the_hints_of_a_proposal_lead_to_a_version_that_asks_no_team(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, without("note", schema=adding("extra")))
    result = await alternative(ask)
    assert (result["outcome"], result["version"], result["asked"]) == ("PUBLISHED", "1.1.0", [])
    assert result["breaking"] == []
    assert "extra" in {change["path"] for change in result["changes"]}


async def test_what_the_hints_do_not_avoid_still_asks(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    schema = without("note")
    schema = {**schema, "properties": {**schema["properties"], "total": {"type": "array"}}}
    await world.publish(asset, schema)
    result = await alternative(ask)
    assert result is not None
    assert (result["outcome"] == "PROPOSED") == bool(result["breaking"])


async def test_there_is_no_alternative_of_an_ended_a_hintless_or_a_large_change(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal
    assert await alternative(ask, max=1) is None
    assert await alternative(ask, max=-1) is None
    assert await alternative(ask) is not None
    await world.withdraw(proposal)
    assert await alternative(ask) is None


async def test_a_list_of_proposals_takes_some_statements_for_each_alternative_and_none_without_a_hint(
    world: World, ask: Ask
) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, without("note"))
    with statements(world.database) as executed:
        await alternative(ask)
    assert len([text for text in executed if text.startswith(("SELECT", "WITH"))]) <= 10


async def test_the_impact_of_dropping_columns_needs_no_schema(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    before = await world.size()
    reply = (await ask(IMPACT, asset={"fqn": asset.fqn}, fields=["note"]))["impact"]
    assert (reply["outcome"], reply["version"]) == ("PROPOSED", "2.0.0")
    assert [item["path"] for item in reply["breaking"]] == ["note"]
    assert len(reply["asked"]) == 1
    assert (reply["alternative"]["asked"], reply["alternative"]["outcome"]) == ([], "PUBLISHED")
    assert reply["alternative"]["alternative"] is None
    assert await world.size() == before


@pytest.mark.parametrize("fields", [["nothing"], [""], ["note"] * 501], ids=["unknown", "empty", "too many"])
async def test_a_column_that_is_not_there_can_not_be_dropped(world: World, answer: Ask, fields: list[str]) -> None:
    asset = await world.published(consumers=1)
    reply = await answer(IMPACT, asset={"fqn": asset.fqn}, fields=fields)
    assert [error["extensions"]["code"] for error in reply["errors"]] == ["INVALID"]


async def test_dropping_columns_and_a_new_schema_contradict_each_other(world: World, answer: Ask) -> None:
    asset = await world.published(consumers=1)
    reply = await answer(IMPACT, asset={"fqn": asset.fqn}, fields=["note"], schema={"type": "object"})
    assert "Give either" in reply["errors"][0]["message"]


async def test_an_asset_without_a_contract_has_no_columns_to_drop(world: World, answer: Ask) -> None:
    asset = await world.asset("shop.core.empty", await world.team("shop"))
    reply = await answer(IMPACT, asset={"fqn": asset.fqn}, fields=["note"])
    assert "no active contract" in reply["errors"][0]["message"]


async def test_an_open_proposal_is_published_by_force_with_a_reason_and_leaves_debts(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=2)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    identifier = (await ask("{ proposals { nodes { id } } }"))["proposals"]["nodes"][0]["id"]
    refused = (await ask(FORCE, input={"proposal": identifier, "force": True}))["publishProposal"]
    assert refused["contract"] is None
    assert [error["field"] for error in refused["errors"]] == [["input", "reason"]]
    forced = (await ask(FORCE, input={"proposal": identifier, "force": True, "reason": "It ends."}))["publishProposal"]
    assert (forced["contract"], forced["errors"]) == ({"version": "2.0.0"}, [])
    assert forced["proposal"]["status"] == "SUPERSEDED"
    debts = (await ask("{ assets { nodes { debts { nodes { kind team { name } } } } } }"))["assets"]["nodes"]
    [debt] = [item for node in debts for item in node["debts"]["nodes"]]
    assert (debt["kind"], debt["team"]["name"]) == ("FORCED", world.consumers[1].name)
    again = (await ask(FORCE, input={"proposal": identifier, "force": True, "reason": "Again."}))["publishProposal"]
    assert [error["code"] for error in again["errors"]] == ["CONFLICT"]


async def test_only_an_administrator_forces(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, without("note"))
    identifier = (await ask("{ proposals { nodes { id } } }"))["proposals"]["nodes"][0]["id"]
    owner = Actor("ines", asset.owner_team_id, frozenset({Scope.READ, Scope.WRITE}))
    values = {"proposal": identifier, "force": True, "reason": "It ends."}
    refused = (await ask(FORCE, actor=owner, input=values))["publishProposal"]
    assert [error["code"] for error in refused["errors"]] == ["FORBIDDEN"]


async def test_with_a_stale_row_version_nothing_is_forced(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, without("note"))
    identifier = (await ask("{ proposals { nodes { id } } }"))["proposals"]["nodes"][0]["id"]
    values = {"proposal": identifier, "force": True, "reason": "It ends.", "expectedRowVersion": 77}
    stale = (await ask(FORCE, input=values))["publishProposal"]
    assert [error["code"] for error in stale["errors"]] == ["STALE"]


async def test_an_alternative_has_none_itself_and_an_operation_computes_ten_at_most(world: World, ask: Ask) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, without("note", schema=adding("extra")))
    aliases = " ".join(f"a{number}: alternative {{ version alternative {{ version }} }}" for number in range(10))
    query = "{ proposals { nodes { %s } } }"
    [proposal] = (await ask(query % aliases))["proposals"]["nodes"]
    assert {(item["version"], item["alternative"]) for item in proposal.values()} == {("1.1.0", None)}
    with pytest.raises(AssertionError, match="more than 10 alternatives"):
        await ask(query % f"{aliases} more: alternative {{ version }}")
