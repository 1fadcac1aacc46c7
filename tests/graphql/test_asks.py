"""Policies of asks, substitutes of teams, and what a proposal waits for, over GraphQL."""

from datetime import datetime, timedelta
from typing import Any

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Response
from tests.conftest import FixedClock
from tests.graphql.conftest import Ask
from tests.world import World, adding, without

DAY = timedelta(days=1)
POLICY = "tier dueDays remindDaysBefore escalateAfterDays onSilence silenceMeans rowVersion"
SET = f"""
mutation ($input: SetAskPolicyInput!) {{
  setAskPolicy(input: $input) {{ policy {{ {POLICY} }} errors {{ code field message }} }}
}}
"""
UPDATE_TEAM = """
mutation ($input: UpdateTeamInput!) {
  updateTeam(input: $input) {
    team { delegate { name } delegateUntil escalationTeam { name } } errors { code field message }
  }
}
"""
WAITS = """
{
  proposals { nodes {
    isStale viewerCanAcknowledge waitsFor { team { name } step until silenceMeans acknowledgment { dueAt } }
    acknowledgments { nodes { response earlierAnswers { response notes } releasedBy { kind reference } } }
  } }
}
"""


def format_moment(moment: datetime) -> str:
    """Format a moment as replies do."""
    return moment.isoformat().replace("+00:00", "Z")


async def test_a_policy_is_set_in_parts_and_listed_with_the_defaults_of_the_other_tiers(ask: Ask) -> None:
    async def set_policy(**values: Any) -> dict[str, Any]:
        reply: dict[str, Any] = (await ask(SET, input={"tier": "HIGH", **values}))["setAskPolicy"]
        return reply

    first = await set_policy(dueDays=14, onSilence="BLOCK", escalateAfterDays=7)
    assert first["errors"] == []
    changed = await set_policy(escalateAfterDays=None, remindDaysBefore=[1, 5, 5], expectedRowVersion=1)
    high = {
        "tier": "HIGH",
        "dueDays": 14,
        "remindDaysBefore": [5, 1],
        "escalateAfterDays": None,
        "onSilence": "BLOCK",
        "silenceMeans": "it counts as a block",
        "rowVersion": 2,
    }
    assert changed["policy"] == high
    for values, field in (({"dueDays": 400}, "dueDays"), ({"onSilence": None}, "onSilence")):
        [error] = (await set_policy(**values))["errors"]
        assert (error["code"], error["field"]) == ("INVALID", ["input", field])
    [error] = (await set_policy(expectedRowVersion=1))["errors"]
    assert error["code"] == "STALE"
    policies = (await ask(f"{{ askPolicies {{ {POLICY} }} }}"))["askPolicies"]
    assert [item["tier"] for item in policies] == ["CRITICAL", "HIGH", "NORMAL", "LOW"]
    assert policies[1] == high
    assert (policies[2]["dueDays"], policies[2]["onSilence"], policies[2]["rowVersion"]) == (30, "EXPIRE", 0)


async def test_a_team_names_a_delegate_and_an_escalation_team_and_null_ends_both(
    ask: Ask, world: World, clock: FixedClock
) -> None:
    await world.team("finance")
    await world.team("growth")

    async def update(**values: Any) -> dict[str, Any]:
        reply: dict[str, Any] = (await ask(UPDATE_TEAM, input={"team": {"name": "finance"}, **values}))["updateTeam"]
        return reply

    until = format_moment(clock.now + DAY)
    growth = {"name": "growth"}
    with_both = await update(delegate={"team": growth, "until": until}, escalationTeam=growth)
    assert with_both["team"] == {"delegate": growth, "delegateUntil": until, "escalationTeam": growth}
    assert (await update(metadata={}))["team"] == with_both["team"]
    without_any = await update(delegate=None, escalationTeam=None)
    assert without_any["team"] == {"delegate": None, "delegateUntil": None, "escalationTeam": None}
    for values, field in (
        ({"delegate": {"team": {"name": "finance"}, "until": until}}, "delegate"),
        ({"delegate": {"team": growth, "until": clock.now.isoformat()}}, "delegate"),
        ({"escalationTeam": {"name": "finance"}}, "escalationTeam"),
        ({"escalationTeam": {"name": "nobody"}}, "escalationTeam"),
    ):
        [error] = (await update(**values))["errors"]
        assert error["field"] == ["input", field]


async def test_a_proposal_says_which_teams_it_waits_for_until_when_and_whether_it_is_stale(
    ask: Ask, world: World, clock: FixedClock
) -> None:
    asset, proposal = await world.proposed(consumers=4)
    silent, migrating, blocking, approving = world.consumers
    await world.answer(proposal, migrating, Response.MIGRATING, clock.now + DAY)
    await world.answer(proposal, blocking, Response.BLOCKED)
    await world.answer(proposal, approving, Response.APPROVED)
    [node] = (await ask(WAITS))["proposals"]["nodes"]
    due_at = format_moment(proposal.expires_at)
    assert [(item["team"]["name"], item["step"], item["until"], item["silenceMeans"]) for item in node["waitsFor"]] == [
        (silent.name, "ANSWER", due_at, "the proposal expires"),
        (migrating.name, "MIGRATION", format_moment(clock.now + DAY), None),
        (blocking.name, "CHANGE_OF_MIND", None, None),
    ]
    assert (node["isStale"], node["viewerCanAcknowledge"]) == (False, True)
    await world.publish(asset, adding("channel"))
    [node] = (await ask(WAITS))["proposals"]["nodes"]
    assert node["isStale"] is True
    await world.publish(asset, without("note"))
    [node] = (await ask(WAITS))["proposals"]["nodes"]
    assert node["isStale"] is False
    answers = [item["earlierAnswers"] for item in node["acknowledgments"]["nodes"]]
    assert [[answer["response"] for answer in item] for item in answers] == [
        [],
        ["MIGRATING"],
        ["BLOCKED"],
        ["APPROVED"],
    ]


async def test_a_delegate_can_acknowledge_and_a_release_names_its_evidence(
    ask: Ask, world: World, clock: FixedClock
) -> None:
    await world.proposed(consumers=1)
    near = await world.team("near")
    actor = Actor("near", near.id, frozenset({Scope.READ, Scope.WRITE}))
    [node] = (await ask(WAITS, actor=actor))["proposals"]["nodes"]
    assert node["viewerCanAcknowledge"] is False
    until = format_moment(clock.now + DAY)
    team = {"name": world.consumers[0].name}
    await ask(UPDATE_TEAM, input={"team": team, "delegate": {"team": {"name": "near"}, "until": until}})
    [node] = (await ask(WAITS, actor=actor))["proposals"]["nodes"]
    assert node["viewerCanAcknowledge"] is True
    await world.unregister((await world.registrations())[0])
    [node] = (await ask(WAITS, actor=actor))["proposals"]["nodes"]
    assert (node["viewerCanAcknowledge"], node["waitsFor"]) == (False, [])
    [acknowledgment] = node["acknowledgments"]["nodes"]
    assert acknowledgment["releasedBy"]["kind"] == "REGISTRATION"
