"""Engines and connection pools for SQLite and PostgreSQL, configured to behave the same.

SQLite: the driver's own transactions break savepoints and can't begin IMMEDIATE, so they are off and `BEGIN` is
explicit; one connection writes, several are read-only. PostgreSQL: one pool for reads and writes. SQLAlchemy itself
executes only migrations; all other statements go through `store.connections`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID, uuid4

import orjson
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tessera_gql.diff import canonical_json
from tessera_gql.store.compiled import WITHOUT_SCHEMAS, StatementCompiler
from tessera_gql.store.connections import ConnectionCounter, ConnectionSource, StatementObserver, Target
from tessera_gql.store.encryption import Keyring
from tessera_gql.store.sql_functions import add_functions
from tessera_gql.store.sqlite_file import SQLiteFile

SQLITE_READERS = 4
"""Read-only connections to an SQLite file; one more connection writes."""
BUSY_TIMEOUT_MS = 5_000
LONG_NUMBER = b"0" * 19
DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
POOL_TIMEOUT_SECONDS = 10.0
IDLE_TRANSACTION_SECONDS = 60.0
STATEMENT_CACHE_SIZE = 100
"""Prepared statements per PostgreSQL connection: 7 kB of memory each, and more in the database."""
MAX_CACHED_STATEMENT_CHARACTERS = 65_536
"""Maximum length of a prepared statement: those of `store.json_queries` may be longer than asyncpg's default."""
TIMEOUT_GRACE_SECONDS = 3.0
"""Time after the server's statement timeout at which the client gives the statement up by itself."""
TLS_PARAMETERS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
URL_PARAMETERS = TLS_PARAMETERS | {"host", "port"}
"""Query parameters that a PostgreSQL URL may have."""
BEGIN_WRITE, BEGIN_READ = "BEGIN IMMEDIATE", "BEGIN"
"""Statements that begin a transaction on SQLite."""
BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


@dataclass(frozen=True)
class DatabaseOptions:
    """Pool size and timeouts of PostgreSQL, and the keys that encrypt secrets on both databases."""

    pool_size: int = 20
    connect_seconds: float = 5.0
    statement_seconds: float = 30.0
    lock_seconds: float = 10.0
    secrets_keys: Sequence[str] = field(default=(), repr=False)
    """Keys that encrypt secrets, newest first."""
    requires_secrets_key: bool = False
    uses_pgbouncer: bool = False
    """Whether a pooler gives each transaction another connection, so that no connection state may outlive one."""

    @property
    def timeouts(self) -> dict[str, str]:
        """PostgreSQL settings that end slow statements, lock waits and idle transactions, in milliseconds."""
        seconds = {
            "statement_timeout": self.statement_seconds,
            "lock_timeout": self.lock_seconds,
            "idle_in_transaction_session_timeout": IDLE_TRANSACTION_SECONDS,
        }
        return {name: str(round(value * 1000)) for name, value in seconds.items()}

    @property
    def session_settings(self) -> dict[str, str]:
        """PostgreSQL settings of all sessions: the timeouts, and no compilation of queries, which takes longer here."""
        return self.timeouts | {"jit": "off"}


DEFAULT_OPTIONS = DatabaseOptions()


@dataclass(frozen=True)
class ConnectionSources:
    """The connection sources of one database; on PostgreSQL they share one pool."""

    writer: ConnectionSource
    reader: ConnectionSource
    single: ConnectionSource
    """For a single read statement: without BEGIN, except where the timeouts must be set in the transaction.

    Measured: with BEGIN the smallest query takes 1.2 to 1.3 x the CPU on PostgreSQL.
    """

    async def dispose(self) -> None:
        await self.writer.engine.dispose()
        await self.reader.engine.dispose()


