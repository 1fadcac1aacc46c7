"""`tests/conformance/run`: audits, linters and clients by third parties against our servers, reported as one table."""

# ruff: noqa: T201 - a program for a terminal

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from . import fuzz, tools
from .suites import SUITES, Result, World, world


def main(arguments: Sequence[str]) -> int:
    suites = {**SUITES, **fuzz.SUITES}
    parser = argparse.ArgumentParser(prog="tests/conformance/run", description=__doc__)
    parser.add_argument("suite", nargs="*", help=f"only these, of: {', '.join(suites)}")
    parser.add_argument("--attack", action="store_true", help="schemathesis as well, a few minutes")
    parser.add_argument(
        "--base", metavar="REF", help="compare our schema with this commit's; by default the last release"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.suite if name not in suites]:
        parser.error(f"there is no suite {unknown[0]!r}; there are: {', '.join(suites)}")
    chosen = options.suite or [*SUITES, *(fuzz.SUITES if options.attack else ())]
    try:
        tools.node()
        with world(options.base) as servers:
            failed = sum([_ran(name, suites[name], servers) for name in chosen])
    except tools.Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    print(f"\n{'PASS' if not failed else 'FAIL'}: {len(chosen) - failed} of {len(chosen)} suites")
    return 1 if failed else 0


def _ran(name: str, suite: Callable[[World], Result], servers: World) -> bool:
    """Run a suite, print its row, and return whether it failed."""
    started = time.monotonic()
    result = suite(servers)
    is_bad = result.failed > 0 or result.passed == 0
    seconds = time.monotonic() - started
    print(f"{name:38}{result.passed:>6} passed{result.failed:>5} failed{seconds:>7.1f} s  {'FAIL' if is_bad else ''}")
    if is_bad:
        print("    " + result.output.strip()[-3000:].replace("\n", "\n    "))
    sys.stdout.flush()
    return is_bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
