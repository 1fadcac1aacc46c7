"""schemathesis: operations made from the schema, bounded in number and time; no server error, no hang."""

import os
import re
import subprocess
from collections.abc import Callable

from . import tools
from .suites import BEARER, Result, World

EXAMPLES = 10
"""Operations made for each root field, and more while there is time."""
SECONDS = 120


def fuzzed(world: World, url: str, *headers: str) -> Result:
    command = [
        tools.python(*tools.FUZZER), "-m", "schemathesis.cli", "run", world.schema, "--url", url, *headers,
        "--max-examples", str(EXAMPLES), "--max-time", str(SECONDS), "--request-timeout", "10",
        "--checks", "nothing_of_ours_failed", "--continue-on-failure", "--no-color", "--generation-database", "none",
    ]  # fmt: skip
    hooks = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.conformance.fuzz_hooks", "PYTHONPATH": str(tools.ROOT)}
    try:
        done = subprocess.run(
            command, cwd=world.work, env=hooks, capture_output=True, text=True, check=False, timeout=SECONDS * 3
        )
    except subprocess.TimeoutExpired:
        return Result(0, 1, f"schemathesis was not done after {SECONDS * 3} s")
    made = re.search(r"(\d+) generated", done.stdout)
    failed = re.search(r"found (\d+) unique failure", done.stdout)
    failures = int(failed[1]) if failed else int(done.returncode != 0)
    return Result(int(made[1]) - failures if made else 0, failures, done.stdout + done.stderr)


def opened(world: World) -> Result:
    return fuzzed(world, world.open)


def locked(world: World) -> Result:
    return fuzzed(world, world.locked, "--header", f"Authorization: {BEARER}")


SUITES: dict[str, Callable[[World], Result]] = {
    "schemathesis, open profile": opened,
    "schemathesis, locked profile": locked,
}
