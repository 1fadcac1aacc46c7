"""The upgrade to anchors leaves a log full of events as it is; the way back is refused once events are archived."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tessera_gql.errors import Conflict
from tessera_gql.store import audit, events, migration, proposals
from tests.conftest import FixedClock
from tests.store.test_events import execute
from tests.workflows.archives import old_log

RELEASE_BEFORE = "0019"


async def test_a_log_outlives_a_downgrade_and_an_upgrade_with_its_protection(
    bare_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    await migration.upgrade(bare_url)
    async with old_log(bare_url, clock, tmp_path / "archive") as log:
        before, last = await log.world.events(), await audit.verify_log(log.database)
        await migration.downgrade(bare_url, RELEASE_BEFORE)
        for statement in ("DELETE FROM {events}", "UPDATE {events} SET actor = 'me'"):
            with pytest.raises(Exception, match="append-only"):
                await execute(log.database, statement)
        await migration.upgrade(bare_url)
        assert await migration.find_differences(bare_url) == []
        assert await log.world.events() == before
        assert await audit.verify_log(log.database) == last
        for statement in ("DELETE FROM {events}", "UPDATE {events} SET actor = 'me'"):
            with pytest.raises(Exception, match="append-only"):
                await execute(log.database, statement)
        proposal = await log.world.proposal(log.proposal.id)
        assert proposal.informed_team_ids is None
        async with log.database.read() as session:
            informed = await proposals.load_informed_teams(session, [proposal.id])
        await log.archive()
        proposal = await log.world.proposal(log.proposal.id)
        assert proposal.informed_team_ids == [str(team) for team in informed[0]]
        with pytest.raises(Conflict, match="Events of this database are archived"):
            await migration.downgrade(bare_url, RELEASE_BEFORE)
        assert await audit.verify_log(log.database) == last


async def test_a_server_of_the_version_before_appends_events_and_opens_proposals_in_the_new_tables(
    bare_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    """Its statements name the columns that it knows, which are those without this migration's."""
    await migration.upgrade(bare_url)
    async with old_log(bare_url, clock, tmp_path / "archive") as log:
        await log.archive()
        rows = proposals.TABLE
        names = [column.name for column in rows.columns if column.name not in {"informed_team_ids", "id", "status"}]
        columns = [rows.c[name] for name in names]
        async with log.database.write() as session:
            copies = sa.select(sa.literal(log.world.consumers[0].id), sa.literal("WITHDRAWN"), *columns)
            await session.execute(rows.update().values(resolved_at=session.now, status="WITHDRAWN"))
            await session.execute(rows.insert().from_select(["id", "status", *names], copies))
        last = (await log.world.events())[-1]
        await log.world.team("next")
        assert [row.sequence for row in await log.world.events(last.sequence)] == [last.sequence + 1]
        async with log.database.read() as session:
            assert await events.load_first_sequence(session) == log.old + 1
            identity = log.world.consumers[0].id
            assert await proposals.load_informed_teams(session, [identity]) == [[]]
        await audit.verify_log(log.database)
