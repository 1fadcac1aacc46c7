"""What a page about a proposal shows beside its answers: reads, readers who are not asked, and what time will do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.compatibility import Judgement, Terms
from tessera_gql.policy.enums import ColumnEdgeKind, Intent, Response
from tessera_gql.workflows.comparisons import compare_terms
from tests.conftest import FixedClock
from tests.graphql.conftest import Ask
from tests.graphql.test_asks import format_moment
from tests.workflows.test_lineage_asks import chain, link, propose
from tests.workflows.test_usage import cover, migrating
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import World, adding, without

DAY = timedelta(days=1)
OUTLOOK = """
query ($proposals: Int! = 1, $first: Int! = 3, $steps: Int! = 5) {
  proposals(first: $proposals) { nodes {
    acknowledgments(first: 1) { nodes {
      team { name } lastReadAt quietSince earliestRelease
      changeReads { path lastReadAt quietSince earliestRelease }
      paths { isKnown steps { asset { fqn owner { name } } field kind evidence lastReadAt } }
    } }
    unasked(first: $first) {
      totalCount nodes { team { name } reason fields path { fqn } } edges { cursor } pageInfo { hasNextPage }
    }
    upcoming(first: $steps) { kind at consequence teams { name } }
    viewerAcknowledgments { team { name } dueAt onSilence silenceMeans }
    diff { unchangedFieldCount }
  } }
}
"""


async def outlook(ask: Ask, **variables: Any) -> dict[str, Any]:
    [proposal] = (await ask(OUTLOOK, **variables))["proposals"]["nodes"]
    return dict(proposal)


async def test_a_migrating_team_shows_since_when_it_is_quiet_and_when_that_is_proof(
    world: World, clock: FixedClock, ask: Ask
) -> None:
    await migrating(world, clock)
    answered, last_read = clock.now, clock.now - DAY
    [reading] = (await outlook(ask))["acknowledgments"]["nodes"]
    assert (reading["lastReadAt"], reading["quietSince"]) == (format_moment(last_read), None)
    assert reading["earliestRelease"] == format_moment(last_read + 14 * DAY)
    await cover(world, clock, 3)
    [quiet] = (await outlook(ask))["acknowledgments"]["nodes"]
    assert quiet["quietSince"] == format_moment(last_read)
    assert quiet["changeReads"] == [
        {
            "path": "note",
            "lastReadAt": format_moment(last_read),
            "quietSince": format_moment(last_read),
            "earliestRelease": format_moment(last_read + 14 * DAY),
        }
    ]
    assert answered < clock.now


async def test_a_source_with_a_gap_after_the_last_read_can_prove_nothing(
    world: World, clock: FixedClock, ask: Ask
) -> None:
    await migrating(world, clock)
    clock.advance(days=2)
    await cover(world, clock, 5)
    [item] = (await outlook(ask))["acknowledgments"]["nodes"]
    assert item["lastReadAt"] is not None
    assert item["earliestRelease"] is None


async def test_a_team_that_no_source_has_seen_has_no_reads_and_no_proof(world: World, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, world.database.clock() + 9 * DAY)
    [item] = (await outlook(ask))["acknowledgments"]["nodes"]
    assert {item[name] for name in ("lastReadAt", "quietSince", "earliestRelease")} == {None}
    assert [reads["path"] for reads in item["changeReads"]] == ["note"]


async def test_each_step_of_a_path_says_how_its_column_is_made_by_what_knowledge_and_when_it_was_read(
    world: World, clock: FixedClock, ask: Ask
) -> None:
    orders, staging, marts, finance = await chain(world)
    report = await world.asset("finance.report", finance)
    await link(world, orders, staging, ("note", "remark"))
    await link(world, staging, marts, ("remark", "text", ColumnEdgeKind.DERIVED))
    await link(world, marts, report, ("text", "", ColumnEdgeKind.FILTER))
    await usage_source(world)
    await map_principal(world, "bob", finance)
    clock.advance(days=1)
    await import_log(world, log_of(("bob", "text", clock.now), asset="marts.orders"))
    await propose(world, orders, "note")
    [item] = (await outlook(ask))["acknowledgments"]["nodes"]
    [path] = item["paths"]
    steps = [(step["asset"]["fqn"], step["field"], step["kind"], step["evidence"]) for step in path["steps"]]
    assert steps == [
        ("analytics.core.orders", "note", None, []),
        ("staging.orders", "remark", "COPIED", ["DECLARED"]),
        ("marts.orders", "text", "DERIVED", ["DECLARED", "OBSERVED"]),
        ("finance.report", None, "FILTER", ["DECLARED"]),
    ]
    assert [step["lastReadAt"] for step in path["steps"]] == [None, None, format_moment(clock.now), None]
    assert path["steps"][-1]["asset"]["owner"]["name"] == "finance"


async def test_readers_who_are_not_asked_are_listed_with_the_reason_and_the_way(world: World, ask: Ask) -> None:
    asset = await world.published()
    asked, partial, distant = [await world.team(name) for name in ("asked", "partial", "distant")]
    await world.register(asset, asked, "note")
    await world.register(asset, partial, "total", "order_id")
    middle = await world.asset("asked.middle", asked)
    report = await world.asset("distant.report", distant)
    await world.depend(middle, asset)
    await world.depend(report, middle)
    await world.publish(asset, without("note"))
    proposal = await outlook(ask)
    assert proposal["unasked"]["totalCount"] == 2
    assert proposal["unasked"]["nodes"] == [
        {"team": {"name": "partial"}, "reason": "OTHER_FIELDS", "fields": ["order_id", "total"], "path": []},
        {
            "team": {"name": "distant"},
            "reason": "DOWNSTREAM",
            "fields": [],
            "path": [{"fqn": "analytics.core.orders"}, {"fqn": "asked.middle"}, {"fqn": "distant.report"}],
        },
    ]
    page = (await outlook(ask, first=1))["unasked"]
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (1, True)
    assert proposal["diff"]["unchangedFieldCount"] == 3


async def test_a_released_team_is_listed_as_such(world: World, clock: FixedClock, ask: Ask) -> None:
    await migrating(world, clock)
    await cover(world, clock, 14)
    unasked = (await outlook(ask))["unasked"]
    assert [(item["team"]["name"], item["reason"]) for item in unasked["nodes"]] == [("finance", "RELEASED")]


async def test_what_time_will_do_is_listed_until_the_proposal_ends(world: World, clock: FixedClock, ask: Ask) -> None:
    _, proposal = await world.proposed(consumers=2)
    steps = (await outlook(ask))["upcoming"]
    moments = {"REMINDER": [27, 29], "EXPIRY": [30]}
    assert [(step["kind"], step["at"]) for step in steps] == [
        (kind, format_moment(clock.now + days * DAY)) for kind, all_days in moments.items() for days in all_days
    ]
    assert [team["name"] for team in steps[0]["teams"]] == ["consumer-0", "consumer-1"]
    assert len((await outlook(ask, steps=1))["upcoming"]) == 1
    await world.withdraw(proposal)
    assert (await outlook(ask))["upcoming"] == []


async def test_a_caller_sees_its_own_asks_and_those_of_teams_it_stands_in_for(
    world: World, clock: FixedClock, ask: Ask
) -> None:
    await world.proposed(consumers=2)
    first, second = world.consumers
    update = """mutation ($input: UpdateTeamInput!) { updateTeam(input: $input) { errors { message } } }"""
    until = format_moment(clock.now + DAY)
    delegated = {"team": {"name": first.name}, "delegate": {"team": {"name": second.name}, "until": until}}
    assert (await ask(update, input=delegated))["updateTeam"]["errors"] == []
    for team, names in ((first, ["consumer-0"]), (second, ["consumer-0", "consumer-1"])):
        actor = Actor("someone", team.id, frozenset({Scope.READ}))
        own = (await outlook(ask, actor=actor))["viewerAcknowledgments"]
        assert [item["team"]["name"] for item in own] == names
        assert {item["silenceMeans"] for item in own} == {"the proposal expires"}
    assert (await outlook(ask))["viewerAcknowledgments"] == []


async def test_a_bad_number_of_steps_is_refused(world: World, answer: Ask) -> None:
    await world.proposed(consumers=1)
    reply = await answer(OUTLOOK, steps=-1)
    assert reply["errors"][0]["extensions"]["code"] == "INVALID"


IMPACT = """
query ($schema: JSON!) {
  impact(asset: {fqn: "analytics.core.orders"}, schema: $schema) {
    asked { team { name } } unasked { totalCount nodes { team { name } reason fields } }
  }
}
"""


LISTS = """
query ($first: Int) {
  proposals(first: 1) { nodes {
    breakingChangeCount breakingChanges(first: $first) { path teamCount teams(first: $first) { name } }
    waitsFor(first: $first) { team { name } }
    diff { changeCount changes(first: $first) { path } }
  } }
}
"""


async def test_lists_of_changes_and_teams_are_whole_or_as_long_as_asked(world: World, ask: Ask, answer: Ask) -> None:
    orders = await world.published(consumers=2)
    await world.publish(orders, without("note", "total"))
    [whole], [short], [none] = [(await ask(LISTS, first=first))["proposals"]["nodes"] for first in (None, 1, 0)]
    assert [len(item["teams"]) for item in whole["breakingChanges"]] == [2, 2]
    assert len(whole["waitsFor"]) == 2
    for page in (whole, short, none):
        assert (page["breakingChangeCount"], page["diff"]["changeCount"]) == (2, 2)
        assert all(item["teamCount"] == 2 for item in page["breakingChanges"])
    assert short["breakingChanges"] == [
        {**whole["breakingChanges"][0], "teams": whole["breakingChanges"][0]["teams"][:1]}
    ]
    assert (short["waitsFor"], short["diff"]["changes"]) == (whole["waitsFor"][:1], whole["diff"]["changes"][:1])
    assert (none["breakingChanges"], none["waitsFor"], none["diff"]["changes"]) == ([], [], [])
    refused = await answer(LISTS, first=-1)
    assert "`first` is -1" in refused["errors"][0]["message"]


async def test_a_comparison_is_kept_and_found_again_for_the_same_rows(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[object] = []

    async def compare(run: Any, old: Terms, new: Terms) -> Judgement:
        compared.append(new.schema)
        return await compare_terms(run, old, new)

    monkeypatch.setattr("tessera_gql.graphql.changes.compare_terms", compare)
    orders = await world.published(consumers=1)
    await world.publish(orders, without("note"))
    first, again = [(await ask(LISTS))["proposals"] for _ in range(2)]
    assert first == again
    assert len(compared) == 1
    [proposal] = await world.proposals_of(orders)
    await world.withdraw(proposal)
    await world.publish(orders, without("total"))
    [latest] = (await ask(LISTS))["proposals"]["nodes"]
    assert ([item["path"] for item in latest["diff"]["changes"]], len(compared)) == (["total"], 2)


async def test_an_impact_names_the_readers_who_would_not_be_asked(world: World, ask: Ask) -> None:
    asset = await world.published()
    for name, column in (("asked", "note"), ("other", "total")):
        await world.register(asset, await world.team(name), column)
    result = (await ask(IMPACT, schema=without("note")))["impact"]
    assert [item["team"]["name"] for item in result["asked"]] == ["asked"]
    assert result["unasked"]["nodes"] == [{"team": {"name": "other"}, "reason": "OTHER_FIELDS", "fields": ["total"]}]
    compatible = (await ask(IMPACT, schema=adding("extra")))["impact"]["unasked"]
    assert {item["team"]["name"] for item in compatible["nodes"]} == {"asked", "other"}


@pytest.mark.parametrize("size", [2, 12])
async def test_the_outlook_takes_a_fixed_number_of_statements(
    size: int, world: World, clock: FixedClock, ask: Ask, counted: Callable[[], Any]
) -> None:
    await usage_source(world)
    owner = await world.team("owners")
    for number in range(size):
        team = await world.team(f"reader-{number}")
        await map_principal(world, f"svc-{number}", team)
        asset = await world.asset(f"shop.core.table_{number:02}", owner)
        await world.publish(asset)
        await world.register(asset, team, "note")
        staging = await world.asset(f"shop.staging.table_{number:02}", owner)
        await link(world, asset, staging, ("note", "remark"))
        report = await world.asset(f"reader.report_{number:02}", team)
        await link(world, staging, report, ("remark", "text"))
        await import_log(world, log_of((f"svc-{number}", "note", clock.now), asset=asset.fqn))
        assert (await world.publish(asset, without("note"), intent=Intent.ASK)).proposal is not None
    with counted() as statements:
        data = await ask(OUTLOOK, proposals=size)
    assert len(data["proposals"]["nodes"]) == size
    assert len(statements) == 22
