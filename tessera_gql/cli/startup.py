"""Start-up checks of servers and workers: the database is reachable and at the right revision."""

import asyncio
import json
import time
from pathlib import Path
from typing import BinaryIO

from tessera_gql.cli.database_access import check_sqlite_file, translate_database_faults
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail, print_note
from tessera_gql.config import Settings
from tessera_gql.errors import Unavailable
from tessera_gql.store import migration
from tessera_gql.store.engine import display_name, parse_url, sqlite_path
from tessera_gql.store.faults import READ_ONLY, is_connection_refused
from tessera_gql.store.file_access import explain_denied
from tessera_gql.store.sqlite_file import SETTING, lock

PAUSE_SECONDS = 0.5


def lock_sqlite_file(settings: Settings) -> BinaryIO | None:
    """Lock an SQLite file against other servers while the returned file is open; raises a Refusal if it is locked."""
    if (file := sqlite_path(settings.database_url)) is None:
        return None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise fail(f"The database {file} can't be opened: {explain_denied(error, file, SETTING)}") from None
    return lock(file)


def check_jwks_file(settings: Settings) -> None:
    """Fail if the file of OIDC_JWKS can't be used: without it every token would be refused."""
    if (name := settings.oidc_jwks) is None or "://" in name:
        return
    try:
        keys = json.loads(Path(name).read_bytes()).get("keys")
    except OSError as error:
        raise fail(f"OIDC_JWKS: the file {name} can't be read: {error.strerror or error}.") from None
    except (ValueError, AttributeError):
        keys = None
    if not isinstance(keys, list):
        raise fail(f'OIDC_JWKS: the file {name} holds no keys. It is a JSON document such as {{"keys": [...]}}.')


async def prepare_database(settings: Settings) -> None:
    """Create and upgrade an SQLite file; wait for PostgreSQL and only check its revision."""
    if sqlite_path(settings.database_url) is None:
        with translate_database_faults(settings):
            state = await wait_for_database(settings)
    else:
        check_sqlite_file(settings)
        with translate_database_faults(settings):
            try:
                await migration.upgrade(settings.database_url)
            except migration.UnknownRevision as error:
                raise fail(str(error)) from None
        return
    if reason := migration.describe_mismatch(state):
        raise fail(reason)


async def wait_for_database(settings: Settings) -> migration.SchemaState:
    """Wait until PostgreSQL is writable. A refused login fails at once, because waiting does not repair settings."""
    deadline, has_reported = time.monotonic() + settings.database_wait_seconds, False
    while True:
        try:
            return await _check_writable(settings)
        except Unavailable as error:
            if is_connection_refused(error):
                raise fail(f"{_capitalize(error.reason)}. Check DATABASE_URL.", ExitCode.UNAVAILABLE) from None
            if time.monotonic() >= deadline:
                raise
            if not has_reported:
                wait = f"Waiting for up to {settings.database_wait_seconds:g} seconds."
                print_note(f"{_capitalize(error.reason)}. {wait}")
                has_reported = True
        await asyncio.sleep(PAUSE_SECONDS)


async def _check_writable(settings: Settings) -> migration.SchemaState:
    """Return the state of the database; raises Unavailable for a standby, because a server must write."""
    state = await migration.load_state(settings.database_url, settings.database_options)
    if state.is_read_only:
        reason = f"{display_name(parse_url(settings.database_url))} {READ_ONLY.text}"
        raise Unavailable(f"{_capitalize(reason)}. Promote it, or set DATABASE_URL to the primary.", reason=reason)
    return state


def _capitalize(clause: str) -> str:
    return clause[:1].upper() + clause[1:]
