"""A comparison, told: to a person, to a program, in a pull request. Breaking changes come first."""

import json
from collections.abc import Callable
from enum import StrEnum

from tessera_gql.cli.terminal import print_document, print_json, print_line
from tessera_gql.diff import Certainty, Change, Mode, SchemaDiff
from tessera_gql.escaping import escape_markdown, markdown_code, workflow_command

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


def _text(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    for change in _sorted(diff, mode):
        breaks = mode in change.breaks
        verdict = ("breaking  ", "bold red") if breaks else ("ok        ", "green")
        print_line(verdict, (f"{change.kind:22}", "dim"), f" {change.message}")
        document = _shown(change) if breaks else None
        if breaks:
            print_line((f"          {f'for example {document}' if document else 'not proven to be safe'}", "dim"))
        if breaks and change.hint:
            print_line((f"          hint: {change.hint}", "cyan"))
    print_line((_headline(diff, mode), "bold"))


def _json(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    found = {
        "mode": mode.value,
        "compatible": diff.is_compatible(mode),
        "bump": diff.bump(mode).value,
        "changes": [change.as_json() for change in diff.changes],
    }
    print_json(found)


def _markdown(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    lines = [f"**{_headline(diff, mode)}**"]
    if diff.changes:
        lines += ["", "| | change | field | what | example |", "|---|---|---|---|---|"]
    for change in _sorted(diff, mode):
        mark = "💥" if mode in change.breaks else "✅"
        document = _shown(change) if mode in change.breaks else None
        field, example = markdown_code(change.path), markdown_code(document or "")
        lines.append(f"| {mark} | {change.kind.value} | {field} | {escape_markdown(change.message)} | {example} |")
    print_document("\n".join(lines))


def _github(diff: SchemaDiff, mode: Mode, name: str) -> None:
    """Workflow commands: an error per breaking change, a notice for the rest."""
    for change in _sorted(diff, mode):
        level = "error" if mode in change.breaks else "notice"
        document = _shown(change) if mode in change.breaks else None
        message = change.message + (f" For example {document}" if document else "")
        print_document(workflow_command(level, message, file=name, title=change.kind.value))
    print_line(_headline(diff, mode))


RENDERERS: dict[Format, Callable[[SchemaDiff, Mode, str], None]] = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.MARKDOWN: _markdown,
    Format.GITHUB: _github,
}
