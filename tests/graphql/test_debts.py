"""Debts are listed on the asset and for the teams that they concern, and acknowledged by mutation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.store.tables import Asset, Team
from tests.graphql.conftest import Ask
from tests.world import World, without

FIELDS = "nodes { id kind path message since settledAt asset { fqn } team { name } contract { version } } totalCount"
LISTS = f"""query ($asset: AssetRef!, $team: TeamRef!, $filter: DebtFilter) {{
  asset(by: $asset) {{ debts(filter: $filter) {{ {FIELDS} }} }}
  team(by: $team) {{ debts {{ {FIELDS} }} }}
  viewer {{ debts {{ {FIELDS} }} }}
}}"""
ACKNOWLEDGE = """mutation ($debt: ID!, $notes: String) { acknowledgeDebt(input: {debt: $debt, notes: $notes}) {
  debt { id settledAt kind } errors { code field message }
} }"""


def member(team: Team, *scopes: Scope) -> Actor:
    return Actor("key", team.id, frozenset(scopes or {Scope.WRITE}))


async def forced(world: World) -> tuple[Asset, Team]:
    """An asset whose reader was not asked about the loss of `note`."""
    asset = await world.published()
    reader = await world.team("reader")
    await world.register(asset, reader, "note")
    await world.publish(asset, without("note"), force=True, reason="the source is gone")
    return asset, reader


async def test_debts_are_listed_on_the_asset_and_in_the_inbox_of_the_team(world: World, ask: Ask) -> None:
    asset, reader = await forced(world)
    arguments: dict[str, Any] = {"asset": {"fqn": asset.fqn}, "team": {"name": "reader"}}
    data = await ask(LISTS, actor=member(reader), **arguments)
    assert data["asset"]["debts"] == data["team"]["debts"] == data["viewer"]["debts"]
    assert data["asset"]["debts"]["totalCount"] == 2
    removed, force = sorted(data["asset"]["debts"]["nodes"], key=lambda node: node["kind"], reverse=True)
    assert removed | {"id": "", "since": ""} == {
        "id": "",
        "kind": "REMOVED_FIELD",
        "path": "note",
        "message": "version 2.0.0 removed note",
        "since": "",
        "settledAt": None,
        "asset": {"fqn": asset.fqn},
        "team": {"name": "reader"},
        "contract": {"version": "2.0.0"},
    }
    assert (force["kind"], force["path"]) == ("FORCED", "note")
    only_forced = await ask(LISTS, **arguments, filter={"kind": {"eq": "FORCED"}})
    assert only_forced["asset"]["debts"]["nodes"] == [force]
    assert only_forced["viewer"]["debts"]["totalCount"] == 2


async def test_an_unknown_field_is_in_the_inbox_of_the_reader_and_of_the_owner(world: World, ask: Ask) -> None:
    owner, reader, bystander = [await world.team(name) for name in ("owner", "reader", "bystander")]
    asset = await world.asset("core.orders", owner)
    await world.register(asset, reader, "totl")
    await world.publish(asset)
    inboxes = {
        team.name: (await ask("{ viewer { debts { nodes { path team { name } } } } }", actor=member(team)))["viewer"]
        for team in (owner, reader, bystander)
    }
    debt = {"path": "totl", "team": {"name": "reader"}}
    assert {name: viewer["debts"]["nodes"] for name, viewer in inboxes.items()} == {
        "owner": [debt],
        "reader": [debt],
        "bystander": [],
    }
    everything = await ask("{ viewer { debts { totalCount nodes { path } } } }")
    assert everything["viewer"]["debts"] == {"totalCount": 1, "nodes": [{"path": "totl"}]}


async def test_an_acknowledged_debt_leaves_the_lists_and_stays_readable(world: World, ask: Ask) -> None:
    asset, reader = await forced(world)
    arguments: dict[str, Any] = {"asset": {"fqn": asset.fqn}, "team": {"name": "reader"}}
    (node,) = (await ask(LISTS, **arguments, filter={"kind": {"eq": "FORCED"}}))["asset"]["debts"]["nodes"]
    payload = (await ask(ACKNOWLEDGE, actor=member(reader), debt=node["id"], notes="fine"))["acknowledgeDebt"]
    assert payload["errors"] == []
    assert payload["debt"]["settledAt"]
    assert (await ask(LISTS, **arguments))["team"]["debts"]["totalCount"] == 1
    for query in (
        "query ($id: ID!) { debt(id: $id) { settledAt } }",
        "query ($id: ID!) { debt: node(id: $id) { id } }",
    ):
        assert (await ask(query, id=node["id"]))["debt"]
    again = (await ask(ACKNOWLEDGE, debt=node["id"]))["acknowledgeDebt"]
    assert [error["code"] for error in again["errors"]] == ["CONFLICT"]


async def test_an_unknown_debt_is_reported_by_its_global_id(ask: Ask, world: World) -> None:
    team = await world.team("reader")
    absent = global_id("Debt", team.id)
    (error,) = (await ask(ACKNOWLEDGE, debt=absent))["acknowledgeDebt"]["errors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "debt"])
    assert absent in error["message"]
    (error,) = (await ask(ACKNOWLEDGE, debt=global_id("Team", team.id)))["acknowledgeDebt"]["errors"]
    assert error["code"] == "INVALID"


async def test_the_debts_of_many_teams_cost_one_statement(
    world: World, ask: Ask, counted: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    await forced(world)
    for number in range(5):
        await world.team(f"team-{number}")
    with counted() as texts:
        await ask("{ teams { nodes { name debts { nodes { path } } } } }")
    assert len([text for text in texts if "debts" in text]) == 1
