"""Nothing depends on the state of a connection, since PgBouncer may assign another one to each transaction."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.store.database import Database
from tessera_gql.store.engine import DatabaseOptions
from tests.world import World

ROOT = Path(__file__).resolve().parents[2]


FORGET = "CLOSE ALL; RESET ALL; DEALLOCATE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP"
"""The parts of `DISCARD ALL`, which can't be sent together with other statements."""


def discard_connection_state(database: Database) -> None:
    """Discard the state of a connection before each transaction, as if it were another connection."""
    sources = database._sources  # it has no public name
    writer, reader = (
        replace(source, begin_sql=f"{FORGET}; COMMIT; {source.begin_sql}")
        for source in (sources.writer, sources.reader)
    )
    database._sources = replace(sources, writer=writer, reader=reader, single=reader)


async def test_the_main_workflow_needs_nothing_that_a_connection_remembers(postgres_database_url: str) -> None:
    database = Database(postgres_database_url, options=DatabaseOptions(uses_pgbouncer=True, pool_size=3))
    discard_connection_state(database)
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
    options = DatabaseOptions(uses_pgbouncer=pgbouncer, statement_seconds=7, lock_seconds=3)
    database = Database(postgres_database_url, options=options)
    for session_context in (database.read(), database.write()):
        async with session_context as session:
            timeouts = [await session.value(text(f"SHOW {name}")) for name in options.timeouts]
        assert timeouts == ["7s", "3s", "1min"]
    await database.dispose()


def test_no_statement_outlives_its_transaction() -> None:
    outliving = re.compile(r"pg_(try_)?advisory_lock\(|\bSET (?!LOCAL)[a-z_]+ *(=|TO)|\bPREPARE\b|\bTEMP(ORARY)? TABLE")
    sources = [*(ROOT / "tessera_gql").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    assert not [path.name for path in sources if outliving.search(path.read_text())]
    assert {path.name for path in sources if "add_listener(" in path.read_text()} == {"postgres_listener.py"}
