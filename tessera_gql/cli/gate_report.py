"""Render the result of the gate for terminals, scripts, pull requests and CI logs."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree as ET

from tessera_gql.cli.gate import GateResult, ModelResult, ModelState
from tessera_gql.escaping import (
    build_workflow_command,
    escape_log_line,
    escape_markdown,
    escape_terminal,
    to_markdown_code,
)


class GateFormat(StrEnum):
    """Output format; `github` prints workflow annotations, `markdown` fits a comment or a job summary."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"


STATE_PHRASES = {
    ModelState.BLOCKED: "is blocked",
    ModelState.ASK: "breaks its readers",
    ModelState.WAITING: "waits for answers",
    ModelState.APPROVED: "breaks, and all have agreed",
    ModelState.UNREAD: "breaks, but nobody reads it",
    ModelState.COMPATIBLE: "changes compatibly",
    ModelState.NEW: "is new",
    ModelState.SKIPPED: "is skipped",
    ModelState.UNCHANGED: "is unchanged",
}
"""The states in the order of a report, which leaves out the last one."""
REPORTED_STATES = [*STATE_PHRASES][:-1]
BLOCKING_STATES = (ModelState.BLOCKED, ModelState.ASK, ModelState.WAITING)
MAX_NAMED_MODELS = 10
"""Number of compatible, new or skipped models that are listed by name; further ones are only counted."""


def summarize(result: GateResult) -> str:
    """Return one line with the number of models in each state."""
    counts = {state: len(result.in_state(state)) for state in STATE_PHRASES}
    names = {ModelState.ASK: "breaking", ModelState.UNREAD: "breaking but unread"}
    parts = [f"{count} {names.get(state, state.lower())}" for state, count in counts.items() if count]
    return f"{len(result.models)} tables: {', '.join(parts) or 'none'}."


def render_text(result: GateResult) -> Iterator[str]:
    """Yield lines for a terminal, which escapes them."""
    for state in REPORTED_STATES:
        models = result.in_state(state)
        for model in models if state in BLOCKING_STATES or state.breaks else models[:MAX_NAMED_MODELS]:
            yield f"{model.fqn} {STATE_PHRASES[state]}{f' ({model.reason})' if model.reason else ''}"
            yield from (f"  {line}" for line in _iter_details(model))
        if not state.breaks and len(models) > MAX_NAMED_MODELS:
            yield f"and {len(models) - MAX_NAMED_MODELS} more: {STATE_PHRASES[state]}"
    yield from (f"note: {warning}" for warning in result.warnings)
    yield summarize(result)


def _iter_details(model: ModelResult) -> Iterator[str]:
    breaking = {(reason.kind, reason.path) for reason in model.breaking}
    if model.state in {ModelState.NEW, ModelState.SKIPPED}:
        return
    for change in model.changes:
        yield f"{'breaks ' if (change.kind, change.path) in breaking else 'changes'}  {change.message}"
    for asked in model.asked:
        response = model.responses.get(asked.team.name)
        fields = ", ".join(path or "everything" for path in _collect_paths(model, asked.team.name))
        yield f"asks     {asked.team.name}, which reads {fields}{f': {response}' if response else ''}"
    for team in model.informed:
        yield f"tells    {team.name}"
    if model.state is ModelState.ASK:
        yield "ask      tessera dbt impact --ask"
    for command in model.acknowledge_commands():
        yield f"answer   {command}"


def _collect_paths(model: ModelResult, team: str) -> list[str]:
    """Return the distinct field paths of a team's reasons; an empty path means the whole table."""
    reasons = next((asked.reasons for asked in model.asked if asked.team.name == team), ())
    return list(dict.fromkeys(reason.path or "" for reason in reasons))


def render_json(result: GateResult) -> dict[str, Any]:
    return {
        "summary": {state.lower(): len(result.in_state(state)) for state in ModelState},
        "models": [model.as_json() for model in result.models if model.state is not ModelState.UNCHANGED],
        "warnings": result.warnings,
    }


def render_markdown(result: GateResult) -> Iterator[str]:
    """Yield a Markdown comment. Names are in code spans, so that none becomes markup, a link or a mention."""
    blocking = result.in_state(*BLOCKING_STATES)
    yield f"### Data contracts: {'some readers have to be asked' if blocking else 'nobody is hurt'}"
    yield f"\n{summarize(result)}"
    breaking = [model for model in result.models if model.state.breaks]
    if breaking:
        yield "\n| table | change | who reads it | answer |\n|---|---|---|---|"
    yield from map(_render_row, breaking)
    if commands := [command for model in blocking for command in model.acknowledge_commands()]:
        yield "\n```console\n" + "\n".join(commands) + "\n```"
    if compatible := result.in_state(ModelState.COMPATIBLE):
        yield f"\n<details><summary>{len(compatible)} compatible changes</summary>\n"
        for model in compatible:
            changes = "; ".join(escape_markdown(reason.message) for reason in model.changes)
            yield f"- {to_markdown_code(model.fqn)}: {changes}"
        yield "\n</details>"


def _render_row(model: ModelResult) -> str:
    changes = "<br>".join(escape_markdown(reason.message) for reason in model.breaking)
    teams = [asked.team.name for asked in model.asked]
    readers = "<br>".join(f"{to_markdown_code(team)}: {_render_fields(model, team)}" for team in teams)
    answers = "<br>".join(f"{to_markdown_code(team)}: {_render_response(model, team)}" for team in teams)
    table = f"{to_markdown_code(model.fqn)} {STATE_PHRASES[model.state]}"
    return f"| {table} | {changes} | {readers or 'nobody'} | {answers or '-'} |"


def _render_fields(model: ModelResult, team: str) -> str:
    return ", ".join(to_markdown_code(path) if path else "everything" for path in _collect_paths(model, team))


def _render_response(model: ModelResult, team: str) -> str:
    return escape_markdown(model.responses.get(team) or ("waiting" if model.proposal else "not asked yet"))


def render_github(result: GateResult) -> Iterator[str]:
    """Yield GitHub workflow commands: errors for blocking models, warnings for other breaking ones."""
    for model in result.models:
        if model.state.breaks and model.state is not ModelState.APPROVED:
            level = "error" if model.state in BLOCKING_STATES else "warning"
            title = f"{model.fqn} {STATE_PHRASES[model.state]}"
            yield build_workflow_command(level, " | ".join(_iter_details(model)), title=title)
    yield build_workflow_command("notice", summarize(result), title="Data contracts")


def render_junit(result: GateResult) -> str:
    """Return JUnit XML with a test case per model, failed if the model blocks.

    Names are escaped because XML has no control characters.
    """
    blocking = result.in_state(*BLOCKING_STATES)
    counts = {"tests": str(len(result.models)), "failures": str(len(blocking))}
    suite = ET.Element("testsuite", {"name": "tessera dbt impact", **counts})
    for model in result.models:
        name = escape_terminal(model.fqn)
        case = ET.SubElement(suite, "testcase", {"classname": "data contracts", "name": name})
        if model.state in BLOCKING_STATES:
            attributes = {"message": f"{name} {STATE_PHRASES[model.state]}", "type": model.state}
            failure = ET.SubElement(case, "failure", attributes)
            failure.text = "\n".join(map(escape_log_line, _iter_details(model)))
        elif model.state is ModelState.SKIPPED:
            ET.SubElement(case, "skipped", {"message": escape_terminal(model.reason or "")})
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode")
