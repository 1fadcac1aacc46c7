"""Every benchmark, one after the other, whatever the one before it came to; `--peers` for PostGraphile as well."""

import subprocess
import sys
import time

from bench._results import keep

SUITES = (
    ("reads", "--db", "pg"),
    ("reads", "--db", "sqlite"),
    ("writes", "--db", "pg"),
    ("bulk",),
    ("fanout",),
    ("diff",),
)
SPOKEN = {"fanout": ("Fan-out", "One event to many sockets."), "diff": ("Diff", "The time of a comparison.")}
"""Those that tell their figures in words of their own."""


def main() -> int:
    missed: list[str] = []
    for name, *options in SUITES:
        peers = sys.argv[1:] if (name, *options) == SUITES[0] else []
        began = time.monotonic()
        print(f"\n== {' '.join((name, *options))}", flush=True)
        command = [sys.executable, "-m", "bench", name, *options, *peers]
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE if name in SPOKEN else None)
        if name in SPOKEN:
            print(done.stdout)
            keep(*SPOKEN[name], f"```text\n{done.stdout.strip()}\n```")
        print(f"({time.monotonic() - began:.0f} s)", flush=True)
        if done.returncode:
            missed.append(" ".join((name, *options)))
    print(f"\nMissed a target: {', '.join(missed)}" if missed else "\nEvery target is met.")
    return int(bool(missed))
