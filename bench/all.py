"""Run all benchmarks of speed one after the other, also after a failure; `--peers` includes PostGraphile.

At the end the figures that have a promised target are printed in one table, which is also the first of RESULTS.md.
"""

import subprocess
import sys
import time

from bench._targets import report_targets

SUITES = (
    ("reads", "--db", "pg"),
    ("reads", "--db", "sqlite"),
    ("readers", "--db", "pg"),
    ("readers", "--db", "sqlite"),
    ("console", "--db", "pg"),
    ("console", "--db", "sqlite"),
    ("writes", "--db", "pg"),
    ("bulk",),
    ("dbt_project",),
    ("usage",),
    ("growth", "--db", "pg"),
    ("growth", "--db", "sqlite"),
    ("search", "--db", "pg"),
    ("search", "--db", "sqlite"),
    ("load",),
    ("fanout",),
    ("diff",),
    ("cli",),
)


def main() -> int:
    failed_suites: list[str] = []
    for number, (name, *options) in enumerate(SUITES, start=1):
        peers = sys.argv[1:] if number == 1 else []
        start_time = time.monotonic()
        print(f"\n== {number} of {len(SUITES)}: {' '.join((name, *options, *peers))}", flush=True)
        process = subprocess.run([sys.executable, "-m", "bench", name, *options, *peers], check=False)
        print(f"({time.monotonic() - start_time:.0f} s)", flush=True)
        if process.returncode:
            failed_suites.append(" ".join((name, *options)))
    print("\n== Targets")
    report_targets()
    print(f"\nMissed a target: {', '.join(failed_suites)}" if failed_suites else "\nEvery target is met.")
    return int(bool(failed_suites))
