"""The pull request asks and the merge releases: an ask writes proposals, and a sync publishes what was approved."""

from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.errors import Forbidden
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.store.tables import ChangeSet, Proposal
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.options import Purpose
from tessera_gql.workflows.dbt.report import SyncOutcome
from tests.conftest import START, FixedClock
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import ask, asset_at, find_readers, plan, reading, run_sync, states, team_table
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import World

FQN = "analytics.core.orders"
WIDE = team_table("orders", "shop", "id", "total", "note")
NARROW = team_table("orders", "shop", "id", "note")
OTHER = team_table("refunds", "shop", "id", "amount")


async def synced(world: World, *nodes: dict[str, Any]) -> None:
    """Sync a project of whose tables the team growth reads `orders.total`, and finance `refunds.amount`."""
    await run_sync(world, manifest(*(nodes or (WIDE, OTHER))))
    for name, fqn, column in (("growth", FQN, "total"), ("finance", "analytics.core.refunds", "amount")):
        team = await world.team(name)
        world.consumers.append(team)
        await world.register(await asset_at(world, fqn), team, column)


async def answer(world: World, response: Response = Response.APPROVED) -> Proposal:
    (proposal,) = [row for row in await world.rows(Proposal) if row.status.is_open]
    await world.answer(proposal, world.consumers[0], response)
    return await world.proposal(proposal.id)


async def test_an_ask_writes_a_change_set_and_proposals_and_nothing_else(world: World) -> None:
    await synced(world)
    orders = await asset_at(world, FQN)
    readers, size = await find_readers(world), await world.size()
    changed = manifest(NARROW, OTHER, team_table("new", "shop", "id"), reading("closing", "shop", "note"))
    impact = await ask(world, changed)
    assert states(impact) == {"orders": "WAITING", "new": "NEW", "closing": "NEW"}
    after = await world.size()
    assert {name for name in size if after[name] != size[name]} == {
        "Proposal",
        "Acknowledgment",
        "ChangeSet",
        "EventRow",
    }
    assert await find_readers(world) == readers
    assert await asset_at(world, FQN) == orders


async def test_the_same_ask_again_writes_nothing(world: World) -> None:
    await synced(world)
    first = await ask(world, manifest(NARROW, OTHER))
    size, events = await world.size(), await world.events()
    again = await ask(world, manifest(NARROW, OTHER))
    assert states(again) == states(first) == {"orders": "WAITING"}
    assert (await world.size(), await world.events()) == (size, events)


async def test_an_ask_that_breaks_nobody_opens_no_change_set(world: World) -> None:
    await synced(world)
    size = await world.size()
    impact = await ask(world, manifest(team_table("orders", "shop", "id", "total"), OTHER))
    assert states(impact) == {"orders": "UNREAD"}
    assert (await world.size(), await world.rows(ChangeSet)) == (size, [])


async def test_a_sync_after_the_merge_publishes_what_was_approved(world: World) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    assert (await answer(world)).status is ProposalStatus.APPROVED
    assert states(await ask(world, manifest(NARROW, OTHER))) == {"orders": "APPROVED"}
    assert states(await plan(world, manifest(NARROW, OTHER))) == {"orders": "APPROVED"}
    report = await run_sync(world, manifest(NARROW, OTHER))
    assert {model.fqn: model.outcome for model in report.models} == {
        FQN: SyncOutcome.PUBLISHED,
        "analytics.core.refunds": SyncOutcome.UNCHANGED,
    }
    assert (await world.rows(Proposal))[0].status is ProposalStatus.PUBLISHED
    assert {model.outcome for model in (await run_sync(world, manifest(NARROW, OTHER))).models} == {
        SyncOutcome.UNCHANGED
    }


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_plan_and_a_sync_take_the_agreed_break_though_another_column_was_added(
    world: World, atomic: bool
) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    await answer(world)
    merged = manifest(team_table("orders", "shop", "id", "note", "channel"), OTHER)
    assert states(await plan(world, merged, purpose=Purpose.PREVIEW)) == {"orders": "APPROVED"}
    model = (await run_sync(world, merged, atomic=atomic)).models[0]
    assert (model.outcome, model.is_refused) == (SyncOutcome.PUBLISHED, False)
    assert set((await world.active(await asset_at(world, FQN))).schema_def["properties"]) == {"id", "note", "channel"}


async def test_a_sync_leaves_what_waits_in_another_pull_request_as_it_is(world: World) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    before = await world.rows(Proposal)
    report = await run_sync(world, manifest(WIDE, team_table("refunds", "shop", "id", "amount", "more")))
    assert {model.fqn: model.outcome for model in report.models} == {
        FQN: SyncOutcome.UNCHANGED,
        "analytics.core.refunds": SyncOutcome.PUBLISHED,
    }
    assert await world.rows(Proposal) == before


@pytest.mark.parametrize(
    ("response", "state"), [(Response.BLOCKED, "BLOCKED"), (Response.MIGRATING, "WAITING"), (None, "WAITING")]
)
async def test_the_impact_is_approved_only_by_consent(
    world: World, clock: FixedClock, response: Response | None, state: str
) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    if response is not None:
        (proposal,) = await world.rows(Proposal)
        deadline = clock.now + timedelta(days=9) if response is Response.MIGRATING else None
        await world.answer(proposal, world.consumers[0], response, deadline)
    assert states(await plan(world, manifest(NARROW, OTHER))) == {"orders": state}


