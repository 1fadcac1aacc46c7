"""Render the result of the gate for terminals, scripts, pull requests and CI logs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from tessera_gql.cli.coverage_report import describe_coverage
from tessera_gql.cli.gate import BLOCKING_STATES, ChangeSetAsk, GateResult, TableVerdict
from tessera_gql.cli.lineage_report import describe_paths
from tessera_gql.cli.silence import describe_wait, format_day
from tessera_gql.client.enums import TableState
from tessera_gql.escaping import (
    build_workflow_command,
    escape_log_line,
    escape_markdown,
    escape_markdown_note,
    escape_terminal,
    to_markdown_code,
)

if TYPE_CHECKING:
    from tessera_gql.client.manifest_models import ModelImpact, ModelReader, TableRead


class GateFormat(StrEnum):
    """Output format; `github` prints workflow annotations, `markdown` fits a comment or a job summary."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    JUNIT = "junit"


STATE_PHRASES = {
    TableState.BLOCKED: "is blocked",
    TableState.CONFLICT: "conflicts",
    TableState.REFUSED: "is refused",
    TableState.ASK: "breaks its readers",
    TableState.WAITING: "waits for answers",
    TableState.HELD: "waits for coverage, because nobody is asked",
    TableState.APPROVED: "breaks, and all have agreed",
    TableState.UNREAD: "breaks, but nobody reads it",
    TableState.COMPATIBLE: "changes compatibly",
    TableState.NEW: "is new",
    TableState.SKIPPED: "is skipped",
    TableState.UNCHANGED: "is unchanged",
}
"""The states in the order of a report, which leaves out the last one."""
REPORTED_STATES = [*STATE_PHRASES][:-1]
FAILING_STATES = (*BLOCKING_STATES, TableState.WAITING, TableState.HELD)
MAX_NAMED_TABLES = 10
"""Number of compatible, new or skipped tables that are listed by name; further ones are only counted."""
NO_CONTRACT = "It has no contract now, and gets"
MARKER = "<!-- tessera:impact -->"
"""The first line of a comment, by which the comment of an earlier run is found and replaced."""


def summarize(result: GateResult) -> str:
    """Return one line with the number of tables in each state."""
    counts = {state: len(result.in_state(state)) for state in STATE_PHRASES}
    names = {TableState.ASK: "breaking", TableState.UNREAD: "breaking but unread"}
    parts = [f"{count} {names.get(state, state.lower())}" for state, count in counts.items() if count]
    reads = len(result.deprecated_reads)
    deprecated = f" It starts {reads} deprecated read{'s' if reads > 1 else ''}." if reads else ""
    return f"{len(result.tables)} tables: {', '.join(parts) or 'none'}.{deprecated}"


def list_notes(result: GateResult) -> list[str]:
    """List what a reader must know about the comparison as a whole."""
    schemas = ", ".join(f"{schema}.*" for schema in result.compared_as)
    compared = [f"the manifest has another target; compared as {schemas}"] if schemas else []
    return [*compared, *describe_basis(result.declared_only), *result.warnings]


def describe_basis(declared_only: int) -> list[str]:
    """Say how many tables rest on declarations alone, in one line; nothing if a catalog covers all of them."""
    if not declared_only:
        return []
    tables = f"{declared_only} table{' rests' if declared_only == 1 else 's rest'}"
    return [f"{tables} on declarations alone: `dbt docs generate` writes a catalog of the real columns"]


def render_text(result: GateResult) -> Iterator[str]:
    """Yield lines for a terminal, which escapes them."""
    for state in REPORTED_STATES:
        tables = result.in_state(state)
        is_detailed = state in FAILING_STATES or any(table.breaks for table in tables)
        for table in tables if is_detailed else tables[:MAX_NAMED_TABLES]:
            yield _describe(table)
            yield from (f"  {line}" for line in _iter_details(table, result.ask_command))
        if not is_detailed and len(tables) > MAX_NAMED_TABLES:
            yield f"and {len(tables) - MAX_NAMED_TABLES} more: {STATE_PHRASES[state]}"
    for ask in result.change_set_asks:
        yield f"{describe_ask(ask)}: {ask.command}"
    yield from (verdict.text for verdict in result.deprecated_reads)
    yield from (f"note: {note}" for note in list_notes(result))
    yield summarize(result)


