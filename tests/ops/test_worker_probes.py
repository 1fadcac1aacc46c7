"""A worker answers health checks if WORKER_PROBES is on, and a stopped server serves on before it closes its port."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bench._servers import free_port
from tests.e2e.forking import start_program
from tests.e2e.server import environment, serving
from tests.ops.postgres import Postgres, until

pytestmark = pytest.mark.long


@contextmanager
def working(folder: Path, **settings: str) -> Iterator["tuple[str, subprocess.Popen[str]]"]:
    """Run `tessera worker` in the folder, and yield the address of its probes."""
    port = free_port()
    variables = environment(API_PORT=str(port), WORKER_PROBES="on", **settings)
    with (folder / "worker.log").open("w") as stderr:
        process = start_program(["worker"], variables, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True)
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()
            process.communicate(timeout=20)


def status(url: str) -> int:
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.TransportError:
        return 0


def test_a_worker_is_ready_while_its_database_is_and_ends_on_sigterm(
    tmp_path: Path, ops_url: str, cluster: Postgres
) -> None:
    with working(tmp_path, DATABASE_URL=ops_url) as (url, process):
        until(lambda: status(f"{url}/readyz") == 200, seconds=40)
        assert httpx.get(f"{url}/healthz").json()["status"] == "alive"
        assert httpx.get(f"{url}/readyz").json()["revision"]
        assert status(f"{url}/graphql") == 404
        with cluster.asleep():
            until(lambda: status(f"{url}/readyz") == 503, seconds=20)
            assert status(f"{url}/healthz") == 200
        until(lambda: status(f"{url}/readyz") == 200, seconds=20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    lines = (tmp_path / "worker.log").read_text().splitlines()
    assert all("event" in json.loads(line) for line in lines)


def test_a_stopped_server_serves_on_without_being_ready_and_then_ends(tmp_path: Path, ops_url: str) -> None:
    settings = {"DATABASE_URL": ops_url, "SHUTDOWN_DELAY_SECONDS": "3"}
    with serving(tmp_path, **settings) as server:
        until(lambda: status(f"{server.url}/readyz") == 200)
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        until(lambda: status(f"{server.url}/readyz") == 503)
        assert httpx.get(f"{server.url}/readyz").json()["reason"] == "the server is stopping"
        assert server.data('mutation { createTeam(input: {name: "late"}) { team { name } } }')
        assert server.process.wait(timeout=20) == 0
        assert time.monotonic() - started > 2.5
    assert "Traceback" not in server.log.read_text()


def test_every_line_of_a_server_with_json_logs_is_json(tmp_path: Path, ops_url: str) -> None:
    with serving(tmp_path, DATABASE_URL=ops_url, AUTH="on", LOG_LEVEL="error") as server:
        until(lambda: "every right" in server.log.read_text())
    entries = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert entries[0]["event"].startswith("Tessera GQL serves http://127.0.0.1:")
    (first_key,) = [entry["key"] for entry in entries if "key" in entry]
    assert first_key.startswith("tsr_")
