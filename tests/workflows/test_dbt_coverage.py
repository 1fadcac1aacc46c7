"""Tables of a manifest that ask nobody wait for the coverage that their policy demands."""

from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.policy.coverage import CoverageGapKind
from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.store.tables import Proposal, Team
from tessera_gql.workflows.dbt.report import SyncOutcome
from tests.conftest import START, FixedClock
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import ask, asset_at, plan, run_sync, states, team_table
from tests.workflows.test_coverage import demand, work
from tests.workflows.test_usage import cover
from tests.workflows.usage_logs import map_principal, usage_source
from tests.world import World

FQN = "analytics.core.orders"
WIDE = team_table("orders", "shop", "id", "total", "note")
NARROW = team_table("orders", "shop", "id", "note")


async def synced(world: World, clock: FixedClock, days: float | None = None) -> None:
    """A synced table that nobody reads but its owner, and the days that a source covers; None for no source."""
    await run_sync(world, manifest(WIDE))
    if days is not None:
        await usage_source(world)
        (owner,) = [row for row in await world.rows(Team) if row.name == "shop"]
        await map_principal(world, "owner", owner)
        await cover(world, clock, days, ("owner", "id", START + timedelta(hours=1)))
    await demand(world)


async def proposals(world: World) -> list[Proposal]:
    return [row for row in await world.rows(Proposal) if row.status.is_open]


@pytest.mark.parametrize(
    ("days", "state", "missing"),
    [(None, "HELD", [CoverageGapKind.NO_SOURCE]), (20, "HELD", [CoverageGapKind.TOO_SHORT]), (30, "UNREAD", [])],
)
async def test_an_impact_says_what_is_missing(
    world: World, clock: FixedClock, days: float | None, state: str, missing: list[CoverageGapKind]
) -> None:
    await synced(world, clock, days)
    impact = await plan(world, manifest(NARROW))
    assert states(impact) == {"orders": state}
    assert [item.kind for item in impact.tables[FQN].missing_coverage] == missing


async def test_an_ask_opens_a_held_proposal_that_a_sync_publishes_once_it_is_let_go(
    world: World, clock: FixedClock
) -> None:
    await synced(world, clock, 20)
    impact = await ask(world, manifest(NARROW))
    assert states(impact) == {"orders": "HELD"}
    (proposal,) = await proposals(world)
    assert (proposal.status, proposal.hold is not None) == (ProposalStatus.PENDING, True)
    report = await run_sync(world, manifest(NARROW))
    assert [result.outcome for result in report.models] == [SyncOutcome.PROPOSED]
    await cover(world, clock, 10)
    await work(world)
    assert states(await plan(world, manifest(NARROW))) == {"orders": "APPROVED"}
    assert states(await ask(world, manifest(NARROW))) == {"orders": "APPROVED"}
    assert [row.id for row in await proposals(world)] == [proposal.id]
    report = await run_sync(world, manifest(NARROW))
    assert [result.outcome for result in report.models] == [SyncOutcome.PUBLISHED]
    assert await proposals(world) == []


async def test_a_sync_publishes_at_once_what_is_covered(world: World, clock: FixedClock) -> None:
    await synced(world, clock, 30)
    report = await run_sync(world, manifest(NARROW))
    assert [result.outcome for result in report.models] == [SyncOutcome.PUBLISHED]


@pytest.mark.parametrize("options", [{}, {"retire_removed": True}])
async def test_a_table_that_is_gone_is_held_too(world: World, clock: FixedClock, options: dict[str, Any]) -> None:
    refunds = team_table("refunds", "shop", "id")
    await synced(world, clock, 20)
    await run_sync(world, manifest(WIDE, refunds))
    assert states(await plan(world, manifest(refunds)))["orders"] == "HELD"
    report = await run_sync(world, manifest(refunds), **options)
    (removal,) = report.removed
    assert (removal.retired, removal.proposal_id is not None) == (False, bool(options))
    if options:
        await cover(world, clock, 10)
        await work(world)
        (removal,) = (await run_sync(world, manifest(refunds), **options)).removed
        assert removal.retired


async def test_a_proposal_that_asks_its_readers_is_not_held(world: World, clock: FixedClock) -> None:
    await synced(world, clock, None)
    team = await world.team("finance")
    await world.register(await asset_at(world, FQN), team, "total")
    assert states(await ask(world, manifest(NARROW))) == {"orders": "WAITING"}
