"""A policy that demands coverage holds what nobody is asked about, until observed reads show that nobody reads it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.notifications import deadlines
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.coverage import CoverageGapKind
from tessera_gql.policy.enums import AssetTier, ContractStatus, Intent, Outcome, ProposalStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Contract, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_commands
from tessera_gql.workflows import proposals as proposal_commands
from tessera_gql.workflows.archiving import archive_asset
from tessera_gql.workflows.ask_policies import set_policy
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.coverage_holds import CoverageWaiver, list_missing
from tests.conftest import START, FixedClock
from tests.workflows.test_usage import DAY, cover
from tests.workflows.usage_logs import import_log, log_of, map_principal, unmap_principal, usage_source
from tests.world import World, adding, without

DAYS = 30
HELD, ENDED, CHANGED = "PROPOSAL_HELD", "PROPOSAL_HOLD_ENDED", "PROPOSAL_STATUS_CHANGED"


async def demand(world: World, days: int | None = DAYS, tier: AssetTier = AssetTier.NORMAL) -> None:
    async with world.database.write() as session:
        await set_policy(session, ANONYMOUS, tier, {"require_coverage_days": days})


async def observed(world: World, clock: FixedClock, days: float = 31, *, field: str = "total") -> Asset:
    """An asset of which a source has seen a read by the owner's principal, and has covered some days since."""
    asset = await world.published()
    await usage_source(world)
    (owner,) = [row for row in await world.rows(Team) if row.id == asset.owner_team_id]
    await map_principal(world, "owner", owner)
    await cover(world, clock, days, ("owner", field, START + timedelta(hours=1)))
    return asset


async def kinds(world: World, *only: str) -> list[str]:
    return [event.kind for event in await world.events() if event.kind in (only or (HELD, ENDED, CHANGED))]


async def missing(world: World, proposal: Proposal) -> list[CoverageGapKind]:
    return [item.kind for item in list_missing(await world.proposal(proposal.id))]


async def work(world: World) -> None:
    await deadlines.apply_due_deadlines(world.database)


async def test_without_a_demand_nobody_to_ask_publishes_at_once(world: World) -> None:
    asset = await world.published()
    assert (await world.publish(asset, without("note"))).outcome is Outcome.PUBLISHED


@pytest.mark.parametrize("days", [30, 31])
async def test_covered_days_without_a_reader_publish_at_once(world: World, clock: FixedClock, days: int) -> None:
    asset = await observed(world, clock, days)
    await demand(world)
    result = await world.publish(asset, without("note"))
    assert result.outcome is Outcome.PUBLISHED
    assert result.proposal is not None
    assert result.proposal.coverage_proof is not None
    assert result.proposal.coverage_proof["reference"].startswith("1 source (snowflake) covers 2026-01-01 to")


@pytest.mark.parametrize("change", ["publish", "ask", "retire", "when approved"])
async def test_an_asset_that_no_source_covers_is_held(world: World, change: str) -> None:
    asset = await world.published()
    await demand(world)
    proposal = await propose(world, asset, change)
    assert proposal.status is ProposalStatus.PENDING
    assert await missing(world, proposal) == [CoverageGapKind.NO_SOURCE]
    assert await kinds(world) == [HELD]
    with pytest.raises(Conflict, match=r"held.*no usage source has seen a read of it"):
        await world.publish_proposal(proposal)


async def propose(world: World, asset: Asset, change: str) -> Proposal:
    if change == "retire":
        return (await world.propose_retirement(asset)).proposal
    options: dict[str, Any] = {"ask": {"intent": Intent.ASK}, "when approved": {"publish_when_approved": True}}.get(
        change, {}
    )
    result = await world.publish(asset, without("note"), **options)
    assert result.outcome is Outcome.PROPOSED
    assert result.proposal is not None
    return result.proposal


async def test_compatible_changes_and_first_contracts_need_no_coverage(world: World) -> None:
    await demand(world)
    asset = await world.published()
    assert (await world.publish(asset, adding("coupon"))).outcome is Outcome.PUBLISHED
    assert await kinds(world) == []


