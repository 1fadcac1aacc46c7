"""`tessera team` and `tessera asset`: teams and assets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, TeamArgument, connect
from tessera_gql.cli.completion import complete_team
from tessera_gql.cli.deprecations import print_deprecations
from tessera_gql.cli.fields import blame, label
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_properties, print_table
from tessera_gql.client.enums import AssetTier, CompatibilityMode

if TYPE_CHECKING:
    from tessera_gql.client import Team
    from tessera_gql.client.operations.catalog import AssetDetails
    from tessera_gql.client.operations.teams import TeamChanges

ArchivedOption = Annotated[bool, typer.Option("--archived", help="List what is archived instead.")]

team_app = typer.Typer(help="Create, list, show and archive teams.", no_args_is_help=True)
asset_app = typer.Typer(help="Create, list, show, label, rename and archive assets.", no_args_is_help=True)
asset_app.command("blame")(blame)
asset_app.command("label")(label)


@team_app.command("create")
def create_team(name: str, as_json: JsonOption = False) -> None:
    """Create a team.

    Example: tessera team create data-platform
    """
    with connect() as client:
        team = client.create_team(name)
    print_json(team) if as_json else print_properties(id=team.id, name=team.name)


@team_app.command("update")
def update_team(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    name: TeamArgument,
    rename: Annotated[str | None, typer.Option(help="New name of the team.")] = None,
    delegate: Annotated[
        str | None, typer.Option(help="Team that may answer for this one; needs --until.", autocompletion=complete_team)
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="End of the delegation, within 366 days.")] = None,
    no_delegate: Annotated[bool, typer.Option("--no-delegate", help="End the delegation.")] = False,
    escalation: Annotated[
        str | None,
        typer.Option(help="Team that may answer as well once an ask is escalated.", autocompletion=complete_team),
    ] = None,
    no_escalation: Annotated[bool, typer.Option("--no-escalation", help="Remove the escalation team.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Rename a team, or name the teams that may answer in its place.

    Example: tessera team update finance --delegate data-platform --until 2027-01-01
    """
    if (delegate is None) != (until is None) or (delegate and no_delegate):
        raise fail("Give --delegate and --until together, or --no-delegate alone.")
    if escalation and no_escalation:
        raise fail("--escalation and --no-escalation exclude each other. Give one of them.")
    changes: TeamChanges = {}
    if rename is not None:
        changes["name"] = rename
    if delegate or no_delegate:
        changes["delegate"] = delegate
    if until is not None:
        changes["delegate_until"] = until.astimezone(UTC)
    if escalation or no_escalation:
        changes["escalation_team"] = escalation
    if not changes:
        raise fail("Nothing to change. Give --rename, --delegate, --no-delegate, --escalation or --no-escalation.")
    with connect() as client:
        team = client.update_team(name, **changes)
    _print_team(team, as_json=as_json)


@team_app.command("show")
def show_team(name: TeamArgument, as_json: JsonOption = False) -> None:
    """Show a team with its delegate and its escalation team."""
    with connect() as client:
        team = client.get_team(name)
    _print_team(team, as_json=as_json)


def _print_team(team: Team, *, as_json: bool) -> None:
    if as_json:
        print_json(team)
        return
    print_properties(
        id=team.id,
        name=team.name,
        delegate=team.delegate,
        delegate_until=team.delegate_until,
        escalation=team.escalation_team,
        created=team.created_at,
        archived=team.archived_at,
    )


@team_app.command("list")
def list_teams(
    contains: Annotated[str | None, typer.Option(help="Only teams whose name contains this text.")] = None,
    archived: ArchivedOption = False,
    as_json: JsonOption = False,
) -> None:
    """List teams with their ids, delegates and escalation teams."""
    with connect() as client:
        teams = list(client.teams(name_contains=contains, is_archived=archived))
    if as_json:
        print_json(teams)
    else:
        rows = (
            (team.name, team.created_at, team.id, team.delegate, team.delegate_until, team.escalation_team)
            for team in teams
        )
        print_table(("name", "created", "id", "delegate", "until", "escalation"), rows, none="No teams.")


@team_app.command("archive")
def archive_team(team: TeamArgument, as_json: JsonOption = False) -> None:
    """Archive a team that owns, reads and answers nothing any more.

    Example: tessera team archive data-platform
    """
    with connect() as client:
        archived = client.archive_team(team)
    print_json(archived) if as_json else print_line(f"{archived.name} is archived.")


@team_app.command("unarchive")
def unarchive_team(team: TeamArgument, as_json: JsonOption = False) -> None:
    """Restore an archived team."""
    with connect() as client:
        restored = client.unarchive_team(team)
    print_json(restored) if as_json else print_line(f"{restored.name} is restored.")


