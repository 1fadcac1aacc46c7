"""Compare consecutive versions of real schemas: refused and undecided shares, and time.

Reads a folder of JSON files `{"old": …, "new": …, "source": …}`. Time is that of the processor, with evidence.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tessera_gql.diff import Certainty, ChangeKind, Mode, SchemaError, compare

MAX_REFUSED_SHARE, MAX_UNDECIDED_SHARE, MAX_P95_MS = 0.10, 0.05, 200
REASONS, SLOWEST = 8, 10
EXTERNAL = "leads outside the document"


@dataclass(frozen=True)
class Result:
    """The comparison of one pair. `reason` is that of a refusal, without the names in it."""

    source: str
    size: int
    milliseconds: float
    reason: str | None = None
    is_undecided: bool = False


def compare_pair(path: Path) -> Result:
    text = path.read_text()
    pair = json.loads(text)
    started = time.process_time()
    reason, is_undecided = None, False
    try:
        diff = compare(pair["old"], pair["new"])
        breaking = [change for mode in Mode for change in diff.breaking_changes(mode)]
        unproven = [change for change in breaking if change.certainty is Certainty.UNPROVEN]
        is_undecided = any(change.kind is ChangeKind.UNDECIDED for change in unproven)
    except SchemaError as error:
        reason = re.sub(r" \(.*?\)", "", error.reason)
    return Result(pair["source"], len(text), (time.process_time() - started) * 1_000, reason, is_undecided)


def report(results: list[Result]) -> bool:
    """Print the figures; return whether they meet the limits."""
    refused = [result for result in results if result.reason is not None]
    compared = [result for result in results if result.reason is None]
    external = sum(EXTERNAL in (result.reason or "") for result in refused)
    undecided = sum(result.is_undecided for result in compared)
    times = sorted(result.milliseconds for result in compared) or [0.0]
    p95 = times[len(times) * 95 // 100]
    refused_share, undecided_share = len(refused) / len(results), undecided / max(1, len(compared))
    print(f"{len(results)} pairs, {len(refused)} refused ({refused_share:.1%}; {external} by an external reference)")
    print(f"{len(compared)} compared, {undecided} undecided ({undecided_share:.1%})")
    print(f"time: p50 {times[len(times) // 2]:.1f} ms, p95 {p95:.1f} ms, worst {times[-1]:.0f} ms")
    _print_counts("refused:", (result.reason for result in refused if result.reason))
    print("slowest:")
    for result in sorted(compared, key=lambda result: -result.milliseconds)[:SLOWEST]:
        print(f"  {result.milliseconds:7.0f} ms {result.size // 1_000:5} kB  {result.source}")
    return refused_share <= MAX_REFUSED_SHARE and undecided_share <= MAX_UNDECIDED_SHARE and p95 <= MAX_P95_MS


def _print_counts(title: str, values: Iterable[str]) -> None:
    print(title)
    for value, count in Counter(values).most_common(REASONS):
        print(f"  {count:5} {value[:110]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of pairs")
    parser.add_argument("--every", type=int, default=1, help="compare every n-th pair only")
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.glob("*.json"))[:: arguments.every]
    if not paths:
        parser.error(f"no pairs in {arguments.folder}")
    return 0 if report([compare_pair(path) for path in paths]) else 1


if __name__ == "__main__":
    sys.exit(main())
