"""Run a GraphQL client in a process of its own and exchange operations and replies as lines of JSON."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Thread
from typing import Any

SECONDS = 30

Reply = dict[str, Any]


class Failed(Exception):  # noqa: N818 - what the suite reports
    """An operation had no reply or an error."""


class ClientProcess:
    """A client process that executes one operation at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def send(self, query: str, variables: Reply) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"query": query, "variables": variables}) + "\n")
        self._process.stdin.flush()

    def receive(self, seconds: float = SECONDS) -> Reply | None:
        """None if nothing came in time."""
        try:
            line = self._lines.get(timeout=seconds)
        except Empty:
            return None
        if not line:
            raise Failed("the client has ended")
        reply: Reply = json.loads(line)
        return reply

    def ask(self, query: str, variables: Reply) -> Reply:
        """The data of the reply."""
        self.send(query, variables)
        return data(self.receive(), query)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


def data(reply: Reply | None, query: str) -> Reply:
    if reply is None:
        raise Failed(f"no answer in {SECONDS} s to {_short(query)}")
    if reply.get("errors") or not isinstance(reply.get("data"), dict):
        raise Failed(f"{reply.get('errors') or reply} for {_short(query)}")
    result: Reply = reply["data"]
    return result


def _short(query: str) -> str:
    return " ".join(query.split())[:120]


@contextmanager
def client_process(*command: str) -> Iterator[ClientProcess]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield ClientProcess(process)
    finally:
        process.terminate()
        process.wait(10)
