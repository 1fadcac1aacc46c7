"""Print the report of a sync, and choose its exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.cli.api_terms import to_command_terms
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.gate_report import describe_basis
from tessera_gql.cli.terminal import print_note, print_table
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from tessera_gql.client import ManifestReport

MAX_LISTED_LINES = 10


def choose_exit_code(report: ManifestReport) -> ExitCode:
    """Return 1 if a table conflicts or is refused, 3 if a change waits for teams, else 0."""
    if any(model.is_refused for model in report.models) or any(model.reason for model in report.removed):
        return ExitCode.NEGATIVE
    waits = any(model.outcome == "PROPOSED" for model in report.models)
    is_retirement_open = any(model.proposal and not model.retired for model in report.removed)
    return ExitCode.WAITING if waits or is_retirement_open else ExitCode.DONE


def print_report(report: ManifestReport) -> None:
    rows = (
        (
            model.outcome,
            model.fqn,
            model.version,
            to_command_terms(model.reason or "")
            or "; ".join(change.message for change in model.breaking or model.changes),
        )
        for model in report.models
        if model.outcome != "UNCHANGED"
    )
    print_table(("outcome", "table", "version", "what"), rows, none="Nothing changes.")
    counts = Counter(model.outcome for model in report.models)
    parts = [f"{count} {outcome.lower()}" for outcome, count in sorted(counts.items())]
    edges = f"lineage +{report.dependencies_added} -{report.dependencies_removed}"
    print_note(f"{len(report.models)} tables: {', '.join(parts) or 'none'}; {edges}.")
    for lines in (_format_removed(report), _format_waiting(report), _format_reads(report)):
        for line in _truncate(lines):
            print_note(line)
    for warning in (*describe_basis(report.declared_only), *report.warnings):
        print_note((f"note: {warning}", "dim"))


def _format_removed(report: ManifestReport) -> Iterator[str]:
    for model in report.removed:
        asked = ", ".join(team.name for team in model.asked)
        if model.retired:
            effect = "retired"
        elif model.reason:
            effect = f"not retired ({model.reason})"
        else:
            effect = f"retiring it asks {asked}" if asked else "--retire-removed retires its contract"
        yield f"gone: {model.fqn} {model.cause}: {effect}"


def _format_waiting(report: ManifestReport) -> Iterator[str]:
    """Yield the command that shows the answers for each table whose proposal is open."""
    proposed = [(model.fqn, model.proposal) for model in report.models if model.outcome == "PROPOSED"]
    removed = [(model.fqn, model.proposal) for model in report.removed if not (model.retired or model.reason)]
    for fqn, proposal in (*proposed, *removed):
        if proposal is not None:
            condition = "observed reads cover it" if proposal.hold else "its readers agree"
            yield f"waits: {fqn} is changed once {condition}: {build_tessera_command('proposal', fqn)}"


def _format_reads(report: ManifestReport) -> Iterator[str]:
    for read in report.reads:
        columns = "everything" if read.fields is None else ", ".join(read.fields)
        yield f"reads: {read.fqn} reads {columns} of {read.upstream}{f' ({read.reason})' if read.reason else ''}"


def _truncate(lines: Iterator[str]) -> list[str]:
    """Return the first lines, and a line with the number of omitted ones."""
    all_lines = list(lines)
    remaining = len(all_lines) - MAX_LISTED_LINES
    return all_lines[:MAX_LISTED_LINES] + ([f"and {remaining} more; --json has all of them"] if remaining > 0 else [])
