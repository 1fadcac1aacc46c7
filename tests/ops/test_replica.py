"""Queries read from a streaming replica, whether it lags or fails, without a visible difference."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store import replica as module
from tessera_gql.store.database import Database
from tessera_gql.workflows import teams
from tests.e2e.server import Running, serving
from tests.ops.clients import CREATE
from tests.ops.postgres import Postgres, sql, until

pytestmark = pytest.mark.long

ME, OTHER = ANONYMOUS.name, "somebody else"
NAMED = "query($name: String!) { teams(filter: {name: {eq: $name}}) { nodes { name } } }"
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


@pytest.fixture(scope="module")
def pair(cluster: Postgres) -> Iterator[Postgres]:
    """The replica of the cluster."""
    copy = cluster.replica(cluster.folder.parent / "replica")
    copy.start()
    yield copy
    copy.stop(signal.SIGQUIT)


@pytest.fixture
def replica(pair: Postgres, ops_url: str) -> Iterator[Postgres]:
    """The replica, running and with the test's database."""
    if pair.process is None or pair.process.poll() is not None:
        pair.start()
    name = ops_url.rsplit("/", 1)[1]
    until(lambda: _holds(pair.url(name)))
    yield pair
    asyncio.run(sql(pair.url(), "SELECT pg_wal_replay_resume()"))


def _holds(url: str) -> bool:
    try:
        return bool(asyncio.run(sql(url, "SELECT * FROM alembic_version")))
    except (OSError, Exception):  # noqa: BLE001 - it is not there yet, whatever it says
        return False


@pytest.fixture
async def database(ops_url: str, replica: Postgres) -> AsyncIterator[Database]:
    database = Database(ops_url)
    database.use_replica(replica.url(ops_url.rsplit("/", 1)[1]), max_age=timedelta(seconds=1.5))
    yield database
    await database.dispose()


async def source(database: Database, actor: str) -> str:
    async with database.query(actor) as session:
        away = await session.value(text("SELECT pg_is_in_recovery()"))
    assert away is session.from_replica
    return "replica" if away else "primary"


async def test_a_writer_reads_the_primary_until_the_replica_has_caught_up(
    database: Database, replica: Postgres, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)
    caplog.set_level(logging.WARNING)
    assert await source(database, ME) == "replica"
    await sql(replica.url(), "SELECT pg_wal_replay_pause()")
    async with database.write(ME) as session:
        await teams.create(session, ANONYMOUS, name="mine")
    assert await source(database, ME) == "primary"
    assert await source(database, OTHER) == "replica"
    await asyncio.sleep(1.6)
    assert await source(database, OTHER) == "primary"
    assert "it lacks events older than 1.5 seconds" in caplog.text
    await sql(replica.url(), "SELECT pg_wal_replay_resume()")
    async with asyncio.timeout(5):
        while await source(database, ME) == "primary":  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    assert await source(database, OTHER) == "replica"
    assert "The replica is read again" in caplog.text


async def test_a_suspended_replica_delays_one_query_once(database: Database, replica: Postgres) -> None:
    assert await source(database, ME) == "replica"
    with replica.asleep():
        started = time.monotonic()
        assert await source(database, ME) == "primary"
        assert time.monotonic() - started < module.CHECK_SECONDS + 2.5
        started = time.monotonic()
        assert {await source(database, ME) for _ in range(20)} == {"primary"}
        assert time.monotonic() - started < 1


async def test_a_replica_of_another_database_is_not_read(
    ops_url: str, cluster: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(ops_url)
    database.use_replica(cluster.url("nothing_of_this_name"), max_age=timedelta(seconds=1))
    assert await source(database, ME) == "primary"
    assert "nothing_of_this_name" in caplog.text
    await database.dispose()


async def _asked(client: httpx.AsyncClient, url: str, document: str, **variables: object) -> dict[str, object]:
    answer = await client.post(f"{url}/graphql", json={"query": document, "variables": variables})
    reply: dict[str, object] = answer.json()
    assert "errors" not in reply, reply
    return reply["data"]  # type: ignore[return-value] # JSON


async def _write_and_read(url: str, number: int, ended: asyncio.Event) -> int:
    """Write on one connection and read on another, so that any process may answer."""
    count = 0
    async with httpx.AsyncClient(timeout=30) as writer, httpx.AsyncClient(timeout=30) as reader:
        while not ended.is_set():
            count += 1
            name = f"team {number} {count}"
            await _asked(writer, url, CREATE, input={"name": name})
            reply = await _asked(reader, url, NAMED, name=name)
            assert reply == {"teams": {"nodes": [{"name": name}]}}
    return count


async def _mistreat(replica: Postgres) -> None:
    """Let the replica lag, cut its connections, stop it, and start it again."""
    for _ in range(3):
        await sql(replica.url(), "SELECT pg_wal_replay_pause()")
        await asyncio.sleep(0.4)
        await sql(replica.url(), "SELECT pg_wal_replay_resume()")
        await asyncio.sleep(0.2)
    await sql(replica.url(), CUT)
    await asyncio.to_thread(replica.stop)
    await asyncio.sleep(1)
    await asyncio.to_thread(replica.start)
    await asyncio.sleep(3)


def test_every_client_reads_its_own_writes_through_any_process_whatever_happens_to_the_replica(
    tmp_path: Path, ops_url: str, replica: Postgres
) -> None:
    async def load(server: Running) -> int:
        ended = asyncio.Event()
        working = [asyncio.create_task(_write_and_read(server.url, number, ended)) for number in range(4)]
        await asyncio.sleep(1)
        await _mistreat(replica)
        ended.set()
        return sum(await asyncio.gather(*working))

    there = replica.url(ops_url.rsplit("/", 1)[1])
    with serving(tmp_path, "--workers", "2", DATABASE_URL=ops_url, DATABASE_REPLICA_URL=there) as server:
        assert asyncio.run(load(server)) > 20
        before = asyncio.run(_reads(there))
        for _ in range(10):
            server.data("{ teams(first: 1) { nodes { name } } }")
        until(lambda: asyncio.run(_reads(there)) > before)
    log = server.log.read_text()
    assert "The replica is not read for now" in log
    assert "The replica is read again" in log
    assert "Traceback" not in log


async def _reads(url: str) -> int:
    """How many transactions of servers the replica has seen."""
    rows = await sql(url, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    return int(rows[0][0])
