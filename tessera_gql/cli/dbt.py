"""`tessera dbt`: sync a dbt manifest, and gate pull requests by its impact."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli import gate, gate_report
from tessera_gql.cli.api import JsonOption, connect, print_result_json, print_rows
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.gate import FailOn, GateResult, ModelState
from tessera_gql.cli.gate_report import Format
from tessera_gql.cli.progress import show_progress
from tessera_gql.cli.terminal import fail, print_document, print_json, print_line, print_note
from tessera_gql.client import AsyncTesseraClient, Invalid, ManifestReport, TesseraClient
from tessera_gql.client.http_exchange import Endpoint
from tessera_gql.client.operations.manifests import SyncOptions, read_manifest
from tessera_gql.client.operations.publishing import PublishOptions
from tessera_gql.client.websocket_exchange import CURRENT_CURSOR
from tessera_gql.formats import dbt, yaml

app = typer.Typer(help="Sync a dbt project, and check in a pull request what it would break.", no_args_is_help=True)

ManifestArgument = Annotated[Path, typer.Argument(metavar="MANIFEST", help="Path of dbt's target/manifest.json.")]
OwnerOption = Annotated[str | None, typer.Option(help="Owner of models without an owner in the manifest.")]
CreateTeamsOption = Annotated[bool, typer.Option("--create-teams", help="Create the missing owners as teams.")]
OwnersOption = Annotated[
    Path | None, typer.Option("--owners", help="YAML or JSON file: owners in the manifest to teams.")
]
PerAssetOption = Annotated[bool, typer.Option("--per-asset", help="Skip refused models instead of rolling back.")]
RetireRemovedOption = Annotated[
    bool, typer.Option("--retire-removed", help="Retire unread contracts of removed models.")
]
SupersedeOption = Annotated[bool, typer.Option("--supersede", help="End open proposals and open new ones.")]

RESPONSE_EVENT_KINDS = ("PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED", "ACKNOWLEDGMENT_RELEASED")
MAX_LISTED_LINES = 10
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.command()
def sync(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestArgument = Path("target/manifest.json"),
    owner: OwnerOption = None,
    create_teams: CreateTeamsOption = False,
    supersede: SupersedeOption = False,
    owners: OwnersOption = None,
    per_asset: PerAssetOption = False,
    retire_removed: RetireRemovedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Sync assets, contracts and lineage from a manifest, all or nothing.

    Syncing the same manifest again changes nothing. Exit 0 if everything is published, 3 if changes wait for
    acknowledgments.

    Example: tessera dbt sync --owner data-platform
    """
    options = SyncOptions(
        create_teams=create_teams,
        supersede=supersede,
        per_asset=per_asset,
        retire_removed=retire_removed,
        dry_run=False,
    )
    _add_owners(options, owner, owners)
    manifest_report = _run_sync(manifest, options, as_json=as_json)
    _print_report(manifest_report, as_json=as_json)
    if any(model.outcome == "PROPOSED" for model in manifest_report.models):
        raise typer.Exit(ExitCode.WAITING)


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestArgument = Path("target/manifest.json"),
    owner: OwnerOption = None,
    create_teams: CreateTeamsOption = False,
    supersede: SupersedeOption = False,
    owners: OwnersOption = None,
    per_asset: PerAssetOption = False,
    retire_removed: RetireRemovedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Preview a sync: run it and roll back."""
    options = SyncOptions(
        create_teams=create_teams, supersede=supersede, per_asset=per_asset, retire_removed=retire_removed, dry_run=True
    )
    _add_owners(options, owner, owners)
    manifest_report = _run_sync(manifest, options, as_json=as_json)
    _print_report(manifest_report, as_json=as_json)


@app.command()
def impact(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestArgument = Path("target/manifest.json"),
    format_: Annotated[Format, typer.Option("--format", "-f", help="Output format.")] = Format.TEXT,
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
    project = _parse_manifest(manifest, content)
    with connect() as client:
        with show_progress(manifest.name, len(content), as_json=as_json) as on_progress:
            result = gate.evaluate_manifest(client, project, content, on_progress)
        if ask:
            options = PublishOptions(supersede=supersede)
            if reason:
                options["reason"] = reason
            result = gate.propose_breaking_changes(client, project, result, options)
        if seconds and result.open_proposals:
            result = _wait_for_responses(client, result, seconds)
    _print_gate_result(result, Format.JSON if as_json else format_)
    if code := result.exit_code(fail_on):
        raise typer.Exit(code)


STYLES = {"  breaks": "red", "  asks": "yellow", "  ask ": "bold", "  answer": "bold", "  ": "dim", "note": "dim"}


def _print_gate_result(result: GateResult, format_: Format) -> None:
    match format_:
        case Format.TEXT:
            for line in gate_report.render_text(result):
                print_line((line, next((style for prefix, style in STYLES.items() if line.startswith(prefix)), "")))
        case Format.JSON:
            print_json(gate_report.render_json(result))
        case Format.MARKDOWN:
            print_document("\n".join(gate_report.render_markdown(result)))
        case Format.GITHUB:
            print_document("\n".join(gate_report.render_github(result)))
        case Format.JUNIT:
            print_document(gate_report.render_junit(result))


def _wait_for_responses(client: TesseraClient, result: GateResult, seconds: float) -> GateResult:
    """Wait until all teams approved, one blocked, or the time is over."""
    deadline = time.monotonic() + seconds
    cursor: str | None = client.run(CURRENT_CURSOR)
    result = gate.refresh(client, result)
    while result.open_proposals and not result.in_state(ModelState.BLOCKED):
        teams = sorted({team for model in result.in_state(ModelState.WAITING) for team in model.awaited_teams})
        print_note((f"Waiting for {', '.join(teams) or 'a deadline'} …", "dim"))
        cursor = asyncio.run(
            _wait_for_response(client.endpoint, result.open_proposals, cursor, deadline - time.monotonic())
        )
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


def _add_owners(options: SyncOptions, owner: str | None, owners: Path | None) -> None:
    """Add the owners of models to the options."""
    if owner:
        options["owner"] = owner
    if owners is None:
        return
    try:
        mapping = yaml.load(owners.read_text("utf-8-sig")).value
    except OSError as error:
        raise fail(f"{owners} can't be read: {error.strerror}.") from None
    except (ValueError, yaml.YamlError) as error:
        raise fail(f"{owners}: {error}") from None
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for pair in mapping.items() for name in pair):
        raise fail(f"{owners} must lead from owners to names of teams: one line `finance-dwh: finance` for each.")
    options["owners"] = mapping


def _run_sync(manifest: Path, options: SyncOptions, *, as_json: bool) -> ManifestReport:
    content = _read_manifest_file(manifest)
    with connect() as client, show_progress(manifest.name, len(content), as_json=as_json) as on_progress:
        return client.sync_dbt(content, on_progress=on_progress, **options)


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


def _parse_manifest(manifest: Path, content: bytes) -> dbt.Manifest:
    try:
        return dbt.parse_manifest(content)
    except dbt.ManifestError as error:
        raise fail(f"{manifest}: {error}") from None


def _print_report(manifest_report: ManifestReport, *, as_json: bool) -> None:
    if as_json:
        print_result_json(manifest_report)
        return
    changed_models = [model for model in manifest_report.models if model.outcome != "UNCHANGED"]
    rows = (
        (
            model.outcome,
            model.fqn,
            model.contract and model.contract.version,
            model.reason or "; ".join(change.message for change in model.breaking or model.changes),
        )
        for model in changed_models
    )
    print_rows(("outcome", "table", "version", "what"), rows, none="Nothing changes.")
    counts = Counter(model.outcome for model in manifest_report.models)
    parts = [f"{count} {outcome.lower()}" for outcome, count in sorted(counts.items())]
    edges = f"lineage +{manifest_report.dependencies_added} -{manifest_report.dependencies_removed}"
    print_note(f"{len(manifest_report.models)} tables: {', '.join(parts) or 'none'}; {edges}.")
    for line in (*_truncate(_format_removed(manifest_report)), *_truncate(_format_reads(manifest_report))):
        print_note(line)
    for warning in manifest_report.warnings:
        print_note((f"note: {warning}", "dim"))


def _format_removed(manifest_report: ManifestReport) -> Iterator[str]:
    for model in manifest_report.removed:
        status = (
            "retired" if model.retired else model.reason or "left the manifest; --retire-removed retires its contract"
        )
        yield f"gone: {model.fqn}: {status}"


def _format_reads(manifest_report: ManifestReport) -> Iterator[str]:
    for read in manifest_report.reads:
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
