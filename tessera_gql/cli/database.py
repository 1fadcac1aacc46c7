"""`tessera db`: migrate, back up and restore the database of DATABASE_URL."""

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from tessera_gql.cli.database_access import (
    check_sqlite_file,
    read_existing_database_settings,
    require_revision,
    run_on_database,
    translate_database_faults,
)
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.settings import read_settings
from tessera_gql.cli.startup import wait_for_database
from tessera_gql.cli.terminal import fail, print_line, print_note
from tessera_gql.config import Settings
from tessera_gql.escaping import shell_quote
from tessera_gql.store import backup, event_anchors, migration
from tessera_gql.store.audit import BrokenEventLog
from tessera_gql.store.database import Database
from tessera_gql.store.engine import sqlite_path
from tessera_gql.workflows.webhook_secrets import StoredSecrets, encrypt_stored

app = typer.Typer(help="Migrate, back up and restore the database.", no_args_is_help=True)

DUMP_COMMANDS = """pg_dump --format=custom --file={file} "$DATABASE_URL"
"""
RESTORE_COMMANDS = """pg_restore --exit-on-error --single-transaction --no-owner --dbname="$DATABASE_URL" {file}
tessera audit verify
"""


@app.command()
def upgrade(revision: str = typer.Argument("head", help="Target revision; `head` is the newest.")) -> None:
    """Migrate the database up, by default to the revision this version needs.

    Waits for a PostgreSQL that can't be reached yet, for up to DATABASE_WAIT_SECONDS.
    """
    settings = read_settings()
    _check_revision(revision)
    check_sqlite_file(settings)
    with _translate_migration_errors(settings, revision):
        asyncio.run(_upgrade(settings, revision))
        print_line(f"The database is at revision {_read_revision(settings)}.")


async def _upgrade(settings: Settings, revision: str) -> None:
    if sqlite_path(settings.database_url) is None:
        await wait_for_database(settings)
    await migration.upgrade(settings.database_url, revision, settings.database_options, print_note)


@app.command()
def downgrade(revision: str = typer.Argument(help="Target revision; `base` drops every table.")) -> None:
    """Migrate the database down to an earlier revision."""
    settings = read_existing_database_settings()
    _check_revision(revision)
    with _translate_migration_errors(settings, revision):
        asyncio.run(migration.downgrade(settings.database_url, revision))
        print_line(f"The database is at revision {_read_revision(settings) or 'none'}.")


@app.command()
def current() -> None:
    """Print the revision of the database. Exit 1 if this version needs another one."""
    settings = read_existing_database_settings()
    with translate_database_faults(settings):
        revision, head = _read_revision(settings), migration.head_revision()
    print_line(f"{revision or 'none'} (this version needs {head})")
    if revision != head:
        raise typer.Exit(ExitCode.NEGATIVE)


@app.command()
def reindex() -> None:
    """Build the index of the search anew, for rows that were not written by this version. Writers wait meanwhile."""
    settings = read_existing_database_settings()
    with translate_database_faults(settings):
        count = asyncio.run(_reindex(settings))
    print_line(f"The index has {count:,} documents.")


async def _reindex(settings: Settings) -> int:
    await require_revision(settings)
    return await migration.reindex(settings.database_url, settings.database_options, print_note)


