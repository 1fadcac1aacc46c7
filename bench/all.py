"""Run all benchmarks one after the other, also after a failure; `--peers` includes PostGraphile."""

import subprocess
import sys
import time

from bench._results import save_section

SUITES = (
    ("reads", "--db", "pg"),
    ("reads", "--db", "sqlite"),
    ("console", "--db", "pg"),
    ("console", "--db", "sqlite"),
    ("writes", "--db", "pg"),
    ("bulk",),
    ("usage",),
    ("growth", "--db", "pg"),
    ("growth", "--db", "sqlite"),
    ("fanout",),
    ("diff",),
    ("cli",),
)
TEXT_SUITES = {"fanout": ("Fan-out", "One event to many sockets."), "diff": ("Diff", "The time of a comparison.")}
"""Title and description of the suites that print text instead of a table."""


def main() -> int:
    failed_suites: list[str] = []
    for name, *options in SUITES:
        peers = sys.argv[1:] if (name, *options) == SUITES[0] else []
        start_time = time.monotonic()
        print(f"\n== {' '.join((name, *options))}", flush=True)
        command = [sys.executable, "-m", "bench", name, *options, *peers]
        output = subprocess.PIPE if name in TEXT_SUITES else None
        process = subprocess.run(command, check=False, text=True, stdout=output)
        if name in TEXT_SUITES:
            print(process.stdout)
            save_section(*TEXT_SUITES[name], f"```text\n{process.stdout.strip()}\n```")
        print(f"({time.monotonic() - start_time:.0f} s)", flush=True)
        if process.returncode:
            failed_suites.append(" ".join((name, *options)))
    print(f"\nMissed a target: {', '.join(failed_suites)}" if failed_suites else "\nEvery target is met.")
    return int(bool(failed_suites))
