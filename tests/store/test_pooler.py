"""Through a PgBouncer each transaction may meet another connection: nothing is left on one, and nothing is expected."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.util import await_only

from tessera_gql.policy.words import ProposalStatus, Response
from tessera_gql.store.database import Database
from tessera_gql.store.engine import Options
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]


def forgetful(database: Database) -> None:
    """Whatever a connection remembers is gone before the next transaction, as if it were another connection."""
    pool = database._lanes.writer.engine.sync_engine.pool  # it has no public name

    def forget(connection: Any, _record: Any) -> None:
        if connection is not None:
            await_only(connection.driver_connection.execute("DISCARD ALL"))

    event.listen(pool, "checkin", forget)


async def test_the_main_workflow_needs_nothing_that_a_connection_remembers(postgres_database_url: str) -> None:
    database = Database(postgres_database_url, options=Options(pgbouncer=True, pool=3))
    forgetful(database)
    world = World(database)
    _, proposal = await world.proposed(consumers=2)
    for team in world.consumers:
        await world.answer(proposal, team, Response.APPROVED)
    assert (await world.publish_proposal(proposal)).proposal.status is ProposalStatus.PUBLISHED
    async with database.read() as session:
        assert await session.value(text("SELECT count(*) FROM pg_prepared_statements")) <= 1
    await database.dispose()


@pytest.mark.parametrize("pgbouncer", [False, True])
async def test_statements_locks_and_idle_transactions_have_an_end(postgres_database_url: str, pgbouncer: bool) -> None:
    options = Options(pgbouncer=pgbouncer, statement_seconds=7, lock_seconds=3)
    database = Database(postgres_database_url, options=options)
    for opened in (database.read(), database.write()):
        async with opened as session:
            found = [await session.value(text(f"SHOW {name}")) for name in options.limits]
        assert found == ["7s", "3s", "1min"]
    await database.dispose()


def test_no_statement_of_ours_outlives_its_transaction() -> None:
    outliving = re.compile(r"pg_(try_)?advisory_lock\(|\bSET (?!LOCAL)[a-z_]+ *(=|TO)|\bPREPARE\b|\bTEMP(ORARY)? TABLE")
    sources = [*(ROOT / "tessera_gql").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    assert not [path.name for path in sources if outliving.search(path.read_text())]
    assert {path.name for path in sources if "add_listener(" in path.read_text()} == {"listen.py"}
