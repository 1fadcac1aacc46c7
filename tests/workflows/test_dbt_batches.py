"""An ask or a sync in several transactions: what each may rely on, and that an interrupted one is completed."""

from dataclasses import replace
from typing import Any

import pytest

from tessera_gql.errors import Conflict
from tessera_gql.formats import dbt
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.tables import Acknowledgment, Asset, AssetDependency, Contract, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.ask import AskProgress, ask_batch
from tessera_gql.workflows.dbt.batches import BatchRules, PlanOutdated
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.report import SyncOutcome
from tessera_gql.workflows.dbt.sync import MODELS_PER_STEP, sync_batch
from tessera_gql.workflows.dbt.sync_progress import SyncProgress
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import ask, asset_at, find_readers, plan, reading, run_sync, states, team_table
from tests.world import World

STEP = BatchRules(seconds=0, may_plan=False)
"""One step for each transaction."""
NAMES = [f"table_{number}" for number in range(6)]
WIDE = manifest(*(team_table(name, "shop", "id", "total") for name in NAMES))
NARROW = manifest(*(team_table(name, "shop", "id") for name in NAMES))
OPTIONS = SyncOptions(owner=TeamRef(name="data-platform"), change_set=ChangeSetRequest("org/shop#1"))


async def begin_ask(world: World, document: Any = NARROW) -> AskProgress:
    return AskProgress(await plan(world, document, purpose=Purpose.ASK, change_set=OPTIONS.change_set))


async def ask_step(world: World, progress: AskProgress, document: Any = NARROW) -> AskProgress:
    async with world.database.write() as session:
        return await ask_batch(session, dbt.parse_manifest(document), progress, batch=STEP)


async def begin_sync(world: World, document: Any, **options: Any) -> SyncProgress:
    async with world.database.write() as session:
        sync_options = SyncOptions(owner=TeamRef(name="data-platform"), create_teams=True, **options)
        parsed = dbt.parse_manifest(document)
        draft = await plan(world, document, purpose=Purpose.RELEASE, **vars(sync_options))
        return await sync_batch(session, parsed, SyncProgress(draft), batch=BatchRules(seconds=0))


async def sync_step(world: World, progress: SyncProgress, document: Any) -> SyncProgress:
    """Run one step, on a new plan if there is need of one."""
    parsed, draft = dbt.parse_manifest(document), progress.plan
    try:
        async with world.database.write() as session:
            return await sync_batch(session, parsed, progress, batch=STEP)
    except PlanOutdated:
        progress = progress.with_plan(await plan(world, document, purpose=Purpose.RELEASE, **vars(draft.options)))
        async with world.database.write() as session:
            return await sync_batch(session, parsed, progress, batch=STEP)


async def read_by_growth(world: World) -> None:
    """Sync the wide tables, all of which the team growth reads."""
    await run_sync(world, WIDE)
    growth = await world.team("growth")
    for asset in await world.rows(Asset):
        await world.register(asset, growth, "total")


async def test_an_ask_in_steps_opens_the_same_proposals_as_one_in_a_single_transaction(world: World) -> None:
    await read_by_growth(world)
    progress, steps = await begin_ask(world), 0
    while not progress.is_complete:
        progress, steps = await ask_step(world, progress), steps + 1
        assert len(await world.rows(Proposal)) == min(steps, len(NAMES))
    assert {row.change_set_id for row in await world.rows(Proposal)} == {progress.change_set_id}
    size, events = await world.size(), await world.events()
    assert states(await ask(world, NARROW)) == dict.fromkeys(NAMES, "WAITING")
    assert (await world.size(), await world.events()) == (size, events)


async def test_an_ask_that_ended_in_the_middle_is_completed_by_the_next(world: World) -> None:
    await read_by_growth(world)
    await ask_step(world, await ask_step(world, await begin_ask(world)))
    assert len(await world.rows(Proposal)) == 2
    assert states(await ask(world, NARROW)) == dict.fromkeys(NAMES, "WAITING")
    assert len(await world.rows(Proposal)) == len(await world.rows(Acknowledgment)) == len(NAMES)
    assert (await world.kinds()).count("CHANGE_SET_OPENED") == 1


async def test_proposals_that_are_no_longer_needed_are_withdrawn_in_steps(world: World) -> None:
    await read_by_growth(world)
    await ask(world, NARROW)
    progress = await begin_ask(world, WIDE)
    while not progress.is_complete:
        progress = await ask_step(world, progress, WIDE)
    assert {row.status.value for row in await world.rows(Proposal)} == {"WITHDRAWN"}