@asset_app.command("create")
def create_asset(
    fqn: str,
    owner: Annotated[
        str | None, typer.Option(help="Owner team; by default the team of the key.", autocompletion=complete_team)
    ] = None,
    resource_type: Annotated[str | None, typer.Option("--type", help="Kind, such as TABLE, VIEW or TOPIC.")] = None,
    description: Annotated[str | None, typer.Option(help="What the asset contains.")] = None,
    mode: Annotated[
        CompatibilityMode | None, typer.Option(case_sensitive=False, help="Default compatibility mode.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create an asset.

    Example: tessera asset create analytics.marts.orders --owner data-platform
    """
    details: AssetDetails = {"description": description or None}
    if resource_type:
        details["resource_type"] = resource_type.upper()
    if mode:
        details["compatibility_mode"] = mode
    with connect() as client:
        asset = client.create_asset(fqn=fqn, owner=owner, **details)
    print_json(asset) if as_json else print_properties(id=asset.id, fqn=asset.fqn, owner=asset.owner)


@asset_app.command("list")
def list_assets(
    contains: Annotated[str | None, typer.Option(help="Only assets whose fqn contains this text.")] = None,
    owner: Annotated[
        str | None, typer.Option(help="Only assets of this owner team.", autocompletion=complete_team)
    ] = None,
    tier: Annotated[AssetTier | None, typer.Option(case_sensitive=False, help="Only assets of this tier.")] = None,
    archived: ArchivedOption = False,
    as_json: JsonOption = False,
) -> None:
    """List assets with owner and current version."""
    with connect() as client:
        owner_id = client.get_team(owner).id if owner else None
        assets = list(client.assets(fqn_contains=contains, owner_team_id=owner_id, tier=tier, is_archived=archived))
    if as_json:
        print_json(assets)
        return
    rows = ((asset.fqn, asset.owner, asset.current_contract and asset.current_contract.version) for asset in assets)
    print_table(("asset", "owner", "version"), rows, none="No assets.")


@asset_app.command("show")
def show_asset(fqn: FqnArgument, as_json: JsonOption = False) -> None:
    """Show an asset, its current contract and its consumers."""
    with connect() as client:
        asset = client.get_asset(fqn)
        registrations = [item for item in client.registrations(asset_id=asset.id) if item.status != "INACTIVE"]
        deprecations = list(client.deprecations(asset))
    if as_json:
        details = {"registrations": registrations, "deprecations": deprecations}
        print_json({**asset.model_dump(mode="json", by_alias=True), **details})
        return
    print_properties(
        fqn=asset.fqn,
        owner=asset.owner,
        type=asset.resource_type,
        description=asset.description,
        version=asset.current_contract and asset.current_contract.version,
        mode=asset.compatibility_mode,
        tier=asset.tier if asset.is_tier_confirmed else f"{asset.tier} (not confirmed)",
        archived=asset.archived_at,
        open_proposal=asset.open_proposal and asset.open_proposal.id,
        superseded_by=asset.superseded_by,
    )
    print_deprecations(deprecations)
    rows = (
        (item.consumer_team, "everything" if item.fields is None else item.fields, item.purpose)
        for item in registrations
    )
    print_table(("reader", "reads", "for"), rows, none="Nobody has registered.")


@asset_app.command("rename")
def rename_asset(fqn: FqnArgument, new_fqn: str, as_json: JsonOption = False) -> None:
    """Give an asset another name; its contracts, readers and events stay with it.

    Example: tessera asset rename analytics.core.orders analytics.marts.orders
    """
    with connect() as client:
        renamed = client.rename_asset(fqn, new_fqn)
    print_json(renamed) if as_json else print_line(f"{fqn} is now {renamed.fqn}.")


@asset_app.command("tier")
def set_asset_tier(
    fqn: FqnArgument, tier: Annotated[AssetTier, typer.Argument(case_sensitive=False)], as_json: JsonOption = False
) -> None:
    """Set the tier of an asset, which decides the policy of later asks, as an administrator.

    Example: tessera asset tier analytics.marts.orders CRITICAL
    """
    with connect() as client:
        asset = client.set_asset_tier(fqn, tier)
    print_json(asset) if as_json else print_line(f"The tier of {asset.fqn} is {asset.tier}.")


@asset_app.command("archive")
def archive_asset(fqn: FqnArgument, as_json: JsonOption = False) -> None:
    """Archive an asset that nothing reads any more: lists leave it out, and its history stays.

    Example: tessera asset archive analytics.core.orders
    """
    with connect() as client:
        asset = client.archive_asset(fqn)
    print_json(asset) if as_json else print_line(f"{asset.fqn} is archived.")


@asset_app.command("unarchive")
def unarchive_asset(fqn: FqnArgument, as_json: JsonOption = False) -> None:
    """Restore an archived asset with its last contract."""
    with connect() as client:
        asset = client.unarchive_asset(fqn)
    print_json(asset) if as_json else print_line(f"{asset.fqn} is restored.")