@app.command("backup")
def back_up(
    file: Annotated[Path, typer.Argument(help="Path of the copy.")],
    force: bool = typer.Option(False, "--force", help="Overwrite an existing file."),
) -> None:
    """Copy the database to a file while it is in use, and verify the copy. SQLite only."""
    settings = read_existing_database_settings()
    if (database := sqlite_path(settings.database_url)) is None:
        _print_commands(settings, DUMP_COMMANDS + RESTORE_COMMANDS, file)
        raise fail("A PostgreSQL is copied by its own tools, while servers use it: run the first of these commands.")
    with translate_database_faults(settings), _translate_broken_log():
        keys = settings.database_options.secrets_keys
        copy = backup.backup(database, file, is_forced=force, secrets_keys=keys)
    print_line(f"Copied {database} to {file}: {_describe_copy(copy)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="Copy made by `tessera db backup`.")],
    force: bool = typer.Option(False, "--force", help="Overwrite an existing database."),
) -> None:
    """Replace the database with a verified copy. No server may be running on it. SQLite only."""
    settings = read_settings()
    if (database := sqlite_path(settings.database_url)) is None:
        _print_commands(settings, RESTORE_COMMANDS, file)
        raise fail("A PostgreSQL is restored by its own tools, into an empty database: run these commands.")
    with translate_database_faults(settings), _translate_broken_log():
        keys = settings.database_options.secrets_keys
        copy = backup.restore(file, database, is_forced=force, secrets_keys=keys)
    print_line(f"Restored {database} from {file}: {_describe_copy(copy)}")
    if copy.revision != migration.head_revision():
        print_line("It is of an earlier version: the server upgrades it when it starts, or `tessera db upgrade` does.")


@app.command()
def rotate_secrets() -> None:
    """Encrypt stored secrets and sign archives with the first key of SECRETS_KEY, so that older keys can go."""
    if not read_settings().secrets_key:
        raise fail("SECRETS_KEY is not set. Make a key with `openssl rand -base64 32`, and give it to every server.")
    stored = run_on_database(_rotate_secrets)
    print_line(f"Encrypted {stored.encrypted} secrets of webhooks; the others already had the newest key.")
    for warning in stored.warnings():
        print_note(warning)
    if stored.unreadable:
        raise typer.Exit(ExitCode.NEGATIVE)


async def _rotate_secrets(database: Database) -> StoredSecrets:
    async with database.write() as session:
        stored = await encrypt_stored(session, rotate=True)
        for fault in await event_anchors.sign_again(session):
            print_note(fault)
    await database.erase_overwritten()
    return stored


def _print_commands(settings: Settings, commands: str, file: Path) -> None:
    is_plain = settings.database_url.startswith(("postgresql://", "postgres://"))
    url = "$DATABASE_URL" if is_plain else "${DATABASE_URL/+asyncpg/}"
    for line in commands.splitlines():
        print_line(line.replace("$DATABASE_URL", url).replace("{file}", shell_quote(str(file))))


def _read_revision(settings: Settings) -> str | None:
    return asyncio.run(migration.load_revision(settings.database_url))


def _describe_copy(copy: backup.VerifiedCopy) -> str:
    last = copy.last_position
    return (
        f"{copy.size_bytes:,} bytes at revision {copy.revision}; events up to {last.sequence}, each as it was"
        f" written. The last is {last.sequence}:{last.hash}"
    )


@contextmanager
def _translate_broken_log() -> Generator[None]:
    try:
        yield
    except BrokenEventLog as error:
        raise fail(f"{error} Nothing was changed.", ExitCode.NEGATIVE) from None


def _check_revision(revision: str) -> None:
    """Reject unknown revisions before anything is changed. `+1` and `-1` are relative to the current revision."""
    if revision not in {"head", "base", *migration.known_revisions()} and not re.fullmatch(r"[+-]\d{1,4}", revision):
        known_revisions = ", ".join(sorted(migration.known_revisions()))
        raise fail(f"There is no revision {revision}. This version knows {known_revisions}, head and base.")


@contextmanager
def _translate_migration_errors(settings: Settings, revision: str) -> Generator[None]:
    """Report migration errors as messages that name the current revision."""
    with translate_database_faults(settings):
        try:
            yield
        except migration.UnknownRevision as error:
            raise fail(str(error)) from None
        except (CommandError, RevisionError):
            current_ = _read_revision(settings)
            is_known = current_ in migration.known_revisions()
            reason = None if is_known else migration.describe_mismatch(migration.SchemaState(current_))
            raise fail(reason or f"The database is at revision {current_} and can't be taken to {revision}.") from None
