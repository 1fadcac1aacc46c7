"""Engines for the two databases, set up so that what the code above relies on is true on both.

SQLite: the driver's own transactions break savepoints and cannot begin IMMEDIATE, so they are switched off and
`BEGIN` is ours; one writer connection (more only add latency), several read-only ones. PostgreSQL: one pool for both.
SQLAlchemy runs nothing but migrations; all else goes by `store.drivers`.
"""

import json
import re
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

from tessera_gql.diff import canonical
from tessera_gql.store.drivers import Lane, Opened, Target, Watch
from tessera_gql.store.encryption import Keyring
from tessera_gql.store.sqlite_file import SQLiteFile
from tessera_gql.store.statements import WITHOUT_SCHEMAS, Writer

SQLITE_READERS = 4
"""Connections to an SQLite file that read; one more writes."""
BUSY_TIMEOUT_MS = 5_000
LONG_NUMBER = re.compile(r"\d{19}")
POOL_SECONDS = 10.0
IDLE_SECONDS = 60.0
STATEMENTS = 100
"""That a connection to PostgreSQL keeps prepared: 7 kB of memory each, on each connection, and more in the database."""
GRACE_SECONDS = 3.0
"""A server that does not even say that a statement took too long is given up so much later."""
ENCRYPTION = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})
SPOKEN = ENCRYPTION | {"host", "port"}
"""What may stand behind the `?` of a PostgreSQL's URL."""
WRITING, READING = "BEGIN IMMEDIATE", "BEGIN"
"""How transactions on SQLite begin."""
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


@dataclass(frozen=True)
class Options:
    """How a PostgreSQL is talked to; each limit ends what would wait longer. SQLite needs none of it."""

    pool: int = 20
    connect_seconds: float = 5.0
    statement_seconds: float = 30.0
    lock_seconds: float = 10.0
    secrets_keys: Sequence[str] = field(default=(), repr=False)
    """What secrets are encrypted with, the newest first; the only options that SQLite has as well."""
    requires_secrets_key: bool = False
    pgbouncer: bool = False
    """Through a pooler that gives each transaction another connection: nothing may outlive a transaction."""

    @property
    def limits(self) -> dict[str, str]:
        """As PostgreSQL names them, in milliseconds. A transaction that nobody goes on with is ended as well."""
        seconds = {
            "statement_timeout": self.statement_seconds,
            "lock_timeout": self.lock_seconds,
            "idle_in_transaction_session_timeout": IDLE_SECONDS,
        }
        return {name: str(round(value * 1000)) for name, value in seconds.items()}


DEFAULT = Options()


@dataclass(frozen=True)
class Lanes:
    """The ways to one database; on PostgreSQL all are of one pool."""

    writer: Lane
    reader: Lane
    single: Lane
    """For one statement that reads: a transaction by itself, where it needs not be told its limits."""

    async def dispose(self) -> None:
        await self.writer.engine.dispose()
        await self.reader.engine.dispose()


