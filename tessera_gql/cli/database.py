"""`tessera db`: the tables of the database named by DATABASE_URL."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.start import open_database
from tessera_gql.cli.terminal import fail, out, settings, told
from tessera_gql.config import Settings
from tessera_gql.store import backup, migration
from tessera_gql.store.audit import Broken
from tessera_gql.store.engine import sqlite_file
from tessera_gql.workflows.webhook_secrets import StoredSecrets, encrypt_stored

app = typer.Typer(help="Create, upgrade and inspect the database.", no_args_is_help=True)


DUMP = """A PostgreSQL is copied by its own tools, while servers go on using it:

  pg_dump --format=custom --file={file} "$DATABASE_URL"

and is restored into an empty database by:

  pg_restore --exit-on-error --single-transaction --no-owner --dbname="$DATABASE_URL" {file}
  tessera audit verify"""
UNDUMP = """A PostgreSQL is restored by its own tools, into an empty database that no server uses yet:

  pg_restore --exit-on-error --single-transaction --no-owner --dbname="$DATABASE_URL" {file}
  tessera audit verify"""


@app.command()
def upgrade(revision: str = typer.Argument("head", help="Where to; `head` is the newest.")) -> None:
    """Bring the database to the tables this version needs."""
    known = settings()
    url = known.database_url
    with told(), _known():
        asyncio.run(migration.upgrade(url, revision, known.options))
        out.print(f"The database is at revision {asyncio.run(migration.current(url))}.")


@app.command()
def downgrade(
    revision: str = typer.Argument(help="Where to; `base` removes every table and all that is in them."),
) -> None:
    """Take the tables back to an earlier revision."""
    url = settings().database_url
    with told(), _known():
        asyncio.run(migration.downgrade(url, revision))
        out.print(f"The database is at revision {asyncio.run(migration.current(url)) or 'none'}.")


@app.command()
def current() -> None:
    """Say at which revision the database is; exit 1 if this version needs another."""
    url = settings().database_url
    with told():
        at, head = asyncio.run(migration.current(url)), migration.head()
        out.print(f"{at or 'none'} (this version needs {head})")
        if at != head:
            raise typer.Exit(1)


@app.command("backup")
def back_up(
    file: Annotated[Path, typer.Argument(help="Where the copy goes.")],
    force: bool = typer.Option(False, "--force", help="Replace the file if there is one."),
) -> None:
    """Copy the database into one file while servers go on using it, and verify the copy. SQLite only."""
    database = _embedded(DUMP.format(file=file))
    with told(), _unbroken():
        copied = backup.backup(database, file, is_forced=force)
    out.print(f"Copied {database} to {file}: {_said(copied)}", markup=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `tessera db backup` made.")],
    force: bool = typer.Option(False, "--force", help="Replace the database if there is one."),
) -> None:
    """Put a verified copy in the place of the database, which nobody may be using. SQLite only."""
    database = _embedded(UNDUMP.format(file=file))
    with told(), _unbroken():
        copied = backup.restore(file, database, is_forced=force)
    out.print(f"Restored {database} from {file}: {_said(copied)}", markup=False)
    if copied.revision != migration.head():
        out.print("It is of an earlier version: the server upgrades it when it starts, or `tessera db upgrade` does.")


@app.command()
def rotate_secrets() -> None:
    """Encrypt every stored secret with the first key of SECRETS_KEY; after that the older keys can go."""
    found = settings()
    if not found.secrets_key:
        raise fail("SECRETS_KEY is not set. Make a key with `openssl rand -base64 32`, and give it to every server.")
    with told():
        stored = asyncio.run(_rotate(found))
    out.print(f"Encrypted {stored.encrypted} secrets of webhooks; the others already had the newest key.")
    if stored.unreadable:
        raise fail("\n".join(stored.warnings()), code=1)


async def _rotate(found: Settings) -> StoredSecrets:
    async with open_database(found) as database:
        async with database.write() as session:
            stored = await encrypt_stored(session, rotate=True)
        await database.erase_overwritten()
    return stored


def _embedded(commands: str) -> Path:
    url = settings().database_url
    if (file := sqlite_file(url)) is None:
        plain = "$DATABASE_URL" if url.startswith(("postgresql://", "postgres://")) else "${DATABASE_URL/+asyncpg/}"
        raise fail(commands.replace("$DATABASE_URL", plain))
    return file


def _said(copied: backup.Copied) -> str:
    last = copied.last
    return (
        f"{copied.size_bytes:,} bytes at revision {copied.revision}; {last.sequence} events, each as it was written."
        f" The last is {last.sequence}:{last.hash}"
    )


@contextmanager
def _unbroken() -> Generator[None]:
    try:
        yield
    except Broken as error:
        raise fail(f"{error} Nothing was changed.", code=1) from None


class _known:  # noqa: N801 - reads as a clause
    """An unknown revision is the caller's mistake, not a fault."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, migration.UnknownRevision):
            raise fail(str(error)) from None
