"""`tessera usage`: import logs of reads, and map the principals in them to teams."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli import usage_coverage
from tessera_gql.cli.api import connect, read_file
from tessera_gql.cli.completion import complete_team
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.progress import show_progress
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_note, print_table
from tessera_gql.client.enums import UsageFormat
from tessera_gql.formats.usage_csv import COLUMNS
from tessera_gql.formats.usage_formats import detect_format
from tessera_gql.formats.usage_rows import HARMLESS_FAULTS

if TYPE_CHECKING:
    from tessera_gql.client.usage_models import Principal, UsageImportReport, UsageSpan

MAX_FIRST_LINE = 10_000
"""Bytes of a log in which its first line ends, if it is one."""
TIME_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]

FAULT_PHRASES = {
    "MALFORMED_ROW": "no CSV or JSON, not as many cells as the first line, or not what the format says",
    "NO_PRINCIPAL": "the principal is empty",
    "NO_ASSET": "the asset is empty",
    "UNKNOWN_ASSET": "no asset has this name",
    "INVALID_TIME": "its time is none in ISO 8601",
    "CLOCK_AHEAD": "its time is more than an hour ahead",
    "INVALID_COUNT": "count is no whole number from 1 on",
    "TOO_LONG": "a name, or the row, is too long",
    "UNFINISHED": "the job was not done when the log was exported",
    "FAILED": "the query, job or run has failed",
    "REPEATED": "the same query, job, entry or run again",
    "NOT_A_READ": "it reads no table, or is not the end of a run",
    "NOT_A_TABLE": "a stage, a function, a wildcard or another object without columns",
    "EXPIRED": "older than the server keeps reads by day",
}
"""The reasons for which rows are not taken, in words."""
HARMLESS = frozenset(fault.value for fault in HARMLESS_FAULTS)
"""Reasons of rows that can't be reads of a known principal."""

app = typer.Typer(help="Import observed reads, and map who read to teams.", no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Export of a query log, OpenLineage events, or CSV with the columns principal, asset, field,"
            " read_at[, count]; - for stdin.",
        ),
    ],
    source: Annotated[str, typer.Option(help="Usage source whose log it is.")],
    format_: Annotated[
        UsageFormat | None,
        typer.Option("--format", case_sensitive=False, help="Format of the log; by default what its beginning says."),
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=TIME_FORMATS, help="Time in UTC from which on the log has all reads."),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=TIME_FORMATS, help="Time in UTC until which it has all reads.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import a log of reads. Importing it again changes nothing. Needs a key of the usage source.

    Without --from and --to the log covers the time from its first read to its last. Exit 1 if it covers no time: its
    reads were taken, but it proves of no reader that it has stopped.

    Example: tessera usage import reads.csv --source snowflake --from 2026-03-01 --to 2026-03-02
    """
    content = read_file(file)
    if format_ is None:
        format_ = _choose_format(content, file.name)
    with connect(document=file) as client, show_progress(file.name, len(content), as_json=as_json) as on_progress:
        report = client.import_usage(
            content, source=source, format=format_, start=_to_utc(start), end=_to_utc(end), on_progress=on_progress
        )
    ignored = _list_ignored_columns(content) if format_ is UsageFormat.CSV else []
    if ignored:
        print_note(f"These columns of {file.name} are not read: {', '.join(ignored)}. Read are: {', '.join(COLUMNS)}.")
    if as_json:
        print_json(report)
    else:
        _print_report(report, format_)
    if not _covers_time(report):
        raise typer.Exit(ExitCode.NEGATIVE)


def _choose_format(content: bytes, name: str) -> UsageFormat:
    """Choose the format that the beginning of a log says, with a note unless it is CSV."""
    detected = detect_format(content)
    if detected is None:
        return UsageFormat.CSV
    chosen = UsageFormat(detected.value)
    if chosen is not UsageFormat.CSV:
        print_note(f"{name} looks like {chosen.lower()}; --format chooses another format.")
    return chosen


def _list_ignored_columns(content: bytes) -> list[str]:
    """List the columns in the first line of a log that an import does not read."""
    first_line = content[:MAX_FIRST_LINE].decode("utf-8-sig", "replace").splitlines()[:1]
    names = [name.strip().strip('"').strip() for name in next(csv.reader(first_line), [])]
    return [name or "one without a name" for name in names if name.lower() not in COLUMNS]


def _covers_time(report: UsageImportReport) -> bool:
    """Whether the log proves quiet: a single moment, as of one read, proves nothing."""
    return report.covered is not None and report.covered.start < report.covered.end


def _to_utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


def _print_report(report: UsageImportReport, format_: UsageFormat) -> None:
    number = sum(rows.count for rows in report.ignored)
    unknown = sum(rows.count for rows in report.ignored if rows.reason == "UNKNOWN_ASSET")
    summary = f"{report.rows - number} of {report.rows} rows taken"
    if format_ is not UsageFormat.CSV:  # a row has any number of reads
        summary = f"{report.reads - unknown} of {report.reads} reads in {report.rows} rows taken"
    print_line(f"{summary}, {report.days_changed} days of reads changed.")
    for rows in report.ignored:
        line = f", first in line {rows.line}" if rows.line else ""
        print_line(f"  {rows.count} not taken: {rows.reason}, {FAULT_PHRASES.get(rows.reason, 'see the docs')}{line}")
    if report.is_truncated:
        print_line("The log was cut off before its end. Import the whole file to cover its time.")
    covered = report.covered if _covers_time(report) else None
    print_line(f"Covers {_describe_span(covered)}." if covered else _explain_no_cover(report))
    if report.principals_created:
        created = _count_principals(report.principals_created, "new ")
        print_note((f"{created}: see `tessera usage principals --unmapped`.", "dim"))


def _explain_no_cover(report: UsageImportReport) -> str:
    """Say why a log proves nothing, and what to do."""
    if report.is_truncated:
        return "Covers no time."
    if hiding := [rows.reason for rows in report.ignored if rows.reason not in HARMLESS]:
        return f"Covers no time: rows with {', '.join(hiding)} may hide reads. Correct them and import the log again."
    return "Covers no time: say with --from and --to for which time the log has all reads."


def _count_principals(count: int, kind: str = "") -> str:
    return f"{count} {kind}principal{'' if count == 1 else 's'}"


def _describe_span(span: UsageSpan) -> str:
    return f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"


@app.command()
def principals(
    unmapped: Annotated[bool, typer.Option("--unmapped", help="Only principals without a team.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the principals that sources have seen, with their teams."""
    with connect() as client:
        listed = list(client.principals(is_mapped=False if unmapped else None))
    if as_json:
        print_json(listed)
    else:
        rows = ((item.name, item.source.name, _describe_team(item)) for item in listed)
        print_table(("principal", "source", "team"), rows, none="No principals.")


