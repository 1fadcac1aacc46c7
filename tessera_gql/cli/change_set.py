"""`tessera change-set`: list, show, withdraw and publish the proposals of a pull request together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.asks import AskSummary, print_ask
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_note, print_properties, print_table
from tessera_gql.client.enums import ChangeSetStatus
from tessera_gql.client.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tessera_gql.client import ChangeSet, TesseraClient
    from tessera_gql.client.models import ProposalDetails

app = typer.Typer(help="List, withdraw and publish the proposals of a pull request together.", no_args_is_help=True)

MAX_LOADED = 10
"""Proposals that are loaded to describe what a change set asks of teams."""

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its key, such as github.com/org/repo#17, or its id.")]


@app.command("list")
def list_change_sets(
    all_: Annotated[bool, typer.Option("--all", help="Include those that were withdrawn or published.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List open change sets, latest first."""
    with connect() as client:
        change_sets = list(client.change_sets(status=() if all_ else (ChangeSetStatus.OPEN,)))
    if as_json:
        print_json(change_sets)
        return
    rows = ((item.key, item.status, item.title, item.url) for item in change_sets)
    print_table(("key", "status", "title", "url"), rows, none="No open change sets.")


@app.command("show")
def show_change_set(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Show a change set with its proposals, whom they wait for, and what this asks of them."""
    with connect() as client:
        change_set = client.get_change_set(key)
        awaited = _load_awaited(client, change_set)
    if as_json:
        print_json(change_set)
        return
    print_properties(
        key=change_set.key,
        title=change_set.title,
        url=change_set.url,
        commit=change_set.commit,
        status=change_set.status,
        opened_by=f"project {change_set.project.name}" if change_set.project else change_set.opened_by,
        opened=change_set.opened_at,
    )
    _print_proposals(change_set)
    for team in awaited:
        print_ask(_build_ask(change_set, team, awaited[team]))


def _load_awaited(client: TesseraClient, change_set: ChangeSet) -> dict[str, list[ProposalDetails]]:
    """Load the first proposals that wait for teams, by the team; the proposals of a change set ask a team as one."""
    awaited: dict[str, list[ProposalDetails]] = {}
    waiting = [item for item in change_set.proposals if item.awaiting][:MAX_LOADED]
    for details in (client.get_proposal(item.id) for item in waiting):
        for team in details.awaiting:
            awaited.setdefault(team.name, []).append(details)
    return awaited


def _build_ask(change_set: ChangeSet, team: str, proposals: Sequence[ProposalDetails]) -> AskSummary:
    acknowledgments = [item for details in proposals for item in details.acknowledgments if item.team.name == team]
    first = min(acknowledgments, key=lambda item: item.due_at)
    changes = [reason.message for item in acknowledgments for reason in item.reasons]
    return AskSummary(
        subject=change_set.key,
        title=f"{team} is asked",
        team=team,
        until=first.due_at,
        silence_means=first.silence_means,
        asked_by=", ".join(dict.fromkeys(details.proposed_by.name for details in proposals)),
        reason=" ".join(dict.fromkeys(details.reason for details in proposals if details.reason)) or None,
        changes=changes,
        change_count=len(changes),
        tables=[details.asset.fqn for details in proposals],
        table_count=sum(any(item.name == team for item in proposal.awaiting) for proposal in change_set.proposals),
        is_change_set=True,
    )


@app.command("withdraw")
def withdraw_change_set(
    key: KeyArgument,
    missing_ok: Annotated[
        bool, typer.Option("--missing-ok", help="Succeed if there is no such change set, or if it has ended.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Withdraw all open proposals of a change set, such as that of a closed pull request.

    Example: tessera change-set withdraw github.com/org/repo#17
    """
    with connect() as client:
        if missing_ok and not _is_open(client, key):
            print_note(f"The change set {key} asks no team.")
            return
        change_set = client.withdraw_change_set(key)
    print_json(change_set) if as_json else print_line(f"The change set {change_set.key} is withdrawn.")


def _is_open(client: TesseraClient, key: str) -> bool:
    try:
        return client.get_change_set(key).status is ChangeSetStatus.OPEN
    except NotFound:
        return False


@app.command("publish")
def publish_change_set(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Publish all open proposals of a change set, or none: every one must be approved.

    Example: tessera change-set publish github.com/org/repo#17
    """
    with connect() as client:
        change_set = client.publish_change_set(key)
    if as_json:
        print_json(change_set)
        return
    print_line(f"The change set {change_set.key} is published.")
    _print_proposals(change_set)


def _print_proposals(change_set: ChangeSet) -> None:
    rows = (
        (item.asset, item.proposed_version or "retirement", item.status, item.awaiting, item.expires_at)
        for item in change_set.proposals
    )
    print_table(("asset", "version", "status", "waits for", "expires"), rows, none="No proposals.")
