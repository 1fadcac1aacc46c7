"""The upgrade to partitions by month keeps all days of reads, and the way back as well."""

from datetime import date, timedelta

from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.tables import ObservationDay
from tests.conftest import START
from tests.workflows.test_usage import DAY, observed
from tests.workflows.usage_logs import import_log, log_of, usage_source
from tests.world import World


async def test_days_are_kept_by_the_upgrade_and_the_downgrade(bare_url: str) -> None:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    world = World(database)
    try:
        await world.published()
        await usage_source(world)
        times = [START - days * DAY for days in (5_000, 400, 250, 2)]
        await import_log(
            world, log_of(*((principal, "note", moment) for moment in times for principal in ("bob", "eve")))
        )
        days = sorted(str(row) for row in await world.rows(ObservationDay))
        before = await observed(world)
        await migration.downgrade(bare_url, "0013")
        await migration.upgrade(bare_url)
        assert await migration.find_differences(bare_url) == []
        assert sorted(str(row) for row in await world.rows(ObservationDay)) == days
        assert await observed(world) == before
        await import_log(world, log_of(("bob", "note", START - timedelta(hours=15))))
        assert {row.day for row in await world.rows(ObservationDay)} >= {date(2025, 12, 31)}
    finally:
        await database.dispose()
