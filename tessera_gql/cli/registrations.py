"""`tessera register` and `unregister`: what a team reads of an asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, TeamOption, connect
from tessera_gql.cli.completion import complete_fqn
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_note
from tessera_gql.client.global_ids import is_global_id
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tessera_gql.client import Registration, RegistrationResult, TesseraClient
    from tessera_gql.client.operations.registrations import RegistrationChanges


def register(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    fqn: FqnArgument,
    team: TeamOption = None,
    field: Annotated[list[str] | None, typer.Option("--field", "-f", help="Field path it reads; repeatable.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What the team uses the data for.")] = None,
    consumer: Annotated[
        str | None, typer.Option(help="Asset of the team that is made from this one.", autocompletion=complete_fqn)
    ] = None,
    change: Annotated[
        bool, typer.Option("--change", help="Change the registration that the team has: its fields, or its purpose.")
    ] = False,
    all_fields: Annotated[bool, typer.Option("--all-fields", help="With --change: it reads the whole asset.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Register a team as a consumer of an asset, or of some of its fields with --field.

    With --change, the fields that are given replace those of the registration; what is left out stays.

    Example: tessera register analytics.marts.orders --team finance --field order_id --field total

    Example: tessera register analytics.marts.orders --team finance --change --field order_id
    """
    if all_fields and not change:
        raise fail("--all-fields belongs to --change. A registration without --field is for the whole asset anyway.")
    if all_fields and field:
        raise fail("--all-fields and --field exclude each other. Give one of them.")
    with connect() as client:
        if change:
            registration = _change(client, fqn, team, consumer, _build_changes(field, purpose, all_fields=all_fields))
        else:
            registration = client.register(
                fqn, team=team or None, fields=field or None, purpose=purpose or None, consumer_asset=consumer or None
            )
    if as_json:
        print_json(registration)
    else:
        reads = "everything" if registration.fields is None else ", ".join(registration.fields)
        print_line(f"{registration.consumer_team.name} reads {reads} of {registration.asset.fqn} ({registration.id}).")
    for warning in registration.warnings:
        print_note((f"note: {warning}", "yellow"))


def _build_changes(fields: Sequence[str] | None, purpose: str | None, *, all_fields: bool) -> RegistrationChanges:
    changes: RegistrationChanges = {}
    if fields or all_fields:
        changes["fields"] = fields or None
    if purpose is not None:
        changes["purpose"] = purpose or None
    if not changes:
        raise fail("Nothing to change. Give --field, --all-fields or --purpose beside --change.")
    return changes


def _change(
    client: TesseraClient, fqn: str, team: str | None, consumer: str | None, changes: RegistrationChanges
) -> RegistrationResult:
    registration = _find_registration(client, fqn, team, consumer)
    changes["expected_row_version"] = registration.row_version
    return client.update_registration(registration.id, **changes)


def unregister(
    registration: Annotated[
        str,
        typer.Argument(
            metavar="REGISTRATION|FQN", help="Its id, or the fqn of the asset.", autocompletion=complete_fqn
        ),
    ],
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the registration of a team with an asset.

    Example: tessera unregister analytics.marts.orders --team finance
    """
    with connect() as client:
        is_id = is_global_id(registration, "Registration")
        if is_id and team:
            raise fail("An id names the registration of one team. Leave --team out, or give the fqn of the asset.")
        ended = client.unregister(registration if is_id else _find_registration(client, registration, team).id)
    print_json(ended) if as_json else print_line(f"{ended.consumer_team.name} no longer reads {ended.asset.fqn}.")


def _find_registration(client: TesseraClient, fqn: str, team: str | None, consumer: str | None = None) -> Registration:
    """Find the registration of a team with an asset; with `consumer` that of an asset that is made from it."""
    asset = client.get_asset(fqn)
    reader = client.get_team(team) if team else client.viewer().team
    if reader is None:
        raise fail("This key belongs to no team. Say which team with --team.")
    consumer_id = client.get_asset(consumer).id if consumer else None
    registrations = [
        item
        for item in client.registrations(asset_id=asset.id, consumer_team_id=reader.id)
        if item.status != "INACTIVE"
        and (consumer_id is None or (item.consumer_asset is not None and item.consumer_asset.id == consumer_id))
    ]
    if not registrations:
        command = build_tessera_command("asset", "show", asset.fqn)
        raise fail(f"{reader.name} is not registered with {asset.fqn}. `{command}` lists its readers.")
    if len(registrations) > 1:
        listed = ", ".join(item.consumer_asset.fqn if item.consumer_asset else item.id for item in registrations)
        raise fail(f"{reader.name} is registered with {asset.fqn} {len(registrations)} times, for {listed}. Give one.")
    return registrations[0]
