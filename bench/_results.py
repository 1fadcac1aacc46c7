"""Print the figures of a benchmark beside their targets, and save them in RESULTS.md."""

import fcntl
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("strawberry-graphql", "graphql-core", "SQLAlchemy", "asyncpg", "uvicorn", "uvloop", "orjson")
MAX_SPREAD = 0.3
"""Largest spread, as a fraction of the median, at which a target inside the spread can be judged."""


@dataclass(frozen=True)
class Figure:
    """A figure with its value in each round. Without a target it is informative."""

    label: str
    values: Sequence[float]
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        low, high, middle = min(self.values), max(self.values), median(self.values)
        if high - low > MAX_SPREAD * middle and self._meets(low) != self._meets(high):
            return "INCONCLUSIVE"
        return "PASS" if self._meets(middle) else "FAIL"

    def _meets(self, figure: float) -> bool:
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)

    def cells(self) -> tuple[str, str, str, str, str]:
        spread = f"{_format(min(self.values))} to {_format(max(self.values))}" if len(self.values) > 1 else ""
        target = f"≥ {self.at_least:g}" if self.at_least is not None else ""
        target = f"≤ {self.at_most:g}" if self.at_most is not None else target
        return self.label, f"{_format(median(self.values))} {self.unit}".strip(), spread, target, self.verdict


def _format(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


HEADER = ("what", "figure", "rounds", "target", "")


def report(title: str, about: str, figures: Sequence[Figure]) -> int:
    """Print the table and save it in the section of this title. Returns 1 if a target was missed."""
    rows = [HEADER, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    print("\n  ".join((f"\n{title}: {about}", *lines)), flush=True)
    table = ["| " + " | ".join(row) + " |" for row in rows]
    save_section(title, about, "\n".join([table[0], "|" + "---|" * len(HEADER), *table[1:]]))
    return int(any(figure.verdict == "FAIL" for figure in figures))


def save_section(title: str, about: str, body: str) -> None:
    """Replace the section of this title in RESULTS.md. Benchmarks that run at the same time wait for each other."""
    with RESULTS.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        parts = re.split(r"^## ", file.read(), flags=re.MULTILINE)[1:]
        sections = {part.partition("\n")[0]: part.rstrip() for part in parts}
        sections[title] = f"{title}\n\n{about} {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.\n\n{body}"
        file.truncate(0)
        file.write(_preface() + "".join(f"## {part}\n\n" for part in sections.values()).rstrip() + "\n")


def _preface() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        "# Results\n\nWritten by `make bench`. Figures are medians; beside them the least and the most.\n\n"
        f"Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}.\n{versions}.\n\n"
    )


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.processor()
