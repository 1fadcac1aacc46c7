"""Print the figures of a benchmark beside their targets, and save them in RESULTS.md with a plot."""

import fcntl
import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench._figures import Figure
from bench._plots import save_plot

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("strawberry-graphql", "graphql-core", "SQLAlchemy", "asyncpg", "uvicorn", "uvloop", "orjson")
TARGETS = "Targets"
"""Title of the section that holds the figures of `_targets`."""
HEADER = ("what", "figure", "rounds", "target", "")


def report(title: str, about: str, figures: Sequence[Figure]) -> int:
    """Print the table, and save it with its plot in the section of this title. Returns 1 if a target was missed."""
    rows = [HEADER, *(figure.cells() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    print("\n  ".join((f"\n{title}: {about}", *lines)), flush=True)
    table = ["| " + " | ".join(row) + " |" for row in rows]
    plot = f"![{title}, as bars]({save_plot(title, figures)})"
    save_section(title, about, "\n".join([plot, "", table[0], "|" + "---|" * len(HEADER), *table[1:]]))
    return int(any(figure.verdict == "FAIL" for figure in figures))


def save_section(title: str, about: str, body: str) -> None:
    """Replace the section of this title in RESULTS.md. Benchmarks that run at the same time wait for each other.

    The section of the targets comes first.
    """
    with RESULTS.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        sections = _split(file.read())
        sections[title] = f"{title}\n\n{about} {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.\n\n{body}"
        file.truncate(0)
        parts = sorted(sections.values(), key=lambda part: not part.startswith(f"{TARGETS}\n"))
        file.write(_preface() + "".join(f"## {part}\n\n" for part in parts).rstrip() + "\n")


def read_tables() -> dict[str, list[list[str]]]:
    """Return the cells of each row of the tables in RESULTS.md, by the title of the section."""
    rows = {
        title: re.findall(r"^\| (.+) \|$", part, re.MULTILINE) for title, part in _split(RESULTS.read_text()).items()
    }
    return {title: [line.split(" | ") for line in lines[1:]] for title, lines in rows.items()}


def _split(text: str) -> dict[str, str]:
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: part.rstrip() for part in parts}


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
