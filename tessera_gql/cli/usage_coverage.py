"""`tessera usage coverage`, `unused`, `register` and `narrow`: how sure it is who reads what, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, connect
from tessera_gql.cli.completion import complete_fqn, complete_team
from tessera_gql.cli.coverage_report import describe_coverage
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.silence import format_day
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from tessera_gql.client import TesseraClient
    from tessera_gql.client.usage_models import NarrowableRegistration, Principal

DAY_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def coverage(fqn: FqnArgument, as_json: JsonOption = False) -> None:
    """Show how sure it is who reads an asset: declared and observed readers, and the time that reads cover.

    Example: tessera usage coverage analytics.marts.orders
    """
    with connect() as client:
        covered = client.coverage(fqn)
    if as_json:
        print_json(covered)
        return
    print_line(describe_coverage(covered))
    rows = ((item.principal.name, format_day(item.last_read_at)) for item in covered.unmapped_readers)
    if covered.unmapped_readers:
        print_table(("principal without a team", "last read"), rows)


def unused(
    fqn: FqnArgument,
    since: Annotated[datetime, typer.Option(formats=DAY_FORMATS, help="Time in UTC since which nobody read them.")],
    as_json: JsonOption = False,
) -> None:
    """List the fields that no team is registered for and nobody was seen reading. Exit 1 if reads don't cover the time.

    Example: tessera usage unused analytics.marts.orders --since 2026-03-01
    """
    start = since.replace(tzinfo=UTC)
    with connect() as client:
        fields = list(client.unused_fields(fqn, start))
        basis = client.unused_fields_coverage(fqn, start)
    if as_json:
        print_json({"fields": fields, **basis.model_dump(by_alias=True)})
    else:
        rows = ((item.path, item.type, item.last_read_at and format_day(item.last_read_at)) for item in fields)
        print_table(("field", "type", "last read"), rows, none="No unused fields.")
        print_note(describe_coverage(basis.coverage))
    if not basis.is_complete:
        if not as_json:
            print_note("The fields may be read all the same: reads don't cover the time since then without a gap.")
        raise typer.Exit(ExitCode.NEGATIVE)


def register(
    principal: Annotated[str, typer.Argument(help="Name of the principal, as the source spells it.")],
    team: Annotated[
        str | None,
        typer.Option(
            "--team",
            "-t",
            help="Team it reads for; by default its own or the suggested one.",
            autocompletion=complete_team,
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Usage source, if several have seen this name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Map a principal to a team and register the team for what the principal was seen reading. Needs ADMIN.

    Example: tessera usage register svc_finance_daily --team finance
    """
    with connect() as client:
        reader = _find_principal(client, principal, source)
        result = client.register_observed_reader(reader, team=team)
    if as_json:
        print_json(result)
        return
    name = result.principal.team.name if result.principal.team else "no team"
    print_line(f"{result.principal.name} reads for {name}.")
    for item in result.registrations:
        print_line(f"  {item.asset.fqn}: {', '.join(item.fields) if item.fields is not None else 'everything'}")
    if not result.registrations:
        print_note("The team is registered for all that it was seen reading, or it reads only assets of its own.")


def _find_principal(client: TesseraClient, name: str, source: str | None) -> Principal:
    """Find a principal by its name, which several sources may have seen."""
    matching = [
        item
        for item in client.principals(name_contains=name)
        if item.name.lower() == name.lower() and (source is None or item.source.name.lower() == source.lower())
    ]
    if not matching:
        raise fail(f"No source has seen a principal {name}. `tessera usage principals` lists them.")
    if len(matching) > 1:
        sources = ", ".join(item.source.name for item in matching)
        raise fail(f"Several sources have seen {name}: {sources}. Say which one with --source.")
    return matching[0]


def narrow(
    asset: Annotated[
        str | None, typer.Option(help="Only registrations with this asset.", autocompletion=complete_fqn)
    ] = None,
    team: Annotated[
        str | None, typer.Option("--team", "-t", help="Only registrations of this team.", autocompletion=complete_team)
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Narrow the registrations to what was seen.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List registrations that name more fields than 60 covered days have seen the team read, and narrow them.

    Example: tessera usage narrow --team finance --accept
    """
    with connect() as client:
        asset_id = client.get_asset(asset).id if asset else None
        team_id = client.get_team(team).id if team else None
        listed = client.narrowable_registrations(asset_id=asset_id, consumer_team_id=team_id)
        suggestions = [item for item in listed if item.suggested_fields is not None]
        for item in suggestions if accept else ():
            if item.suggested_fields is not None:
                fields = item.suggested_fields.fields
                client.update_registration(item.id, fields=fields, expected_row_version=item.row_version)
    if as_json:
        print_json(suggestions)
        return
    rows = (row for item in suggestions for row in _to_row(item))
    print_table(("asset", "team", "fields", "why"), rows, none="No registration names more than was seen.")
    if suggestions:
        print_note("They are narrowed now." if accept else "Narrow them with --accept.")


def _to_row(item: NarrowableRegistration) -> Iterator[tuple[str, ...]]:
    if (narrower := item.suggested_fields) is not None:
        yield (item.asset.fqn, item.consumer_team.name, ", ".join(narrower.fields), narrower.reason)
