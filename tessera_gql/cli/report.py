"""A judgement in words, for each place that it is read: a terminal, a script, a pull request, the log of a CI."""

import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from xml.etree import ElementTree as ET

from tessera_gql.cli.verdict import Judgement, State, Verdict


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


def text(judgement: Judgement) -> str:
    return "\n".join([*_text(judgement), summary(judgement)])


def _text(judgement: Judgement) -> Iterator[str]:
    for state in LISTED:
        found = judgement.of(state)
        for one in found if state in STOPS or state.breaks else found[:COUNTED]:
            yield f"{one.fqn} {SAID[state]}{f' ({one.reason})' if one.reason else ''}"
            yield from (f"  {line}" for line in _details(one))
        if not state.breaks and len(found) > COUNTED:
            yield f"and {len(found) - COUNTED} more: {SAID[state]}"
    yield from (f"note: {warning}" for warning in judgement.warnings)


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
    because = next((asked.because for asked in one.asked if asked.team.name == team), ())
    return ", ".join(dict.fromkeys(reason.path or "everything" for reason in because))


def as_json(judgement: Judgement) -> str:
    facts = {
        "summary": {state.lower(): len(judgement.of(state)) for state in State},
        "models": [one.as_json() for one in judgement.verdicts if one.state is not State.UNCHANGED],
        "warnings": judgement.warnings,
    }
    return json.dumps(facts, indent=2, ensure_ascii=False)


def markdown(judgement: Judgement) -> str:
    return "\n".join(_markdown(judgement))


def _markdown(judgement: Judgement) -> Iterator[str]:
    stops = judgement.of(*STOPS)
    yield f"### Data contracts: {'some readers have to be asked' if stops else 'nobody is hurt'}"
    yield f"\n{summary(judgement)}"
    breaking = [one for one in judgement.verdicts if one.state.breaks]
    if breaking:
        yield "\n| table | change | who reads it | answer |\n|---|---|---|---|"
    for one in breaking:
        changes = "<br>".join(_escaped(reason.message) for reason in one.breaking)
        readers = "<br>".join(
            f"**{_escaped(asked.team.name)}**: {_escaped(reads(one, asked.team.name))}" for asked in one.asked
        )
        answers = "<br>".join(f"{_escaped(asked.team.name)}: {_answer(one, asked.team.name)}" for asked in one.asked)
        yield f"| `{one.fqn}` {SAID[one.state]} | {changes} | {readers or 'nobody'} | {answers or '-'} |"
    if commands := [command for one in judgement.of(*STOPS) for command in one.commands()]:
        yield "\n```console\n" + "\n".join(commands) + "\n```"
    if compatible := judgement.of(State.COMPATIBLE):
        yield f"\n<details><summary>{len(compatible)} compatible changes</summary>\n"
        for one in compatible:
            yield f"- `{one.fqn}`: " + "; ".join(_escaped(reason.message) for reason in one.changes)
        yield "\n</details>"


def _answer(one: Verdict, team: str) -> str:
    return one.answers.get(team) or ("waiting" if one.proposal else "not asked yet")


def _escaped(text_: str) -> str:
    return text_.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def github(judgement: Judgement) -> str:
    """Workflow commands: errors for what stops, warnings for what breaks nobody."""
    lines = [
        f"::{'error' if one.state in STOPS else 'warning'} title={_property(f'{one.fqn} {SAID[one.state]}')}"
        f"::{_message(' | '.join(_details(one)))}"
        for one in judgement.verdicts
        if one.state.breaks and one.state is not State.APPROVED
    ]
    return "\n".join([*lines, f"::notice title=Data contracts::{_message(summary(judgement))}"])


def _message(words: str) -> str:
    return words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(words: str) -> str:
    return _message(words).replace(":", "%3A").replace(",", "%2C")


def junit(judgement: Judgement) -> str:
    """A test case for each table, failed where somebody has to be asked."""
    stops = judgement.of(*STOPS)
    counts = {"tests": str(len(judgement.verdicts)), "failures": str(len(stops))}
    suite = ET.Element("testsuite", {"name": "tessera dbt impact", **counts})
    for one in judgement.verdicts:
        case = ET.SubElement(suite, "testcase", {"classname": "data contracts", "name": one.fqn})
        if one.state in STOPS:
            failure = ET.SubElement(case, "failure", {"message": f"{one.fqn} {SAID[one.state]}", "type": one.state})
            failure.text = "\n".join(_details(one))
        elif one.state is State.SKIPPED:
            ET.SubElement(case, "skipped", {"message": one.reason or ""})
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode")


WRITERS: Mapping[Format, Callable[[Judgement], str]] = {
    Format.TEXT: text,
    Format.JSON: as_json,
    Format.MARKDOWN: markdown,
    Format.GITHUB: github,
    Format.JUNIT: junit,
}
