"""What a team owes is one list by date: answers, promised migrations and debts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Response
from tessera_gql.store.tables import Asset, Proposal, Team
from tests.conftest import FixedClock
from tests.graphql.conftest import Ask
from tests.graphql.test_asks import format_moment
from tests.world import World, without

DAY = timedelta(days=1)
OWES = """
query ($team: TeamRef!, $first: Int, $after: String, $filter: ObligationFilter, $order: ObligationOrder) {
  team(by: $team) { owes(first: $first, after: $after, filter: $filter, orderBy: $order) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes {
      kind dueAt isOverdue consequence
      acknowledgment { response proposal { asset { fqn owner { name } } } } debt { kind message asset { fqn } }
    }
  } }
}
"""


async def owed(ask: Ask, **variables: Any) -> dict[str, Any]:
    return dict((await ask(OWES, **{"team": {"name": "finance"}} | variables))["team"]["owes"])


async def table(world: World, name: str, owner: Team, reader: Team) -> Asset:
    asset = await world.asset(f"shop.core.{name}", owner)
    await world.publish(asset)
    await world.register(asset, reader, "note")
    return asset


async def owing(world: World) -> Team:
    """A team that owes a debt, a migration and an answer."""
    owner, finance = await world.team("shop"), await world.team("finance")
    for name in ("answered", "migrating", "awaited"):
        proposal = (await world.publish(await table(world, name, owner, finance), without("note"))).proposal
        assert proposal is not None
        if name == "answered":
            await world.answer(proposal, finance, Response.BLOCKED)
        if name == "migrating":
            await world.answer(proposal, finance, Response.MIGRATING, world.database.clock() + 5 * DAY)
    forced = await table(world, "forced", owner, finance)
    await world.publish(forced, without("note"), force=True, reason="the source is gone")
    return finance


async def test_all_that_a_team_owes_is_listed_by_date(world: World, clock: FixedClock, ask: Ask) -> None:
    await owing(world)
    page = await owed(ask)
    assert page["totalCount"] == 4
    rows = [(item["kind"], item["dueAt"], item["isOverdue"], item["consequence"]) for item in page["nodes"]]
    settled = "it stays on the asset until it is settled"
    assert rows == [
        ("DEBT", format_moment(clock.now), True, settled),
        ("DEBT", format_moment(clock.now), True, settled),
        ("MIGRATION", format_moment(clock.now + 5 * DAY), False, "the migration is overdue, and counts as no consent"),
        ("ANSWER", format_moment(clock.now + 30 * DAY), False, "the proposal expires"),
    ]
    assert {item["debt"]["asset"]["fqn"] for item in page["nodes"] if item["debt"]} == {"shop.core.forced"}
    assert page["nodes"][2]["acknowledgment"] == {
        "response": "MIGRATING",
        "proposal": {"asset": {"fqn": "shop.core.migrating", "owner": {"name": "shop"}}},
    }


async def test_the_list_is_filtered_ordered_and_paged(world: World, clock: FixedClock, ask: Ask) -> None:
    await owing(world)
    kinds = [item["kind"] for item in (await owed(ask, order={"field": "DUE_AT", "direction": "DESC"}))["nodes"]]
    assert kinds == ["ANSWER", "MIGRATION", "DEBT", "DEBT"]
    asks = await owed(ask, filter={"kind": {"in": ["ANSWER", "MIGRATION"]}})
    assert (asks["totalCount"], len(asks["nodes"])) == (2, 2)
    span = {"gte": format_moment(clock.now + DAY), "lt": format_moment(clock.now + 9 * DAY)}
    soon = await owed(ask, filter={"dueAt": span})
    assert [item["kind"] for item in soon["nodes"]] == ["MIGRATION"]
    first = await owed(ask, first=3)
    assert first["pageInfo"]["hasNextPage"] is True
    last = await owed(ask, first=3, after=first["pageInfo"]["endCursor"])
    assert [item["kind"] for item in last["nodes"]] == ["ANSWER"]


async def test_what_is_settled_is_no_longer_owed(world: World, ask: Ask) -> None:
    await owing(world)
    for proposal in await world.rows(Proposal):
        await world.withdraw(proposal)
    assert {item["kind"] for item in (await owed(ask))["nodes"]} == {"DEBT"}


async def test_every_caller_sees_what_a_team_owes(world: World, ask: Ask) -> None:
    await owing(world)
    peer = await world.team("other")
    reader = Actor("reader", peer.id, frozenset({Scope.READ}))
    assert (await owed(ask, actor=reader))["totalCount"] == 4
    assert (await owed(ask, team={"name": "other"}))["totalCount"] == 0


@pytest.mark.parametrize("teams", [1, 4])
async def test_a_list_of_teams_takes_a_fixed_number_of_statements(
    teams: int, world: World, ask: Ask, counted: Callable[[], Any]
) -> None:
    await owing(world)
    for number in range(teams):
        await world.team(f"team-{number}")
    query = """{ teams(first: 10) { nodes { owes(first: 5) { totalCount nodes {
      kind dueAt consequence acknowledgment { dueAt } debt { message } } } } } }"""
    with counted() as statements:
        await ask(query)
    assert len(statements) == 5
