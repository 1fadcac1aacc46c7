"""Output of all commands. Text from other users is escaped here, so no other module writes to stdout or stderr.

Results go to stdout, everything else to stderr. A terminal gets tables and colour, a pipe gets tab-separated lines.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast
from uuid import UUID

import typer

from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.escaping import disarm_log_line, escape_log_line, escape_terminal, is_plain_text

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

StyledText: TypeAlias = str | tuple[str, str]
"""Text, or text with a rich style."""

log = logging.getLogger(__name__)

GAP = 2
"""Columns of the terminal between two columns of a table."""
STATUS_COLOURS = {
    **dict.fromkeys(("APPROVED", "PUBLISHED", "ACTIVE"), "green"),
    **dict.fromkeys(("PENDING", "MIGRATING", "PROPOSED"), "yellow"),
    **dict.fromkeys(("REJECTED", "BLOCKED"), "red"),
    **dict.fromkeys(("DEPRECATED", "RETIRED", "INACTIVE"), "dim"),
}


def _console(*, is_stderr: bool = False) -> Console:
    """Return the console of a stream. Only output with colours or columns needs it: importing rich takes long."""
    from rich.console import Console  # noqa: PLC0415

    return Console(
        stderr=is_stderr,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        soft_wrap=True,
        highlight=False,
        emoji=False,
        markup=False,
    )


def _has_terminal(*, is_stderr: bool = False) -> bool:
    """Whether a stream is a terminal, or FORCE_COLOR says that it is to be treated as such."""
    if os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE"):
        return _console(is_stderr=is_stderr).is_terminal
    stream = sys.stderr if is_stderr else sys.stdout
    return not stream.closed and stream.isatty()


def use_utf8() -> None:
    """Write UTF-8 regardless of the locale: a character that the locale lacks must not end a command."""
    for stream in (sys.stdout, sys.stderr):
        cast("Any", stream).reconfigure(encoding="utf-8", errors="backslashreplace")


def is_terminal() -> bool:
    return _has_terminal()


def is_stderr_terminal() -> bool:
    return _has_terminal(is_stderr=True)


def print_line(*parts: StyledText) -> None:
    """Print one line of a result; line breaks and control characters in the text are escaped."""
    _print(parts)


def print_entry(label: StyledText, *parts: StyledText, width: int) -> None:
    """Print a label and a text on one line; a terminal wraps the text into a column beside the label.

    A text with a word that is wider than the column is not wrapped: names and ids are copied as a whole.
    """
    text, style = (label, "") if isinstance(label, str) else label
    content = "".join(part if isinstance(part, str) else part[0] for part in parts)
    if not is_terminal() or max(map(len, content.split()), default=0) > _console().width - width - 2:
        print_line((text.ljust(width + 2), style), *parts)
        return
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=width)
    grid.add_column(overflow="fold")
    # Wrapping may put a `::` at the start of a line, where CI runners read commands.
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    column = [(escape_terminal(part).replace("::", "\\u003a:"), style) for part, style in pairs]
    grid.add_row(Text(escape_terminal(text), style=style), Text.assemble(*column))
    _console().print(grid)


def print_note(*parts: StyledText) -> None:
    """Print one line on stderr, or log it after `log_notes`."""
    _note(logging.INFO, parts)


def log_notes() -> None:
    """Write notes and errors to the log from now on, so that every line on stderr is a JSON object.

    LOG_LEVEL does not apply to them: they are few, and without a log they are printed as well.
    """
    _notes.is_logged = True
    log.setLevel(logging.INFO)


@dataclass
class _Notes:
    """Where notes and errors go."""

    is_logged: bool = False


_notes = _Notes()


def _note(level: int, parts: Sequence[StyledText]) -> None:
    if not _notes.is_logged:
        _print(parts, is_stderr=True)
    elif text := "".join(part if isinstance(part, str) else part[0] for part in parts).strip():
        log.log(level, "%s", text)


def _print(parts: Sequence[StyledText], *, is_stderr: bool = False) -> None:
    """Print one line, in colours if it has any and the stream is a terminal."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    escaped = [(escape_terminal(text), style) for text, style in pairs]
    line = "".join(text for text, _ in escaped)
    safe_line = disarm_log_line(line)
    if safe_line == line and any(style for _, style in escaped) and _has_terminal(is_stderr=is_stderr):
        from rich.text import Text  # noqa: PLC0415

        _console(is_stderr=is_stderr).print(Text.assemble(*escaped))
        return
    stream = sys.stderr if is_stderr else sys.stdout
    stream.write(f"{safe_line}\n")
    stream.flush()


def fail(message: str, code: ExitCode = ExitCode.REFUSED) -> typer.Exit:
    """Print or log an error on one line of stderr, and return the exception to raise."""
    _note(logging.ERROR, [(message, "red")])
    return typer.Exit(code)