def driver_url(text: str) -> URL:
    """The URL with the asynchronous driver we use; raises ValueError for a database we don't speak to."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError(
            "DATABASE_URL is not a URL. Write sqlite:///tessera.db or postgresql://user:password@host/database."
        ) from None
    if url.drivername not in DRIVERS:
        raise ValueError(
            f"DATABASE_URL names the database {url.drivername!r}; Tessera GQL speaks to sqlite and postgresql."
        )
    if url.drivername.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise ValueError("DATABASE_URL names no file: an in-memory SQLite would be lost. Write sqlite:///tessera.db.")
    url = url.set(drivername=DRIVERS[url.drivername])
    if url.get_backend_name() == "postgresql":
        _check(url)
    return url


def _check(url: URL) -> None:
    """What the driver would stumble over."""
    if unknown := sorted(set(url.query) - SPOKEN):
        raise ValueError(
            f"The URL of the database asks for {', '.join(unknown)}, which is not known here."
            f" Behind the `?` may stand {', '.join(sorted(SPOKEN))}."
        )
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError(f"The URL of the database names the port {url.port}; there are 1 to 65535.")
    if not url.database:
        raise ValueError("The URL of the database names none. Write postgresql://user:password@host/database.")


def address(text: str) -> str:
    """The same PostgreSQL for asyncpg itself."""
    return driver_url(text).set(drivername="postgresql").render_as_string(hide_password=False)


def connect(text: str, options: Options, watched: Sequence[Watch]) -> Lanes:
    """Opens no connection yet; whoever is in `watched` is told of each statement."""
    target = _target(text, options)
    if target.file is not None:
        url = driver_url(text)
        writing = _sqlite(url, target.file, begin=WRITING, read_only=False)
        reading = _sqlite(url, target.file, begin=READING, read_only=True)
        reader = _lane(reading, READING, watched, target)
        return Lanes(_lane(writing, WRITING, watched, target), reader, replace(reader, begin=""))
    engine = create(text, options)
    writer = _lane(engine, f"BEGIN{_chosen(options)}", watched, target)
    reader = replace(writer, begin=f"{SNAPSHOT}{_chosen(options)}")
    return Lanes(writer, reader, reader if options.pgbouncer else replace(reader, begin=""))


def connect_replica(text: str, options: Options, watched: Sequence[Watch]) -> Lane:
    """For reading alone."""
    engine = create(text, options)
    return _lane(engine, f"{SNAPSHOT}{_chosen(options)}", watched, _target(text, options))


def _lane(engine: AsyncEngine, begin: str, watched: Sequence[Watch], target: Target) -> Lane:
    return Lane(engine, begin, Writer(engine.dialect), watched, Opened(engine), target)


def _target(text: str, options: Options) -> Target:
    keyring = Keyring.parse(options.secrets_keys, is_required=options.requires_secrets_key)
    file = sqlite_file(text)
    return Target(name_of(driver_url(text)), keyring, SQLiteFile(file) if file else None)


def name_of(url: URL) -> str:
    """The database as messages name it: with its host and port, without user and password."""
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    host = url.host or url.query.get("host") or "localhost"
    port = url.port or url.query.get("port") or 5432
    return f"the PostgreSQL database {url.database} at {host}:{port}"


def create(text: str, options: Options = DEFAULT) -> AsyncEngine:
    """The engine that a writing lane stands on."""
    url = driver_url(text)
    if (file := sqlite_file(text)) is not None:
        return _sqlite(url, SQLiteFile(file), begin=WRITING, read_only=False)
    return _postgresql(url, options)


def _chosen(options: Options) -> str:
    """Where nothing outlives a transaction, each has to be told its limits."""
    if not options.pgbouncer:
        return ""
    return "".join(f"; SET LOCAL {name} = {value}" for name, value in options.limits.items())


def _postgresql(url: URL, options: Options) -> AsyncEngine:
    # Only asyncpg's own reader of URLs knows what encryption is called in them; the rest comes as arguments.
    encryption = URL.create("postgresql", query={name: url.query[name] for name in ENCRYPTION & set(url.query)})
    arguments: dict[str, Any] = {
        "dsn": encryption.render_as_string(),
        "timeout": options.connect_seconds,
        "command_timeout": options.statement_seconds + GRACE_SECONDS,
        "server_settings": {"application_name": "tessera"},
    }
    arguments["statement_cache_size"] = 0 if options.pgbouncer else STATEMENTS
    if options.pgbouncer:
        arguments |= {
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"tessera_{uuid4().hex}",
        }
    else:
        arguments["server_settings"] |= options.limits
    engine = create_async_engine(
        url.difference_update_query(ENCRYPTION),
        hide_parameters=True,
        pool_size=options.pool,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=False,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        json_serializer=to_json,
        json_deserializer=from_json,
        connect_args=arguments,
    )
    # Documents come as text: rows that nobody reads them of are not to pay for them.
    dialect = cast("Any", engine.dialect)
    dialect.supports_native_json_deserialization = False
    dialect.setup_asyncpg_json_codec = dialect.setup_asyncpg_jsonb_codec = _nothing
    if options.pgbouncer:

        def limit(connection: Any) -> None:
            for name, value in options.limits.items():
                connection.exec_driver_sql(f"SET LOCAL {name} = {value}")

        event.listen(engine.sync_engine, "begin", limit)
    return engine


async def _nothing(_connection: object) -> None:
    """In place of a codec."""


def _sqlite(url: URL, file: SQLiteFile, *, begin: str, read_only: bool) -> AsyncEngine:
    # SQLite itself must not create the file: one that was deleted a moment ago would come back empty.
    existing = url.set(database=f"file:{quote(str(file.path))}", query={**url.query, "mode": "rw", "uri": "true"})
    engine = create_async_engine(
        existing,
        hide_parameters=True,
        pool_size=SQLITE_READERS if read_only else 1,
        max_overflow=0,
        pool_timeout=30,
        pool_use_lifo=True,
        pool_reset_on_return=None,
        json_serializer=to_json,
        json_deserializer=from_json,
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
        # Its own knows the letters A to Z only.
        connection.create_function("lower", 1, _lower, deterministic=True)

    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "do_connect", prepare)
    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", start)
    return engine


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def to_json(value: Any) -> str:
    """Exact: integers of any size, and large whole floats digit by digit, as a JSONB column would round `9.2e18`."""
    try:
        text = orjson.dumps(value, default=_plain)
    except TypeError:
        return canonical(_with_text_ids(value))
    return canonical(orjson.loads(text)) if b"e+" in text or b"e1" in text else text.decode()


def _plain(value: object) -> str:
    """The ids that asyncpg makes, which orjson does not take for the UUIDs that they are."""
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
    """Exact: orjson reads integers beyond 64 bits as floats, and a schema that holds one would never be unchanged."""
    try:
        return json.loads(text) if LONG_NUMBER.search(text) else orjson.loads(text)
    except orjson.JSONDecodeError:  # it refuses what a document may hold, such as half of a surrogate pair
        return json.loads(text)


def is_sqlite(text: str) -> bool:
    return driver_url(text).get_backend_name() == "sqlite"


def sqlite_file(text: str) -> Path | None:
    """The file behind the URL, or None if it is not SQLite."""
    return Path(cast("str", driver_url(text).database)) if is_sqlite(text) else None