def parse_url(text: str) -> URL:
    """Parse a database URL and set its asynchronous driver. Raises ValueError for unsupported URLs."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError(
            "DATABASE_URL is not a URL. Write sqlite:///tessera.db or postgresql://user:password@host/database."
        ) from None
    except ValueError:  # a port that is no number, or an IPv6 address without brackets
        raise ValueError(
            "The URL of the database has no readable host and port. Write postgresql://user:password@host:5432/database,"
            " an IPv6 address in brackets, and %40, %2F or %3A for an @, / or : of a password."
        ) from None
    if url.drivername not in DRIVERS:
        raise ValueError(
            f"DATABASE_URL names the database {url.drivername!r}; Tessera GQL speaks to sqlite and postgresql."
        )
    if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise ValueError("DATABASE_URL names no file: an in-memory SQLite would be lost. Write sqlite:///tessera.db.")
    url = url.set(drivername=DRIVERS[url.drivername])
    if url.get_backend_name() == "postgresql":
        _check_postgresql_url(url)
    return url


def _check_postgresql_url(url: URL) -> None:
    """Raise ValueError for parts of a URL that the driver would reject with an obscure error."""
    if unknown := sorted(set(url.query) - URL_PARAMETERS):
        raise ValueError(
            f"The URL of the database asks for {', '.join(unknown)}, which is not known here."
            f" Behind the `?` may stand {', '.join(sorted(URL_PARAMETERS))}."
        )
    _check_tls(url)
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError(f"The URL of the database names the port {url.port}; there are 1 to 65535.")
    if not url.database:
        raise ValueError("The URL of the database names none. Write postgresql://user:password@host/database.")


def _check_tls(url: URL) -> None:
    if (mode := url.query.get("sslmode", "prefer")) not in TLS_MODES:
        raise ValueError(f"The URL of the database has sslmode={mode}. It is one of {', '.join(TLS_MODES)}.")


def list_tls_files(text: str) -> dict[str, str]:
    """Return the files of certificates and keys that a database URL names, by parameter."""
    query = parse_url(text).query
    names = sorted((TLS_PARAMETERS - {"sslmode"}) & set(query))
    return {name: str(query[name]) for name in names}


def to_asyncpg_url(text: str) -> str:
    """Convert the URL of a PostgreSQL to the form that asyncpg takes."""
    return parse_url(text).set(drivername="postgresql").render_as_string(hide_password=False)


def create_sources(text: str, options: DatabaseOptions, observers: Sequence[StatementObserver]) -> ConnectionSources:
    """Create the connection sources of a database, without opening a connection yet."""
    target = _parse_target(text, options)
    if target.file is not None:
        url = parse_url(text)
        write_engine = _create_sqlite_engine(url, target.file, begin_sql=BEGIN_WRITE, read_only=False)
        read_engine = _create_sqlite_engine(url, target.file, begin_sql=BEGIN_READ, read_only=True)
        reader = _create_source(read_engine, BEGIN_READ, observers, target)
        writer = _create_source(write_engine, BEGIN_WRITE, observers, target)
        return ConnectionSources(writer, reader, replace(reader, begin_sql=""))
    engine = create_engine(text, options)
    writer = _create_source(engine, f"BEGIN{_local_limits(options)}", observers, target)
    reader = replace(writer, begin_sql=f"{BEGIN_SNAPSHOT}{_local_limits(options)}", begins_anew=True)
    return ConnectionSources(writer, reader, reader if options.uses_pgbouncer else replace(reader, begin_sql=""))


def create_replica_source(
    text: str, options: DatabaseOptions, observers: Sequence[StatementObserver]
) -> ConnectionSource:
    """Create the read-only connection source of a replica."""
    engine = create_engine(text, options)
    source = _create_source(
        engine, f"{BEGIN_SNAPSHOT}{_local_limits(options)}", observers, _parse_target(text, options)
    )
    return replace(source, begins_anew=True)


def _create_source(
    engine: AsyncEngine, begin_sql: str, observers: Sequence[StatementObserver], target: Target
) -> ConnectionSource:
    compiler = StatementCompiler(engine.dialect)
    return ConnectionSource(engine, begin_sql, compiler, observers, ConnectionCounter(engine), target)


def _parse_target(text: str, options: DatabaseOptions) -> Target:
    keyring = Keyring.parse(options.secrets_keys, is_required=options.requires_secrets_key)
    file = sqlite_path(text)
    return Target(display_name(parse_url(text)), keyring, SQLiteFile(file) if file else None)


def display_name(url: URL) -> str:
    """Name the database for messages: with host and port, without user and password."""
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    host = url.host or url.query.get("host") or "localhost"
    port = url.port or url.query.get("port") or 5432
    return f"the PostgreSQL database {url.database} at {host}:{port}"


def create_engine(text: str, options: DatabaseOptions = DEFAULT_OPTIONS) -> AsyncEngine:
    """Create an engine for writing, with its connection pool."""
    url = parse_url(text)
    if (file := sqlite_path(text)) is not None:
        return _create_sqlite_engine(url, SQLiteFile(file), begin_sql=BEGIN_WRITE, read_only=False)
    return _create_postgresql_engine(url, options)


def _local_limits(options: DatabaseOptions) -> str:
    """Return SQL that sets the timeouts within a transaction, needed only where none outlives it (PgBouncer)."""
    if not options.uses_pgbouncer:
        return ""
    return "".join(f"; SET LOCAL {name} = {value}" for name, value in options.session_settings.items())


def _engine_options() -> dict[str, Any]:
    pool: dict[str, Any] = {"max_overflow": 0, "pool_use_lifo": True, "pool_reset_on_return": None}
    return {**pool, "hide_parameters": True, "json_serializer": to_json, "json_deserializer": from_json}


def _create_postgresql_engine(url: URL, options: DatabaseOptions) -> AsyncEngine:
    # Only asyncpg's own URL parser knows the TLS parameters, so they are passed in a URL and the others as arguments.
    encryption = URL.create("postgresql", query={name: url.query[name] for name in TLS_PARAMETERS & set(url.query)})
    arguments: dict[str, Any] = {
        "dsn": encryption.render_as_string(),
        "timeout": options.connect_seconds,
        "command_timeout": options.statement_seconds + TIMEOUT_GRACE_SECONDS,
        "server_settings": {"application_name": "tessera"},
        "statement_cache_size": 0 if options.uses_pgbouncer else STATEMENT_CACHE_SIZE,
        "max_cacheable_statement_size": MAX_CACHED_STATEMENT_CHARACTERS,
    }
    if options.uses_pgbouncer:
        arguments |= {
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"tessera_{uuid4().hex}",
        }
    else:
        arguments["server_settings"] |= options.session_settings
    engine = create_async_engine(
        url.difference_update_query(TLS_PARAMETERS),
        pool_size=options.pool_size,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        connect_args=arguments,
        **_engine_options(),
    )
    # JSON stays text until it is read, because its size is charged before it is decoded.
    dialect = cast("Any", engine.dialect)
    dialect.supports_native_json_deserialization = False
    dialect.setup_asyncpg_json_codec = dialect.setup_asyncpg_jsonb_codec = _skip_codec
    if options.uses_pgbouncer:

        def limit(connection: Any) -> None:
            for name, value in options.session_settings.items():
                connection.exec_driver_sql(f"SET LOCAL {name} = {value}")

        event.listen(engine.sync_engine, "begin", limit)
    return engine


async def _skip_codec(_connection: object) -> None:
    """Do nothing, in place of SQLAlchemy's set-up of a JSON codec."""


