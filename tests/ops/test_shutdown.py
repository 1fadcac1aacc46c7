"""A stopped server finishes its requests, tells WebSocket clients to reconnect, and exits in time."""

import asyncio
import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import websockets

from tests.e2e.server import Running, serving
from tests.ops.clients import Asked, Client, End, ends, names
from tests.ops.postgres import Postgres, sql, until

pytestmark = pytest.mark.long

CLIENTS = 30


@pytest.fixture(params=["1 process on SQLite", "2 processes on PostgreSQL"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    if "SQLite" in request.param:
        return {}
    return {"WORKERS": "2", "DATABASE_URL": request.getfixturevalue("ops_url")}


def test_sigterm_cuts_no_request_and_every_committed_change_is_acknowledged(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    async def load(server: Running) -> list[Client]:
        clients = [Client(number, server.url) for number in range(CLIENTS)]
        ended = asyncio.Event()
        working = [asyncio.create_task(client.work(ended)) for client in clients]
        await asyncio.sleep(1.5)
        server.process.send_signal(signal.SIGTERM)
        while server.process.poll() is None:  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(0.05)
        ended.set()
        await asyncio.gather(*working)
        return clients

    with serving(tmp_path, **settings) as server:
        clients = asyncio.run(load(server))
        assert server.process.returncode == 0
        counts = ends(clients)
        assert counts[End.DONE] > CLIENTS
        assert not counts[End.TORN] + counts[End.HUNG] + counts[End.FAILED], counts
        # A connection that the system let in and the server never saw: see tessera_gql/cli/server_process.py.
        assert counts[End.CLOSED] <= CLIENTS, counts
    assert stored_names(tmp_path, settings.get("DATABASE_URL")) == names(clients, End.DONE)
    assert "Traceback" not in server.log.read_text()


def stored_names(folder: Path, url: str | None) -> set[str]:
    """The names of the stored teams."""
    if url is not None:
        return {row["name"] for row in asyncio.run(sql(url, "SELECT name FROM core.teams"))}
    with closing(sqlite3.connect(folder / "tessera.db")) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM teams")}


def test_sockets_of_every_process_are_closed_with_a_request_to_reconnect(tmp_path: Path, ops_url: str) -> None:
    async def closed(server: Running) -> list[int | None]:
        address = server.url.replace("http", "ws") + "/graphql"
        protocol = [websockets.Subprotocol("graphql-transport-ws")]
        sockets = [await websockets.connect(address, subprotocols=protocol) for _ in range(20)]
        for socket in sockets:
            await socket.send(json.dumps({"type": "connection_init"}))
            await socket.recv()
        server.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await asyncio.gather(*(item.wait_closed() for item in sockets))
        return [item.close_code for item in sockets]

    with serving(tmp_path, "--workers", "2", DATABASE_URL=ops_url) as server:
        assert asyncio.run(closed(server)) == [1012] * 20
        assert server.process.wait(timeout=10) == 0


def test_a_request_that_does_not_end_is_cut_off_in_time(tmp_path: Path, ops_url: str, cluster: Postgres) -> None:
    del cluster

    async def stuck(server: Running) -> tuple[Asked, float]:
        client = Client(1, server.url)
        holder = asyncio.create_task(sql(ops_url, "BEGIN", "LOCK TABLE core.teams", "SELECT pg_sleep(6)"))
        await asyncio.sleep(0.5)
        asking = asyncio.create_task(client.ask("too late"))
        await asyncio.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        await asyncio.to_thread(server.process.wait, 20)
        took = time.monotonic() - started
        await asking
        await holder
        return client.asked[0], took

    with serving(tmp_path, DATABASE_URL=ops_url, SHUTDOWN_SECONDS="2") as server:
        asked, took = asyncio.run(stuck(server))
    assert 1.5 < took < 5
    assert (asked.end, asked.code) == (End.FAILED, "UNAVAILABLE")
    assert asyncio.run(sql(ops_url, "SELECT count(*) FROM core.teams"))[0][0] == 0


def children(server: Running) -> list[int]:
    sockets = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in sockets.split()]


def test_a_killed_process_is_replaced_and_no_child_outlives_the_parent(tmp_path: Path, ops_url: str) -> None:
    with serving(tmp_path, "--workers", "2", DATABASE_URL=ops_url) as server:
        before = children(server)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(children(server)) == 2 and before[0] not in children(server))
        for _ in range(10):
            assert httpx.get(f"{server.url}/readyz", timeout=10).status_code == 200
        assert f"Server process {before[0]} was killed by signal 9; another one starts" in server.log.read_text()
        last = children(server)
        server.process.kill()
        server.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in last))


def test_the_first_key_is_created_once_however_many_processes_start(tmp_path: Path, ops_url: str) -> None:
    with serving(tmp_path, "--workers", "3", DATABASE_URL=ops_url, AUTH="on") as server:
        until(lambda: "every right" in server.log.read_text())
        time.sleep(1)
    assert server.log.read_text().count("made one with every right") == 1
    assert asyncio.run(sql(ops_url, "SELECT count(*) FROM core.api_keys"))[0][0] == 1
