"""`tessera dbt`: a project's manifest into the graph, and the gate of a pull request."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli import report, verdict
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.progress import showing
from tessera_gql.cli.remote import Json, connected, print_answer, print_rows
from tessera_gql.cli.report import Format
from tessera_gql.cli.terminal import fail, print_document, print_json, print_line, print_note
from tessera_gql.cli.verdict import FailOn, Judgement, State
from tessera_gql.client import AsyncTesseraClient, Invalid, ManifestReport, TesseraClient
from tessera_gql.client.exchange import Target
from tessera_gql.client.operations.manifests import Syncing, text_of
from tessera_gql.client.operations.publishing import Publishing
from tessera_gql.client.stream import NOW
from tessera_gql.formats import dbt, yaml

app = typer.Typer(help="Sync a dbt project, and see in a pull request what it would break.", no_args_is_help=True)

ManifestFile = Annotated[Path, typer.Argument(metavar="MANIFEST", help="dbt's target/manifest.json.")]
Owner = Annotated[str | None, typer.Option(help="Owns the tables for which the manifest names nobody.")]
MakeTeams = Annotated[bool, typer.Option("--create-teams", help="Make the owners that the manifest names.")]
Owners = Annotated[
    Path | None, typer.Option("--owners", help="A YAML or JSON file: owners in the manifest to teams here.")
]
PerAsset = Annotated[bool, typer.Option("--per-asset", help="Skip what is refused, instead of taking nothing.")]
Retire = Annotated[bool, typer.Option("--retire-removed", help="Retire what left the manifest and nobody reads.")]
Supersede = Annotated[bool, typer.Option("--supersede", help="End other open proposals and ask afresh.")]

ANSWERS = ("PROPOSAL_ANSWERED", "PROPOSAL_STATUS_CHANGED", "ACKNOWLEDGMENT_RELEASED")
LISTED = 10
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.command()
def sync(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestFile = Path("target/manifest.json"),
    owner: Owner = None,
    create_teams: MakeTeams = False,
    supersede: Supersede = False,
    owners: Owners = None,
    per_asset: PerAsset = False,
    retire_removed: Retire = False,
    as_json: Json = False,
) -> None:
    """Take in a manifest: assets, contracts and lineage, all of it or nothing. The same again writes nothing.

    Exit 0 all is published, 3 some changes wait for their readers. Example: tessera dbt sync --owner data-platform
    """
    options = Syncing(
        create_teams=create_teams,
        supersede=supersede,
        per_asset=per_asset,
        retire_removed=retire_removed,
        dry_run=False,
    )
    _name(options, owner, owners)
    found = _sync(manifest, options, as_json=as_json)
    _show(found, as_json=as_json)
    if any(one.outcome == "PROPOSED" for one in found.models):
        raise typer.Exit(ExitCode.WAITING)


@app.command()
def plan(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestFile = Path("target/manifest.json"),
    owner: Owner = None,
    create_teams: MakeTeams = False,
    supersede: Supersede = False,
    owners: Owners = None,
    per_asset: PerAsset = False,
    retire_removed: Retire = False,
    as_json: Json = False,
) -> None:
    """Say what a sync would do, by the very same code; nothing is kept."""
    options = Syncing(
        create_teams=create_teams,
        supersede=supersede,
        per_asset=per_asset,
        retire_removed=retire_removed,
        dry_run=True,
    )
    _name(options, owner, owners)
    found = _sync(manifest, options, as_json=as_json)
    _show(found, as_json=as_json)


@app.command()
def impact(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    manifest: ManifestFile = Path("target/manifest.json"),
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to say it.")] = Format.TEXT,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="What makes it fail.")] = FailOn.CONSUMERS,
    ask: Annotated[bool, typer.Option("--ask", help="Ask the readers now: open the proposals.")] = False,
    reason: Annotated[str | None, typer.Option(help="With --ask: why, for those who are asked.")] = None,
    wait: Annotated[str | None, typer.Option(help="Wait so long for answers: 90s, 20m, 2h.")] = None,
    supersede: Annotated[bool, typer.Option("--supersede", help="With --ask: end other open proposals.")] = False,
    as_json: Json = False,
) -> None:
    """Say what a manifest would break, whom, and who must answer. Without --ask nothing is written.

    Exit 0 nothing breaking, or all agreed; 1 breaking with readers to ask, or blocked; 2 bad input; 3 waiting for
    answers; 4 the server is away.

    Example: tessera dbt impact target/manifest.json --format github --ask --wait 20m
    """
    seconds = _seconds(wait)
    content = _read(manifest)
    project = _parsed(manifest, content)
    with connected() as client:
        with showing(manifest.name, len(content), as_json=as_json) as hear:
            found = verdict.judge(client, project, content, hear)
        if ask:
            options = Publishing(supersede=supersede)
            if reason:
                options["reason"] = reason
            found = verdict.ask(client, project, found, options)
        if seconds and found.open_proposals:
            found = _waited(client, found, seconds)
    _print(found, Format.JSON if as_json else format_)
    if code := found.exit_code(fail_on):
        raise typer.Exit(code)


STYLES = {"  breaks": "red", "  asks": "yellow", "  ask ": "bold", "  answer": "bold", "  ": "dim", "note": "dim"}


def _print(judgement: Judgement, format_: Format) -> None:
    match format_:
        case Format.TEXT:
            for line in report.text(judgement):
                print_line((line, next((style for start, style in STYLES.items() if line.startswith(start)), "")))
        case Format.JSON:
            print_json(report.as_json(judgement))
        case Format.MARKDOWN:
            print_document("\n".join(report.markdown(judgement)))
        case Format.GITHUB:
            print_document("\n".join(report.github(judgement)))
        case Format.JUNIT:
            print_document(report.junit(judgement))


def _waited(client: TesseraClient, judgement: Judgement, seconds: float) -> Judgement:
    """Until nobody is waited for, somebody blocks, or the time is over."""
    deadline = time.monotonic() + seconds
    cursor: str | None = client.run(NOW)
    judgement = verdict.again(client, judgement)
    while judgement.open_proposals and not judgement.of(State.BLOCKED):
        teams = sorted({team for one in judgement.of(State.WAITING) for team in one.awaiting})
        print_note((f"Waiting for {', '.join(teams) or 'a deadline'} …", "dim"))
        cursor = asyncio.run(_answered(client.target, judgement.open_proposals, cursor, deadline - time.monotonic()))
        judgement = verdict.again(client, judgement)
        if cursor is None:
            break
    return judgement


async def _answered(target: Target, proposals: Sequence[str], after: str | None, seconds: float) -> str | None:
    """The cursor of the next answer to one of the proposals; None once the time is over."""
    client = AsyncTesseraClient(target.url, target.api_key)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), client, aclosing(client.subscribe(kinds=ANSWERS, after=after)) as events:
            async for event in events:
                if event.proposal and event.proposal.id in proposals:
                    return event.cursor
    return None


def _name(options: Syncing, owner: str | None, owners: Path | None) -> None:
    """Who owns what."""
    if owner:
        options["owner"] = owner
    if owners is None:
        return
    try:
        found = yaml.load(owners.read_text("utf-8-sig")).value
    except OSError as error:
        raise fail(f"{owners} can't be read: {error.strerror}.") from None
    except (ValueError, yaml.YamlError) as error:
        raise fail(f"{owners}: {error}") from None
    if not isinstance(found, dict) or not all(isinstance(one, str) for pair in found.items() for one in pair):
        raise fail(f"{owners} must lead from owners to names of teams: one line `finance-dwh: finance` for each.")
    options["owners"] = found


def _sync(manifest: Path, options: Syncing, *, as_json: bool) -> ManifestReport:
    content = _read(manifest)
    with connected() as client, showing(manifest.name, len(content), as_json=as_json) as hear:
        return client.sync_dbt(content, on_progress=hear, **options)


def _read(manifest: Path) -> bytes:
    """Ends the program in words for what can't be a manifest, before anything is sent."""
    try:
        content = manifest.read_bytes()
    except OSError as error:
        hint = " Run `dbt parse` first, or give its path." if isinstance(error, FileNotFoundError) else ""
        raise fail(f"{manifest} can't be read: {error.strerror}.{hint}") from None
    try:
        return text_of(content)
    except Invalid as error:
        raise fail(f"{manifest}: {error.message}") from None


