"""Translation of database errors to messages for clients and operators: what is wrong, where, and what to do next.

A fault that can pass becomes Unavailable, with the host, port and name of the database but never its password. Errors
in a statement itself are defects of this program and are raised unchanged.
"""

import errno
import socket
import sqlite3
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.connectors.asyncio import AsyncAdapt_Error
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tessera_gql.errors import Unavailable
from tessera_gql.store.sqlite_file import FileLost

FAULTS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    DBAPIError,
    AsyncAdapt_Error,
    PoolTimeoutError,
    OSError,
    TimeoutError,
)

TRY_AGAIN = "Try again in a few seconds."
CHECK_URL = "An administrator must check DATABASE_URL."


@dataclass(frozen=True)
class Reason:
    """The reason why a database can't be used, as a clause after its name, and advice.

    `is_refusal` means that the server runs and refuses connections.
    """

    text: str
    advice: str = TRY_AGAIN
    is_refusal: bool = False


BUSY = Reason("is too busy now")
BROKEN = Reason("broke the connection")
NOT_RESPONDING = Reason("does not answer")
READ_ONLY = Reason("is read-only: it is a standby that is not promoted yet, or default_transaction_read_only is on")

# Keys are prefixes of SQLSTATEs. The first match counts, so longer prefixes come first.
POSTGRESQL = {
    "3D000": Reason("does not exist: a PostgreSQL is there, without that database", CHECK_URL, is_refusal=True),
    "25006": READ_ONLY,
    "53100": Reason("has no space left on its disk", "An administrator must make room."),
    "53300": Reason("has no connection left: other clients hold max_connections"),
    "55000": Reason("takes no connections now"),
    "57P01": Reason("is being shut down, or an administrator ended the connection"),
    "57P03": Reason("is starting or stopping"),
    "08": BROKEN,
    "28": Reason("refuses the user or the password", CHECK_URL, is_refusal=True),
    "40": BUSY,
    "53": Reason("is out of memory or other resources"),
    "55": BUSY,
    "57": BUSY,
}

CHECK_FILE = "An administrator must check the file and its disk."
SQLITE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_NOMEM: Reason("is out of memory"),
    sqlite3.SQLITE_READONLY: Reason("is read-only", CHECK_FILE),
    sqlite3.SQLITE_IOERR: Reason("can't be read or written: its disk fails or is full", CHECK_FILE),
    sqlite3.SQLITE_CORRUPT: Reason("is damaged", "An administrator must restore a backup with `tessera db restore`."),
    sqlite3.SQLITE_FULL: Reason("has no space left on its disk", "An administrator must make room."),
    sqlite3.SQLITE_CANTOPEN: Reason("can't be opened", CHECK_FILE),
    sqlite3.SQLITE_NOTADB: Reason("is not an SQLite database", CHECK_URL),
}
LOST = Reason(
    "was deleted or replaced while this server had it open",
    "An administrator must put it back, or restart the server to use the file that is there.",
)
MISSING = Reason("does not exist", CHECK_URL)
CHECK_TLS = "An administrator must check sslmode and sslrootcert in DATABASE_URL."
NO_TLS = Reason("takes no encrypted connections, which sslmode in its URL asks for", CHECK_TLS, is_refusal=True)
NO_SOCKET = Reason("can't be reached: there is no socket of a PostgreSQL in that folder", CHECK_URL)

UNKNOWN_OUTCOME = (
    "The connection to the database broke while the change was being committed, so it may or may not have"
    " been kept. Repeat the call with the same idempotencyKey to learn which."
)


@contextmanager
def translate_faults(database: str, *, is_committing: bool = False) -> Generator[None]:
    """Raise Unavailable, with the name of the database, for faults that can pass; let other errors through."""
    try:
        yield
    except FAULTS as error:
        if (unavailable := to_unavailable(error, database, is_committing=is_committing)) is None:
            raise
        raise unavailable from error


def to_unavailable(error: Exception, database: str, *, is_committing: bool = False) -> Unavailable | None:
    """Return the error that a client gets for a fault; None for a defect of this program."""
    cause = driver_error(error)
    if (reason := _reason(cause)) is None:
        return None
    sentence = f"{database} {reason.text}"
    is_lost_or_read_only = isinstance(cause, FileLost) or getattr(cause, "sqlstate", None) == "25006"
    if is_committing and not is_lost_or_read_only:
        return Unavailable(UNKNOWN_OUTCOME, reason=sentence, maybe_done=True)
    return Unavailable(f"{sentence[0].upper()}{sentence[1:]}; nothing was changed. {reason.advice}", reason=sentence)


def driver_error(error: BaseException) -> BaseException:
    """Unwrap the driver's error, which SQLAlchemy wraps when it opens a connection or runs a migration."""
    while isinstance(error, DBAPIError | AsyncAdapt_Error):
        inner = error.orig if isinstance(error, DBAPIError) else error.__cause__
        if inner is None:
            return error
        error = inner
    return error


def is_connection_refused(error: Unavailable) -> bool:
    """Return whether the server runs but refuses connections, which does not pass by itself."""
    reason = _reason(driver_error(error.__cause__ or error))
    return reason is not None and reason.is_refusal


def _reason(error: BaseException) -> Reason | None:
    match error:
        case asyncpg.InvalidCachedStatementError():  # a migration changed the tables since the statement was prepared
            return BUSY
        case asyncpg.PostgresError():
            state = str(getattr(error, "sqlstate", None) or "")
            return next((reason for begin, reason in POSTGRESQL.items() if state.startswith(begin)), None)
        case asyncpg.InterfaceError():
            return None if isinstance(error, ValueError) else BROKEN  # a ValueError is a value of the wrong type
        case sqlite3.Error():
            return SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        case PoolTimeoutError():
            return BUSY
        case FileLost():
            return LOST
        case OSError():
            return _system_reason(error)
        case _:  # an error of the driver itself, which makes the connection unusable
            return BROKEN


def _missing_reason(error: FileNotFoundError) -> Reason:
    """Return the reason for a missing file, or for a missing socket, whose name the driver leaves out."""
    return NO_SOCKET if error.filename is None else MISSING


def _tls_reason(error: ssl.SSLError) -> Reason:
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"shows a certificate that can't be trusted: {error.verify_message}"
    else:
        text = f"can't be reached by TLS: {error.reason or error}"
    return Reason(text, CHECK_TLS, is_refusal=True)


def _system_reason(error: OSError) -> Reason:
    match error:
        case FileNotFoundError():
            return _missing_reason(error)
        case ssl.SSLError():
            return _tls_reason(error)
        case ConnectionError() if "rejected SSL upgrade" in str(error):
            return NO_TLS
        case TimeoutError():
            return NOT_RESPONDING
        case socket.gaierror():
            return Reason("can't be reached: the name of its host can't be looked up")
        case ConnectionRefusedError() | OSError(errno=errno.ECONNREFUSED):
            return Reason("can't be reached: the connection is refused")
        case ConnectionError():
            return BROKEN
        case _:
            return Reason(f"can't be reached: {error.strerror or error}")
