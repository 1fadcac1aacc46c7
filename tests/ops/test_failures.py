"""The server survives failures of the database, the disk and its own processes without losing acknowledged changes."""

import asyncio
import itertools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench._chaos_actors import PUBLISH, Subscriber
from tessera_gql.policy.event_cursors import encode_cursor
from tessera_gql.store import audit, migration
from tessera_gql.store.database import Database
from tests.e2e.server import Running, run_tessera, serving
from tests.ops.clients import Client, End, ends, names
from tests.ops.postgres import Postgres, sql, until
from tests.ops.test_shutdown import children

pytestmark = pytest.mark.long

CLIENTS = 12
WELL_WITHIN_SECONDS = 5.0


async def loaded(server: Running, trouble: Any) -> tuple[list[Client], float]:
    """The requests of clients during `trouble` and some seconds after it, and the time of its end."""
    clients = [Client(number, server.url) for number in range(CLIENTS)]
    ended = asyncio.Event()
    working = [asyncio.create_task(client.work(ended, pause_seconds=0.02)) for client in clients]
    await asyncio.sleep(0.7)
    await asyncio.to_thread(trouble)
    over = time.monotonic()
    await asyncio.sleep(WELL_WITHIN_SECONDS + 0.5)
    ended.set()
    await asyncio.gather(*working)
    return clients, over


def check(clients: list[Client], over: float, *, longest_seconds: float) -> None:
    """Assert complete, quick replies; failures have a code and end `WELL_WITHIN_SECONDS` after the trouble."""
    asked = [request for client in clients for request in client.asked]
    assert set(ends(clients)) <= {End.DONE, End.FAILED}, ends(clients)
    assert {request.code for request in asked if request.end is End.FAILED} == {"UNAVAILABLE"}
    assert max(request.seconds for request in asked) < longest_seconds
    assert not [request for request in asked if request.end is End.FAILED and request.at > over + WELL_WITHIN_SECONDS]
    assert [request for request in asked if request.end is End.DONE and request.at > over]


async def stored_names(url: str) -> set[str]:
    return {row["name"] for row in await sql(url, "SELECT name FROM core.teams")}


async def verified(url: str) -> None:
    database = Database(url)
    await audit.verify_log(database)
    await database.dispose()


def test_postgresql_restarted_under_load_loses_nothing_and_blocks_no_client(
    tmp_path: Path, cluster: Postgres, ops_url: str
) -> None:
    def restart() -> None:
        cluster.stop()
        time.sleep(1.5)
        cluster.start()

    async def attacked(server: Running) -> tuple[list[Client], float, Subscriber]:
        subscriber = Subscriber([server.url], None, None, encode_cursor(0))
        listening = asyncio.create_task(subscriber.listen())
        clients, over = await loaded(server, restart)
        log = [row["sequence"] for row in await sql(ops_url, "SELECT sequence FROM audit.events ORDER BY sequence")]
        async with asyncio.timeout(10):
            while subscriber.sequences[-1] < log[-1]:  # noqa: ASYNC110 - it waits for another process
                await asyncio.sleep(0.05)
        listening.cancel()
        assert subscriber.sequences == log
        return clients, over, subscriber

    with serving(tmp_path, "--workers", "2", DATABASE_URL=ops_url) as server:
        clients, over, _ = asyncio.run(attacked(server))
        check(clients, over, longest_seconds=15)
    there = asyncio.run(stored_names(ops_url))
    assert names(clients, End.DONE) <= there <= names(clients, End.DONE, End.FAILED)
    asyncio.run(verified(ops_url))
    assert "Traceback" not in server.log.read_text()


def test_a_suspended_postgresql_blocks_no_client_beyond_the_timeouts(
    tmp_path: Path, cluster: Postgres, ops_url: str
) -> None:
    def sleep() -> None:
        with cluster.asleep():
            time.sleep(6)

    limits = {f"DATABASE_{name}_SECONDS": "1" for name in ("STATEMENT", "LOCK", "CONNECT")}
    with serving(tmp_path, DATABASE_URL=ops_url, **limits) as server:
        clients, over = asyncio.run(loaded(server, sleep))
        check(clients, over, longest_seconds=15)
    assert names(clients, End.DONE) <= asyncio.run(stored_names(ops_url))


def test_a_start_waits_for_postgresql(tmp_path: Path, cluster: Postgres, ops_url: str) -> None:
    def help_soon() -> None:
        until(lambda: "Waiting for up to 30 seconds" in log.read_text(), seconds=25)
        cluster.start()

    cluster.stop()
    log = tmp_path / "server.log"
    log.touch()
    helping = threading.Thread(target=help_soon)
    helping.start()
    with serving(tmp_path, DATABASE_URL=ops_url) as server:
        helping.join()
        assert httpx.get(f"{server.url}/readyz", timeout=10).status_code == 200


def refused(tmp_path: Path, **settings: str) -> str:
    """The stderr of a server that doesn't start."""
    completed = run_tessera("serve", cwd=tmp_path, API_PORT="0", **settings)
    assert completed.returncode in (2, 4), completed
    assert "Traceback" not in completed.stderr
    return completed.stderr


