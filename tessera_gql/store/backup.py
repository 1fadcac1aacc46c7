"""Backup of an SQLite database while it is in use, and restore of a verified backup while it is not."""

import asyncio
import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from tessera_gql.errors import Conflict, Invalid, NotFound
from tessera_gql.store import audit, migration
from tessera_gql.store.audit import LogPosition
from tessera_gql.store.database import Database
from tessera_gql.store.engine import DEFAULT_OPTIONS
from tessera_gql.store.sqlite_file import lock, make_private

HEADER = b"SQLite format 3\0"
BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
ANCHORS_SQL = "SELECT 1 FROM sqlite_master WHERE name = 'event_anchors'"
FILE_SUFFIXES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class VerifiedCopy:
    """A verified copy: its revision, the end of its event log, and its size."""

    revision: str
    last_position: LogPosition
    size_bytes: int


def backup(database: Path, file: Path, *, is_forced: bool = False, secrets_keys: Sequence[str] = ()) -> VerifiedCopy:
    """Copy a database that may be in use to a file, and verify the copy, with signatures of archives if keys are given.

    Raises a Refusal, or BrokenEventLog if the event log was changed; then no file is left.
    """
    if not database.exists():
        raise NotFound(f"There is no database {database}. Check DATABASE_URL.")
    if file.exists() and not is_forced:
        raise Conflict(f"{file} exists. Choose another name, or replace it with --force.")
    with _translate_errors(file), _temporary_file(file) as draft:
        _copy(database, draft)
        copied = _check_copy(draft, secrets_keys)
        draft.replace(file)
    return copied


def restore(file: Path, database: Path, *, is_forced: bool = False, secrets_keys: Sequence[str] = ()) -> VerifiedCopy:
    """Replace a database that is not in use by a backup, which is verified as by `backup`.

    Raises a Refusal, or BrokenEventLog if the event log was changed; then the database is unchanged.
    """
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    with file.open("rb") as stream:
        if stream.read(len(HEADER)) != HEADER:
            raise Invalid(f"{file} is not an SQLite database. Give a file that `tessera db backup` made.")
    if database.exists() and not is_forced:
        raise Conflict(f"{database} exists. Restore elsewhere, or replace it with --force: all that is in it is lost.")
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(lock(database) or BytesIO()), _translate_errors(database), _temporary_file(database) as draft:
        _copy(file, draft)
        copied = _check_copy(draft, secrets_keys)
        _replace(database, draft)
    return copied


@contextmanager
def _translate_errors(target: Path) -> Generator[None]:
    """Turn errors of SQLite and the file system into refusals that name the target."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in BUSY:
            raise Conflict(f"{target} is in use. Stop every server and worker on it, then try again.") from None
        raise Invalid(f"The copy to {target} failed: {error}. Nothing was changed.") from None
    except OSError as error:
        raise Invalid(f"{target} can't be written: {error.strerror or error}. Nothing was changed.") from None


@contextmanager
def _temporary_file(target: Path) -> Generator[Path]:
    """Create an empty private file next to the target, and delete it on leaving unless it was moved."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.copy")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield draft
    finally:
        for suffix in FILE_SUFFIXES:
            with suppress(FileNotFoundError):
                draft.with_name(draft.name + suffix).unlink()


def _copy(source: Path, draft: Path) -> None:
    """Copy a consistent snapshot of the source, which may be written to meanwhile."""
    read_only = sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True, timeout=30)
    with closing(read_only), closing(sqlite3.connect(draft)) as connection:
        read_only.backup(connection)


def _check_copy(draft: Path, secrets_keys: Sequence[str]) -> VerifiedCopy:
    """Verify a copy's integrity, revision and event log, and turn WAL off so that it is a single file."""
    with closing(sqlite3.connect(draft)) as connection:
        if (result := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
            raise Invalid(f"It is damaged: {result}. Use another copy.")
        revision = _read_revision(connection)
        has_anchors = connection.execute(ANCHORS_SQL).fetchone() is not None
    if revision not in migration.known_revisions():
        raise Invalid(
            f"It is at revision {revision or 'none'}, which this version of Tessera GQL does not know."
            " Use the version that made it."
        )
    last = asyncio.run(_verify_event_log(draft, secrets_keys, has_anchors=has_anchors))
    with closing(sqlite3.connect(draft)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return VerifiedCopy(revision, last, draft.stat().st_size)


async def _verify_event_log(draft: Path, secrets_keys: Sequence[str], *, has_anchors: bool) -> LogPosition:
    """Verify the event log of a copy, which has no anchors if it is of an earlier revision."""
    database = Database(f"sqlite:///{draft}", options=replace(DEFAULT_OPTIONS, secrets_keys=secrets_keys))
    try:
        return await audit.verify_log(database, has_anchors=has_anchors)
    finally:
        await database.dispose()


def _read_revision(connection: sqlite3.Connection) -> str:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return ""
    return str(row[0]) if row else ""


def _replace(database: Path, draft: Path) -> None:
    """Copy the draft into the database file, under an exclusive lock that fails while the database is in use."""
    make_private(database)
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as target:
        try:
            target.execute("PRAGMA locking_mode = EXCLUSIVE")
            target.execute("PRAGMA journal_mode = DELETE")
            target.execute("BEGIN EXCLUSIVE")
            target.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in BUSY:
                raise
            target.close()
            _replace_file(database, draft)  # the file is no database, so nobody can be using it
            return
        with closing(sqlite3.connect(draft)) as source:
            source.backup(target)


def _replace_file(database: Path, draft: Path) -> None:
    for suffix in FILE_SUFFIXES[1:]:
        with suppress(FileNotFoundError):
            database.with_name(database.name + suffix).unlink()
    draft.replace(database)
