"""A comparison, told: to a person, to a program, in a pull request. Breaking changes come first."""

import json
from collections.abc import Callable
from enum import StrEnum

from rich.text import Text

from tessera_gql.cli.terminal import out, printable
from tessera_gql.diff import Certainty, Change, Mode, SchemaDiff

MAX_DOCUMENT = 400


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


def render(diff: SchemaDiff, mode: Mode, format: Format, name: str) -> None:  # noqa: A002 - the option's name
    RENDERERS[format](diff, mode, name)


def _headline(diff: SchemaDiff, mode: Mode) -> str:
    breaking = len(diff.breaking(mode))
    if not diff.changes:
        return "No changes."
    if not breaking:
        return f"Compatible in mode {mode}: {_count(len(diff.changes), 'change')}, bump {diff.bump(mode)}."
    return f"Breaking in mode {mode}: {breaking} of {_count(len(diff.changes), 'change')}, bump {diff.bump(mode)}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sorted(diff: SchemaDiff, mode: Mode) -> list[Change]:
    return sorted(diff.changes, key=lambda change: mode not in change.breaks)


def _shown(change: Change) -> str | None:
    """The document that shows the break, on one line."""
    if change.certainty is not Certainty.PROVEN:
        return None
    text = json.dumps(change.counterexample, ensure_ascii=False)
    return text if len(text) <= MAX_DOCUMENT else text[:MAX_DOCUMENT] + "…"


def _line(text: str) -> str:
    return printable(text).replace("\n", "\\n")


def _text(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    for change in _sorted(diff, mode):
        breaks = mode in change.breaks
        line = Text()
        line.append("breaking  " if breaks else "ok        ", style="bold red" if breaks else "green")
        line.append(f"{change.kind:22}", style="dim")
        line.append(f" {_line(change.message)}")
        out.print(line)
        document = _shown(change) if breaks else None
        if breaks:
            out.print(
                Text(
                    f"          {f'for example {_line(document)}' if document else 'not proven to be safe'}",
                    style="dim",
                )
            )
        if breaks and change.hint:
            out.print(Text(f"          hint: {_line(change.hint)}", style="cyan"))
    out.print(Text(_headline(diff, mode), style="bold"))


def _json(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    found = {
        "mode": mode.value,
        "compatible": diff.is_compatible(mode),
        "bump": diff.bump(mode).value,
        "changes": [change.as_json() for change in diff.changes],
    }
    out.print(printable(json.dumps(found, indent=2, ensure_ascii=False)), markup=False)


def _markdown(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    lines = [f"**{_headline(diff, mode)}**"]
    if diff.changes:
        lines += ["", "| | change | field | what | example |", "|---|---|---|---|---|"]
    for change in _sorted(diff, mode):
        mark = "💥" if mode in change.breaks else "✅"
        document = _shown(change) if mode in change.breaks else None
        cells = (mark, change.kind.value, _code(change.path), change.message, _code(document or ""))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    out.print(printable("\n".join(lines)), markup=False)


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`" if text else ""


def _github(diff: SchemaDiff, mode: Mode, name: str) -> None:
    """Workflow commands: an error per breaking change, a notice for the rest."""
    for change in _sorted(diff, mode):
        level = "error" if mode in change.breaks else "notice"
        document = _shown(change) if mode in change.breaks else None
        message = change.message + (f" For example {document}" if document else "")
        title = _escaped(change.kind.value, ":,")
        told = f"::{level} file={_escaped(name, ':,')},title={title}::{_escaped(message)}"
        out.print(printable(told), markup=False)
    out.print(_headline(diff, mode), markup=False)


def _escaped(text: str, more: str = "") -> str:
    """As the runner wants it: nothing in the text can end the command or start another."""
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


RENDERERS: dict[Format, Callable[[SchemaDiff, Mode, str], None]] = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.MARKDOWN: _markdown,
    Format.GITHUB: _github,
}
