"""Run schemathesis: operations generated from the schema, limited in number and time; no server error, no hang."""

import os
import re
import subprocess
from collections.abc import Callable

from . import tools
from .suites import BEARER, Result, World

EXAMPLES = 10
"""Operations made for each root field, and more while there is time."""
SECONDS = 120


def run_schemathesis(world: World, url: str, *headers: str) -> Result:
    command = [
        tools.python(*tools.FUZZER), "-m", "schemathesis.cli", "run", world.schema, "--url", url, *headers,
        "--max-examples", str(EXAMPLES), "--max-time", str(SECONDS), "--request-timeout", "10",
        "--checks", "nothing_of_ours_failed", "--continue-on-failure", "--no-color", "--generation-database", "none",
    ]  # fmt: skip
    hooks = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.conformance.fuzz_hooks", "PYTHONPATH": str(tools.ROOT)}
    try:
        completed = subprocess.run(
            command, cwd=world.work, env=hooks, capture_output=True, text=True, check=False, timeout=SECONDS * 3
        )
    except subprocess.TimeoutExpired:
        return Result(0, 1, f"schemathesis was not done after {SECONDS * 3} s")
    generated = re.search(r"(\d+) generated", completed.stdout)
    failed = re.search(r"found (\d+) unique failure", completed.stdout)
    failures = int(failed[1]) if failed else int(completed.returncode != 0)
    return Result(int(generated[1]) - failures if generated else 0, failures, completed.stdout + completed.stderr)


def fuzz_open_profile(world: World) -> Result:
    return run_schemathesis(world, world.open)


def fuzz_locked_profile(world: World) -> Result:
    return run_schemathesis(world, world.locked, "--header", f"Authorization: {BEARER}")


SUITES: dict[str, Callable[[World], Result]] = {
    "schemathesis, open profile": fuzz_open_profile,
    "schemathesis, locked profile": fuzz_locked_profile,
}
