"""Render a schema comparison as text, JSON, Markdown or workflow commands. Breaking changes come first."""

import json
from collections.abc import Callable
from enum import StrEnum

from tessera_gql.cli.terminal import print_document, print_json, print_line
from tessera_gql.diff import Certainty, Change, Mode, SchemaDiff
from tessera_gql.escaping import build_workflow_command, escape_markdown, to_markdown_code

MAX_COUNTEREXAMPLE_CHARACTERS = 400


class DiffFormat(StrEnum):
    """Output format of `tessera diff`."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


def render(diff: SchemaDiff, mode: Mode, format: DiffFormat, name: str) -> None:  # noqa: A002 - the option's name
    RENDERERS[format](diff, mode, name)


def _format_headline(diff: SchemaDiff, mode: Mode) -> str:
    breaking = len(diff.breaking_changes(mode))
    if not diff.changes:
        return "No changes."
    if not breaking:
        return f"Compatible in mode {mode}: {_pluralize(len(diff.changes), 'change')}, bump {diff.bump(mode)}."
    return f"Breaking in mode {mode}: {breaking} of {_pluralize(len(diff.changes), 'change')}, bump {diff.bump(mode)}."


def _pluralize(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _sort_breaking_first(diff: SchemaDiff, mode: Mode) -> list[Change]:
    return sorted(diff.changes, key=lambda change: mode not in change.breaks)


def _format_counterexample(change: Change, mode: Mode) -> str | None:
    """Return the counterexample of a change that is proven to break, on one line."""
    if mode not in change.breaks or change.certainty is not Certainty.PROVEN:
        return None
    text = json.dumps(change.counterexample, ensure_ascii=False)
    return text if len(text) <= MAX_COUNTEREXAMPLE_CHARACTERS else text[:MAX_COUNTEREXAMPLE_CHARACTERS] + "…"


def _render_text(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    for change in _sort_breaking_first(diff, mode):
        breaks = mode in change.breaks
        label = ("breaking  ", "bold red") if breaks else ("ok        ", "green")
        print_line(label, (f"{change.kind:22}", "dim"), f" {change.message}")
        if breaks:
            counterexample = _format_counterexample(change, mode)
            evidence = f"for example {counterexample}" if counterexample else "not proven to be safe"
            print_line((f"          {evidence}", "dim"))
        if breaks and change.hint:
            print_line((f"          hint: {change.hint}", "cyan"))
    print_line((_format_headline(diff, mode), "bold"))


def _render_json(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    document = {
        "mode": mode.value,
        "compatible": diff.is_compatible(mode),
        "bump": diff.bump(mode).value,
        "changes": [change.as_json() for change in diff.changes],
    }
    print_json(document)


def _render_markdown(diff: SchemaDiff, mode: Mode, _name: str) -> None:
    lines = [f"**{_format_headline(diff, mode)}**"]
    if diff.changes:
        lines += ["", "| | change | field | what | example |", "|---|---|---|---|---|"]
    for change in _sort_breaking_first(diff, mode):
        mark = "💥" if mode in change.breaks else "✅"
        field, example = map(to_markdown_code, (change.path, _format_counterexample(change, mode) or ""))
        lines.append(f"| {mark} | {change.kind.value} | {field} | {escape_markdown(change.message)} | {example} |")
    print_document("\n".join(lines))


def _render_github(diff: SchemaDiff, mode: Mode, name: str) -> None:
    """Print GitHub workflow commands: an error per breaking change, a notice per compatible one."""
    for change in _sort_breaking_first(diff, mode):
        level = "error" if mode in change.breaks else "notice"
        counterexample = _format_counterexample(change, mode)
        message = change.message + (f" For example {counterexample}" if counterexample else "")
        print_document(build_workflow_command(level, message, file=name, title=change.kind.value))
    print_line(_format_headline(diff, mode))


RENDERERS: dict[DiffFormat, Callable[[SchemaDiff, Mode, str], None]] = {
    DiffFormat.TEXT: _render_text,
    DiffFormat.JSON: _render_json,
    DiffFormat.MARKDOWN: _render_markdown,
    DiffFormat.GITHUB: _render_github,
}
