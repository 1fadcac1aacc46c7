"""`tessera change-set`: list, show, withdraw and publish the proposals of a pull request together."""

from typing import Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_note, print_properties, print_table
from tessera_gql.client import ChangeSet, ChangeSetStatus, NotFound, TesseraClient

app = typer.Typer(help="List, withdraw and publish the proposals of a pull request together.", no_args_is_help=True)

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
    """Show a change set with its proposals and whom they wait for."""
    with connect() as client:
        change_set = client.get_change_set(key)
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
