"""Measure the command line: the time by the clock and the CPU time of starts, completions and a typical command.

`--rounds`. A server with the demo runs beside it. CPU is that of the command, by the operating system's accounting.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

from bench import _servers
from bench._figures import Figure
from bench._results import report

START_MS, COMPLETION_MS = 150, 200
"""Targets: a person does not notice a start of this length, and waits for each completion."""


@dataclass(frozen=True)
class Call:
    """A command with its environment, and what happens before each round."""

    label: str
    arguments: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    prepare: Callable[[], None] = lambda: None
    at_most: float | None = None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench cli", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with _servers.temporary_folder() as folder:
        server = _servers.our_server(f"sqlite:///{folder}/demo.db", folder)
        server.command = [*server.command, "--demo"]
        with _servers.run_servers([server]):
            home = folder / "home"
            variables = {"HOME": str(home), "TESSERA_URL": server.url.removesuffix("/graphql"), "NO_COLOR": "1"}
            calls = list_calls(home)
            times = {call.label: [_measure(call, variables) for _ in range(options.rounds)] for call in calls}
    figures: list[Figure] = []
    for call in calls:
        figures.append(Figure(call.label, [clock for clock, _ in times[call.label]], "ms", at_most=call.at_most))
        figures.append(Figure(f"{call.label}: CPU", [cpu for _, cpu in times[call.label]], "ms"))
    load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return report("Command line", f"{options.rounds} rounds of each command, in new processes; {load}.", figures)


def list_calls(home: Path) -> Sequence[Call]:
    """List the commands that are measured."""

    def empty_cache() -> None:
        rmtree(home, ignore_errors=True)

    return (
        Call("tessera --version", ("--version",), at_most=START_MS),
        Call("tessera --help", ("--help",)),
        Call("tessera publish --help", ("publish", "--help")),
        Call("completion of a command", variables=_complete("tessera pro"), at_most=COMPLETION_MS),
        Call(
            "completion of an fqn, from the server", (), _complete("tessera asset show ana"), empty_cache, COMPLETION_MS
        ),
        Call("completion of an fqn, from the cache", (), _complete("tessera asset show ana"), at_most=COMPLETION_MS),
        Call(
            "completion of a team, from the server", (), _complete("tessera inbox -t fin"), empty_cache, COMPLETION_MS
        ),
        Call("tessera asset show", ("asset", "show", "analytics.marts.orders")),
        Call("tessera inbox", ("inbox", "--team", "support")),
    )


def _complete(line: str) -> Mapping[str, str]:
    """Return the environment in which bash asks for the completions of the last word of a line."""
    return {"_TESSERA_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}


def _measure(call: Call, variables: Mapping[str, str]) -> tuple[float, float]:
    """Return the milliseconds of a call by the clock and of CPU."""
    call.prepare()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        **variables,
    }
    environment |= {"PYTHONPATH": str(_servers.ROOT), **call.variables}
    program = "from tessera_gql.cli import main; import sys; sys.argv[0] = 'tessera'; main()"
    before, start = _children_cpu(), time.perf_counter()
    completed = subprocess.run(
        [sys.executable, "-c", program, *call.arguments], env=environment, capture_output=True, text=True, check=False
    )
    milliseconds = (time.perf_counter() - start) * 1_000
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.strip(), call.label
    return milliseconds, (_children_cpu() - before) * 1_000


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