async def test_the_policy_of_the_confirmed_tier_decides_and_the_proposal_keeps_a_copy(world: World) -> None:
    asset = await world.published()
    await demand(world, tier=AssetTier.CRITICAL)
    proposal = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert proposal is not None
    assert (proposal.status, proposal.required_coverage_days) == (ProposalStatus.APPROVED, None)
    await world.withdraw(proposal)
    async with world.database.write() as session:
        await asset_commands.set_tier(session, ANONYMOUS, AssetRef(id=asset.id), AssetTier.CRITICAL)
    waiting = (await world.publish(asset, without("note"))).proposal
    assert waiting is not None
    await demand(world, None, AssetTier.CRITICAL)
    await work(world)
    assert (await world.proposal(waiting.id)).status is ProposalStatus.PENDING


@pytest.mark.parametrize("change", ["publish", "ask", "retire", "when approved"])
async def test_an_import_that_completes_the_days_lets_it_go_once(world: World, clock: FixedClock, change: str) -> None:
    asset = await observed(world, clock, 20)
    await demand(world)
    proposal = await propose(world, asset, change)
    assert await missing(world, proposal) == [CoverageGapKind.TOO_SHORT]
    await work(world)
    assert (await world.proposal(proposal.id)).row_version == proposal.row_version
    await cover(world, clock, 9)
    await work(world)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    await cover(world, clock, 1)
    await work(world)
    await work(world)
    is_published = change == "when approved"
    status = ProposalStatus.PUBLISHED if is_published else ProposalStatus.APPROVED
    assert (await world.proposal(proposal.id)).status is status
    assert await kinds(world) == [HELD, ENDED, CHANGED, *([CHANGED] if is_published else [])]


async def test_a_gap_in_the_imports_holds_it(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock, 20)
    await demand(world)
    proposal = await propose(world, asset, "publish")
    clock.advance(days=1)
    await cover(world, clock, 20)
    await work(world)
    assert await missing(world, proposal) == [CoverageGapKind.TOO_SHORT]
    await import_log(world, log_of(), covers=(START + 19 * DAY, START + 22 * DAY))
    await work(world)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_imports_that_stopped_hold_it_but_not_what_was_let_go_before(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock, 40)
    await demand(world)
    approved = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert approved is not None
    clock.advance(days=10)
    await work(world)
    assert (await world.proposal(approved.id)).status is ProposalStatus.APPROVED
    await world.withdraw(approved)
    assert await missing(world, await propose(world, asset, "publish")) == [CoverageGapKind.OUTDATED]


@pytest.mark.parametrize("field", ["note", ""])
async def test_a_principal_without_a_team_that_read_it_holds_it_until_it_is_mapped(
    world: World, clock: FixedClock, field: str
) -> None:
    asset = await observed(world, clock)
    await cover(world, clock, 1, ("bob", field, clock.now))
    await demand(world)
    proposal = await propose(world, asset, "publish")
    assert await missing(world, proposal) == [CoverageGapKind.UNMAPPED_PRINCIPAL]
    team = await world.team("finance")
    await map_principal(world, "bob", team)
    assert await world.asked(proposal) == {team.id}
    assert (await world.proposal(proposal.id)).hold is None
    await world.answer(proposal, team, Response.APPROVED)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_a_principal_that_is_mapped_to_the_owner_holds_nothing(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock)
    await cover(world, clock, 1, ("bob", "note", clock.now))
    await demand(world)
    proposal = await propose(world, asset, "publish")
    (owner,) = [row for row in await world.rows(Team) if row.id == asset.owner_team_id]
    await map_principal(world, "bob", owner)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


@pytest.mark.parametrize(("field", "days_ago"), [("total", 1), ("note", 31)])
async def test_reads_of_other_fields_and_of_earlier_days_hold_nothing(
    world: World, clock: FixedClock, field: str, days_ago: int
) -> None:
    asset = await observed(world, clock, 40)
    await import_log(world, log_of(("bob", field, clock.now - days_ago * DAY)), covers=(START, clock.now))
    await demand(world)
    assert (await world.publish(asset, without("note"))).outcome is Outcome.PUBLISHED


