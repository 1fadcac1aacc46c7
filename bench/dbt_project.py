"""Measure plan, sync and impact of a dbt project with catalog on a running server, and how long other writers wait.

The commands run as in CI, with the transfer of the artifacts. Meanwhile a second client writes all the time. `--db`,
`--models`, `--columns`, `--breaks`.
"""

import argparse
import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench import _servers
from bench._dbt_artifacts import Table, drop_last_column, generate_tables, write_artifacts
from bench._figures import Figure
from bench._holds import hold_figure, read_longest_hold
from bench._results import report
from bench._servers import ROOT, Server
from tessera_gql.store import migration

OWNER, READER = "data-platform", "finance"
MAX_WAIT_SECONDS = 1.0
LIMITS = {"plan": 6, "first sync": 6, "unchanged sync": 1, "sync of 500 breaks that wait": 8}
"""Seconds that a command may take with the default sizes."""
WRITE_PAUSE_SECONDS = 0.02
REFUSED_SECONDS = 10.0
"""The wait that a refused write counts as, which would have to be sent again."""
CREATE_TEAM = "mutation($input: CreateTeamInput!) { createTeam(input: $input) { errors { message } } }"
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { errors { message } } }"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench dbt_project", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), nargs="*", default=("sqlite", "pg"))
    parser.add_argument("--models", type=int, default=5_000)
    parser.add_argument("--columns", type=int, default=60_000)
    parser.add_argument("--breaks", type=int, default=500)
    options = parser.parse_args()
    tables = generate_tables(options.models, options.columns)
    broken = drop_last_column(tables, options.breaks)
    return max([_measure_database(kind, tables, broken) for kind in options.db])


def _measure_database(kind: str, tables: list[Table], broken: list[Table]) -> int:
    with _servers.temporary_folder() as folder, _servers.start_storage(kind, folder) as storage:
        url = storage.database("dbt")
        asyncio.run(migration.upgrade(url))
        server = _servers.our_server(url, folder)
        server.settings = {**server.settings, "RATE_LIMIT_MUTATIONS": "off", "RATE_LIMIT_COST": "off"}
        with _servers.run_servers([server]):
            steps = list(_run_steps(server, folder, tables, broken))
            hold = hold_figure(read_longest_hold(server.url))
        figures = [*(figure for step in steps for figure in step.figures()), hold]
        count = sum(len(table.columns) for table in tables)
        about = f"{storage.version}; {len(tables):,} models with {count:,} columns in the catalog."
        return report(f"dbt project, {storage.version.split()[0]}", about, figures)


@dataclass(frozen=True)
class Step:
    """A command with its time, and the waits of the other writer meanwhile, in seconds."""

    label: str
    seconds: float
    waits: list[float]

    def figures(self) -> Iterator[Figure]:
        yield Figure(self.label, [self.seconds], "s", at_most=LIMITS.get(self.label))
        yield Figure(f"{self.label}: longest wait of a writer", [max(self.waits)], "s", at_most=MAX_WAIT_SECONDS)


def _run_steps(server: Server, folder: Path, tables: list[Table], broken: list[Table]) -> Iterator[Step]:
    first = write_artifacts(folder / "first", tables)
    second = write_artifacts(folder / "second", broken)
    with httpx.Client(base_url=_base_url(server), timeout=60) as client, writing(_base_url(server)) as writer:
        for team in (OWNER, READER):
            _mutate(client, CREATE_TEAM, name=team)
        owner = ("--owner", OWNER)
        yield _run(server, writer, "plan", (0,), "dbt", "plan", str(first), *owner)
        yield _run(server, writer, "first sync", (0,), "dbt", "sync", str(first), *owner)
        yield _run(server, writer, "unchanged sync", (0,), "dbt", "sync", str(first), *owner)
        changed = [table for table, after in zip(tables, broken, strict=True) if table != after]
        for table in changed:
            fields = [list(table.columns)[-1]]
            _mutate(client, REGISTER, asset={"fqn": table.fqn}, team={"name": READER}, fields=fields)
        label = f"{len(changed)} breaks"
        yield _run(server, writer, f"plan of {label}", (0,), "dbt", "plan", str(second), *owner)
        yield _run(server, writer, f"impact of {label}", (1,), "dbt", "impact", str(second))
        ask = ("--ask", "--change-set", "github.com/acme/shop#1")
        yield _run(server, writer, f"impact --ask of {label}", (3,), "dbt", "impact", str(second), *ask)
        yield _run(server, writer, f"sync of {label} that wait", (3,), "dbt", "sync", str(second), *owner)


def _run(server: Server, writer: "Writer", label: str, codes: tuple[int, ...], *arguments: str) -> Step:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "HOME": str(server.log.parent)}
    environment["TESSERA_URL"] = _base_url(server)
    command = [sys.executable, "-m", "tessera_gql", *arguments, "--json"]
    start = time.perf_counter()
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if completed.returncode not in codes:
        raise RuntimeError(f"{label} ended with {completed.returncode}: {completed.stderr[-2000:]}")
    print(f"{label}: {seconds:.1f} s", flush=True)
    return Step(label, seconds, writer.take_waits())


def _base_url(server: Server) -> str:
    return server.url.removesuffix("/graphql")


def _mutate(client: httpx.Client, document: str, **fields: object) -> None:
    reply = client.post("/graphql", json={"query": document, "variables": {"input": fields}}).raise_for_status().json()
    errors = reply.get("errors") or next(iter(reply["data"].values()))["errors"]
    if errors:
        raise RuntimeError(str(errors))


def _is_accepted(client: httpx.Client, team: str) -> bool:
    """Create a team, and return whether the database was free for it in time."""
    try:
        _mutate(client, CREATE_TEAM, name=team)
    except RuntimeError:
        return False
    return True


@dataclass
class Writer:
    """A client that creates one team after another, and notes how long each takes."""

    url: str
    stopped: threading.Event = field(default_factory=threading.Event)
    waits: list[float] = field(default_factory=list[float])
    progress: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=600) as client:
            for number in itertools.count():
                if self.stopped.wait(WRITE_PAUSE_SECONDS):
                    return
                start = time.perf_counter()
                is_refused = not _is_accepted(client, f"writer-{number}")
                seconds = time.perf_counter() - start
                with self.progress:
                    self.waits.append(max(seconds, REFUSED_SECONDS) if is_refused else seconds)
                    self.progress.notify()

    def take_waits(self) -> list[float]:
        """Return the waits since the last call, with that of the write that is under way."""
        with self.progress:
            self.progress.wait(60)
            waits, self.waits = self.waits, []
            return waits


@contextmanager
def writing(url: str) -> Iterator[Writer]:
    writer = Writer(url)
    thread = threading.Thread(target=writer.run)
    thread.start()
    try:
        yield writer
    finally:
        writer.stopped.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
