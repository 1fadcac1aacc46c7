"""`tessera dbt`: sync a dbt manifest, and gate pull requests by its impact."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from tessera_gql.cli import gate, gate_report
from tessera_gql.cli.api import connect, read_file
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.gate import FailOn, GateResult, ModelState
from tessera_gql.cli.gate_report import GateFormat
from tessera_gql.cli.progress import show_progress
from tessera_gql.cli.terminal import JsonOption, fail, print_document, print_json, print_line, print_note, print_table
from tessera_gql.client import AsyncTesseraClient, Invalid, ManifestReport, TesseraClient
from tessera_gql.client.endpoint import Endpoint
from tessera_gql.client.operations.manifests import SyncOptions, read_manifest
from tessera_gql.client.operations.publishing import PublishOptions
from tessera_gql.client.websocket_exchange import CURRENT_CURSOR
from tessera_gql.formats import dbt, yaml

app = typer.Typer(help="Sync a dbt project, and check in a pull request what it would break.", no_args_is_help=True)

ManifestArgument = Annotated[Path, typer.Argument(metavar="MANIFEST", help="Path of dbt's target/manifest.json.")]
RESPONSE_EVENT_KINDS = ("PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED", "ACKNOWLEDGMENT_RELEASED")
MAX_LISTED_LINES = 10
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


SYNC_HELP = """Sync assets, contracts and lineage from a manifest, all or nothing.

Syncing the same manifest again changes nothing. Exit 0 if everything is published, 3 if changes wait for
acknowledgments.

Example: tessera dbt sync --owner data-platform
"""


def _build_sync_command(*, dry_run: bool) -> Callable[..., None]:
    """Return the function of `sync`, or of `plan` for a dry run: both have the same options."""

    def sync(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
        manifest: ManifestArgument = Path("target/manifest.json"),
        owner: Annotated[str | None, typer.Option(help="Owner of models without an owner in the manifest.")] = None,
        create_teams: Annotated[
            bool, typer.Option("--create-teams", help="Create the missing owners as teams.")
        ] = False,
        supersede: Annotated[bool, typer.Option("--supersede", help="End open proposals and open new ones.")] = False,
        owners: Annotated[
            Path | None, typer.Option("--owners", help="YAML or JSON file: owners in the manifest to teams.")
        ] = None,
        per_asset: Annotated[
            bool, typer.Option("--per-asset", help="Skip refused models instead of rolling back.")
        ] = False,
        retire_removed: Annotated[
            bool, typer.Option("--retire-removed", help="Retire unread contracts of removed models.")
        ] = False,
        as_json: JsonOption = False,
    ) -> None:
        options = SyncOptions(
            owner=owner or None,
            owners=_read_owners(owners) if owners else None,
            create_teams=create_teams,
            supersede=supersede,
            per_asset=per_asset,
            retire_removed=retire_removed,
            dry_run=dry_run,
        )
        content = _read_manifest_file(manifest)
        with connect() as client, show_progress(manifest.name, len(content), as_json=as_json) as on_progress:
            report = client.sync_dbt(content, on_progress=on_progress, **options)
        print_json(report) if as_json else _print_report(report)
        if not dry_run and any(model.outcome == "PROPOSED" for model in report.models):
            raise typer.Exit(ExitCode.WAITING)

    return sync


app.command("sync", help=SYNC_HELP)(_build_sync_command(dry_run=False))
app.command("plan", help="Preview a sync: run it and roll back.")(_build_sync_command(dry_run=True))


@app.command()
def impact(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestArgument = Path("target/manifest.json"),
    format_: Annotated[GateFormat, typer.Option("--format", "-f", help="Output format.")] = GateFormat.TEXT,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Condition for exit code 1.")] = FailOn.CONSUMERS,
    ask: Annotated[bool, typer.Option("--ask", help="Open the proposals, so that consumers are asked now.")] = False,
    reason: Annotated[str | None, typer.Option(help="With --ask: reason, shown to the asked teams.")] = None,
    wait: Annotated[str | None, typer.Option(help="Time to wait for acknowledgments, such as 90s, 20m or 2h.")] = None,
    supersede: Annotated[bool, typer.Option("--supersede", help="With --ask: end open proposals.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a manifest would break and which teams must acknowledge. Without --ask nothing is written.

    Exit 0 if nothing breaks or all teams approved; 1 if consumers must be asked or a team blocked; 2 for invalid input;
    3 while waiting for acknowledgments; 4 if the server is unavailable.

    Example: tessera dbt impact target/manifest.json --format github --ask --wait 20m
    """
    seconds = _parse_duration(wait)
    content = _read_manifest_file(manifest)
    try:
        project = dbt.parse_manifest(content)
    except dbt.ManifestError as error:
        raise fail(f"{manifest}: {error}") from None
    with connect() as client:
        with show_progress(manifest.name, len(content), as_json=as_json) as on_progress:
            result = gate.evaluate_manifest(client, project, content, on_progress)
        if ask:
            options = PublishOptions(supersede=supersede, reason=reason or None)
            result = gate.propose_breaking_changes(client, project, result, options)
        if seconds and result.open_proposals:
            result = _wait_for_responses(client, result, seconds)
    _print_gate_result(result, GateFormat.JSON if as_json else format_)
    if code := result.exit_code(fail_on):
        raise typer.Exit(code)