async def test_a_reader_without_a_team_that_appears_later_holds_an_approved_proposal_again(
    world: World, clock: FixedClock
) -> None:
    asset = await observed(world, clock)
    await demand(world)
    proposal = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert proposal is not None
    await cover(world, clock, 36, ("bob", "note", clock.now + 35 * DAY))
    with pytest.raises(Conflict, match="bob has no team"):
        await world.publish_proposal(proposal)
    await work(world)
    waiting = await world.proposal(proposal.id)
    assert (waiting.status, waiting.expires_at > clock.now + 6 * DAY) == (ProposalStatus.PENDING, True)
    assert await kinds(world) == [CHANGED, HELD, CHANGED]
    await work(world)
    assert len(await kinds(world)) == 3


async def test_unmapping_a_principal_holds_what_its_team_is_no_longer_asked_about(
    world: World, clock: FixedClock
) -> None:
    asset = await observed(world, clock)
    team = await world.team("finance")
    await map_principal(world, "bob", team)
    await cover(world, clock, 1, ("bob", "note", clock.now))
    await demand(world)
    proposal = await propose(world, asset, "publish")
    assert await world.asked(proposal) == {team.id}
    await unmap_principal(world, "bob")
    assert await missing(world, proposal) == [CoverageGapKind.UNMAPPED_PRINCIPAL]


async def test_changes_about_which_nobody_is_asked_are_held_beside_those_that_a_team_agrees_to(
    world: World, clock: FixedClock
) -> None:
    asset = await observed(world, clock, 20)
    team = await world.team("finance")
    await world.register(asset, team, "note")
    await demand(world)
    result = await world.publish(asset, without("note", "total"))
    proposal = result.proposal
    assert proposal is not None
    await world.answer(proposal, team, Response.APPROVED)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    with pytest.raises(Conflict, match="held"):
        await world.publish_proposal(proposal)
    await cover(world, clock, 10)
    await work(world)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_a_proposal_that_asks_about_all_changes_is_not_held(world: World) -> None:
    asset = await world.published(consumers=1)
    await demand(world)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert proposal.hold is None
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_a_reader_that_leaves_leaves_the_proposal_held(world: World) -> None:
    asset = await world.published()
    team = await world.team("finance")
    registration = await world.register(asset, team)
    await demand(world)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    await world.unregister(registration)
    assert await missing(world, proposal) == [CoverageGapKind.NO_SOURCE]


