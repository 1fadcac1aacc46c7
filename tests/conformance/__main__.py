"""`tests/conformance/run`: audits, linters and clients by third parties against our servers, reported as one table."""

# ruff: noqa: T201 - a program for a terminal

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from . import fuzz, tools
from .suites import DBT, SUITES, Result, dbt_builds, world


def main(arguments: Sequence[str]) -> int:
    suites = {**SUITES, **fuzz.SUITES, DBT: lambda _: dbt_builds()}
    parser = argparse.ArgumentParser(prog="tests/conformance/run", description=__doc__)
    parser.add_argument("suite", nargs="*", help=f"only these, of: {', '.join(suites)}")
    parser.add_argument("--attack", action="store_true", help="schemathesis as well, a few minutes")
    parser.add_argument(
        "--base", metavar="REF", help="compare our schema with this commit's; by default the last release"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.suite if name not in suites]:
        parser.error(f"there is no suite {unknown[0]!r}; there are: {', '.join(suites)}")
    chosen = options.suite or [*SUITES, *(fuzz.SUITES if options.attack else ()), DBT]
    try:
        if chosen == [DBT]:  # it needs neither Node.js nor these servers
            results = [_run(DBT, dbt_builds)]
        else:
            tools.node()
            with world(options.base) as servers:
                results = [_run(name, partial(suites[name], servers)) for name in chosen]
    except tools.Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    failed, skipped = results.count(Outcome.FAILED), results.count(Outcome.SKIPPED)
    print(f"\n{'FAIL' if failed else 'PASS'}: {len(chosen) - failed - skipped} of {len(chosen)} suites")
    return 1 if failed else 2 if skipped else 0


class Outcome(Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


def _run(name: str, suite: Callable[[], Result]) -> Outcome:
    """Run a suite and print its row. A suite whose tools can't be installed is skipped."""
    started = time.monotonic()
    try:
        result = suite()
    except tools.Missing as missing:
        print(f"{name:38}skipped: {missing}")
        return Outcome.SKIPPED
    is_bad = result.failed > 0 or result.passed == 0
    seconds = time.monotonic() - started
    print(f"{name:38}{result.passed:>6} passed{result.failed:>5} failed{seconds:>7.1f} s  {'FAIL' if is_bad else ''}")
    if is_bad:
        print("    " + result.output.strip()[-3000:].replace("\n", "\n    "))
    sys.stdout.flush()
    return Outcome.FAILED if is_bad else Outcome.PASSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