def describe_ask(ask: ChangeSetAsk) -> str:
    """Describe what a change set asks a team, in one line without the command."""
    count = len(ask.tables)
    return f"{ask.change_set} asks {ask.team} once, about {count} table{'' if count == 1 else 's'}"


def _describe(table: TableVerdict) -> str:
    """Describe the verdict about a table in one line."""
    reason = f" ({table.impact.refused})" if table.impact.refused else ""
    version = f", as {table.impact.version}" if table.breaks and table.impact.version else ""
    removed = f"{table.impact.removed}: " if table.impact.removed else ""
    return f"{table.fqn} {removed}{STATE_PHRASES[table.state]}{version}{reason}"


def _iter_details(table: TableVerdict, ask_command: str) -> Iterator[str]:
    impact = table.impact
    if table.state in {TableState.NEW, TableState.SKIPPED}:
        return
    yield from _iter_changes(impact)
    for asked in impact.asked:
        answer = _describe_answer(table, asked.team.name)
        if table.is_silent(asked):
            answer = f"no answer yet, awaited {describe_wait(asked)}"
        yield f"asks     {asked.team.name}, which reads {_describe_reads(asked)}{f': {answer}' if answer else ''}"
        yield from (f"via      {path}" for path in describe_paths(asked.paths))
    for team in impact.informed:
        yield f"informs  {team.name}"
    if table.proposal and impact.answer_by and table.unapproved_teams:
        yield f"until    {format_day(impact.answer_by)}"
    yield from _iter_coverage(impact)
    if table.state is TableState.ASK:
        yield f"ask      {ask_command}"
    for command in () if table.change_set else table.acknowledge_commands():
        yield f"answer   {command}"


def _iter_coverage(impact: ModelImpact) -> Iterator[str]:
    for item in impact.missing_coverage:
        yield f"held     {item.message}"
    if impact.coverage is not None:
        yield f"coverage {describe_coverage(impact.coverage)}"


def _iter_changes(impact: ModelImpact) -> Iterator[str]:
    if impact.removed is None:
        breaking = {(reason.kind, reason.path) for reason in impact.breaking}
        for change in impact.changes:
            yield f"{'breaks ' if (change.kind, change.path) in breaking else 'changes'}  {change.message}"
        if _gets_contract(impact):
            yield f"changes  {NO_CONTRACT} {impact.version}"
    elif impact.asked:
        yield f"retire   retiring {impact.fqn} asks {', '.join(asked.team.name for asked in impact.asked)}"


def _gets_contract(impact: ModelImpact) -> bool:
    """Whether the table is known but has no contract to compare with, such as one that was retired."""
    return impact.state is TableState.COMPATIBLE and not impact.changes and impact.version is not None


def _describe_reads(asked: ModelReader) -> str:
    """Describe which of the breaking columns a team reads, and what for."""
    columns = _collect_columns(asked)
    purposes = _collect_purposes(asked, columns)
    return (", ".join(columns) or "everything") + (f" ({' '.join(purposes)})" if purposes else "")


def _collect_purposes(asked: ModelReader, columns: Collection[str]) -> list[str]:
    """Return the distinct purposes for which a team reads the columns, which are empty for the whole table."""
    reads = [read for read in asked.reads if not columns or _reads_column(read, columns)]
    return list(dict.fromkeys(read.purpose for read in reads if read.purpose))


def _reads_column(read: TableRead, columns: Collection[str]) -> bool:
    """Whether a registration has one of the columns, a field in it, or the field that it is in."""
    paths = read.fields or ()
    return read.fields is None or any(
        f"{path}.".startswith(f"{column}.") or f"{column}.".startswith(f"{path}.")
        for path in paths
        for column in columns
    )


def _collect_columns(asked: ModelReader) -> list[str]:
    """Return the breaking columns that a team reads, else all columns that it reads; empty for the whole table.

    A retirement or a weaker mode has no column, and the path of a guarantee is none.
    """
    columns = [reason.path or "" for reason in asked.reasons if not reason.kind.startswith("GUARANTEE_")]
    if columns and all(columns):
        return list(dict.fromkeys(columns))
    if any(read.fields is None for read in asked.reads):
        return []
    return list(dict.fromkeys(field for read in asked.reads for field in read.fields or ()))


def _describe_answer(table: TableVerdict, team: str) -> str:
    if (answer := table.answers.get(team)) is None:
        return ""
    until = f" until {format_day(answer.migration_deadline)}" if answer.migration_deadline else ""
    return f"{answer.response}{until}{f', {answer.notes}' if answer.notes else ''}"


