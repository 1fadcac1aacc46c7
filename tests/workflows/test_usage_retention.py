"""Retention deletes old days of reads, month by month, and nothing that follows from them."""

from datetime import date, timedelta

import asyncpg
import pytest

from tessera_gql.notifications.usage_retention import apply_retention
from tessera_gql.policy.enums import Response
from tessera_gql.store import usage_partitions
from tessera_gql.store.tables import ObservationDay
from tests.conftest import START, FixedClock
from tests.workflows.test_usage import DAY, migrating, observed
from tests.workflows.usage_logs import import_log, log_of, usage_source
from tests.world import World

RETENTION = 90


async def stored_days(world: World) -> list[date]:
    return sorted(row.day for row in await world.rows(ObservationDay))


async def partitions(world: World) -> set[date]:
    async with world.database.read() as session:
        return await usage_partitions.list_months(session)


async def test_deleted_days_leave_reads_counts_and_pauses_as_they_were(world: World) -> None:
    await world.published()
    await usage_source(world)
    times = [START - days * DAY for days in (400, 399, 250, 100, 30, 2)]
    log = log_of(*(("bob", "note", moment) for moment in times), ("eve", "total", times[0]))
    await import_log(world, log)
    before = await observed(world)
    await apply_retention(world.database, RETENTION)
    kept_from = (START.date() - timedelta(days=RETENTION)).replace(day=1)
    assert await stored_days(world) == [moment.date() for moment in times if moment.date() >= kept_from]
    assert await observed(world) == before
    await apply_retention(world.database, RETENTION)
    assert await observed(world) == before
    for retention in (RETENTION, 1_000):  # also after the setting was raised, deleted days don't count twice
        plan = await import_log(world, log, retention_days=retention)
        assert plan.counts.days == 0
        assert await observed(world) == before
    await import_log(world, log_of(("bob", "note", START - 20 * DAY)))
    (bob, eve) = await observed(world)
    assert (bob[2:], eve) == ((times[0], times[-1], 7, before[0][5]), before[1])


async def test_a_read_after_deleted_ones_has_the_pause_between_them(world: World) -> None:
    await world.published()
    await usage_source(world)
    await import_log(world, log_of(("bob", "note", START - 300 * DAY)))
    await apply_retention(world.database, RETENTION)
    assert await stored_days(world) == []
    await import_log(world, log_of(("bob", "note", START - DAY)))
    ((_, _, first, last, count, pause),) = await observed(world)
    assert (first, last, count) == (START - 300 * DAY, START - DAY, 2)
    assert pause == int((299 * DAY).total_seconds())


async def test_the_days_of_a_migration_that_is_not_proven_stay(world: World, clock: FixedClock) -> None:
    _, proposal, _ = await migrating(world, clock)
    await import_log(world, log_of(("eve", "total", START - 300 * DAY)))
    days = await stored_days(world)
    first_read = min(row[3] for row in await observed(world) if row[0] != "eve")
    clock.advance(days=RETENTION + 40)
    await apply_retention(world.database, RETENTION)
    assert await stored_days(world) == [day for day in days if day >= first_read.date().replace(day=1)]
    acknowledgments = await world.acknowledgments(proposal)
    assert {item.response for item in acknowledgments} == {Response.MIGRATING}


async def test_reads_before_the_retention_cover_nothing(world: World) -> None:
    await world.published()
    await usage_source(world)
    old = await import_log(world, log_of(("bob", "note", START - 300 * DAY)), retention_days=RETENTION)
    assert (old.span, old.counts.days, await observed(world)) == (None, 0, [])
    covers = (START - 300 * DAY, START - DAY)
    mixed = log_of(("bob", "note", START - 300 * DAY), ("bob", "note", START - 5 * DAY))
    plan = await import_log(world, mixed, covers=covers, retention_days=RETENTION)
    assert plan.span is not None
    assert plan.span.start.date() == (START.date() - timedelta(days=RETENTION)).replace(day=1)
    assert [row[2:5] for row in await observed(world)] == [(START - 5 * DAY, START - 5 * DAY, 1)]


async def test_imports_create_the_partitions_of_their_months_and_retention_drops_them(world: World) -> None:
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has one table for all days")
    await world.published()
    await usage_source(world)
    before = await partitions(world)
    times = [START - days * DAY for days in (400, 250, 100, 2)]
    await import_log(world, log_of(*(("bob", "note", moment) for moment in times)))
    months = {moment.date().replace(day=1) for moment in times}
    assert await partitions(world) == before | months
    await apply_retention(world.database, RETENTION)
    kept_from = (START.date() - timedelta(days=RETENTION)).replace(day=1)
    ahead = {date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)}
    assert await partitions(world) == {month for month in before | months if month >= kept_from} | ahead


async def test_an_import_does_without_partitions_in_use_and_the_next_one_moves_its_rows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    if world.database.dialect == "sqlite":
        pytest.skip("SQLite has one table for all days")
    await world.published()
    await usage_source(world)
    async with world.database.write() as session:
        await usage_partitions.drop_months(session, date(2030, 1, 1))
    times = [START - days * DAY for days in (70, 40, 2)]
    monkeypatch.setattr(usage_partitions, "LOCK_MILLISECONDS", 200)
    connection = await asyncpg.connect(world.database.url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE core.observation_days_default IN ACCESS SHARE MODE")
        await import_log(world, log_of(*(("bob", "note", moment) for moment in times)))
        count = "SELECT count(*) FROM core.observation_days_default"
        assert await connection.fetchval(count) == len(times)
        await transaction.rollback()
        await import_log(world, log_of(("bob", "note", times[0]), ("bob", "note", times[1] + timedelta(hours=1))))
        assert await connection.fetchval(count) == 1
    finally:
        await connection.close()
    assert await stored_days(world) == [moment.date() for moment in times]
