"""The real process: started as the README describes, called over sockets, stopped by a signal."""

import asyncio
import json
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.e2e.server import ROOT, TESSERA, Running, environment, run_tessera, serving

pytestmark = pytest.mark.long


def test_the_server_starts_in_an_empty_folder(tmp_path: Path) -> None:
    with serving(tmp_path, program=TESSERA) as server:
        assert server.data("{ __typename }") == {"__typename": "Query"}
        assert httpx.get(f"{server.url}/readyz").json()["status"] == "ready"
        assert (tmp_path / "tessera.db").exists()
    assert "Traceback" not in server.log.read_text()


def test_graphiql_is_served_without_any_foreign_address(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        page = httpx.get(f"{server.url}/graphiql")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "://" not in page.text
        for script in ("react.production.min.js", "graphiql.min.js", "graphiql.js"):
            assert httpx.get(f"{server.url}/static/graphiql/{script}").status_code == 200
        for path in ("/static/graphiql.html", "/static/graphiql/graphiql.js"):
            answer = httpx.get(f"{server.url}{path}")
            for name in ("content-security-policy", "x-content-type-options", "referrer-policy"):
                assert answer.headers[name] == page.headers[name]


def test_without_the_console_the_first_page_is_graphiql(tmp_path: Path) -> None:
    with serving(tmp_path, CONSOLE="off") as server:
        assert httpx.get(f"{server.url}/").headers["location"] == "/graphiql"
        assert "Console:" not in server.log.read_text()


def test_the_demo_shop_has_proposals_that_wait_are_blocked_and_migrate_and_is_built_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo") as server:
        document = "{ proposals { nodes { status asset { fqn } awaiting { name } breakingChanges { message } } } }"
        proposals = server.data(document)["proposals"]["nodes"]
    states = {item["asset"]["fqn"]: (item["status"], [team["name"] for team in item["awaiting"]]) for item in proposals}
    assert states == {
        "analytics.marts.orders": ("PENDING", ["support"]),
        "analytics.marts.customers": ("PENDING", []),
        "raw.shop.payments": ("REJECTED", []),
    }
    with serving(tmp_path, "--demo") as server:
        assert len(server.data(document)["proposals"]["nodes"]) == 3


def quickstart(url: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, ROOT / "examples/quickstart.py"],
        env=environment(TESSERA_URL=url, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def check_quickstart(completed: "subprocess.CompletedProcess[str]") -> None:
    assert completed.returncode == 0, completed.stdout + completed.stderr
    for expected in (
        "outcome: PUBLISHED (ok)",
        "once more: UNCHANGED (ok)",
        "outcome: PROPOSED (ok)",
        "outcome: FORCED (ok)",
    ):
        assert expected in completed.stdout
    assert "after BLOCKED: REJECTED (ok)" in completed.stdout
    assert "All five did what they should." in completed.stdout


def test_the_quickstart_runs_its_five_workflows_twice_on_sqlite(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        for _ in range(2):
            check_quickstart(quickstart(server.url))


def test_the_quickstart_runs_on_postgresql_with_a_key(tmp_path: Path, postgres_database_url: str) -> None:
    key = "an-administrators-key-for-this-test"
    with serving(tmp_path, DATABASE_URL=postgres_database_url, ADMIN_KEY=key) as server:
        assert httpx.get(f"{server.url}/graphiql").status_code == 404
        refused = httpx.post(f"{server.url}/graphql", json={"query": "{ __typename }"})
        assert refused.status_code == 401
        check_quickstart(quickstart(server.url, TESSERA_API_KEY=key))


def test_the_quickstart_reports_a_missing_server() -> None:
    completed = quickstart("http://127.0.0.1:9")
    assert completed.returncode == 1
    assert "There is no server at http://127.0.0.1:9" in completed.stderr
    assert "Traceback" not in completed.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_server_and_tells_sockets_to_come_back(tmp_path: Path, number: int) -> None:
    async def wait_for_the_end(server: Running) -> int:
        address = server.url.replace("http", "ws") + "/graphql"
        async with websockets.connect(
            address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]
        ) as socket_:
            await socket_.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await socket_.recv())["type"] == "connection_ack"
            server.process.send_signal(number)
            await asyncio.wait_for(socket_.wait_closed(), 10)
            assert socket_.close_code is not None
            return socket_.close_code

    with serving(tmp_path, program=TESSERA) as server:
        assert asyncio.run(wait_for_the_end(server)) == 1012
        assert server.process.wait(timeout=10) in (0, -number, 128 + number)
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DATABASE_URL": "mysql://localhost/x"}, "speaks to sqlite and postgresql"),
        ({"DATABASE_URL": "nonsense"}, "DATABASE_URL is not a URL"),
        ({"API_HOST": "0.0.0.0", "AUTH": "off"}, "AUTH"),
        ({"API_PORT": "seventy"}, "API_PORT"),
        ({"ADMIN_KEY": "short"}, "ADMIN_KEY"),
    ],
)
def test_invalid_settings_are_refused_with_a_message(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    completed = run_tessera("serve", cwd=tmp_path, **settings)
    assert completed.returncode == 2
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        completed = run_tessera("serve", cwd=tmp_path, API_PORT=str(port))
    assert completed.returncode == 2
    assert f"Can't listen on 127.0.0.1:{port}" in completed.stderr


def test_an_unreachable_postgresql_is_reported_in_one_line(tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "DATABASE_WAIT_SECONDS": "1"}
    completed = run_tessera("serve", cwd=tmp_path, API_PORT="0", **nowhere)
    assert completed.returncode == 4
    assert "Waiting for up to 1 seconds" in completed.stderr
    assert "The PostgreSQL database none at 127.0.0.1:9 can't be reached: the connection is refused" in completed.stderr
    assert "Traceback" not in completed.stderr


def test_a_server_never_migrates_a_postgresql_by_itself(tmp_path: Path, postgres_database_url: str) -> None:
    assert run_tessera("db", "downgrade", "base", cwd=tmp_path, DATABASE_URL=postgres_database_url).returncode == 0
    completed = run_tessera("serve", cwd=tmp_path, API_PORT="0", DATABASE_URL=postgres_database_url)
    assert completed.returncode == 2
    assert "tessera db upgrade" in completed.stderr
    assert run_tessera("db", "upgrade", cwd=tmp_path, DATABASE_URL=postgres_database_url).returncode == 0
    assert run_tessera("db", "current", cwd=tmp_path, DATABASE_URL=postgres_database_url).returncode == 0


def test_a_page_of_another_site_cannot_use_a_server_without_keys(tmp_path: Path) -> None:
    query = {"query": "{ __typename }"}
    with serving(tmp_path) as server:
        for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            assert httpx.post(f"{server.url}/graphql", json=query, headers=headers).status_code == 403
        own = {"Origin": server.url}
        assert httpx.post(f"{server.url}/graphql", json=query, headers=own).status_code == 200

        async def connect() -> int:
            address = server.url.replace("http", "ws") + "/graphql"
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(
                    address,
                    subprotocols=[websockets.Subprotocol("graphql-transport-ws")],
                    origin=websockets.Origin("https://evil.example"),
                )
            return refused.value.response.status_code

        assert asyncio.run(connect()) == 403


def test_a_database_that_is_locked_is_a_coded_error_that_loses_nothing(tmp_path: Path) -> None:
    create = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { team { name } errors { code } } }"
    with serving(tmp_path) as server:
        connection = sqlite3.connect(tmp_path / "tessera.db", isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        answer: dict[str, Any] = server.call(create, input={"name": "waiting"})
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
        connection.execute("ROLLBACK")
        connection.close()
        assert server.data(create, input={"name": "waiting"})["createTeam"]["team"] == {"name": "waiting"}
    assert (tmp_path / "tessera.db").exists()
