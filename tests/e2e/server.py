"""Start the real server in its own process on a free port, as a user does."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
TESSERA = Path(sys.executable).with_name("tessera")
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
    names = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
    inherited = {name: os.environ[name] for name in names if name in os.environ}
    defaults = {"NO_COLOR": "1", "COLUMNS": "200", "TESSERA_RETRY_SECONDS": "2"}
    return {**inherited, **defaults, **settings}


@contextmanager
def serving(folder: Path, *options: str, **settings: str) -> Iterator[Running]:
    """Run `tessera serve` in `folder` until the block is left."""
    log = folder / "server.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [TESSERA, "serve", *options],
            cwd=folder,
            env=environment(**{"API_PORT": "0", **settings}),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
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
    return subprocess.run(
        [TESSERA, *arguments],
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