STYLES = {"  breaks": "red", "  asks": "yellow", "  ask ": "bold", "  answer": "bold", "  ": "dim", "note": "dim"}


def _print_gate_result(result: GateResult, format_: GateFormat) -> None:
    match format_:
        case GateFormat.TEXT:
            for line in gate_report.render_text(result):
                print_line((line, next((style for prefix, style in STYLES.items() if line.startswith(prefix)), "")))
        case GateFormat.JSON:
            print_json(gate_report.render_json(result))
        case GateFormat.MARKDOWN:
            print_document("\n".join(gate_report.render_markdown(result)))
        case GateFormat.GITHUB:
            print_document("\n".join(gate_report.render_github(result)))
        case GateFormat.JUNIT:
            print_document(gate_report.render_junit(result))


def _wait_for_responses(client: TesseraClient, result: GateResult, seconds: float) -> GateResult:
    """Wait until all teams approved, one blocked, or the time is over."""
    deadline = time.monotonic() + seconds
    cursor: str | None = client.run(CURRENT_CURSOR)
    result = gate.refresh(client, result)
    while result.open_proposals and not result.in_state(ModelState.BLOCKED):
        teams = sorted({team for model in result.in_state(ModelState.WAITING) for team in model.unapproved_teams})
        print_note((f"Waiting for {', '.join(teams) or 'a deadline'} …", "dim"))
        remaining = deadline - time.monotonic()
        cursor = asyncio.run(_wait_for_response(client.endpoint, result.open_proposals, cursor, remaining))
        result = gate.refresh(client, result)
        if cursor is None:
            break
    return result


async def _wait_for_response(
    endpoint: Endpoint, proposals: Sequence[str], after: str | None, seconds: float
) -> str | None:
    """Return the cursor of the next event on one of the proposals, or None after the timeout."""
    client = AsyncTesseraClient(endpoint.url, endpoint.api_key)
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(seconds),
            client,
            aclosing(client.subscribe(kinds=RESPONSE_EVENT_KINDS, after=after)) as events,
        ):
            async for event in events:
                if event.proposal and event.proposal.id in proposals:
                    return event.cursor
    return None


def _read_owners(file: Path) -> dict[str, str]:
    try:
        mapping: Any = yaml.load(read_file(file).decode("utf-8-sig")).value
    except (ValueError, yaml.YamlError) as error:
        raise fail(f"{file}: {error}") from None
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for pair in mapping.items() for name in pair):
        raise fail(f"{file} must lead from owners to names of teams: one line `finance-dwh: finance` for each.")
    return mapping


def _read_manifest_file(manifest: Path) -> bytes:
    """Read a manifest; anything but a JSON object ends the command with a message before it is sent."""
    try:
        content = manifest.read_bytes()
    except OSError as error:
        hint = " Run `dbt parse` first, or give its path." if isinstance(error, FileNotFoundError) else ""
        raise fail(f"{manifest} can't be read: {error.strerror}.{hint}") from None
    try:
        return read_manifest(content)
    except Invalid as error:
        raise fail(f"{manifest}: {error.message}") from None


def _print_report(report: ManifestReport) -> None:
    rows = (
        (
            model.outcome,
            model.fqn,
            model.contract and model.contract.version,
            model.reason or "; ".join(change.message for change in model.breaking or model.changes),
        )
        for model in report.models
        if model.outcome != "UNCHANGED"
    )
    print_table(("outcome", "table", "version", "what"), rows, none="Nothing changes.")
    counts = Counter(model.outcome for model in report.models)
    parts = [f"{count} {outcome.lower()}" for outcome, count in sorted(counts.items())]
    edges = f"lineage +{report.dependencies_added} -{report.dependencies_removed}"
    print_note(f"{len(report.models)} tables: {', '.join(parts) or 'none'}; {edges}.")
    for line in (*_truncate(_format_removed(report)), *_truncate(_format_reads(report))):
        print_note(line)
    for warning in report.warnings:
        print_note((f"note: {warning}", "dim"))


def _format_removed(report: ManifestReport) -> Iterator[str]:
    for model in report.removed:
        reason = model.reason or "left the manifest; --retire-removed retires its contract"
        yield f"gone: {model.fqn}: {'retired' if model.retired else reason}"


def _format_reads(report: ManifestReport) -> Iterator[str]:
    for read in report.reads:
        columns = "everything" if read.fields is None else ", ".join(read.fields)
        yield f"reads: {read.fqn} reads {columns} of {read.upstream}{f' ({read.reason})' if read.reason else ''}"


def _truncate(lines: Iterator[str]) -> list[str]:
    """Return the first lines, and a line with the number of omitted ones."""
    all_lines = list(lines)
    remaining = len(all_lines) - MAX_LISTED_LINES
    return all_lines[:MAX_LISTED_LINES] + ([f"and {remaining} more; --json has all of them"] if remaining > 0 else [])


def _parse_duration(text: str | None) -> float:
    if text is None:
        return 0
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise fail(f"--wait {text} is no duration. Write 90s, 20m or 2h.")
    return int(match[1]) * UNIT_SECONDS[match[2]]
