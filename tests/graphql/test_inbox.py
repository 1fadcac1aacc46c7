"""The inbox has one entry for each change set, also of teams that one may answer for, in six statements."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Intent, Response
from tessera_gql.store.tables import Acknowledgment, Asset, Team
from tests.conftest import FixedClock
from tests.graphql.conftest import Ask
from tests.world import World, without

KEY, URL = "github.com/shop/warehouse#17", "https://github.com/shop/warehouse/pull/17"

GROUPS = """
query ($first: Int, $after: String) {
  viewer { inboxGroups(first: $first, after: $after) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes {
      changeSet { key url } url dueAt onSilence silenceMeans tableCount changeCount
      proposal { id asset { fqn } } team { name } onBehalfOf { name }
      acknowledgments(first: 10) { because { path } proposal { reason asset { fqn } } }
    }
  } }
}
"""
ANSWER = """
mutation ($input: AcknowledgeChangeSetInput!) {
  acknowledgeChangeSet(input: $input) {
    changeSet { key status }
    acknowledgments { response responses: notes proposal { status asset { fqn } } }
    contracts { version }
    errors { code field message }
  }
}
"""
ASKS = """
query ($team: TeamRef!, $filter: TeamAcknowledgmentFilter, $order: AcknowledgmentOrder) {
  team(by: $team) { acknowledgments(filter: $filter, orderBy: $order) {
    totalCount nodes { response proposal { asset { fqn } } }
  } }
}
"""


def key_of(team: Team) -> Actor:
    return Actor(team.name, team.id, frozenset({Scope.READ, Scope.WRITE}))


async def read_tables(world: World, count: int, *, owner: str = "owners", reader: str = "readers") -> list[Asset]:
    producer, consumer = await world.team(owner), await world.team(reader)
    assets = [await world.asset(f"shop.core.{owner}_{number}", producer) for number in range(count)]
    for asset in assets:
        await world.publish(asset)
        await world.register(asset, consumer, "note")
    return assets


async def propose(world: World, assets: list[Asset], key: str | None = KEY) -> list[str]:
    change_set = await world.change_set(key, url=URL) if key else None
    for asset in assets:
        identity = change_set.id if change_set else None
        await world.publish(asset, without("note"), intent=Intent.ASK, change_set_id=identity, reason="cleaning up")
    return [asset.fqn for asset in assets]


async def team_of(world: World, name: str) -> Team:
    return next(team for team in await world.rows(Team) if team.name == name)


@pytest.mark.parametrize("size", [2, 6])
async def test_the_inbox_has_one_entry_for_a_change_set_in_six_statements(
    world: World, ask: Ask, counted: Callable[[], Any], clock: FixedClock, size: int
) -> None:
    assets = await read_tables(world, size + 1)
    fqns = await propose(world, assets[1:])
    clock.advance(days=1)
    [single] = await propose(world, assets[:1], None)
    reader = await team_of(world, "readers")
    query = GROUPS.replace("totalCount", "").replace("proposal { id asset { fqn } }", "")
    with counted() as statements:
        first, second = (await ask(query, actor=key_of(reader)))["viewer"]["inboxGroups"]["nodes"]
    assert len(statements) <= 6, statements
    assert (first["changeSet"], first["url"], first["tableCount"]) == ({"key": KEY, "url": URL}, URL, size)
    assert (first["changeCount"], first["onSilence"], first["silenceMeans"]) == (size, "EXPIRE", "the proposal expires")
    assert [item["proposal"]["asset"]["fqn"] for item in first["acknowledgments"]] == fqns
    assert all([change["path"] for change in item["because"]] == ["note"] for item in first["acknowledgments"])
    assert (first["onBehalfOf"], second["changeSet"], second["tableCount"]) == (None, None, 1)
    assert second["acknowledgments"][0]["proposal"]["asset"]["fqn"] == single
    assert first["dueAt"] < second["dueAt"]


async def test_pages_of_the_inbox_have_each_entry_once(world: World, ask: Ask) -> None:
    assets = await read_tables(world, 5)
    for number, asset in enumerate(assets):
        await propose(world, [asset], f"org/repo#{number}")
    keys: list[str] = []
    page: dict[str, Any] = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
    while page["pageInfo"]["hasNextPage"]:
        page = (await ask(GROUPS, first=2, after=page["pageInfo"]["endCursor"]))["viewer"]["inboxGroups"]
        keys += [node["changeSet"]["key"] for node in page["nodes"]]
        assert page["totalCount"] == 5
    assert keys == [f"org/repo#{number}" for number in range(5)]


async def test_a_delegate_and_an_escalation_team_see_what_they_may_answer(
    world: World, ask: Ask, clock: FixedClock
) -> None:
    assets = await read_tables(world, 3)
    reader, delegate, superior = await team_of(world, "readers"), await world.team("delegate"), await world.team("boss")
    async with world.database.write() as session:
        until = clock.now + timedelta(days=2)
        await session.update_row(Team, reader.id, delegate_team_id=delegate.id, delegate_until=until)
    await propose(world, assets)
    [escalated, *_] = await world.rows(Acknowledgment)
    async with world.database.write() as session:
        await session.update_row(Acknowledgment, escalated.id, escalated_to=superior.id)

    async def entries(team: Team) -> list[tuple[str, Any, int, int]]:
        nodes = (await ask(GROUPS, actor=key_of(team)))["viewer"]["inboxGroups"]["nodes"]
        return [
            (item["team"]["name"], item["onBehalfOf"], item["tableCount"], len(item["acknowledgments"]))
            for item in nodes
        ]

    assert await entries(reader) == [("readers", None, 3, 3)]
    assert await entries(delegate) == [("readers", {"name": "readers"}, 3, 3)]
    assert await entries(superior) == [("readers", {"name": "readers"}, 1, 1)]
    assert await entries(await team_of(world, "owners")) == []
    clock.advance(days=2)
    assert await entries(delegate) == []
    arguments = {"changeSet": {"key": KEY}, "response": "APPROVED", "team": {"name": "readers"}}
    answered = (await ask(ANSWER, actor=key_of(superior), input=arguments))["acknowledgeChangeSet"]
    assert (len(answered["acknowledgments"]), answered["errors"]) == (1, [])
    assert await entries(superior) == []


async def test_a_change_set_is_acknowledged_once_with_an_idempotency_key(world: World, ask: Ask) -> None:
    fqns = await propose(world, await read_tables(world, 2))
    reader = await team_of(world, "readers")
    arguments = {"changeSet": {"key": KEY}, "response": "BLOCKED", "notes": "not now", "idempotencyKey": "k"}
    first, again = [(await ask(ANSWER, actor=key_of(reader), input=arguments))["acknowledgeChangeSet"] for _ in "12"]
    assert first == again
    assert [(item["response"], item["proposal"]["status"]) for item in first["acknowledgments"]] == [
        ("BLOCKED", "REJECTED")
    ] * 2
    assert sorted(item["proposal"]["asset"]["fqn"] for item in first["acknowledgments"]) == fqns
    assert (first["changeSet"], first["contracts"]) == ({"key": KEY, "status": "OPEN"}, [])
    refused = (await ask(ANSWER, actor=key_of(reader), input={**arguments, "idempotencyKey": "l"}))[
        "acknowledgeChangeSet"
    ]
    assert (refused["acknowledgments"], refused["errors"][0]["code"]) == (None, "CONFLICT")
    bad = {**arguments, "except": ["UHJvcG9zYWw6MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAw"]}
    del bad["idempotencyKey"]
    [error] = (await ask(ANSWER, actor=key_of(reader), input=bad))["acknowledgeChangeSet"]["errors"]
    assert (error["code"], error["field"]) == ("INVALID", ["input", "except"])


async def test_the_asks_of_a_team_are_filtered_by_state_response_asset_owner_and_change_set(
    world: World, ask: Ask, clock: FixedClock
) -> None:
    assets = await read_tables(world, 3)
    reader = await team_of(world, "readers")
    await propose(world, assets[:2])
    clock.advance(days=1)
    await propose(world, assets[2:], None)
    answered = (await world.proposals_of(assets[1]))[0]
    await world.answer(answered, reader, Response.APPROVED)
    change_set = (await ask("{ changeSets { nodes { id } } }"))["changeSets"]["nodes"][0]["id"]
    owner = (await ask('{ team(by: {name: "owners"}) { id } }'))["team"]["id"]
    asset = (await ask('{ asset(by: {fqn: "shop.core.owners_2"}) { id } }'))["asset"]["id"]

    async def listed(**conditions: Any) -> list[str]:
        order = {"field": "DUE_AT", "direction": "DESC"}
        page = (await ask(ASKS, team={"name": "readers"}, filter=conditions, order=order))["team"]["acknowledgments"]
        assert page["totalCount"] == len(page["nodes"])
        return sorted(node["proposal"]["asset"]["fqn"][-1] for node in page["nodes"])

    assert await listed() == ["0", "1", "2"]
    assert await listed(state={"eq": "AWAITED"}) == ["0", "2"]
    assert await listed(response={"eq": "APPROVED"}) == await listed(state={"in": ["ANSWERED", "ENDED"]}) == ["1"]
    assert await listed(changeSet={"eq": change_set}) == ["0", "1"]
    assert await listed(asset={"eq": asset}) == ["2"]
    assert await listed(owner={"eq": owner}) == ["0", "1", "2"]
    assert await listed(dueAt={"lt": (clock.now + timedelta(days=29, hours=12)).isoformat()}) == ["0", "1"]


@pytest.mark.parametrize("readers", [3, 25])
async def test_the_inboxes_of_few_and_of_many_teams_are_read_alike(world: World, ask: Ask, readers: int) -> None:
    asset = await world.published(consumers=readers)
    await propose(world, [asset])
    query = "{ teams(first: 100) { nodes { name inboxGroups(first: 5) { totalCount nodes { tableCount } } } } }"
    teams = {team["name"]: team["inboxGroups"] for team in (await ask(query))["teams"]["nodes"]}
    asked = {name: groups for name, groups in teams.items() if name.startswith("consumer")}
    assert len(asked) == readers
    assert all(groups == {"totalCount": 1, "nodes": [{"tableCount": 1}]} for groups in asked.values())
    assert all(groups == {"totalCount": 0, "nodes": []} for name, groups in teams.items() if name not in asked)
