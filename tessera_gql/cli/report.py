"""A judgement in words, for each place that it is read: a terminal, a script, a pull request, the log of a CI."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree as ET

from tessera_gql.cli.verdict import Judgement, State, Verdict
from tessera_gql.escaping import escape_log_line, escape_markdown, escape_terminal, markdown_code, workflow_command


class Format(StrEnum):
    """`github` is annotations in the log of a workflow; `markdown` fits a comment or the summary of a job."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"


SAID = {
    State.UNREAD: "breaks, but nobody reads it",
    State.ASK: "breaks its readers",
    State.WAITING: "waits for answers",
    State.APPROVED: "breaks, and all have agreed",
    State.BLOCKED: "is blocked",
    State.NEW: "is new",
    State.COMPATIBLE: "changes compatibly",
    State.SKIPPED: "is skipped",
    State.UNCHANGED: "is unchanged",
}
STOPS = (State.BLOCKED, State.ASK, State.WAITING)
LISTED = (*STOPS, State.APPROVED, State.UNREAD, State.COMPATIBLE, State.NEW, State.SKIPPED)
COUNTED = 10
"""New or skipped tables are named up to this many, and counted beyond."""


def summary(judgement: Judgement) -> str:
    """One line: how many of each."""
    counts = {state: len(judgement.of(state)) for state in (*LISTED, State.UNCHANGED)}
    names = {State.ASK: "breaking", State.UNREAD: "breaking but unread"}
    parts = [f"{count} {names.get(state, state.lower())}" for state, count in counts.items() if count]
    return f"{len(judgement.verdicts)} tables: {', '.join(parts) or 'none'}."


def text(judgement: Judgement) -> Iterator[str]:
    """Lines for people; the terminal escapes them."""
    for state in LISTED:
        verdicts = judgement.of(state)
        for verdict in verdicts if state in STOPS or state.breaks else verdicts[:COUNTED]:
            yield f"{verdict.fqn} {SAID[state]}{f' ({verdict.reason})' if verdict.reason else ''}"
            yield from (f"  {line}" for line in _details(verdict))
        if not state.breaks and len(verdicts) > COUNTED:
            yield f"and {len(verdicts) - COUNTED} more: {SAID[state]}"
    yield from (f"note: {warning}" for warning in judgement.warnings)
    yield summary(judgement)


def _details(one: Verdict) -> Iterator[str]:
    breaking = {(reason.kind, reason.path) for reason in one.breaking}
    if one.state in {State.NEW, State.SKIPPED}:
        return
    for change in one.changes:
        yield f"{'breaks ' if (change.kind, change.path) in breaking else 'changes'}  {change.message}"
    for asked in one.asked:
        said = one.answers.get(asked.team.name)
        yield f"asks     {asked.team.name}, which reads {reads(one, asked.team.name)}" + (f": {said}" if said else "")
    for team in one.informed:
        yield f"tells    {team.name}"
    if one.state is State.ASK:
        yield "ask      tessera dbt impact --ask"
    for command in one.commands():
        yield f"answer   {command}"


def reads(one: Verdict, team: str) -> str:
    """The columns that are touched, of those that the team reads."""
    return ", ".join(path or "everything" for path in _paths(one, team))


def _paths(one: Verdict, team: str) -> list[str]:
    """Each once; empty where it is the whole table."""
    because = next((asked.because for asked in one.asked if asked.team.name == team), ())
    return list(dict.fromkeys(reason.path or "" for reason in because))


def as_json(judgement: Judgement) -> dict[str, Any]:
    return {
        "summary": {state.lower(): len(judgement.of(state)) for state in State},
        "models": [verdict.as_json() for verdict in judgement.verdicts if verdict.state is not State.UNCHANGED],
        "warnings": judgement.warnings,
    }


def markdown(judgement: Judgement) -> Iterator[str]:
    """A comment for people. Every name is in a code span, so that none of it is markup, a link or a mention."""
    stops = judgement.of(*STOPS)
    yield f"### Data contracts: {'some readers have to be asked' if stops else 'nobody is hurt'}"
    yield f"\n{summary(judgement)}"
    breaking = [verdict for verdict in judgement.verdicts if verdict.state.breaks]
    if breaking:
        yield "\n| table | change | who reads it | answer |\n|---|---|---|---|"
    yield from map(_row, breaking)
    if commands := [command for verdict in stops for command in verdict.commands()]:
        yield "\n```console\n" + "\n".join(commands) + "\n```"
    if compatible := judgement.of(State.COMPATIBLE):
        yield f"\n<details><summary>{len(compatible)} compatible changes</summary>\n"
        for verdict in compatible:
            changes = "; ".join(escape_markdown(reason.message) for reason in verdict.changes)
            yield f"- {markdown_code(verdict.fqn)}: {changes}"
        yield "\n</details>"


def _row(verdict: Verdict) -> str:
    changes = "<br>".join(escape_markdown(reason.message) for reason in verdict.breaking)
    teams = [asked.team.name for asked in verdict.asked]
    readers = "<br>".join(f"{markdown_code(team)}: {_columns(verdict, team)}" for team in teams)
    answers = "<br>".join(f"{markdown_code(team)}: {_answer(verdict, team)}" for team in teams)
    table = f"{markdown_code(verdict.fqn)} {SAID[verdict.state]}"
    return f"| {table} | {changes} | {readers or 'nobody'} | {answers or '-'} |"


def _columns(verdict: Verdict, team: str) -> str:
    return ", ".join(markdown_code(path) if path else "everything" for path in _paths(verdict, team))


def _answer(verdict: Verdict, team: str) -> str:
    return escape_markdown(verdict.answers.get(team) or ("waiting" if verdict.proposal else "not asked yet"))


def github(judgement: Judgement) -> Iterator[str]:
    """Workflow commands: errors for what stops, warnings for what breaks no team."""
    for verdict in judgement.verdicts:
        if verdict.state.breaks and verdict.state is not State.APPROVED:
            level = "error" if verdict.state in STOPS else "warning"
            title = f"{verdict.fqn} {SAID[verdict.state]}"
            yield workflow_command(level, " | ".join(_details(verdict)), title=title)
    yield workflow_command("notice", summary(judgement), title="Data contracts")


def junit(judgement: Judgement) -> str:
    """A test case for each table, failed where a team has to be asked. XML knows no control characters at all."""
    stops = judgement.of(*STOPS)
    counts = {"tests": str(len(judgement.verdicts)), "failures": str(len(stops))}
    suite = ET.Element("testsuite", {"name": "tessera dbt impact", **counts})
    for verdict in judgement.verdicts:
        name = escape_terminal(verdict.fqn)
        case = ET.SubElement(suite, "testcase", {"classname": "data contracts", "name": name})
        if verdict.state in STOPS:
            attributes = {"message": f"{name} {SAID[verdict.state]}", "type": verdict.state}
            failure = ET.SubElement(case, "failure", attributes)
            failure.text = "\n".join(map(escape_log_line, _details(verdict)))
        elif verdict.state is State.SKIPPED:
            ET.SubElement(case, "skipped", {"message": escape_terminal(verdict.reason or "")})
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode")
