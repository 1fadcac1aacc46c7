"""A connection returns to its pool without an open transaction, or is closed."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import select, text

from tessera_gql.errors import Unavailable
from tessera_gql.policy.enums import ContractStatus
from tessera_gql.store import contracts, teams
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Contract, new_id
from tests.world import World


async def test_uncommitted_changes_are_rolled_back_before_the_connection_is_reused(world: World) -> None:
    async def change_its_mind() -> None:
        async with world.database.write() as session:
            await session.execute(teams.TABLE.delete())
            raise RuntimeError("changed my mind")

    for _ in range(25):
        with pytest.raises(RuntimeError, match="changed my mind"):
            await change_its_mind()
    await world.team("still here")


async def test_a_call_cancelled_during_a_statement_leaves_no_transaction_open(world: World) -> None:
    await world.team("one")
    slow = {
        "postgresql": "SELECT pg_sleep(5)",
        "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 3000000) SELECT max(x) FROM n",
    }

    async def leave() -> None:
        async with world.database.write() as session:
            await session.value(text(slow[session.dialect]))

    for _ in range(3):
        task = asyncio.create_task(leave())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(20):
        await world.team("two")


async def test_a_connection_is_thrown_away_once_the_server_has_hung_up(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    second = await asyncpg.connect(postgres_database_url)

    async def be_cut_off() -> None:
        async with database.write() as session:
            number = await session.value(text("SELECT pg_backend_pid()"))
            await second.execute(f"SELECT pg_terminate_backend({number})")
            with pytest.raises(Unavailable):
                await session.value(text("SELECT 1"))
            await session.value(text("SELECT 1"))  # the server has closed the connection

    for _ in range(3):
        with pytest.raises(Unavailable):
            await be_cut_off()
        async with database.read() as session:
            assert await session.value(text("SELECT 1")) == 1
    await second.close()
    await database.dispose()


async def test_one_statement_needs_no_transaction_of_its_own(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    async with database.query("anyone", single=True) as session:
        moments = [await session.value(text("SELECT now()")) for _ in range(2)]
    async with database.query("anyone") as session:
        same = [await session.value(text("SELECT now()")) for _ in range(2)]
    assert moments[0] < moments[1]
    assert same[0] == same[1]
    await database.dispose()


async def test_rows_that_are_appended_at_once_are_read_back_as_they_were_given(world: World) -> None:
    asset = await world.published()
    big = {"const": [2**70, 0.1, "\u2028", None]}
    async with world.database.write() as session:
        (row,) = await session.list(select(contracts.TABLE).where(contracts.TABLE.c.asset_id == asset.id), Contract)
        values = {column.key: getattr(row, column.key) for column in contracts.TABLE.c} | {
            "status": ContractStatus.DEPRECATED
        }
        rows = [
            values | {"id": new_id(), "version": "7.0.0", "schema_def": big, "guarantees": None},
            values | {"id": new_id(), "version": "8.0.0", "schema_def": True, "guarantees": {"a": [1.5, {}]}},
        ]
        await session.append(contracts.TABLE, rows)
    async with world.database.read() as session:
        stored = await session.list(select(contracts.TABLE).order_by(contracts.TABLE.c.version), Contract)
    assert [{name: getattr(row, name) for name in values} for row in stored[-2:]] == rows


@pytest.mark.filterwarnings("ignore:coroutine 'connect' was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_connection_that_was_lost_unnoticed_is_opened_again(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)
    async with database.read() as session:
        before = await session.value(text("SELECT pg_backend_pid()"))
    connection = await database._sources.reader.engine.raw_connection()  # not counted by the connection source
    connection.invalidate()
    for _ in range(3):
        async with database.read() as session:
            assert await session.value(text("SELECT pg_backend_pid()")) != before
    await database.dispose()


async def test_a_failed_statement_of_a_read_does_not_keep_others_from_the_database(world: World) -> None:
    team = await world.team("one")
    async with world.database.read() as session:
        for _ in range(2):
            with pytest.raises(Exception, match="missing"):
                await session.value(text("SELECT * FROM missing"))
            assert await session.value(select(teams.TABLE.c.id)) == team.id
        with pytest.raises(Exception, match="read"):  # is read-only still
            await session.execute(teams.TABLE.delete())


async def test_a_failed_statement_ends_a_write_on_postgresql(postgres_database_url: str) -> None:
    database = Database(postgres_database_url)

    async def go_on_after_a_fault() -> None:
        async with database.write() as session:
            with pytest.raises(asyncpg.UndefinedTableError):
                await session.value(text("SELECT * FROM missing"))
            await session.value(text("SELECT 1"))

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await go_on_after_a_fault()
    await database.dispose()
