"""`tessera db`: the tables of the database named by DATABASE_URL."""

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from tessera_gql.cli.database_access import check_sqlite_file, database_faults, existing_database, run_on_database
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.terminal import fail, print_line, print_note
from tessera_gql.config import Settings
from tessera_gql.escaping import shell_quote
from tessera_gql.store import backup, migration
from tessera_gql.store.audit import Broken
from tessera_gql.store.database import Database
from tessera_gql.store.engine import sqlite_file
from tessera_gql.workflows.webhook_secrets import StoredSecrets, encrypt_stored

app = typer.Typer(help="Create, upgrade and inspect the database.", no_args_is_help=True)


DUMP = """pg_dump --format=custom --file={file} "$DATABASE_URL"
"""
RESTORE = """pg_restore --exit-on-error --single-transaction --no-owner --dbname="$DATABASE_URL" {file}
tessera audit verify
"""


@app.command()
def upgrade(revision: str = typer.Argument("head", help="Where to; `head` is the newest.")) -> None:
    """Bring the database to the tables this version needs."""
    settings = read_settings()
    _check(revision)
    check_sqlite_file(settings)
    with _migrating(settings, revision):
        asyncio.run(migration.upgrade(settings.database_url, revision, settings.options))
        print_line(f"The database is at revision {_current(settings)}.")


@app.command()
def downgrade(
    revision: str = typer.Argument(help="Where to; `base` removes every table and all that is in them."),
) -> None:
    """Take the tables back to an earlier revision."""
    settings = existing_database()
    _check(revision)
    with _migrating(settings, revision):
        asyncio.run(migration.downgrade(settings.database_url, revision))
        print_line(f"The database is at revision {_current(settings) or 'none'}.")


@app.command()
def current() -> None:
    """Say at which revision the database is; exit 1 if this version needs another."""
    settings = existing_database()
    with database_faults(settings):
        at, head = _current(settings), migration.head()
    print_line(f"{at or 'none'} (this version needs {head})")
    if at != head:
        raise typer.Exit(ExitCode.NEGATIVE)


@app.command("backup")
def back_up(
    file: Annotated[Path, typer.Argument(help="Where the copy goes.")],
    force: bool = typer.Option(False, "--force", help="Replace the file if there is one."),
) -> None:
    """Copy the database into one file while servers go on using it, and verify the copy. SQLite only."""
    settings = existing_database()
    if (database := sqlite_file(settings.database_url)) is None:
        _print_commands(settings, DUMP + RESTORE, file)
        raise fail("A PostgreSQL is copied by its own tools, while servers use it: run the first of these commands.")
    with database_faults(settings), _unbroken():
        copied = backup.backup(database, file, is_forced=force)
    print_line(f"Copied {database} to {file}: {_said(copied)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A copy that `tessera db backup` made.")],
    force: bool = typer.Option(False, "--force", help="Replace the database if there is one."),
) -> None:
    """Put a verified copy in the place of the database, which nobody may be using. SQLite only."""
    settings = read_settings()
    if (database := sqlite_file(settings.database_url)) is None:
        _print_commands(settings, RESTORE, file)
        raise fail("A PostgreSQL is restored by its own tools, into an empty database: run these commands.")
    with database_faults(settings), _unbroken():
        copied = backup.restore(file, database, is_forced=force)
    print_line(f"Restored {database} from {file}: {_said(copied)}")
    if copied.revision != migration.head():
        print_line("It is of an earlier version: the server upgrades it when it starts, or `tessera db upgrade` does.")


@app.command()
def rotate_secrets() -> None:
    """Encrypt every stored secret with the first key of SECRETS_KEY; after that the older keys can go."""
    if not read_settings().secrets_key:
        raise fail("SECRETS_KEY is not set. Make a key with `openssl rand -base64 32`, and give it to every server.")
    stored = run_on_database(_rotate)
    print_line(f"Encrypted {stored.encrypted} secrets of webhooks; the others already had the newest key.")
    for warning in stored.warnings():
        print_note(warning)
    if stored.unreadable:
        raise typer.Exit(ExitCode.NEGATIVE)


async def _rotate(database: Database) -> StoredSecrets:
    async with database.write() as session:
        stored = await encrypt_stored(session, rotate=True)
    await database.erase_overwritten()
    return stored


def _print_commands(settings: Settings, commands: str, file: Path) -> None:
    is_plain = settings.database_url.startswith(("postgresql://", "postgres://"))
    url = "$DATABASE_URL" if is_plain else "${DATABASE_URL/+asyncpg/}"
    for line in commands.splitlines():
        print_line(line.replace("$DATABASE_URL", url).replace("{file}", shell_quote(str(file))))


def _current(settings: Settings) -> str | None:
    return asyncio.run(migration.current(settings.database_url))


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
        raise fail(f"{error} Nothing was changed.", ExitCode.NEGATIVE) from None


def _check(revision: str) -> None:
    """Before anything is touched; `+1` and `-1` are relative to where the database is."""
    if revision not in {"head", "base", *migration.known()} and not re.fullmatch(r"[+-]\d{1,4}", revision):
        known = ", ".join(sorted(migration.known()))
        raise fail(f"There is no revision {revision}. This version knows {known}, head and base.")


@contextmanager
def _migrating(settings: Settings, revision: str) -> Generator[None]:
    """Where the database is decides where it can be taken."""
    with database_faults(settings):
        try:
            yield
        except migration.UnknownRevision as error:
            raise fail(str(error)) from None
        except (CommandError, RevisionError):
            at = _current(settings)
            reason = None if at in migration.known() else migration.misfit(migration.Stand(at))
            raise fail(reason or f"The database is at revision {at} and can't be taken to {revision}.") from None
