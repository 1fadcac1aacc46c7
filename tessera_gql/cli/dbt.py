"""`tessera dbt`: sync a dbt manifest, and gate pull requests by its impact."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tessera_gql.cli import gate, gate_report, sync_report
from tessera_gql.cli.api import connect, load_current_cursor, read_file, write_file
from tessera_gql.cli.completion import complete_team
from tessera_gql.cli.gate import ASK_COMMAND, FailOn, GateResult
from tessera_gql.cli.gate_report import GateFormat
from tessera_gql.cli.manifest_files import DEFAULT_MANIFEST, locate_models, read_catalog_file, read_manifest_file
from tessera_gql.cli.progress import show_progress
from tessera_gql.cli.pull_request import find_commit, find_pull_request
from tessera_gql.cli.terminal import JsonOption, fail, print_document, print_json, print_line, print_note
from tessera_gql.client.enums import TableState
from tessera_gql.client.requests import ChangeSetRequest
from tessera_gql.escaping import shell_quote
from tessera_gql.formats import yaml

if TYPE_CHECKING:
    from tessera_gql.client import TesseraClient
    from tessera_gql.client.endpoint import Endpoint
    from tessera_gql.client.operations.manifests import AskOptions, ImpactOptions, SyncOptions

app = typer.Typer(help="Sync a dbt project, and check in a pull request what it would break.", no_args_is_help=True)

ManifestArgument = Annotated[Path, typer.Argument(metavar="MANIFEST", help="Path of dbt's target/manifest.json.")]
CatalogOption = Annotated[
    Path | None, typer.Option("--catalog", help="Path of catalog.json; by default the one beside the manifest.")
]
NoCatalogOption = Annotated[bool, typer.Option("--no-catalog", help="Ignore the catalog: the declared columns count.")]
SupersedeOption = Annotated[bool, typer.Option("--supersede", help="End open proposals and open new ones.")]
ReasonOption = Annotated[str | None, typer.Option(help="Reason of the change, for the asked teams.")]
ChangeSetOption = Annotated[
    str | None,
    typer.Option(
        "--change-set",
        metavar="KEY",
        help="Pull request, such as github.com/org/repo#17; by default that of the CI job.",
    ),
]
ChangeSetTitleOption = Annotated[str | None, typer.Option(help="Title of the change set, for the asked teams.")]
ChangeSetUrlOption = Annotated[str | None, typer.Option(help="Address of the pull request.")]
ChangeSetCommitOption = Annotated[
    str | None, typer.Option(help="Commit that is proposed; by default that of the CI job.")
]
NewTargetOption = Annotated[
    bool, typer.Option("--new-target", help="Accept tables that are all in other schemas than before.")
]
SchemaMapOption = Annotated[
    list[str] | None,
    typer.Option("--target-schema-map", metavar="OLD=NEW", help="Schema of the manifest, and that of the assets."),
]
MarkdownOption = Annotated[
    Path | None,
    typer.Option("--markdown", metavar="FILE", help="File that gets the report in Markdown, beside the output."),
]
RESPONSE_EVENT_KINDS = ("PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED", "ACKNOWLEDGMENT_RELEASED")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


SYNC_HELP = """Sync assets, contracts, registrations and lineage from a manifest.

Publishes what breaks no reader, and what was approved with exactly these terms. Syncing the same manifest again changes
nothing. Exit 0 if everything is published; 1 if a table conflicts or is refused; 2 if the manifest is refused; 3 if
changes wait for acknowledgments.