def test_a_missing_database_is_named_at_once(tmp_path: Path, cluster: Postgres) -> None:
    said = refused(tmp_path, DATABASE_URL=cluster.url("no_such_database"))
    assert f"no_such_database at 127.0.0.1:{cluster.port} does not exist: a PostgreSQL is there" in said
    assert "Check DATABASE_URL." in said


def test_a_server_starts_on_newer_tables_only_if_they_are_compatible(tmp_path: Path, ops_url: str) -> None:
    newer = "UPDATE alembic_version SET version_num = '9999'"
    asyncio.run(sql(ops_url, newer, "COMMENT ON TABLE alembic_version IS '9998'"))
    assert "A newer version made it: install that version" in refused(tmp_path, DATABASE_URL=ops_url)
    asyncio.run(sql(ops_url, f"COMMENT ON TABLE alembic_version IS '{migration.head_revision()}'"))
    with serving(tmp_path, DATABASE_URL=ops_url) as server:
        answer = httpx.get(f"{server.url}/readyz", timeout=10).json()
        assert (answer["status"], answer["revision"]) == ("ready", "9999")


async def publish(client: httpx.AsyncClient, url: str, asked: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Publish until there is a reply; return the payload and the number of attempts."""
    for attempt in itertools.count(1):
        with suppress(httpx.TransportError):
            reply = (await client.post(f"{url}/graphql", json={"query": PUBLISH, "variables": {"input": asked}})).json()
            if "errors" not in reply:
                payload: dict[str, Any] = reply["data"]["publishContract"]
                return payload, attempt
            assert reply["errors"][0]["extensions"]["code"] == "UNAVAILABLE", reply
        await asyncio.sleep(0.05)
    raise AssertionError


async def publishing(url: str, number: int, ended: asyncio.Event) -> tuple[list[str], int]:
    """The contracts acknowledged to one client, and the number of its retries."""
    fqn, acknowledged, repeated = f"ops.core.asset_{number}", list[str](), 0
    async with httpx.AsyncClient(timeout=20) as client:
        for revision in itertools.count():
            if ended.is_set():
                return acknowledged, repeated
            columns = {f"c{column}": {"type": "integer"} for column in range(revision + 1)}
            asked = {
                "asset": {"fqn": fqn},
                "schema": {"type": "object", "properties": columns},
                "idempotencyKey": f"{fqn} {revision}",
            }
            payload, attempts = await publish(client, url, asked)
            assert payload["outcome"] == "PUBLISHED", payload
            acknowledged.append(payload["contract"]["id"])
            repeated += attempts - 1
    raise AssertionError


CONTRACTS = """query($fqn: String!) { asset(ref: {fqn: $fqn}) {
  contracts(first: 100) { nodes { id version } pageInfo { hasNextPage endCursor } } } }"""


def test_a_publish_repeated_after_kill_9_is_one_contract(tmp_path: Path, ops_url: str) -> None:
    kills, clients = 20, 4

    async def killing(server: Running) -> list[tuple[list[str], int]]:
        ended = asyncio.Event()
        working = [asyncio.create_task(publishing(server.url, number, ended)) for number in range(clients)]
        await asyncio.sleep(0.5)
        for turn in range(kills):
            while len(identities := children(server)) < 2:  # noqa: ASYNC110 - it waits for a process
                await asyncio.sleep(0.02)
            os.kill(identities[turn % len(identities)], signal.SIGKILL)
            await asyncio.sleep(0.25)
        await asyncio.sleep(0.5)
        ended.set()
        return await asyncio.gather(*working)

    with serving(tmp_path, "--workers", "4", DATABASE_URL=ops_url) as server:
        request = 'mutation { createTeam(input: {name: "ops"}) { team { id } } }'
        server.data(request)
        for number in range(clients):
            asset_input = f'{{ fqn: "ops.core.asset_{number}", owner: {{ name: "ops" }} }}'
            server.data(f"mutation {{ createAsset(input: {asset_input}) {{ asset {{ id }} }} }}")
        results = asyncio.run(killing(server))
        counted = asyncio.run(sql(ops_url, "SELECT asset_id, version FROM core.contracts"))
    published = [identity for identities, _ in results for identity in identities]
    assert len(set(published)) == len(published) == len(counted) == len(set(map(tuple, counted)))
    assert sum(repeated for _, repeated in results) > 0
    asyncio.run(verified(ops_url))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A small file system, where the system allows mounting one."""
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
    ).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def test_a_full_disk_is_a_coded_error_that_loses_nothing_and_passes(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, serving(disk) as server:
        filler = disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        client = Client(1, server.url)

        async def write() -> None:
            while ends([client])[End.FAILED] < 3 and len(client.asked) < 5000:
                await client.ask(f"team {len(client.asked)}")
            filler.unlink()
            for _ in range(5):
                await client.ask(f"team {len(client.asked)}")
            client.leave()

        asyncio.run(write())
        assert {request.code for request in client.asked if request.end is End.FAILED} == {"UNAVAILABLE"}
        assert [request.end for request in client.asked[-5:]] == [End.DONE] * 5
        acknowledged = names([client], End.DONE)
        total = server.data("{ teams { totalCount } }")["teams"]["totalCount"]
        assert total == len(acknowledged)
        assert "Traceback" not in server.log.read_text()
