"""The figures that the project has promised, picked from the sections of RESULTS.md that benchmarks have written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bench._results import TARGETS, read_tables, save_section

HEADER = ("work", "section", "figure", "target", "verdict")
MISSING = "not measured"
BOTH = ("PostgreSQL", "SQLite")


@dataclass(frozen=True)
class Line:
    """All rows of some sections whose label matches a pattern of a shell, or only the worst of them."""

    sections: tuple[str, ...]
    """Titles; an empty one stands for all sections."""
    label: str
    is_worst: bool = False


LINES = (
    Line(("Reads, PostgreSQL",), "page, req/s against PostGraphile*"),
    Line(("Reads, PostgreSQL",), "page, req/s against one json_agg statement*"),
    Line(("Reads, PostgreSQL",), "page, CPU against idiomatic Strawberry*"),
    Line(("Reads, PostgreSQL",), "pull request, CPU against EXECUTOR=planned*"),
    Line(("Reads, PostgreSQL",), "inbox, CPU against EXECUTOR=planned*"),
    Line(("Reads, PostgreSQL",), "lineage, CPU against EXECUTOR=planned*"),
    Line(("Reads, PostgreSQL",), "tiny, req/s against PostGraphile*"),
    Line(("Reads, PostgreSQL",), "tiny, req/s against plain graphql-core*"),
    Line(("Writes, PostgreSQL",), "publish, req/s against the ORM version"),
    Line(("Fan-out",), "1,000 sockets, CPU per delivery against an execution each"),
    Line(("Fan-out",), "10,000 sockets, publish to arrival, p99"),
    Line(("Fan-out",), "10,000 sockets, memory of a socket"),
    *(Line((f"Bulk, {database}",), "*, against a row loop") for database in BOTH),
    *(
        Line((f"dbt project, {database}",), step)
        for database in BOTH
        for step in ("plan", "first sync", "unchanged sync", "sync of 500 breaks that wait")
    ),
    *(Line((f"Readers, {database}",), "whom renaming all columns hurts") for database in BOTH),
    *(Line((f"Readers, {database}",), "readerCount of all columns") for database in BOTH),
    Line(("Diff",), "1,000 renamed columns with evidence"),
    Line(("Command line",), "tessera --version"),
    Line(("Command line",), "completion of*"),
    *(Line((f"Growth, {database}",), "*", is_worst=True) for database in BOTH),
    Line(("",), "longest hold of the event loop"),
)


def report_targets() -> None:
    """Print the table of the targets, and save it at the top of RESULTS.md."""
    tables = read_tables()
    rows = [HEADER, *(row for line in LINES for row in _rows(line, tables))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    table = ["| " + " | ".join(row) + " |" for row in rows]
    about = "Each figure of the sections below that has been promised; for growth the worst."
    save_section(TARGETS, about, "\n".join([table[0], "|" + "---|" * len(HEADER), *table[1:]]))


def _rows(line: Line, tables: dict[str, list[list[str]]]) -> Iterator[Sequence[str]]:
    titles = [title for title in tables if title != TARGETS] if line.sections == ("",) else line.sections
    rows = [
        (label, title, figure, target, verdict.strip())
        for title in titles
        for label, figure, _, target, verdict in tables.get(title, ())
        if fnmatchcase(label, line.label) and target.strip()
    ]
    if not rows:
        yield line.label.rstrip("*") or "each operation", ", ".join(line.sections), MISSING, "", ""
    elif line.is_worst:
        yield max(rows, key=lambda row: float(row[2].split()[0].replace(",", "")))
    else:
        yield from rows