Example: tessera dbt sync --owner data-platform
"""


def _build_sync_command(*, dry_run: bool) -> Callable[..., None]:
    """Return the function of `sync`, or of `plan` for a dry run: both have the same options."""

    def sync(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
        manifest: ManifestArgument = DEFAULT_MANIFEST,
        catalog: CatalogOption = None,
        no_catalog: NoCatalogOption = False,
        owner: Annotated[
            str | None,
            typer.Option(help="Owner of models without an owner in the manifest.", autocompletion=complete_team),
        ] = None,
        create_teams: Annotated[
            bool, typer.Option("--create-teams", help="Create the missing owners as teams.")
        ] = False,
        supersede: SupersedeOption = False,
        reason: ReasonOption = None,
        change_set: ChangeSetOption = None,
        change_set_title: ChangeSetTitleOption = None,
        change_set_url: ChangeSetUrlOption = None,
        change_set_commit: ChangeSetCommitOption = None,
        owners: Annotated[
            Path | None, typer.Option("--owners", help="YAML or JSON file: owners in the manifest to teams.")
        ] = None,
        sources: Annotated[
            Path | None, typer.Option("--sources", help="YAML or JSON file: sources, or patterns of fqns, to teams.")
        ] = None,
        atomic: Annotated[
            bool,
            typer.Option(
                "--atomic",
                help="Refuse all tables because of one, instead of skipping that one. It is one transaction, for which"
                " other writers of SQLite wait.",
            ),
        ] = False,
        retire_removed: Annotated[
            bool, typer.Option("--retire-removed", help="Retire unread contracts of removed models.")
        ] = False,
        allow_empty: Annotated[
            bool, typer.Option("--allow-empty", help="Accept a manifest without models of a known project.")
        ] = False,
        new_target: NewTargetOption = False,
        schema_map: SchemaMapOption = None,
        as_json: JsonOption = False,
    ) -> None:
        options: SyncOptions = {
            "catalog": read_catalog_file(manifest, catalog, no_catalog=no_catalog),
            "owner": owner or None,
            "owners": _read_mapping(owners) if owners else None,
            "sources": _read_mapping(sources) if sources else None,
            "create_teams": create_teams,
            "supersede": supersede,
            "reason": reason or None,
            "change_set": _choose_change_set(change_set, change_set_title, change_set_url, change_set_commit),
            "atomic": atomic,
            "retire_removed": retire_removed,
            "allow_empty": allow_empty,
            "new_target": new_target,
            "schema_map": _parse_schema_map(schema_map),
            "dry_run": dry_run,
        }
        content = read_manifest_file(manifest)
        with (
            connect(manifest=manifest) as client,
            show_progress(manifest.name, len(content), as_json=as_json) as on_progress,
        ):
            report = client.sync_dbt(content, on_progress=on_progress, **options)
        print_json(report) if as_json else sync_report.print_report(report)
        if not dry_run and (code := sync_report.choose_exit_code(report)):
            raise typer.Exit(code)

    return sync


app.command("sync", help=SYNC_HELP)(_build_sync_command(dry_run=False))
app.command("plan", help="Preview a sync: the same decisions, and nothing is written.")(
    _build_sync_command(dry_run=True)
)


@app.command()
def impact(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestArgument = DEFAULT_MANIFEST,
    catalog: CatalogOption = None,
    no_catalog: NoCatalogOption = False,
    format_: Annotated[GateFormat, typer.Option("--format", "-f", help="Output format.")] = GateFormat.TEXT,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Condition for exit code 1.")] = FailOn.CONSUMERS,
    ask: Annotated[bool, typer.Option("--ask", help="Open the proposals, so that consumers are asked now.")] = False,
    reason: ReasonOption = None,
    change_set: ChangeSetOption = None,
    change_set_title: ChangeSetTitleOption = None,
    change_set_url: ChangeSetUrlOption = None,
    change_set_commit: ChangeSetCommitOption = None,
    wait: Annotated[str | None, typer.Option(help="Time to wait for acknowledgments, such as 90s, 20m or 2h.")] = None,
    supersede: SupersedeOption = False,
    new_target: NewTargetOption = False,
    schema_map: SchemaMapOption = None,
    markdown: MarkdownOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a manifest would break and which teams must acknowledge. Without --ask nothing is written.

    With --ask, proposals are opened or updated for what breaks, and withdrawn for what no longer does; nothing is
    published. Exit 0 if nothing breaks or all teams approved exactly these terms; 1 if consumers must be asked, a team
    blocked, a table conflicts, or a model starts to read what is deprecated; 2 for invalid input; 3 while waiting for
    acknowledgments; 4 if the server is unavailable.

    Example: tessera dbt impact target/manifest.json --format github --ask --wait 20m
    """
    seconds = _parse_duration(wait)
    ask_command = build_ask_command(
        manifest,
        {"no-catalog": no_catalog, "supersede": supersede, "new-target": new_target},
        {"catalog": [catalog], "target-schema-map": schema_map or (), "reason": [reason], "change-set": [change_set]}
        | {"change-set-title": [change_set_title], "change-set-url": [change_set_url]}
        | {"change-set-commit": [change_set_commit]},
    )
    content = read_manifest_file(manifest)
    request = _choose_change_set(change_set, change_set_title, change_set_url, change_set_commit)
    mapping = _parse_schema_map(schema_map)
    columns = read_catalog_file(manifest, catalog, no_catalog=no_catalog)
    with connect(manifest=manifest) as client:
        with show_progress(manifest.name, len(content), as_json=as_json) as on_progress:
            if ask:
                options: AskOptions = {"supersede": supersede, "reason": reason or None, "change_set": request}
                options |= {"new_target": new_target, "schema_map": mapping, "catalog": columns}
                answer = client.ask_dbt(content, on_progress=on_progress, **options)
            else:
                impact_options: ImpactOptions = {
                    "catalog": columns,
                    "change_set": request.key if request else None,
                    "new_target": new_target,
                    "schema_map": mapping,
                }
                answer = client.dbt_impact(content, on_progress=on_progress, **impact_options)
        result = replace(gate.evaluate(answer), ask_command=ask_command)
        if request:
            result = gate.note_other_change_sets(result, request.key)
        if seconds and result.open_proposals:
            result = _wait_for_responses(client, result, seconds)
    result = locate_models(result, content, manifest)
    _print_gate_result(result, GateFormat.JSON if as_json else format_)
    if markdown is not None:
        write_file(markdown, "\n".join(gate_report.render_markdown(result)) + "\n")
    if code := result.exit_code(fail_on):
        raise typer.Exit(code)


