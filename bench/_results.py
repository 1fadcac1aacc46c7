"""One table for every benchmark: each figure beside its target, printed and kept in RESULTS.md by the run itself."""

import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("strawberry-graphql", "graphql-core", "SQLAlchemy", "asyncpg", "uvicorn", "uvloop", "orjson")
WIDE = 0.3
"""A spread beyond this part of the median is too wide to decide what lies within it."""


@dataclass(frozen=True)
class Line:
    """A figure a round. Without a target it is told for what it says."""

    what: str
    figures: Sequence[float]
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        low, high, middle = min(self.figures), max(self.figures), median(self.figures)
        if high - low > WIDE * middle and self._meets(low) != self._meets(high):
            return "INCONCLUSIVE"
        return "PASS" if self._meets(middle) else "FAIL"

    def _meets(self, figure: float) -> bool:
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)

    def cells(self) -> tuple[str, str, str, str, str]:
        spread = f"{_short(min(self.figures))} to {_short(max(self.figures))}" if len(self.figures) > 1 else ""
        target = f"≥ {self.at_least:g}" if self.at_least is not None else ""
        target = f"≤ {self.at_most:g}" if self.at_most is not None else target
        return self.what, f"{_short(median(self.figures))} {self.unit}".strip(), spread, target, self.verdict


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


HEAD = ("what", "figure", "rounds", "target", "")


def tell(title: str, about: str, lines: Sequence[Line]) -> int:
    """Prints the table and puts it in the place of the last one of this title; 1 if a target was missed."""
    rows = [HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    print(f"\n{title}: {about}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    sys.stdout.flush()
    table = ["| " + " | ".join(row) + " |" for row in rows]
    keep(title, about, "\n".join([table[0], "|" + "---|" * len(HEAD), *table[1:]]))
    return int(any(line.verdict == "FAIL" for line in lines))


def keep(title: str, about: str, body: str) -> None:
    """In the place of what was there under this title."""
    kept = RESULTS.read_text() if RESULTS.exists() else ""
    sections = {part.partition("\n")[0]: part.rstrip() for part in re.split(r"^## ", kept, flags=re.MULTILINE)[1:]}
    sections[title] = f"{title}\n\n{about} {_when()}\n\n{body}"
    RESULTS.write_text(_preface() + "".join(f"## {part}\n\n" for part in sections.values()).rstrip() + "\n")


def _when() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC."


def _preface() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        "# Results\n\nWritten by `make bench`. Figures are medians; beside them the least and the most.\n\n"
        f"Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}.\n{versions}.\n\n"
    )


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()
