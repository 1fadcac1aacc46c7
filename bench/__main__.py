"""Run a benchmark: `python -m bench NAME …` calls `bench.NAME.main()` with the remaining arguments in `sys.argv`."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

from bench import _interpreter

SPEED = {
    "all",
    "bulk",
    "cli",
    "console",
    "dbt_project",
    "diff",
    "fanout",
    "growth",
    "readers",
    "reads",
    "usage",
    "writes",
}
"""The benchmarks of speed; the others check correctness."""
CHOSEN = "BENCH_PYTHON"
"""Environment variable that is set in the process with the fastest interpreter."""


def main() -> int:
    files = sorted(file for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    if len(sys.argv) < 2 or sys.argv[1] not in [file.stem for file in files]:
        lines = (
            f"  {file.stem:<11} {(ast.get_docstring(ast.parse(file.read_bytes())) or '').splitlines()[0]}"
            for file in files
        )
        print("usage: python -m bench NAME [--help | options]", *lines, sep="\n", file=sys.stderr)
        return 2
    name = sys.argv[1]
    if name in SPEED and CHOSEN not in os.environ and (faster := _interpreter.find_fastest()) != Path(sys.executable):
        print(f"Measured with {faster}, a faster build of this Python.", flush=True)
        with _interpreter.create_environment(faster) as python:
            return subprocess.call([python, "-m", "bench", *sys.argv[1:]], env={**os.environ, CHOSEN: str(faster)})
    del sys.argv[1]
    return int(importlib.import_module(f"bench.{name}").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