async def test_a_held_proposal_expires_in_time(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    await demand(world)
    proposal = await propose(world, asset, "publish")
    clock.advance(days=31)
    await work(world)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.EXPIRED
    event = [event for event in await world.events() if event.kind == CHANGED][-1]
    assert event.payload["reason"] == "observed reads don't cover what it changes"


async def test_a_rebase_that_adds_breaks_needs_coverage_of_these_too(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock)
    await demand(world)
    approved = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert approved is not None
    await world.publish(asset, adding("coupon"))
    await cover(world, clock, 1, ("bob", "coupon", clock.now))
    with pytest.raises(Conflict, match=r"since version 1.1.0 it also breaks.*bob has no team"):
        await world.publish_proposal(approved)
    again = (await world.publish(asset, without("note"))).proposal
    assert again is not None
    assert (again.id, again.status) == (approved.id, ProposalStatus.PENDING)
    assert await missing(world, approved) == [CoverageGapKind.UNMAPPED_PRINCIPAL]


async def test_a_superseding_proposal_is_checked_afresh(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock)
    await demand(world)
    approved = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert approved is not None
    clock.advance(days=5)
    second = (await world.publish(asset, without("note", "total"), supersede=True)).proposal
    assert second is not None
    assert await missing(world, second) == [CoverageGapKind.OUTDATED]


async def test_a_transfer_checks_a_held_proposal_again(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock)
    await cover(world, clock, 1, ("bob", "note", clock.now))
    team = await world.team("finance")
    await demand(world)
    proposal = await propose(world, asset, "publish")
    await map_principal(world, "bob", team)
    assert await world.asked(proposal) == {team.id}
    async with world.database.write() as session:
        details = AssetDetails(owner=TeamRef(id=team.id))
        await asset_commands.update(session, ANONYMOUS, AssetRef(id=asset.id), details=details)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_a_change_set_is_published_once_its_held_proposals_are_let_go(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock, 29)
    await demand(world)
    change_set = await world.change_set("org/shop#1")
    waiting = (await world.publish(asset, without("note"), change_set_id=change_set.id)).proposal
    assert waiting is not None
    with pytest.raises(Conflict, match=r"analytics.core.orders: The proposal is held"):
        await world.publish_change_set("org/shop#1")
    await cover(world, clock, 1)
    result = await world.publish_change_set("org/shop#1")
    assert [row.status for row in result.proposals] == [ProposalStatus.PUBLISHED]


@pytest.mark.parametrize("change", ["publish", "retire"])
async def test_an_administrator_waives_coverage_with_a_reason(world: World, change: str) -> None:
    asset = await world.published()
    await demand(world)
    proposal = await propose(world, asset, change)
    owner = Actor("owner", asset.owner_team_id, frozenset({Scope.READ, Scope.WRITE}))

    async def publish(actor: Actor, reason: str | None) -> ProposalStatus:
        async with world.database.write() as session:
            waiver = CoverageWaiver(reason)
            return (await proposal_commands.publish(session, actor, proposal.id, waiver=waiver)).proposal.status

    with pytest.raises(Forbidden):
        await publish(owner, "we know")
    with pytest.raises(Invalid, match="needs a reason"):
        await publish(ANONYMOUS, " ")
    assert await publish(ANONYMOUS, "the warehouse has no log") is ProposalStatus.PUBLISHED
    (ended,) = [event for event in await world.events() if event.kind == ENDED]
    assert (ended.payload["is_waived"], ended.payload["reason"]) == (True, "the warehouse has no log")
    assert ended.payload["before"] != []


async def test_a_release_by_force_ends_a_held_proposal(world: World) -> None:
    asset = await world.published()
    await demand(world)
    waiting = await propose(world, asset, "publish")
    result = await world.publish(asset, without("note"), force=True, reason="it leaks")
    assert result.outcome is Outcome.FORCED
    assert (await world.proposal(waiting.id)).status is ProposalStatus.SUPERSEDED


async def test_a_reader_without_a_team_is_found_along_lineage(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock)
    (owner,) = [row for row in await world.rows(Team) if row.id == asset.owner_team_id]
    mart = await world.asset("analytics.marts.orders", owner)
    await world.publish(mart)
    await world.depend(mart, asset)
    rows = log_of(("bob", "total", clock.now - DAY), asset="analytics.marts.orders")
    await import_log(world, rows, covers=(START, clock.now))
    await demand(world)
    assert await missing(world, await propose(world, asset, "publish")) == [CoverageGapKind.UNMAPPED_PRINCIPAL]


async def test_several_workers_let_a_proposal_go_once(world: World, clock: FixedClock) -> None:
    asset = await observed(world, clock, 29)
    await demand(world)
    await propose(world, asset, "when approved")
    await cover(world, clock, 1)
    await asyncio.gather(*(work(world) for _ in range(3)))
    assert await kinds(world) == [HELD, ENDED, CHANGED, CHANGED]


async def test_a_contract_is_not_retired_and_an_asset_not_archived_past_the_demand(
    world: World, clock: FixedClock
) -> None:
    asset = await observed(world, clock, 20)
    await demand(world)
    (contract,) = await world.rows(Contract)
    with pytest.raises(Conflict, match=r"demands observed reads.*of 30 days only 20 are covered.*proposeRetirement"):
        await world.retire(contract)

    async def archive() -> Asset:
        async with world.database.write() as session:
            return await archive_asset(session, ANONYMOUS, AssetRef(id=asset.id))

    with pytest.raises(Conflict, match="its policy demands coverage that is missing"):
        await archive()
    await cover(world, clock, 10)
    assert (await archive()).archived_at is not None
    assert (await world.retire(contract)).status is ContractStatus.RETIRED
