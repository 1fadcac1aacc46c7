"""The file of an SQLite database: its permissions, its lock, and a check that it was not deleted or replaced."""

import errno
import logging
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.store.file_access import explain_denied

SETTING = "DATABASE_URL"
PRIVATE_MODE = 0o600
OTHERS_MODE = 0o077
FILE_SUFFIXES = ("", "-wal", "-shm")
NO_LOCK_ERRORS = (errno.ENOLCK, errno.EOPNOTSUPP)
"""Error numbers of file systems that do not support locks."""

log = logging.getLogger(__name__)


class FileLost(OSError):  # noqa: N818 - a state of the file
    """The file was deleted or replaced while it was open, so that further writes would be lost."""


@dataclass
class SQLiteFile:
    """The file of one `Database`, with its identity, since SQLite itself continues with a deleted file."""

    path: Path
    uses_wal: bool = False
    _identity: tuple[int, int] | None = field(default=None, repr=False)

    def prepare(self, *, creates: bool) -> None:
        """Create the file if allowed, and remove the permissions of other users, before a connection is opened."""
        if self._identity is None:
            if creates:
                make_private(self.path)
            self._identity = _identity(self.path)
        else:
            self.check()

    def check(self, *, is_committing: bool = False) -> None:
        """Raise FileLost if the path names another file now; costs a few microseconds."""
        if self._identity is None:
            return
        try:
            is_same = _identity(self.path) == self._identity
            if is_same and is_committing and self.uses_wal:
                os.stat(f"{self.path}-wal")  # noqa: PTH116 - twice as fast as pathlib, before every commit
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise FileLost(errno.ESTALE, "the file was deleted or replaced")


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 - twice as fast as pathlib, before every transaction
    return status.st_dev, status.st_ino


def make_private(path: Path) -> None:
    """Create the file for its owner only, or remove other users' permissions from it and SQLite's files next to it."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE))
        return
    for suffix in FILE_SUFFIXES:
        file = path.with_name(path.name + suffix)
        with suppress(FileNotFoundError):
            _restrict(file)


def _restrict(file: Path) -> None:
    mode = stat.S_IMODE(file.stat().st_mode)
    if os.name != "posix" or not mode & OTHERS_MODE:
        return
    try:
        file.chmod(PRIVATE_MODE)
    except PermissionError:
        log.warning("Other users can read %s, and its owner must change that: chmod 600 %s", file, file)
    else:
        log.warning("Other users could read %s (mode %o); now only its owner can (600).", file, mode)


def lock(database: Path) -> BinaryIO | None:
    """Lock the database against other servers until the returned file is closed or the process ends.

    The lock is on a separate file, because closing any descriptor of the database would release SQLite's own locks. The
    file is never deleted, or two servers could lock two files. Returns None where the platform has no locks. Raises
    Conflict if another process holds the lock.
    """
    try:
        import fcntl  # noqa: PLC0415 - missing on Windows
    except ImportError:
        return None
    resolved = database.resolve()
    lock_path = resolved.with_name(f"{resolved.name}.lock")
    try:
        file = os.fdopen(os.open(lock_path, os.O_RDWR | os.O_CREAT, PRIVATE_MODE), "r+b")
    except OSError as error:
        raise Invalid(f"The database {database} can't be opened: {explain_denied(error, resolved, SETTING)}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = file.read(20).decode("ascii", "replace").strip()
        file.close()
        raise Conflict(
            f"{database} is in use by another server (process {holder or 'unknown'}), and SQLite serves one at a time."
            " Stop that one first; to run several, set DATABASE_URL to a PostgreSQL."
        ) from None
    except OSError as error:
        if error.errno not in NO_LOCK_ERRORS:
            file.close()
            raise Invalid(f"The lock {lock_path} can't be taken: {error.strerror or error}.") from None
        log.warning("The file system of %s has no locks: make sure that no other server uses it.", database)
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file