async def test_an_approval_of_other_terms_does_not_count(world: World) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    await answer(world)
    narrower = manifest(team_table("orders", "shop", "id"), OTHER)
    assert states(await plan(world, narrower)) == {"orders": "CONFLICT"}
    assert states(await ask(world, narrower, "org/shop#2")) == {"orders": "CONFLICT"}
    await ask(world, narrower)
    assert (await world.rows(Proposal))[0].status is ProposalStatus.SUPERSEDED


async def test_an_approval_on_an_older_contract_does_not_count_for_a_further_break(world: World) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    await answer(world)
    assert states(await plan(world, manifest(NARROW, OTHER))) == {"orders": "APPROVED"}
    await run_sync(world, manifest(team_table("orders", "shop", "id", "total", "note", "region"), OTHER))
    await world.register(await asset_at(world, FQN), await world.team("late"), "region")
    assert states(await plan(world, manifest(NARROW, OTHER))) == {"orders": "ASK"}


async def test_a_model_that_no_longer_breaks_is_withdrawn_from_its_change_set(world: World) -> None:
    await synced(world)
    both = manifest(NARROW, team_table("refunds", "shop", "id"))
    assert states(await ask(world, both)) == {"orders": "WAITING", "refunds": "WAITING"}
    assert states(await ask(world, manifest(WIDE, team_table("refunds", "shop", "id")))) == {"refunds": "WAITING"}
    assert sorted(row.status for row in await world.rows(Proposal)) == ["PENDING", "WITHDRAWN"]
    await ask(world, manifest(WIDE, OTHER))
    assert {row.status for row in await world.rows(Proposal)} == {ProposalStatus.WITHDRAWN}


async def test_a_second_pull_request_conflicts_in_a_row_and_asks_about_the_other_tables(world: World) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER))
    second = manifest(team_table("orders", "shop", "id"), team_table("refunds", "shop", "id"))
    impact = await ask(world, second, "org/shop#2")
    assert states(impact) == {"orders": "CONFLICT", "refunds": "WAITING"}
    advice = "Publish or withdraw it first, or replace it with `supersede` (--supersede)."
    assert impact.tables[FQN].reason == f"another change of it is open (change set org/shop#1). {advice}"


async def test_a_conflict_with_a_proposal_of_no_change_set_names_its_version_and_date(
    world: World, clock: FixedClock
) -> None:
    await synced(world)
    await ask(world, manifest(NARROW, OTHER), None)
    impact = await plan(world, manifest(team_table("orders", "shop", "id"), OTHER))
    source = f"version 2.0.0, proposed on {clock.now.date().isoformat()}"
    assert (impact.tables[FQN].reason or "").startswith(f"another change of it is open ({source}). Publish or withdraw")


async def test_a_key_that_only_reads_asks_nobody(world: World) -> None:
    await synced(world)
    size = await world.size()
    with pytest.raises(Forbidden):
        await ask(world, manifest(NARROW, OTHER), actor=Actor("fork", scopes=frozenset({Scope.READ})))
    assert await world.size() == size


async def quiet_reader(world: World, clock: FixedClock) -> None:
    """Ask growth, which reads `orders.total` daily and migrates, until its reads have been quiet for long enough."""
    await synced(world)
    await usage_source(world)
    await map_principal(world, "bob", world.consumers[0])
    reads = [("bob", "total", START + timedelta(days=number)) for number in range(1, 11)]
    clock.advance(days=11)
    await import_log(world, log_of(*reads, asset=FQN), covers=(START, clock.now))
    await ask(world, manifest(NARROW, OTHER))
    (proposal,) = await world.rows(Proposal)
    await world.answer(proposal, world.consumers[0], Response.MIGRATING, clock.now + timedelta(days=60))
    start = clock.now
    clock.advance(days=16)
    await import_log(world, log_of(asset=FQN), covers=(start, clock.now))
    assert await world.asked(proposal) == set()


async def test_an_impact_asks_no_team_whose_migration_is_proven(world: World, clock: FixedClock) -> None:
    await quiet_reader(world, clock)
    for nodes in ((NARROW, OTHER), (team_table("orders", "shop", "id"), OTHER)):
        for purpose in (Purpose.IMPACT, Purpose.ASK):
            options = {"change_set": ChangeSetRequest("org/shop#1")}
            impact = await plan(world, manifest(*nodes), purpose=purpose, **options)
            assert states(impact) == {"orders": "UNREAD"}
            assert impact.tables[FQN].affected.asked == {}
            assert impact.tables[FQN].affected.informed == {world.consumers[0].id}


async def test_an_impact_asks_a_proven_team_that_is_about_to_read_again(world: World, clock: FixedClock) -> None:
    await quiet_reader(world, clock)
    report = reading("report", "growth", "total")
    impact = await plan(world, manifest(NARROW, OTHER, report), purpose=Purpose.IMPACT)
    assert states(impact)["orders"] == "ASK"
    assert impact.tables[FQN].affected.asked.keys() == {world.consumers[0].id}


async def test_a_sync_releases_what_only_a_proven_team_was_registered_for(world: World, clock: FixedClock) -> None:
    await quiet_reader(world, clock)
    report = await run_sync(world, manifest(team_table("orders", "shop", "id"), OTHER), supersede=True)
    assert [model.outcome for model in report.models if model.fqn == FQN] == [SyncOutcome.PUBLISHED]
