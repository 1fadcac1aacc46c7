"""Observed readers, lineage, deprecations, archives and forced publishes agree on who reads a table."""

from datetime import timedelta

import pytest

from tessera_gql.errors import Conflict
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.enums import OnSilence, Response
from tessera_gql.store.tables import Asset, Debt, Proposal, Team
from tests.conftest import START, FixedClock
from tests.workflows.test_archiving import archive, archive_team, unarchive
from tests.workflows.test_deprecations import announce, audiences
from tests.workflows.test_lineage_asks import chain, link, propose
from tests.workflows.usage_logs import import_log, log_of, map_principal, usage_source
from tests.world import World, adding, without

DAY = timedelta(days=1)


async def observe(world: World, asset: Asset, clock: FixedClock, column: str = "note") -> None:
    """Let a day pass, and see bob read a column of the table."""
    clock.advance(days=1)
    await import_log(world, log_of(("bob", column, clock.now), asset=asset.fqn))
    clock.advance(minutes=1)


async def observed_reader(world: World, clock: FixedClock, asset: Asset, column: str = "note") -> Team:
    team, _ = await world.team("observed"), await usage_source(world)
    await map_principal(world, "bob", team)
    await observe(world, asset, clock, column)
    return team


async def test_observed_readers_are_informed_of_a_deprecation(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    team = await observed_reader(world, clock, asset)
    await announce(world, asset, "note")
    await announce(world, asset, "total")
    assert await audiences(world, "DEPRECATION_DECLARED") == [
        {str(team.id), str(asset.owner_team_id)},
        {str(asset.owner_team_id)},
    ]


async def test_the_active_contract_of_a_table_with_observed_readers_is_not_retired_without_asking(
    world: World, clock: FixedClock
) -> None:
    asset = await world.published()
    team = await observed_reader(world, clock, asset)
    current = await world.active(asset)
    assert current is not None
    with pytest.raises(Conflict, match="read by observed"):
        await world.retire(current)
    proposal = (await world.propose_retirement(asset)).proposal
    assert await world.asked(proposal) == {team.id}


async def test_the_active_contract_is_not_retired_without_asking_whom_its_retirement_affects_by_lineage(
    world: World,
) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    await world.register(staging, finance, "note")
    current = await world.active(orders)
    assert current is not None
    with pytest.raises(Conflict, match="read by finance"):
        await world.retire(current)


async def test_a_table_with_observed_readers_is_archived_after_its_retirement(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    team = await observed_reader(world, clock, asset)
    with pytest.raises(Conflict, match="observed"):
        await archive(world, asset)
    proposal = (await world.propose_retirement(asset)).proposal
    assert await world.asked(proposal) == {team.id}
    await world.answer(proposal, team, Response.APPROVED)
    assert (await world.publish_proposal(proposal)).contract is not None
    assert (await archive(world, asset)).archived_at is not None


async def test_an_archived_team_gets_no_principals_and_one_that_has_them_is_not_archived(world: World) -> None:
    team = await world.team("finance")
    await archive_team(world, team)
    with pytest.raises(Conflict, match="archived"):
        await map_principal(world, "bob", team)
    support = await world.team("support")
    await map_principal(world, "alice*", support)
    with pytest.raises(Conflict, match=r"alice\*"):
        await archive_team(world, support)


async def test_the_owner_of_an_archived_table_is_not_asked_because_of_it(world: World) -> None:
    orders, _, _, finance = await chain(world)
    report = await world.asset("finance.report", finance)
    await link(world, orders, report, ("note", "note"))
    await archive(world, report)
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == set()
    await unarchive(world, report)
    assert await world.asked(proposal) == {finance.id}
    await archive(world, report)
    assert await world.asked(proposal) == set()


async def test_a_release_of_a_table_on_the_way_does_not_release_its_observed_readers(
    world: World, clock: FixedClock
) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    team = await observed_reader(world, clock, staging)
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {team.id}
    clock.advance(days=1)
    await world.publish(staging, adding("extra"))
    await world.register(orders, finance, "note")
    assert await world.asked(proposal) == {team.id, finance.id}


async def migrating_downstream(world: World, clock: FixedClock) -> tuple[Asset, Proposal, Team]:
    """A team that reads a table made from the changed one daily, and answers that it migrates."""
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"), ("total", "total"))
    await usage_source(world)
    await map_principal(world, "bob", finance)
    await world.register(staging, finance, "note")
    reads = [("bob", "note", START + number * DAY) for number in range(1, 11)]
    clock.advance(days=11)
    await import_log(world, log_of(*reads, asset=staging.fqn), covers=(START, clock.now))
    proposal = await propose(world, orders, "note")
    await world.answer(proposal, finance, Response.MIGRATING, clock.now + 60 * DAY)
    return staging, proposal, finance


async def test_quiet_at_a_table_on_the_way_releases_a_migrating_team(world: World, clock: FixedClock) -> None:
    _, proposal, _ = await migrating_downstream(world, clock)
    start = clock.now
    clock.advance(days=16)
    await import_log(world, log_of(), covers=(start, clock.now))
    assert await world.asked(proposal) == set()


async def test_a_registration_with_a_table_on_the_way_after_the_proof_asks_again(
    world: World, clock: FixedClock
) -> None:
    staging, proposal, finance = await migrating_downstream(world, clock)
    start = clock.now
    clock.advance(days=16)
    await import_log(world, log_of(), covers=(start, clock.now))
    assert await world.asked(proposal) == set()
    clock.advance(hours=1)
    via = await world.asset("finance.core.revenue", finance)
    await world.register(staging, finance, "note", via=via)
    assert await world.asked(proposal) == {finance.id}


async def test_quiet_of_the_teams_own_table_proves_nothing_while_that_is_built_from_the_column(
    world: World, clock: FixedClock
) -> None:
    orders, staging, _, finance = await chain(world)
    report = await world.asset("finance.report", finance)
    await link(world, orders, staging, ("note", "note"))
    await link(world, staging, report, ("note", "note"))
    await usage_source(world)
    await map_principal(world, "bob", finance)
    builds = [("bob", "note", START + number * DAY) for number in range(1, 40)]
    views = [("bob", "note", START + DAY)]
    clock.advance(days=11)
    await import_log(world, log_of(*builds[:10], asset=staging.fqn), covers=(START, clock.now))
    await import_log(world, log_of(*views, asset=report.fqn))
    await import_log(world, log_of(("bob", "note", START + DAY), asset=orders.fqn))
    proposal = await propose(world, orders, "note")
    assert await world.asked(proposal) == {finance.id}
    await world.answer(proposal, finance, Response.MIGRATING, clock.now + 60 * DAY)
    clock.now = START + 40 * DAY
    await import_log(world, log_of(*builds[10:], asset=staging.fqn), covers=(START + 11 * DAY, clock.now))
    await apply_due_deadlines(world.database)
    assert await world.asked(proposal) == {finance.id}


async def test_a_forced_publish_owes_nothing_to_whom_the_proposal_did_not_affect(world: World) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    await world.register(staging, finance, "note")
    blocker = await world.team("blocker")
    await world.register(orders, blocker, "note")
    await propose(world, orders, "note", unaffected_assets=frozenset({staging.id}))
    await world.publish(orders, without("note"), force=True, reason="an accident")
    assert {debt.team_id for debt in await world.rows(Debt)} == {blocker.id}


async def test_silence_after_a_sunset_consents_for_none_whom_only_lineage_affects(
    world: World, clock: FixedClock
) -> None:
    orders, staging, _, finance = await chain(world)
    await link(world, orders, staging, ("note", "note"))
    direct = await world.team("direct")
    await world.register(orders, direct, "note")
    await announce(world, orders, "note", sunset=clock.now + DAY)
    await world.register(staging, finance, "note")
    clock.advance(days=2)
    proposal = await propose(world, orders, "note")
    meanings = {row.consumer_team_id: row.policy["onSilence"] for row in await world.acknowledgments(proposal)}
    assert meanings == {direct.id: OnSilence.APPROVE, finance.id: OnSilence.EXPIRE}


async def test_a_forced_publish_owes_nothing_to_a_team_whose_migration_was_proven(
    world: World, clock: FixedClock
) -> None:
    _, proposal, _ = await migrating_downstream(world, clock)
    orders = next(row for row in await world.rows(Asset) if row.id == proposal.asset_id)
    start = clock.now
    clock.advance(days=16)
    await import_log(world, log_of(), covers=(start, clock.now))
    blocker = await world.team("blocker")
    await world.register(orders, blocker, "note")
    assert await world.asked(proposal) == {blocker.id}
    await world.publish(orders, without("note"), force=True, reason="an accident")
    assert {debt.team_id for debt in await world.rows(Debt)} == {blocker.id}
