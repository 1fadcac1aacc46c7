"""The only module of the command line that writes to stdout and stderr; foreign text is escaped here, once, for all.

Answers go to stdout, everything else to stderr. A terminal gets tables and colour, a pipe gets tab-separated lines.
"""

import json
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.escaping import disarm_log_line, escape_log_line, escape_terminal

Part: TypeAlias = str | tuple[str, str]
"""Text, or text with a style of rich."""

_out = Console(soft_wrap=True, highlight=False, emoji=False, markup=False)
_err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)

COLOURS = {
    "APPROVED": "green",
    "PUBLISHED": "green",
    "ACTIVE": "green",
    "PENDING": "yellow",
    "MIGRATING": "yellow",
    "PROPOSED": "yellow",
    "REJECTED": "red",
    "BLOCKED": "red",
    "DEPRECATED": "dim",
    "RETIRED": "dim",
    "INACTIVE": "dim",
}


def use_utf8() -> None:
    """Write UTF-8 whatever the locale says: a name that the locale lacks must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        cast("Any", stream).reconfigure(encoding="utf-8", errors="backslashreplace")


def is_terminal() -> bool:
    """Whether a person reads stdout."""
    return _out.is_terminal


def is_stderr_terminal() -> bool:
    return _err.is_terminal


def print_line(*parts: Part) -> None:
    """Print one line of an answer. Whatever is in the text, it stays one line, and nothing in it acts."""
    _out.print(_line(parts))


def print_note(*parts: Part) -> None:
    """Print one line beside the answer, on stderr."""
    _err.print(_line(parts))


def _line(parts: Sequence[Part]) -> Text:
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    escaped = [(escape_terminal(text), style) for text, style in pairs]
    line = "".join(text for text, _ in escaped)
    return Text.assemble(*escaped) if (safe := disarm_log_line(line)) == line else Text(safe)


def fail(message: str, code: ExitCode = ExitCode.REFUSED) -> typer.Exit:
    """Print why the command ends, on one line of stderr; `raise` what is returned."""
    _err.print(_line([(message, "red")]))
    return typer.Exit(code)


def print_document(text: str, *, end: str = "\n") -> None:
    """Print text that is escaped already for where it goes: exactly in a pipe, without controls on a terminal."""
    if sys.stdout.isatty():
        text = "\n".join(map(escape_terminal, text.replace("\t", "    ").split("\n")))
    sys.stdout.write(text + end)
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """Print a JSON document; `value` holds plain values only."""
    print_json_text(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_text(text: str) -> None:
    """Print JSON that is written already; a control character becomes the escape that means the same to a parser."""
    print_document("\n".join(map(escape_log_line, text.split("\n"))))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, none: str = "") -> None:
    """A table for people, lines with tabs for programs; `none` is what a person reads if there are no rows."""
    content = [[cell.replace("\t", " ").replace("\n", " ") for cell in row] for row in rows]
    if not _out.is_terminal:
        sys.stdout.writelines(disarm_log_line("\t".join(map(escape_terminal, row))) + "\n" for row in content)
    elif not content:
        print_note((none, "dim"))
    else:
        table = Table(*headings, box=None, header_style="bold", pad_edge=False)
        for row in content:  # a cell may be wrapped before any of its words
            cells = [escape_terminal(cell).replace("::", "\\u003a:") for cell in row]
            table.add_row(*(Text(text, style=COLOURS.get(cell, "")) for text, cell in zip(cells, row, strict=True)))
        _out.print(table)


def print_facts(facts: Mapping[str, str]) -> None:
    """One thing, a line for each thing known of it."""
    width = max(map(len, facts))
    for label, value in facts.items():
        text = value.replace("\t", " ").replace("\n", " ")
        print_line((label.ljust(width), "dim"), "  ", (text, COLOURS.get(value, "")))


@contextmanager
def progress_bar(label: str) -> Generator[Callable[[str, int, int | None], None]]:
    """A bar on a terminal's stderr; called with the phase, how much of it is done, and of how much if that is known."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - slow, seldom needed

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as bar:
        task, current = bar.add_task(escape_terminal(label), total=None), ""

        def show(phase: str, done: int, total: int | None) -> None:
            nonlocal task, current
            if phase != current:
                current = phase
                bar.remove_task(task)
                task = bar.add_task(escape_terminal(f"{label}: {phase}"), total=total)
            bar.update(task, completed=done)

        yield show
