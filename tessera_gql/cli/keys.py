"""`tessera keys`: the API keys of the database that DATABASE_URL names, for administrators on its machine."""

import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
import typer

from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.terminal import fail, is_terminal, print_json_text, print_line, print_note, print_table
from tessera_gql.graphql.ids import parsed
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.store import keys as store
from tessera_gql.store import teams
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import ApiKey
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import NewKey

T = TypeVar("T")

ACTOR = Actor("tessera keys", scopes=frozenset(Scope))
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
COLUMNS = ("id", "prefix", "name", "team", "scopes", "state", "created_at", "expires_at", "last_used_at")
HEADINGS = ("prefix", "name", "team", "scope", "state", "created", "expires", "last used")

app = typer.Typer(help="Make, list and revoke API keys, straight in the database.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    team: Annotated[str | None, typer.Option(help="The team it acts for; none for an administrator's key.")] = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="What it is good for.", case_sensitive=False)] = None,
    expires: Annotated[str | None, typer.Option(help="After so long: 12h, 90d, 52w. Never by default.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key. Its token is printed on stdout, this once."""
    default = Scope.READ if team else Scope.ADMIN

    async def work(session: Session) -> dict[str, Any]:
        minted = await keys.create(session, ACTOR, asked)
        return {"token": minted.token} | (await _shown(session, [minted.key]))[0]

    asked = NewKey(name, scope or (default,), TeamRef(name=team) if team else None, _moment(expires))
    made = _run(work)
    if as_json:
        print_json_text(_json(made))
        return
    print_line(made["token"])
    print_note(("This is the only time the token is shown. Send it as `Authorization: Bearer TOKEN`.", "dim"))


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys, oldest first."""

    async def work(session: Session) -> list[dict[str, Any]]:
        return await _shown(session, await store.all_of(session))

    keys_found = _run(work)
    if as_json:
        print_json_text(_json(keys_found))
    elif is_terminal():
        print_table(HEADINGS, map(_cells, keys_found), none="No keys.")
    else:
        print_table(COLUMNS, ([_text(key[column]) for column in COLUMNS] for key in keys_found))


@app.command()
def revoke(key: Annotated[str, typer.Argument(metavar="PREFIX|ID", help="How its token begins, or its id.")]) -> None:
    """Revoke a key for good: what lives on it ends, in running servers too."""

    async def work(session: Session) -> ApiKey:
        identity = _identity(key) or (await keys.by_prefix(session, key)).id
        return await keys.revoke(session, ACTOR, identity)

    revoked = _run(work)
    print_line(f"The key {revoked.name} ({revoked.prefix}…) is revoked.")


def _run(work: Callable[[Session], Awaitable[T]]) -> T:
    """Run `work` in one transaction."""

    async def transact(database: Database) -> T:
        async with database.write(ACTOR.name) as session:
            return await work(session)

    return run_on_database(transact)


async def _shown(session: Session, found: Sequence[ApiKey]) -> list[dict[str, Any]]:
    named = {one.id: one.name for one in await teams.by_ids(session, [key.team_id for key in found if key.team_id])}
    return [
        {column: getattr(key, column, None) for column in COLUMNS}
        | {"team": named[key.team_id] if key.team_id else None, "state": _state(key, session.now)}
        for key in found
    ]


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "good"


def _cells(keys_found: dict[str, Any]) -> tuple[str, ...]:
    days = (_text(keys_found[column])[:10] for column in ("created_at", "expires_at", "last_used_at"))
    return (
        keys_found["prefix"],
        keys_found["name"],
        keys_found["team"] or "-",
        keys_found["scopes"][-1],
        keys_found["state"],
        *days,
    )


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
        case list():
            return ",".join(str(one) for one in value)  # pyright: ignore[reportUnknownVariableType]
        case _:
            return str(value)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _moment(expires: str | None) -> datetime | None:
    if expires is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})([hdw])", expires)
    if found is None:
        raise fail(f"--expires {expires} is no duration. Write hours, days or weeks: 12h, 90d, 52w.")
    return datetime.now(UTC) + int(found[1]) * UNITS[found[2]]


def _identity(text: str) -> UUID | None:
    """A plain id, or one as the graph writes it."""
    try:
        return UUID(text)
    except ValueError:
        found = parsed(text)
        return found[1] if found and found[0] == "ApiKey" else None