def render_json(result: GateResult) -> dict[str, Any]:
    return {
        "summary": {state.lower(): len(result.in_state(state)) for state in TableState},
        "models": [table.as_json() for table in result.tables if table.state is not TableState.UNCHANGED],
        "changeSetAsks": [ask.as_json() for ask in result.change_set_asks],
        "deprecatedReads": [verdict.as_json() for verdict in result.deprecated_reads],
        "warnings": result.warnings,
        "comparedAs": result.compared_as,
        "declaredOnly": result.declared_only,
    }


def render_markdown(result: GateResult) -> Iterator[str]:
    """Yield a Markdown comment. Names are in code spans, so that none becomes markup, a link or a mention."""
    failing = result.in_state(*FAILING_STATES)
    yield MARKER
    yield f"### Data contracts: {_choose_headline(result)}"
    yield f"\n{summarize(result)}"
    reported = [table for table in result.tables if table.breaks or table.state in FAILING_STATES]
    if reported:
        yield "\n| table | version | change | who reads it | answer |\n|---|---|---|---|---|"
    yield from map(_render_row, reported)
    yield from _render_deprecated_reads(result)
    asks = [result.ask_command] if result.in_state(TableState.ASK) else []
    singles = [command for table in failing if not table.change_set for command in table.acknowledge_commands()]
    for ask in result.change_set_asks:
        yield f"\n{_render_ask(ask)}"
    if commands := [*asks, *(ask.command for ask in result.change_set_asks), *singles]:
        yield "\n```console\n" + "\n".join(commands) + "\n```"
    if compatible := result.in_state(TableState.COMPATIBLE):
        yield f"\n<details><summary>{len(compatible)} compatible change{'s' if len(compatible) > 1 else ''}</summary>\n"
        for table in compatible:
            changes = [escape_markdown(reason.message) for reason in table.impact.changes]
            if _gets_contract(table.impact):
                changes.append(f"{NO_CONTRACT} {to_markdown_code(table.impact.version or '')}")
            yield f"- {to_markdown_code(table.fqn)}: {'; '.join(changes)}"
        yield "\n</details>"
    for note in list_notes(result):
        yield f"\n{escape_markdown_note(note)}"


def _render_ask(ask: ChangeSetAsk) -> str:
    """Render what a change set asks a team as a line of Markdown."""
    count = len(ask.tables)
    tables = ", ".join(map(to_markdown_code, ask.tables[:MAX_NAMED_TABLES]))
    suffix = f" and {count - MAX_NAMED_TABLES} more" if count > MAX_NAMED_TABLES else ""
    return f"{to_markdown_code(ask.team)} is asked once, in {to_markdown_code(ask.change_set)}: {tables}{suffix}."


def _render_deprecated_reads(result: GateResult) -> Iterator[str]:
    if result.deprecated_reads:
        yield "\nThese models start to read what is deprecated:\n"
    for verdict in result.deprecated_reads:
        yield f"- {to_markdown_code(verdict.read.fqn)} {escape_markdown(verdict.read.message)}"


def _choose_headline(result: GateResult) -> str:
    if result.in_state(TableState.ASK):
        return "some readers have to be asked"
    if result.in_state(TableState.BLOCKED, TableState.WAITING):
        return "some readers have not agreed"
    if result.in_state(TableState.HELD):
        return "observed reads don't cover enough"
    if result.deprecated_reads:
        return "something deprecated is read"
    return "some tables can't be checked" if result.in_state(*BLOCKING_STATES) else "nobody is hurt"


def _render_row(table: TableVerdict) -> str:
    impact = table.impact
    changes = [escape_markdown(reason.message) for reason in impact.breaking]
    notes = [escape_markdown(text) for text in (impact.removed, impact.refused) if text]
    readers = [f"{to_markdown_code(asked.team.name)}: {_render_reads(asked)}" for asked in impact.asked]
    readers += [f"{to_markdown_code(team.name)}: informed" for team in impact.informed]
    answers = [f"{to_markdown_code(asked.team.name)}: {_render_answer(table, asked)}" for asked in impact.asked]
    version = to_markdown_code(impact.version) if impact.version else "-"
    name = f"{to_markdown_code(table.fqn)} {STATE_PHRASES[table.state]}"
    cells = (
        version,
        "<br>".join([*notes, *changes]) or "-",
        "<br>".join([*readers, *_render_coverage(impact)]) or "nobody",
        "<br>".join(answers) or "-",
    )
    return f"| {name} | {' | '.join(cells)} |"


