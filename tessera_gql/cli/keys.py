"""`tessera keys`: create, list and revoke API keys in the database of DATABASE_URL."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer

from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.terminal import JsonOption, fail, is_terminal, print_json, print_line, print_note, print_table
from tessera_gql.policy.access import ADMIN_SCOPES, Actor, Scope
from tessera_gql.policy.global_ids import decode_global_id, encode_global_id
from tessera_gql.store import keys as store
from tessera_gql.store import projects, teams, usage
from tessera_gql.store.database import Database
from tessera_gql.store.projects import ProjectRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ApiKey
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import KeyRequest

T = TypeVar("T")

ACTOR = Actor("tessera keys", scopes=frozenset(ADMIN_SCOPES))
DURATION_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
DATE_COLUMNS = ("created_at", "expires_at", "last_used_at")
COLUMNS = ("id", "prefix", "name", "team", "project", "usage_source", "scopes", "state", *DATE_COLUMNS)
HEADINGS = ("prefix", "name", "team", "project", "usage source", "scope", "state", "created", "expires", "last used")

app = typer.Typer(help="Create, list and revoke API keys, directly in the database.", no_args_is_help=True)


@app.command()
def create(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Annotated[str, typer.Argument(help="Name of the key, such as its purpose.")],
    team: Annotated[str | None, typer.Option(help="Team of the key; none for an administrator's key.")] = None,
    project: Annotated[
        str | None, typer.Option(help="Project of the key, in place of a team: for CI, with --scope write.")
    ] = None,
    usage_source: Annotated[
        str | None, typer.Option(help="Usage source of the key, in place of a team: it imports observed reads.")
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="READ by default, EVIDENCE for a usage source, ADMIN without a team and a project.",
            case_sensitive=False,
        ),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Lifetime, such as 12h, 90d or 52w.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print its token, which is never shown again."""
    default = Scope.EVIDENCE if usage_source else Scope.READ if team or project else Scope.ADMIN

    async def create_key(session: Session) -> dict[str, Any]:
        created = await keys.create(session, ACTOR, new_key)
        return {"token": created.token} | (await _describe_keys(session, [created.key]))[0]

    new_key = KeyRequest(
        name,
        scope or (default,),
        TeamRef(name=team) if team else None,
        _parse_expiry(expires),
        ProjectRef(name=project) if project else None,
        UsageSourceRef(name=usage_source) if usage_source else None,
    )
    description = _run_in_transaction(create_key)
    if as_json:
        print_json(description)
        return
    print_line(description["token"])
    print_note(("This is the only time the token is shown. Send it as `Authorization: Bearer TOKEN`.", "dim"))


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all keys, oldest first."""

    async def list_keys(session: Session) -> list[dict[str, Any]]:
        return await _describe_keys(session, await store.list_all(session))

    descriptions = _run_in_transaction(list_keys)
    if as_json:
        print_json(descriptions)
    elif is_terminal():
        print_table(HEADINGS, map(_select_cells, descriptions), none="No keys.")
    else:
        print_table(COLUMNS, ([key[column] for column in COLUMNS] for key in descriptions))


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="PREFIX|ID", help="Prefix of the token, or id of the key.")],
) -> None:
    """Revoke a key for good; its subscriptions end on all running servers."""

    async def revoke_key(session: Session) -> ApiKey:
        identity = _parse_key_id(key) or (await keys.get_by_prefix(session, key)).id
        return await keys.revoke(session, ACTOR, identity)

    revoked_key = _run_in_transaction(revoke_key)
    print_line(f"The key {revoked_key.name} ({revoked_key.prefix}…) is revoked.")


def _run_in_transaction(function: Callable[[Session], Awaitable[T]]) -> T:
    async def transact(database: Database) -> T:
        async with database.write(ACTOR.name) as session:
            return await function(session)

    return run_on_database(transact)


async def _describe_keys(session: Session, api_keys: Sequence[ApiKey]) -> list[dict[str, Any]]:
    team_rows = await teams.by_ids(session, [key.team_id for key in api_keys if key.team_id])
    project_rows = await projects.by_ids(session, [key.project_id for key in api_keys if key.project_id])
    source_rows = await usage.by_ids(session, [key.usage_source_id for key in api_keys if key.usage_source_id])
    names = {team.id: team.name for team in team_rows} | {project.id: project.name for project in project_rows}
    names |= {source.id: source.name for source in source_rows}
    return [
        {column: getattr(key, column, None) for column in COLUMNS}
        | {
            "id": encode_global_id("ApiKey", key.id),
            "team": names[key.team_id] if key.team_id else None,
            "project": names[key.project_id] if key.project_id else None,
            "usage_source": names[key.usage_source_id] if key.usage_source_id else None,
            "state": _get_state(key, session.now),
        }
        for key in api_keys
    ]


def _get_state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "good"


def _select_cells(description: dict[str, Any]) -> tuple[Any, ...]:
    dates = (moment and moment.date().isoformat() for moment in map(description.get, DATE_COLUMNS))
    return (
        *map(description.get, ("prefix", "name", "team", "project", "usage_source")),
        description["scopes"][-1],
        description["state"],
        *dates,
    )


def _parse_expiry(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})([hdw])", expires)
    if match is None:
        raise fail(f"--expires {expires} is no duration. Write hours, days or weeks: 12h, 90d, 52w.")
    return datetime.now(UTC) + int(match[1]) * DURATION_UNITS[match[2]]


def _parse_key_id(text: str) -> UUID | None:
    """Parse a UUID or a global id; None if the text is neither."""
    try:
        return UUID(text)
    except ValueError:
        global_id = decode_global_id(text)
        return global_id[1] if global_id and global_id[0] == "ApiKey" else None