def print_document(text: str, *, end: str = "\n") -> None:
    """Print text that its format has escaped: unchanged in a pipe, without control characters on a terminal."""
    if sys.stdout.isatty():
        text = "\n".join(map(escape_terminal, text.replace("\t", "    ").split("\n")))
    sys.stdout.write(text + end)
    sys.stdout.flush()


def print_json(value: Any) -> None:
    """Print a value as an indented JSON document; a model of the SDK has the field names of the schema."""
    print_json_text(json.dumps(value, indent=2, ensure_ascii=False, default=_to_plain))


def _to_plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value.model_dump(mode="json", by_alias=True)


def print_json_text(text: str) -> None:
    """Print serialized JSON; control characters become escapes that parse to the same value."""
    print_document(text if is_plain_text(text) else "\n".join(map(escape_log_line, text.split("\n"))))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, none: str = "") -> None:
    """Print a table on a terminal, tab-separated lines in a pipe; `none` is printed on a terminal without rows.

    On a terminal that is too narrow for a name or an id, which must be copied whole, each row is a block of lines.
    """
    if not is_terminal():
        content = ([format_cell(value) for value in row] for row in rows)
        sys.stdout.writelines(disarm_log_line("\t".join(map(escape_terminal, row))) + "\n" for row in content)
        return
    cells = [[escape_terminal(format_cell(value, ", ")) for value in row] for row in rows]
    if not cells:
        print_note((none, "dim"))
    elif (widths := _choose_widths([headings, *cells], _console().width)) is None:
        _print_blocks(headings, cells)
    else:
        _print_columns(headings, cells, widths)


def _choose_widths(lines: Sequence[Sequence[str]], available: int) -> list[int] | None:
    """Choose the widths of columns so that no word is broken; None if they need more than what is available."""
    from rich.cells import cell_len  # noqa: PLC0415

    columns = [*zip(*lines, strict=True)]
    narrow = [max(cell_len(part) for cell in column for part in cell.split() or [""]) for column in columns]
    wide = [max(map(cell_len, column)) for column in columns]
    spare = available - sum(narrow) - GAP * (len(columns) - 1)
    if spare < 0:
        return None
    share = min(1.0, spare / max(1, sum(wide) - sum(narrow)))
    return [low + int((high - low) * share) for low, high in zip(narrow, wide, strict=True)]


def _print_columns(headings: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading, width in zip(headings, widths, strict=True):
        table.add_column(heading, overflow="fold", width=width)
    for row in cells:  # wrapping may put a `::` at the start of a line, where CI runners read commands
        texts = [(cell.replace("::", "\\u003a:"), STATUS_COLOURS.get(cell, "")) for cell in row]
        table.add_row(*(Text(text, style=style) for text, style in texts))
    _console().print(table)


def _print_blocks(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    width = max(map(len, headings))
    for number, row in enumerate(cells):
        if number:
            print_line()
        for heading, cell in zip(headings, row, strict=True):
            print_line((heading.ljust(width), "bold"), "  ", (cell, STATUS_COLOURS.get(cell, "")))


def print_properties(**properties: Any) -> None:
    """Print the properties of one object, a line each."""
    width = max(map(len, properties))
    for name, value in properties.items():
        text = format_moment(value) if isinstance(value, datetime) else format_cell(value)
        print_line((name.replace("_", " ").ljust(width), "dim"), "  ", (text, STATUS_COLOURS.get(text, "")))


def format_moment(moment: datetime) -> str:
    """Format a time: on a terminal the local time with its zone, in a pipe UTC in ISO 8601."""
    if is_terminal():
        return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return moment.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")


def format_cell(value: Any, separator: str = ",") -> str:
    """Format a value on one line; a team or an asset of the SDK by its name."""
    match value:
        case None:
            text = "-"
        case bool():
            text = str(value).lower()
        case datetime():
            local = value.astimezone(None if is_terminal() else UTC)
            text = local.isoformat(timespec="minutes").replace("+00:00", "Z")  # one word, which is not wrapped
        case list() | tuple():
            text = separator.join(map(format_cell, cast("Sequence[Any]", value))) or "-"
        case _:  # an asset has an fqn, a team a name
            text = value if isinstance(value, str) else str(getattr(value, "fqn", getattr(value, "name", value)))
    return text.replace("\t", " ").replace("\n", " ")


@contextmanager
def progress_bar(label: str) -> Generator[Callable[[str, int, int | None], None]]:
    """Show a progress bar on stderr; the yielded function takes the phase, the completed amount and the total."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - slow, seldom needed

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console(is_stderr=True), transient=True) as bar:
        task, current = bar.add_task(escape_terminal(label), total=None), ""

        def show(phase: str, completed: int, total: int | None) -> None:
            nonlocal task, current
            if phase != current:
                current = phase
                bar.remove_task(task)
                task = bar.add_task(escape_terminal(f"{label}: {phase}"), total=total)
            bar.update(task, completed=completed)

        yield show