def _describe_team(item: Principal) -> str:
    """Name the team of a principal, or the one that its name suggests."""
    if item.team:
        return item.team.name
    return f"none; {item.suggested_team.team.name}?" if item.suggested_team else ""


@app.command("map")
def map_(
    pattern: Annotated[str, typer.Argument(help="Principal, or pattern in which * stands for any characters.")],
    team: Annotated[
        str, typer.Option("--team", "-t", help="Team that the principals read for.", autocompletion=complete_team)
    ],
    as_json: JsonOption = False,
) -> None:
    """Give principals to a team, which is then asked about what they read. Needs an administrator's key.

    Example: tessera usage map 'svc_finance_*' --team finance
    """
    with connect() as client:
        mapped = client.map_principal(pattern, team)
    if as_json:
        print_json(mapped)
    else:
        rule = mapped.principal_rule
        print_line(
            f"{rule.pattern} reads for {rule.team.name}; {_count_principals(mapped.principals_changed)} changed."
        )


@app.command()
def unmap(pattern: Annotated[str, typer.Argument(help="Pattern of the rule.")], as_json: JsonOption = False) -> None:
    """Remove a rule of principals. Needs an administrator's key."""
    with connect() as client:
        unmapped = client.unmap_principal(pattern)
    if as_json:
        print_json(unmapped)
    else:
        print_line(f"{unmapped.pattern} has no rule now; {_count_principals(unmapped.principals_changed)} changed.")


@app.command()
def rules(as_json: JsonOption = False) -> None:
    """List the rules that give principals to teams."""
    with connect() as client:
        listed = list(client.principal_rules())
    if as_json:
        print_json(listed)
    else:
        print_table(("pattern", "team"), ((rule.pattern, rule.team.name) for rule in listed), none="No rules.")


@app.command("create-source")
def create_source(
    name: Annotated[str, typer.Argument(help="Name of the source, such as snowflake-prod.")],
    as_json: JsonOption = False,
) -> None:
    """Create a usage source. Needs an administrator's key; `tessera keys create --usage-source` makes a key of it."""
    with connect() as client:
        source = client.create_usage_source(name)
    if as_json:
        print_json(source)
    else:
        print_line(f"The usage source {source.name} was created.")


@app.command()
def sources(as_json: JsonOption = False) -> None:
    """List usage sources with the spans that their logs cover."""
    with connect() as client:
        listed = list(client.usage_sources())
    if as_json:
        print_json(listed)
    else:
        rows = ((source.name, ", ".join(map(_describe_span, source.covered))) for source in listed)
        print_table(("source", "covers"), rows, none="No usage sources.")


app.command()(usage_coverage.coverage)
app.command()(usage_coverage.unused)
app.command()(usage_coverage.register)
app.command()(usage_coverage.narrow)