async def test_a_step_is_refused_after_a_reader_came_and_nothing_is_written(world: World) -> None:
    await read_by_growth(world)
    finance = await world.team("finance")
    progress = await ask_step(world, await begin_ask(world))
    (finished,) = progress.plan.finished
    await world.register(await asset_at(world, finished), finance, "total")
    progress = await ask_step(world, progress)
    await world.register(await asset_at(world, "analytics.core.table_5"), finance, "total")
    size = await world.size()
    with pytest.raises(PlanOutdated):
        await ask_step(world, progress)
    assert await world.size() == size
    progress = progress.with_plan((await begin_ask(world)).plan)
    while not progress.is_complete:
        progress = await ask_step(world, progress)
    assert len(await world.rows(Proposal)) == len(NAMES)
    assert len(await world.rows(Acknowledgment)) == len(NAMES) + 2


async def test_a_new_team_does_not_make_a_plan_outdated(world: World) -> None:
    await read_by_growth(world)
    progress = await ask_step(world, await begin_ask(world))
    await world.team("finance")
    progress = await ask_step(world, progress)
    assert len(progress.plan.finished) == 2


async def test_an_ask_stops_when_its_change_set_is_withdrawn_meanwhile(world: World) -> None:
    await read_by_growth(world)
    progress = await ask_step(world, await begin_ask(world))
    await world.withdraw_change_set("org/shop#1")
    with pytest.raises(Conflict, match="ended as WITHDRAWN"):
        await ask_step(world, progress)
    assert [row.status.value for row in await world.rows(Proposal)] == ["WITHDRAWN"]


def chain(*columns: str) -> Any:
    """More tables than one step creates; each but one is made from the table after it, which is another team's."""
    last = MODELS_PER_STEP + 20
    nodes = [reading(f"t_{number:03}", "ab"[number % 2], "id", f"t_{number + 1:03}") for number in range(last)]
    return manifest(*nodes, team_table(f"t_{last:03}", "ab"[last % 2], "id", *columns))


async def test_a_first_sync_that_ended_in_the_middle_is_completed_with_registrations_and_lineage(world: World) -> None:
    progress = await begin_sync(world, chain())
    assert not progress.is_complete
    assert len(await world.rows(Asset)) == MODELS_PER_STEP
    assert len(await find_readers(world)) == len(await world.rows(AssetDependency)) == MODELS_PER_STEP - 1
    report = await run_sync(world, chain())
    assert report.count(SyncOutcome.CREATED) == 21
    count = MODELS_PER_STEP + 21
    assert len(await world.rows(Contract)) == len(await world.rows(Asset)) == count
    assert len(await find_readers(world)) == len(await world.rows(AssetDependency)) == count - 1
    size = await world.size()
    assert (await run_sync(world, chain())).count(SyncOutcome.UNCHANGED) == count
    assert await world.size() == size


async def test_a_sync_in_steps_reports_what_all_of_them_did(world: World) -> None:
    progress = await begin_sync(world, chain())
    while not progress.is_complete:
        progress = await sync_step(world, progress, chain())
    report, count = progress.build_report(), MODELS_PER_STEP + 21
    assert report.count(SyncOutcome.CREATED) == count
    assert (report.teams_created, report.registrations_created, report.dependencies_added) == (2, count - 1, count - 1)
    assert len(report.reads) == count - 1


async def test_a_changed_table_asks_those_who_read_it_from_this_sync_on(world: World) -> None:
    """The registrations of the manifest come before its changes, in whatever transaction each of them is."""
    orders, refunds = team_table("orders", "shop", "id", "total"), team_table("refunds", "shop", "id")
    await run_sync(world, manifest(orders, refunds, team_table("closing", "growth", "id")))
    after = manifest(
        team_table("orders", "shop", "id"),
        team_table("refunds", "shop", "id", "note"),
        reading("closing", "growth", "total"),
    )
    progress = await begin_sync(world, after)
    assert await world.rows(Proposal) == []
    while not progress.is_complete:
        progress = await sync_step(world, progress, after)
    outcomes = {model.fqn.rpartition(".")[2]: model.outcome.value for model in progress.build_report().models}
    assert outcomes == {"closing": "UNCHANGED", "orders": "PROPOSED", "refunds": "PUBLISHED"}


async def test_a_plan_that_may_be_made_again_takes_the_place_of_an_outdated_one(world: World) -> None:
    await read_by_growth(world)
    progress = await ask_step(world, await begin_ask(world))
    finance = await world.team("finance")
    await world.register(await asset_at(world, "analytics.core.table_5"), finance, "total")
    async with world.database.write(ANONYMOUS.name) as session:
        progress = await ask_batch(session, dbt.parse_manifest(NARROW), progress, batch=replace(STEP, may_plan=True))
    assert len(progress.plan.finished) == 2
    assert len(progress.plan.tables["analytics.core.table_5"].affected.asked) == 2