def build_ask_command(
    manifest: Path, flags: Mapping[str, bool], options: Mapping[str, Sequence[str | Path | None]]
) -> str:
    """Build the command that asks about the same manifest with the same options; defaults are left out."""
    parts = [ASK_COMMAND, *(f"--{name}" for name, is_given in flags.items() if is_given)]
    parts += [shell_quote(f"--{name}={value}") for name, values in options.items() for value in values if value]
    if manifest != DEFAULT_MANIFEST:
        parts += ["--"] if str(manifest).startswith("-") else []
        parts.append(shell_quote(str(manifest)))
    return " ".join(parts)


def _choose_change_set(
    key: str | None, title: str | None, url: str | None, commit: str | None
) -> ChangeSetRequest | None:
    """Return the given change set, else that of the CI job, whose title, URL and commit the given ones replace."""
    pull_request = find_pull_request(os.environ)
    if key is not None:
        return ChangeSetRequest(key, title or None, url or None, commit or find_commit(os.environ))
    if pull_request is not None:
        changes = {"title": title, "url": url, "commit": commit}
        return replace(pull_request, **{name: value for name, value in changes.items() if value})
    if title or url or commit:
        raise fail("A title, URL or commit needs the change set that it belongs to: --change-set KEY.")
    return None


def _parse_schema_map(pairs: list[str] | None) -> dict[str, str] | None:
    mapping: dict[str, str] = {}
    for pair in pairs or ():
        old, _, new = pair.partition("=")
        if not (old and new):
            raise fail(f"--target-schema-map {pair} is no pair of schemas. Write OLD=NEW, such as pr_123=analytics.")
        mapping[old] = new
    return mapping or None


STYLES = {
    "  breaks": "red",
    "  retire": "red",
    "  asks": "yellow",
    "  ask ": "bold",
    "  answer": "bold",
    "  ": "dim",
    "note": "dim",
}


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
    cursor: str | None = load_current_cursor(client)
    result = gate.refresh(client, result)
    while result.open_proposals and not result.in_state(TableState.BLOCKED):
        teams = sorted({team for table in result.in_state(TableState.WAITING) for team in table.unapproved_teams})
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
    from tessera_gql.client import AsyncTesseraClient  # noqa: PLC0415 - only a wait needs it

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


def _read_mapping(file: Path) -> dict[str, str]:
    try:
        mapping: Any = yaml.load(read_file(file).decode("utf-8-sig")).value
    except (ValueError, yaml.YamlError) as error:
        raise fail(f"{file}: {error}. Correct the file.") from None
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for pair in mapping.items() for name in pair):
        raise fail(
            f"{file} must lead from owners or sources to names of teams: one line `finance-dwh: finance` for each."
        )
    return mapping


def _parse_duration(text: str | None) -> float:
    if text is None:
        return 0
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise fail(f"--wait {text} is no duration. Write 90s, 20m or 2h.")
    return int(match[1]) * UNIT_SECONDS[match[2]]
