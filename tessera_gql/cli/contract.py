"""`tessera contract diff`: the differences between two published versions of an asset."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, connect
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.lineage import load_edges
from tessera_gql.cli.lineage_pictures import build_picture
from tessera_gql.cli.terminal import fail, print_document, print_json, print_line, print_table
from tessera_gql.cli.versions import describe_missing_version
from tessera_gql.client.enums import CompatibilityMode, LineageDirection
from tessera_gql.escaping import escape_markdown, to_markdown_code
from tessera_gql.formats.lineage_mermaid import draw_mermaid
from tessera_gql.formats.lineage_picture import LineagePicture
from tessera_gql.formats.lineage_svg import draw_svg

if TYPE_CHECKING:
    from tessera_gql.client import Change, Contract, TesseraClient
    from tessera_gql.client.lineage_models import ContractDiff

app = typer.Typer(help="Compare the published versions of an asset.", no_args_is_help=True)

HEADINGS = ("verdict", "field", "change", "message")
PICTURE_DEPTH = 2


class ContractDiffFormat(StrEnum):
    """Output format of `tessera contract diff`; a picture shows where the changed columns go."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    MERMAID = "mermaid"
    SVG = "svg"


@app.callback()
def _group() -> None:
    """Compare the published versions of an asset."""


@app.command("diff")
def diff_contracts(
    fqn: FqnArgument,
    old_version: Annotated[
        str | None, typer.Option("--from", metavar="VERSION", help="By default the version before the other one.")
    ] = None,
    new_version: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="By default the latest version.")
    ] = None,
    mode: Annotated[
        CompatibilityMode | None, typer.Option(case_sensitive=False, help="Mode instead of that of the old version.")
    ] = None,
    format_: Annotated[
        ContractDiffFormat, typer.Option("--format", "-f", help="Output format.")
    ] = ContractDiffFormat.TEXT,
) -> None:
    """Show what changed between two versions of an asset. Exit 0 if nothing breaks, 1 otherwise.

    Mermaid and svg draw the changed columns, and where they go.

    Example: tessera contract diff analytics.marts.orders --from 2.0.0 --to 2.3.1
    """
    with connect() as client:
        old, new = _choose_contracts(client, fqn, old_version, new_version)
        diff = client.contract_diff(old.id, new.id, mode=mode)
        is_picture = format_ in {ContractDiffFormat.MERMAID, ContractDiffFormat.SVG}
        picture = _load_picture(client, fqn, diff) if is_picture else None
    headline = _format_headline(old, new, diff)
    match format_, picture:
        case ContractDiffFormat.JSON, _:
            print_json({"from": old.version, "to": new.version, **diff.model_dump(mode="json", by_alias=True)})
        case ContractDiffFormat.MARKDOWN, _:
            print_document("\n".join(_write_markdown(headline, diff)))
        case ContractDiffFormat.MERMAID, LineagePicture() as drawn:
            print_document(draw_mermaid(drawn))
        case ContractDiffFormat.SVG, LineagePicture() as drawn:
            print_document(draw_svg(drawn, is_standalone=True))
        case _:
            print_table(HEADINGS, _list_rows(diff), none="No changes.")
            print_line((headline, "bold"))
    if diff.breaking:
        raise typer.Exit(ExitCode.NEGATIVE)


def _choose_contracts(client: TesseraClient, fqn: str, old: str | None, new: str | None) -> tuple[Contract, Contract]:
    """Choose two versions: those that are named, else the latest one and the one before the newer of them."""
    asset = client.get_asset(fqn)
    contracts = list(client.contracts(asset_id=asset.id))
    versions = [contract.version for contract in contracts]
    if not contracts:
        raise fail(f"{asset.fqn} has no contract, so there is nothing to compare. `tessera publish` publishes one.")
    for version in filter(None, (old, new)):
        if version not in versions:
            raise fail(describe_missing_version(asset.fqn, version, versions))
    newer = versions.index(new) if new else 0
    older = versions.index(old) if old else newer + 1
    if older >= len(contracts):
        raise fail(
            f"{asset.fqn} {versions[newer]} is its first version: nothing is before it. Give a later one with --to."
        )
    return contracts[older], contracts[newer]


def _load_picture(client: TesseraClient, fqn: str, diff: ContractDiff) -> LineagePicture:
    start = client.lineage_start(fqn)
    edges = load_edges(client, start, LineageDirection.DOWNSTREAM, PICTURE_DEPTH)
    changed = dict.fromkeys(re.split(r"[.\[]", change.path)[0] for change in diff.changes if change.path)
    return build_picture(start, edges, has_columns=True, changed_columns=changed)


def _format_headline(old: Contract, new: Contract, diff: ContractDiff) -> str:
    counts = f"{len(diff.breaking)} of {len(diff.changes)} changes break" if diff.breaking else "nothing breaks"
    unchanged = diff.unchanged_field_count
    stays = "" if unchanged is None else f", {unchanged} field{' stays' if unchanged == 1 else 's stay'} as they are"
    stays = stays.replace("stays as they are", "stays as it is")
    return f"{old.version} → {new.version} in mode {diff.mode}: {counts}, bump {diff.bump}{stays}."


def _list_breaking_first(diff: ContractDiff) -> Sequence[tuple[Change, bool]]:
    breaking = {change.fingerprint for change in diff.breaking}
    marked = [(change, change.fingerprint in breaking) for change in diff.changes]
    return sorted(marked, key=lambda item: not item[1])


def _list_rows(diff: ContractDiff) -> Iterator[tuple[str, str, str, str]]:
    for change, breaks in _list_breaking_first(diff):
        yield "breaks" if breaks else "passes", change.path or "-", change.kind, change.message


def _write_markdown(headline: str, diff: ContractDiff) -> Iterator[str]:
    yield f"**{escape_markdown(headline)}**"
    if not diff.changes:
        return
    yield from ("", "| | field | change | what |", "|---|---|---|---|")
    for change, breaks in _list_breaking_first(diff):
        mark = "💥 breaks" if breaks else "✅ passes"
        kind, path = to_markdown_code(change.kind), to_markdown_code(change.path)
        yield f"| {mark} | {path} | {kind} | {escape_markdown(change.message)} |"
