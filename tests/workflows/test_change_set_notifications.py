"""An ask in several transactions notifies each team once, even if it is interrupted, and a repeated one nobody."""

from datetime import timedelta

from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.enums import AssetTier, OnSilence, ProposalStatus, Response
from tessera_gql.store.tables import Asset, Proposal, Team
from tessera_gql.workflows.change_set_notifications import INTERRUPTED_AFTER
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.report import SyncOutcome
from tests.conftest import FixedClock
from tests.formats.manifests import manifest
from tests.workflows.dbt_syncs import ask, run_sync, team_table
from tests.workflows.test_dbt_batches import NAMES, NARROW, ask_step, begin_ask, begin_sync, read_by_growth, sync_step
from tests.workflows.test_silence import DUE, set_policy, set_tier
from tests.world import World

REQUESTED, CARRIED = "CHANGE_SET_ACKNOWLEDGMENT_REQUESTED", "CHANGE_SET_ANSWERS_CARRIED"
STEPS = len(NAMES)


async def counts(world: World, kind: str = REQUESTED) -> list[int]:
    """The number of proposals that each notification names."""
    return [event.payload["proposal_count"] for event in await world.events() if event.kind == kind]


async def test_an_ask_in_several_transactions_notifies_once_at_its_end(world: World) -> None:
    await read_by_growth(world)
    progress = await begin_ask(world)
    while not progress.is_complete:
        assert await counts(world) == []
        progress = await ask_step(world, progress)
    assert await counts(world) == [STEPS]
    await ask(world, NARROW)
    assert await counts(world) == [STEPS]


async def test_the_next_ask_notifies_of_what_an_interrupted_one_has_asked(world: World) -> None:
    await read_by_growth(world)
    await ask_step(world, await ask_step(world, await begin_ask(world)))
    await ask(world, NARROW)
    assert await counts(world) == [STEPS]


async def test_the_worker_notifies_of_an_ask_that_was_interrupted_between_two_transactions(
    world: World, clock: FixedClock
) -> None:
    await read_by_growth(world)
    await ask_step(world, await ask_step(world, await begin_ask(world)))
    clock.advance(seconds=(INTERRUPTED_AFTER - timedelta(seconds=1)).total_seconds())
    await apply_due_deadlines(world.database)
    assert await counts(world) == []
    clock.advance(seconds=2)
    for _ in range(2):
        await apply_due_deadlines(world.database)
    assert await counts(world) == [2]
    await ask(world, NARROW)
    assert await counts(world) == [2, STEPS - 2]


async def test_silence_counts_only_from_the_notification_on(world: World, clock: FixedClock) -> None:
    await read_by_growth(world)
    await set_policy(world, on_silence=OnSilence.APPROVE)
    for asset in await world.rows(Asset):
        await set_tier(world, asset, AssetTier.HIGH)
    await ask_step(world, await ask_step(world, await begin_ask(world)))
    clock.advance(days=DUE + 6)
    for days in (0, DUE - 1):
        clock.advance(days=days)
        for _ in range(2):
            await apply_due_deadlines(world.database)
        assert await counts(world) == [2]
        assert {row.status for row in await world.rows(Proposal)} == {ProposalStatus.PENDING}
    clock.advance(days=1)
    await apply_due_deadlines(world.database)
    assert {row.status for row in await world.rows(Proposal)} == {ProposalStatus.APPROVED}


async def test_an_answer_before_the_notification_makes_that_needless(world: World, clock: FixedClock) -> None:
    await read_by_growth(world)
    await ask_step(world, await begin_ask(world))
    [growth] = [team for team in await world.rows(Team) if team.name == "growth"]
    await world.answer((await world.proposals_of((await world.rows(Asset))[0]))[0], growth, Response.APPROVED)
    clock.advance(minutes=5)
    await apply_due_deadlines(world.database)
    assert (await counts(world), await counts(world, CARRIED)) == ([], [])


async def test_a_sync_in_several_transactions_notifies_once(world: World) -> None:
    await read_by_growth(world)
    progress = await begin_sync(world, NARROW, change_set=ChangeSetRequest("org/shop#1"))
    while not progress.is_complete:
        assert await counts(world) == []
        progress = await sync_step(world, progress, NARROW)
    assert await counts(world) == [STEPS]


async def test_answers_that_hold_for_changed_terms_are_one_notification(world: World) -> None:
    await read_by_growth(world)
    await ask(world, NARROW)
    [growth] = [team for team in await world.rows(Team) if team.name == "growth"]
    for asset in await world.rows(Asset):
        await world.answer((await world.proposals_of(asset))[0], growth, Response.APPROVED)
    changed = manifest(*(team_table(name, "shop", "id", "extra") for name in NAMES))
    await ask(world, changed)
    assert (await counts(world), await counts(world, CARRIED)) == ([STEPS], [STEPS])
    kinds = [event.kind for event in await world.events() if str(growth.id) in event.teams]
    assert (kinds.count("ANSWER_CARRIED"), kinds.count("ACKNOWLEDGMENT_REQUESTED")) == (0, 0)


async def test_a_reader_that_registers_later_is_notified_at_once(world: World) -> None:
    await read_by_growth(world)
    await ask(world, NARROW)
    late = await world.team("late")
    for asset in (await world.rows(Asset))[:2]:
        await world.register(asset, late, "total")
    assert await counts(world) == [STEPS, 1, 1]


async def test_answers_that_hold_for_what_is_published_at_once_are_one_notification(world: World) -> None:
    await read_by_growth(world)
    await ask(world, NARROW)
    [growth] = [team for team in await world.rows(Team) if team.name == "growth"]
    for asset in await world.rows(Asset):
        await world.answer((await world.proposals_of(asset))[0], growth, Response.APPROVED)
    await world.withdraw_change_set("org/shop#1")
    before = (await world.events())[-1].sequence
    report = await run_sync(world, NARROW, change_set=ChangeSetRequest("org/shop#2"))
    assert {model.outcome for model in report.models} == {SyncOutcome.PUBLISHED}
    (event,) = [event for event in await world.events(before) if event.kind == CARRIED]
    assert (event.teams, event.payload["proposal_count"]) == ([str(growth.id)], STEPS)
    assert REQUESTED not in await world.kinds(before)