def _render_coverage(impact: ModelImpact) -> Iterator[str]:
    """Render on what it rests that nobody reads what asks nobody, and what is missing of it."""
    if impact.coverage is not None:
        yield escape_markdown(
            f"nobody asked: {impact.coverage.text}" if impact.asked else f"nobody: {impact.coverage.text}"
        )
    for item in impact.missing_coverage:
        yield escape_markdown(f"held: {item.message}")


def _render_reads(asked: ModelReader) -> str:
    columns = _collect_columns(asked)
    text = " ".join(map(escape_markdown, _collect_purposes(asked, columns)))
    paths = "".join(f"<br>via {to_markdown_code(path)}" for path in describe_paths(asked.paths))
    return (", ".join(map(to_markdown_code, columns)) or "everything") + (f" ({text})" if text else "") + paths


def _render_answer(table: TableVerdict, asked: ModelReader) -> str:
    if answer := _describe_answer(table, asked.team.name):
        return escape_markdown(answer)
    if not table.proposal:
        return "not asked yet"
    if table.is_silent(asked):
        return f"waiting {describe_wait(asked)}"
    return f"waiting until {format_day(table.impact.answer_by)}" if table.impact.answer_by else "waiting"


def render_github(result: GateResult) -> Iterator[str]:
    """Yield GitHub workflow commands: errors for blocking tables, warnings for other breaking ones."""
    for table in result.tables:
        is_failing = table.state in FAILING_STATES
        if is_failing or (table.breaks and table.state is not TableState.APPROVED):
            location = {"file": table.location.path, "line": str(table.location.line)} if table.location else {}
            details = " | ".join(
                [*([table.impact.refused] if table.impact.refused else []), *_iter_details(table, result.ask_command)]
            )
            title = f"{table.fqn} {STATE_PHRASES[table.state]}"
            yield build_workflow_command("error" if is_failing else "warning", details, **location, title=title)
    for verdict in result.deprecated_reads:
        position = {"file": verdict.location.path, "line": str(verdict.location.line)} if verdict.location else {}
        yield build_workflow_command("error", verdict.text, **position, title=f"{verdict.read.fqn} reads a deprecation")
    asks = (f"{describe_ask(ask)}: {ask.command}" for ask in result.change_set_asks)
    notes = " | ".join([summarize(result), *asks, *list_notes(result)])
    yield build_workflow_command("notice", notes, title="Data contracts")


def render_junit(result: GateResult) -> str:
    """Return JUnit XML with a test case per table, failed if the table blocks.

    Names are escaped because XML has no control characters.
    """
    failing = result.in_state(*FAILING_STATES)
    reads = result.deprecated_reads
    counts = {"tests": str(len(result.tables) + len(reads)), "failures": str(len(failing) + len(reads))}
    suite = ET.Element("testsuite", {"name": "tessera dbt impact", **counts})
    for table in result.tables:
        name = escape_terminal(table.fqn)
        location = {"file": escape_terminal(table.location.path)} if table.location else {}
        case = ET.SubElement(suite, "testcase", {"classname": "data contracts", "name": name, **location})
        if table.state in FAILING_STATES:
            attributes = {"message": f"{name} {STATE_PHRASES[table.state]}", "type": table.state}
            failure = ET.SubElement(case, "failure", attributes)
            failure.text = "\n".join(
                map(escape_log_line, (_describe(table), *_iter_details(table, result.ask_command)))
            )
        elif table.state is TableState.SKIPPED:
            ET.SubElement(case, "skipped", {"message": escape_terminal(table.impact.refused or "")})
    for verdict in reads:
        location = {"file": escape_terminal(verdict.location.path)} if verdict.location else {}
        name = escape_terminal(f"{verdict.read.fqn} reads {verdict.read.upstream}")
        case = ET.SubElement(suite, "testcase", {"classname": "deprecations", "name": name, **location})
        failure = ET.SubElement(case, "failure", {"message": escape_terminal(verdict.text), "type": "DEPRECATED"})
        failure.text = escape_log_line(verdict.text)
    if notes := list_notes(result):
        ET.SubElement(suite, "system-out").text = "\n".join(map(escape_log_line, notes))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode")
