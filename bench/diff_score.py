"""Score the diff engine against labelled pairs of schemas.

A verdict is unsound if it is compatible against the label, which must not happen; it is conservative if it is
incompatible against the label.
"""

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tessera_gql.diff import Mode, SchemaError, compare

PAIRS = Path(__file__).resolve().parents[1] / "../shared/data/schema_pairs"
MAX_CONSERVATIVE_SHARE = 0.04
DIALECTS = {
    "4": "http://json-schema.org/draft-04/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
    "7": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}

WITHDRAWN = {(f"apicurio/{number}", mode) for number in (127, 129, 131) for mode in (Mode.FORWARD, Mode.FULL)}
"""Labels that call moving fields into a shared definition, or out of it, a break. The fields are the same."""


@dataclass
class Score:
    """Counts per verdict, with the unsound and crashed pairs. A refused pair counts as not compatible."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def conservative_share(self) -> float:
        return self.counts["conservative"] / max(1, self.counts["decided"])

    @property
    def is_good(self) -> bool:
        has_failure = self.counts["unsound"] or self.counts["crash"]
        return not has_failure and self.conservative_share <= MAX_CONSERVATIVE_SHARE

    def add(self, other: "Score") -> None:
        self.counts += other.counts
        self.failures += other.failures


def with_dialect(schema: Any, draft: str) -> Any:
    """Return the schema with `$schema` set to the pair's draft, unless it has one."""
    if isinstance(schema, dict) and "$schema" not in schema:
        return {"$schema": DIALECTS[draft], **schema}
    return schema


def score(pair: dict[str, Any]) -> Score:
    result = Score()
    old, new = (with_dialect(pair[side], pair["draft"]) for side in ("old", "new"))
    diff = None
    try:
        diff = compare(old, new)
    except SchemaError:
        result.counts["refused"] += 1
    except Exception as error:  # noqa: BLE001 - a crash is what is counted here
        result.counts["crash"] += 1
        result.failures.append(f"crash    {pair['id']}: {error!r}")
        return result
    for mode in (Mode.BACKWARD, Mode.FORWARD, Mode.FULL):
        expected = pair[f"expect_{mode.value.lower()}"]
        if expected is None or (pair["id"], mode) in WITHDRAWN:
            continue
        result.counts["decided"] += 1
        is_compatible = diff is not None and diff.is_compatible(mode)
        if is_compatible and not expected:
            result.counts["unsound"] += 1
            result.failures.append(f"unsound  {pair['id']} {mode.value}")
        elif expected and not is_compatible:
            result.counts["conservative"] += 1
    return result


def main() -> int:
    if not PAIRS.is_dir():
        print(f"no labelled pairs at {PAIRS}; nothing to score")
        return 0
    total = Score()
    print(f"{'':24}{'pairs':>7}{'decided':>9}{'unsound':>9}{'crash':>7}{'refused':>9}{'conservative':>14}")
    for path in sorted(PAIRS.glob("*.json")):
        file_score, pairs = Score(), json.loads(path.read_text())
        for pair in pairs:
            file_score.add(score(pair))
        file_score.counts["pairs"] = len(pairs)
        total.add(file_score)
        print(_row(path.stem, file_score))
    print(_row("total", total), "PASS" if total.is_good else "FAIL")
    print(*total.failures, sep="\n")
    return 0 if total.is_good else 1


def _row(name: str, result: Score) -> str:
    counts = result.counts
    conservative = f"{counts['conservative']} ({result.conservative_share:.1%})"
    columns = (counts["pairs"], counts["decided"], counts["unsound"], counts["crash"], counts["refused"])
    widths = (7, 9, 9, 7, 9)
    return f"{name:24}" + "".join(f"{n:>{w}}" for n, w in zip(columns, widths, strict=True)) + f"{conservative:>14}"


if __name__ == "__main__":
    sys.exit(main())