def _parsed(manifest: Path, content: bytes) -> dbt.Manifest:
    try:
        return dbt.read(content)
    except dbt.ManifestError as error:
        raise fail(f"{manifest}: {error}") from None


def _show(found: ManifestReport, *, as_json: bool) -> None:
    if as_json:
        print_answer(found)
        return
    told = [one for one in found.models if one.outcome != "UNCHANGED"]
    rows = (
        (
            one.outcome,
            one.fqn,
            one.contract and one.contract.version,
            one.reason or "; ".join(change.message for change in one.breaking or one.changes),
        )
        for one in told
    )
    print_rows(("outcome", "table", "version", "what"), rows, none="Nothing changes.")
    counts = {one.outcome: sum(other.outcome == one.outcome for other in found.models) for one in found.models}
    parts = [f"{count} {outcome.lower()}" for outcome, count in sorted(counts.items())]
    edges = f"lineage +{found.dependencies_added} -{found.dependencies_removed}"
    print_note(f"{len(found.models)} tables: {', '.join(parts) or 'none'}; {edges}.")
    for line in (*_listed(_removed(found)), *_listed(_reads(found))):
        print_note(line)
    for warning in found.warnings:
        print_note((f"note: {warning}", "dim"))


def _removed(found: ManifestReport) -> Iterator[str]:
    for one in found.removed:
        said = "retired" if one.retired else one.reason or "left the manifest; --retire-removed retires its contract"
        yield f"gone: {one.fqn}: {said}"


def _reads(found: ManifestReport) -> Iterator[str]:
    for one in found.reads:
        columns = "everything" if one.fields is None else ", ".join(one.fields)
        yield f"reads: {one.fqn} reads {columns} of {one.upstream}{f' ({one.why})' if one.why else ''}"


def _listed(lines: Iterator[str]) -> list[str]:
    """The first of them, and how many there are beside."""
    found = list(lines)
    rest = len(found) - LISTED
    return found[:LISTED] + ([f"and {rest} more; --json has all of them"] if rest > 0 else [])


def _seconds(wait: str | None) -> float:
    if wait is None:
        return 0
    found = re.fullmatch(r"(\d{1,6})([smhd])", wait)
    if found is None:
        raise fail(f"--wait {wait} is no duration. Write 90s, 20m or 2h.")
    return int(found[1]) * UNITS[found[2]]
