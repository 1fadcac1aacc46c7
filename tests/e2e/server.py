"""Start the real server in its own process on a free port, as a user does."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.e2e import forking
from tests.e2e.forking import copy_migrated_database, inherited_variables, run_program, start_by_path, start_program

ROOT, TESSERA = forking.ROOT, forking.PROGRAM
STARTED = re.compile(r"serves (http://\S+?)/graphql")


@dataclass(frozen=True)
class Running:
    """A running server and the log of its stderr."""

    url: str
    process: "subprocess.Popen[str]"
    log: Path

    def call(self, document: str, **variables: Any) -> dict[str, Any]:
        """The whole reply, errors included."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": document, "variables": variables}, timeout=30)
        reply: dict[str, Any] = answer.json()
        return reply

    def data(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = self.call(document, **variables)
        assert "errors" not in answer, answer
        result: dict[str, Any] = answer["data"]
        return result


def environment(**settings: str) -> dict[str, str]:
    """Only these settings: the environment of the machine must not affect the tests."""
    defaults = {"NO_COLOR": "1", "COLUMNS": "200", "TESSERA_RETRY_SECONDS": "2"}
    return {**inherited_variables(), **defaults, **settings}


@contextmanager
def serving(folder: Path, *options: str, program: Path | None = None, **settings: str) -> Iterator[Running]:
    """Run `tessera serve` in `folder` until the block is left.

    With `program` as a user starts that file; else as a fork, on a copy of a migrated SQLite file unless there is one.
    """
    log, variables = folder / "server.log", environment(**{"API_PORT": "0", **settings})
    if not (program or "DATABASE_URL" in settings or "--demo" in options):
        copy_migrated_database(folder)
    with log.open("w") as stderr:
        streams = {"stdout": subprocess.PIPE, "stderr": stderr, "text": True}
        start = partial(start_by_path, program) if program else start_program
        process = start(["serve", *options], variables, cwd=folder, **streams)
        try:
            yield Running(_url(process, log), process, log)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise


def _url(process: "subprocess.Popen[str]", log: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        match = STARTED.search(log.read_text())
        if match and _answers(match[1]):
            return match[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def run_tessera(*arguments: str, cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the program to its end, with only these settings."""
    return run_program(arguments, environment(**settings), cwd=cwd)
