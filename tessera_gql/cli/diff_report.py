"""Render a schema comparison as text, JSON, Markdown or workflow commands. Breaking changes come first."""

import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from tessera_gql.cli.documents import SchemaFile
from tessera_gql.cli.mode_table import format_verdict
from tessera_gql.cli.terminal import StyledText, print_document, print_entry, print_json, print_line
from tessera_gql.diff import Certainty, Change, Mode, SchemaDiff
from tessera_gql.diff.values.json import MISSING, resolve_pointer, split_pointer
from tessera_gql.escaping import build_workflow_command, escape_markdown, to_markdown_code

MAX_COUNTEREXAMPLE_CHARACTERS = 400
MAX_VALUE_CHARACTERS = 60
MAX_CHANGES = 500
"""Changes that are listed for people; GitHub shows ten annotations and cuts comments of that length."""
LABEL_WIDTH = len("breaks")
UNPROVEN_PHRASE = "could not be proven compatible"


class DiffFormat(StrEnum):
    """Output format of `tessera diff`."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"


class Comparison(NamedTuple):
    """Two schema files and their differences."""

    old: SchemaFile
    new: SchemaFile
    diff: SchemaDiff


def render(comparison: Comparison, mode: Mode, format: DiffFormat) -> None:  # noqa: A002 - the option's name
    RENDERERS[format](comparison, mode)


def _format_headline(diff: SchemaDiff, mode: Mode) -> str:
    breaking, total = len(diff.breaking_changes(mode)), len(diff.changes)
    if not total:
        return "No changes."
    verdict = f"Breaking in mode {mode}: {breaking} of" if breaking else f"Compatible in mode {mode}:"
    unlisted = f" {total - MAX_CHANGES:,} are not listed; --format json has all." if total > MAX_CHANGES else ""
    return f"{verdict} {_pluralize(total, 'change')}, bump {diff.bump(mode)}.{unlisted}"


def _format_verdicts(diff: SchemaDiff) -> Iterator[StyledText]:
    """Yield the parts of one line with the verdict of each mode."""
    for number, mode in enumerate(Mode):
        yield f"{' · ' if number else ''}{mode} "
        yield format_verdict(breaks=not diff.is_compatible(mode))


def _pluralize(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list_breaking_first(diff: SchemaDiff, mode: Mode) -> list[Change]:
    return sorted(diff.changes, key=lambda change: mode not in change.breaks)[:MAX_CHANGES]


def _format_counterexample(change: Change, mode: Mode) -> str:
    """Return the counterexample of a change that is proven to break, on one line; else an empty text."""
    if mode not in change.breaks or change.certainty is not Certainty.PROVEN:
        return ""
    return _shorten(change.counterexample, MAX_COUNTEREXAMPLE_CHARACTERS)


def _format_evidence(change: Change, mode: Mode) -> str:
    """Return why a change counts as breaking: its counterexample, or that nothing is proven; else an empty text."""
    if example := _format_counterexample(change, mode):
        return f"for example {example}"
    return UNPROVEN_PHRASE if mode in change.breaks and UNPROVEN_PHRASE not in change.message else ""


def _format_delta(change: Change) -> str:
    """Return the values before and after a change, unless it has only one of them or its message has both."""
    values = [_shorten(value, MAX_VALUE_CHARACTERS) for value in (change.before, change.after)]
    is_redundant = all(value.strip('["]') in change.message for value in values)
    return "" if None in (change.before, change.after) or is_redundant else f" ({' → '.join(values)})"


def _shorten(value: object, max_characters: int) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= max_characters else text[:max_characters] + "…"


def _render_text(comparison: Comparison, mode: Mode) -> None:
    diff = comparison.diff
    for change in _list_breaking_first(diff, mode):
        breaks = mode in change.breaks
        label = ("breaks", "bold red") if breaks else ("ok", "green")
        details = (_format_delta(change), ""), (f" {change.kind}", "dim")
        print_entry(label, change.message, *details, width=LABEL_WIDTH)
        if evidence := _format_evidence(change, mode):
            print_entry("", (evidence, "dim"), width=LABEL_WIDTH)
        if hint := change.hint_for(mode):
            print_entry("", (f"hint: {hint}", "cyan"), width=LABEL_WIDTH)
    print_line((_format_headline(diff, mode), "bold"))
    if diff.changes:
        print_line(*_format_verdicts(diff))


def _render_json(comparison: Comparison, mode: Mode) -> None:
    diff = comparison.diff
    document = {
        "mode": mode.value,
        "compatible": diff.is_compatible(mode),
        "bump": diff.bump(mode).value,
        "compatible_modes": [item.value for item in Mode if diff.is_compatible(item)],
        "changes": [change.as_json() for change in diff.changes],
    }
    print_json(document)


def _render_markdown(comparison: Comparison, mode: Mode) -> None:
    diff = comparison.diff
    lines = [f"**{_format_headline(diff, mode)}**"]
    if diff.changes:
        verdicts = "".join(part if isinstance(part, str) else part[0] for part in _format_verdicts(diff))
        lines += ["", verdicts, "", "| | change | field | what | example |", "|---|---|---|---|---|"]
    for change in _list_breaking_first(diff, mode):
        mark = "💥" if mode in change.breaks else "✅"
        field, example = map(to_markdown_code, (change.path, _format_counterexample(change, mode)))
        evidence = example or _format_evidence(change, mode)
        lines.append(f"| {mark} | {change.kind.value} | {field} | {escape_markdown(change.message)} | {evidence} |")
    print_document("\n".join(lines))


def _render_github(comparison: Comparison, mode: Mode) -> None:
    """Print GitHub workflow commands: an error per breaking change, a notice per compatible one."""
    for change in _list_breaking_first(comparison.diff, mode):
        level = "error" if mode in change.breaks else "notice"
        evidence = _format_evidence(change, mode)
        message = change.message + (f" {evidence[0].upper()}{evidence[1:]}" if evidence else "")
        location = _locate(change, comparison)
        print_document(build_workflow_command(level, message, **location, title=change.kind.value))
    print_line(_format_headline(comparison.diff, mode))


def _locate(change: Change, comparison: Comparison) -> dict[str, str]:
    """Return file and line of a change: in the new file, or in the old one for what only that has."""
    has_new, has_old = (
        resolve_pointer(file.schema, change.pointer) is not MISSING for file in (comparison.new, comparison.old)
    )
    file = comparison.old if has_old and not has_new else comparison.new
    line = file.lines.find_line(split_pointer(change.pointer), change.path.replace("[]", "").split("."))
    return {"file": file.name} | ({} if line is None else {"line": str(line)})


RENDERERS: dict[DiffFormat, Callable[[Comparison, Mode], None]] = {
    DiffFormat.TEXT: _render_text,
    DiffFormat.JSON: _render_json,
    DiffFormat.MARKDOWN: _render_markdown,
    DiffFormat.GITHUB: _render_github,
}
