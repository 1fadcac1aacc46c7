"""`tessera team`, `tessera asset`, `tessera register`, `tessera unregister`: who owns what, and who reads it."""

from typing import Annotated

import typer

from tessera_gql.cli.remote import Json, Team, connected, print_answer, print_properties, print_rows
from tessera_gql.cli.terminal import fail, print_line
from tessera_gql.client import CompatibilityMode, Registration, TesseraClient
from tessera_gql.client.operation import is_id
from tessera_gql.client.operations.catalog import AssetDetails, Reading

team_app = typer.Typer(help="Make and list teams.", no_args_is_help=True)
asset_app = typer.Typer(help="Make, list and show assets.", no_args_is_help=True)


@team_app.command("create")
def create_team(name: str, as_json: Json = False) -> None:
    """Make a team.

    Example: tessera team create data-platform
    """
    with connected() as client:
        team = client.create_team(name)
    print_answer(team) if as_json else print_properties(id=team.id, name=team.name)


@team_app.command("list")
def list_teams(
    contains: Annotated[str | None, typer.Option(help="Only names with this in them.")] = None, as_json: Json = False
) -> None:
    """List the teams."""
    with connected() as client:
        found = list(client.teams(name_contains=contains))
    if as_json:
        print_answer(found)
    else:
        print_rows(("name", "created", "id"), ((one.name, one.created_at, one.id) for one in found), none="No teams.")


@asset_app.command("create")
def create_asset(
    fqn: str,
    owner: Annotated[str | None, typer.Option(help="The owning team; the key's own if left out.")] = None,
    resource_type: Annotated[str | None, typer.Option("--type", help="TABLE, VIEW, MODEL, TOPIC …")] = None,
    description: Annotated[str | None, typer.Option(help="What it is.")] = None,
    mode: Annotated[CompatibilityMode | None, typer.Option(case_sensitive=False, help="Of its contracts.")] = None,
    as_json: Json = False,
) -> None:
    """Make an asset.

    Example: tessera asset create analytics.marts.orders --owner data-platform
    """
    details = AssetDetails()
    if resource_type:
        details["resource_type"] = resource_type.upper()
    if description:
        details["description"] = description
    if mode:
        details["compatibility_mode"] = mode
    with connected() as client:
        asset = client.create_asset(fqn=fqn, owner=owner, **details)
    print_answer(asset) if as_json else print_properties(id=asset.id, fqn=asset.fqn, owner=asset.owner)


@asset_app.command("list")
def list_assets(
    contains: Annotated[str | None, typer.Option(help="Only fqns with this in them.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only those of this team.")] = None,
    as_json: Json = False,
) -> None:
    """List the assets."""
    with connected() as client:
        team = client.get_team(owner).id if owner else None
        found = list(client.assets(fqn_contains=contains, owner_team_id=team))
    if as_json:
        print_answer(found)
        return
    rows = ((one.fqn, one.owner, one.current_contract and one.current_contract.version) for one in found)
    print_rows(("asset", "owner", "version"), rows, none="No assets.")


@asset_app.command("show")
def show_asset(fqn: str, as_json: Json = False) -> None:
    """Show an asset, its contract and who reads it."""
    with connected() as client:
        asset = client.get_asset(fqn)
        readers = [one for one in client.registrations(asset_id=asset.id) if one.status != "INACTIVE"]
    if as_json:
        print_answer({**asset.model_dump(mode="json", by_alias=True), "registrations": readers})
        return
    print_properties(
        fqn=asset.fqn,
        owner=asset.owner,
        type=asset.resource_type,
        description=asset.description,
        version=asset.current_contract and asset.current_contract.version,
        mode=asset.compatibility_mode,
        open_proposal=asset.open_proposal and asset.open_proposal.id,
    )
    rows = ((one.consumer_team, "everything" if one.fields is None else one.fields, one.purpose) for one in readers)
    print_rows(("reader", "reads", "for"), rows, none="Nobody has registered.")


def register(
    fqn: str,
    team: Team = None,
    field: Annotated[list[str] | None, typer.Option("--field", "-f", help="A column it reads; repeatable.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What the data is for.")] = None,
    consumer: Annotated[str | None, typer.Option(help="The team's own asset that is made from it.")] = None,
    as_json: Json = False,
) -> None:
    """Say that a team reads an asset; without --field, all of it.

    Example: tessera register analytics.marts.orders --team finance --field order_id --field total
    """
    reading = Reading(fields=field or None)
    if team:
        reading["team"] = team
    if purpose:
        reading["purpose"] = purpose
    if consumer:
        reading["consumer_asset"] = consumer
    with connected() as client:
        made = client.register(fqn, **reading)
    if as_json:
        print_answer(made)
    else:
        reads = "everything" if made.fields is None else ", ".join(made.fields)
        print_line(f"{made.consumer_team.name} reads {reads} of {made.asset.fqn} ({made.id}).")


def unregister(
    registration: Annotated[str, typer.Argument(metavar="REGISTRATION|FQN", help="Its id, or what is read.")],
    team: Team = None,
    as_json: Json = False,
) -> None:
    """Say that a team no longer reads an asset.

    Example: tessera unregister analytics.marts.orders --team finance
    """
    with connected() as client:
        found = registration if is_id(registration, "Registration") else _registration(client, registration, team)
        ended = client.unregister(found)
    if as_json:
        print_answer(ended)
    else:
        print_line(f"{ended.consumer_team.name} no longer reads {ended.asset.fqn}.")


def _registration(client: TesseraClient, fqn: str, team: str | None) -> str:
    reader = client.get_team(team) if team else client.viewer().team
    if reader is None:
        raise fail("This key belongs to no team. Say which team with --team.")
    asset = client.get_asset(fqn)
    held = client.registrations(asset_id=asset.id, consumer_team_id=reader.id)
    found: list[Registration] = [one for one in held if one.status != "INACTIVE"]
    match found:
        case [one]:
            return one.id
        case []:
            raise fail(f"{reader.name} is not registered with {asset.fqn}.")
        case _:
            ids = ", ".join(one.id for one in found)
            raise fail(f"{reader.name} is registered with {asset.fqn} {len(found)} times. Give one of: {ids}.")