def _create_sqlite_engine(url: URL, file: SQLiteFile, *, begin_sql: str, read_only: bool) -> AsyncEngine:
    # mode=rw: SQLite must not create the file, or a database that was just deleted would come back empty.
    existing = url.set(database=f"file:{quote(str(file.path))}", query={**url.query, "mode": "rw", "uri": "true"})
    engine = create_async_engine(
        existing,
        pool_size=SQLITE_READERS if read_only else 1,
        pool_timeout=30,
        **_engine_options(),
        execution_options={"schema_translate_map": WITHOUT_SCHEMAS},
    )

    def prepare(*_: object) -> None:
        file.prepare(creates=not read_only)

    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "secure_delete = ON",
            f"query_only = {int(read_only)}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.execute("PRAGMA journal_mode")
        file.uses_wal = cursor.fetchone() == ("wal",)
        cursor.close()
        add_functions(connection)

    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin_sql)

    event.listen(engine.sync_engine, "do_connect", prepare)
    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", start)
    return engine


def to_json(value: Any) -> str:
    """Encode JSON exactly: integers of any size, and large whole floats digit by digit, since JSONB rounds `9.2e18`."""
    try:
        text = orjson.dumps(value, default=_uuid_to_text)
    except TypeError:
        return canonical_json(_with_text_ids(value))
    return canonical_json(orjson.loads(text)) if b"e+" in text or b"e1" in text else text.decode()


def _uuid_to_text(value: object) -> str:
    """Encode asyncpg's subclass of UUID, which orjson does not support."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


def _with_text_ids(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case dict():
            return {key: _with_text_ids(inner) for key, inner in cast("dict[str, Any]", value).items()}
        case list():
            return [_with_text_ids(inner) for inner in value]
        case _:
            return value


def from_json(text: str) -> Any:
    """Decode JSON exactly. orjson reads integers beyond 64 bits as floats, so documents with long numbers avoid it.

    A long number is found in the bytes with all digits alike, which takes a twentieth of the time of an expression.
    """
    data = text.encode()
    try:
        return json.loads(text) if LONG_NUMBER in data.translate(DIGITS) else orjson.loads(data)
    except orjson.JSONDecodeError:  # orjson refuses documents with half a surrogate pair, which may be stored
        return json.loads(text)


def is_sqlite(text: str) -> bool:
    return parse_url(text).get_backend_name() == "sqlite"


def sqlite_path(text: str) -> Path | None:
    """Return the path of an SQLite database; None for other databases."""
    return Path(cast("str", parse_url(text).database)) if is_sqlite(text) else None
