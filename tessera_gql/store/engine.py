"""Engines for the two databases, set up so that what the code above relies on is true on both.

SQLite: the driver's own transactions break savepoints and cannot begin IMMEDIATE, so they are switched off and
`BEGIN` is ours; one writer connection (more only add latency), several read-only ones. PostgreSQL: one pool for both.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import orjson
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tessera_gql.diff import canonical

WITHOUT_SCHEMAS = {"core": None, "workflow": None, "audit": None}
BUSY_TIMEOUT_MS = 5_000
DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


@dataclass(frozen=True)
class Engines:
    """The same engine twice on PostgreSQL."""

    writer: AsyncEngine
    reader: AsyncEngine

    async def dispose(self) -> None:
        await self.writer.dispose()
        await self.reader.dispose()


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
    return url.set(drivername=DRIVERS[url.drivername])


def connect(text: str) -> Engines:
    """Engines that open no connection yet."""
    url = driver_url(text)
    if url.get_backend_name() == "sqlite":
        return Engines(
            writer=_sqlite(url, begin="BEGIN IMMEDIATE", pool_size=1, read_only=False),
            reader=_sqlite(url, begin="BEGIN", pool_size=4, read_only=True),
        )
    engine = create_async_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=False,
        json_serializer=to_json,
        json_deserializer=from_json,
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "server_settings": {"application_name": "tessera"},
        },
    )
    snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return Engines(writer=engine, reader=engine.execution_options(**snapshot))


def _sqlite(url: URL, *, begin: str, pool_size: int, read_only: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        json_serializer=to_json,
        json_deserializer=from_json,
        execution_options={"schema_translate_map": WITHOUT_SCHEMAS},
    )

    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            f"query_only = {int(read_only)}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", configure)
    event.listen(engine.sync_engine, "begin", start)
    return engine


def to_json(value: Any) -> str:
    """Exact: integers of any size, and large whole floats digit by digit, as a JSONB column would round `9.2e18`."""
    try:
        text = orjson.dumps(value)
    except TypeError:
        return canonical(value)
    return canonical(value) if b"e+" in text or b"e1" in text else text.decode()


def from_json(text: str) -> Any:
    """Not orjson: it reads integers beyond 64 bits as floats, and a schema that holds one would never be unchanged."""
    return json.loads(text)


def sqlite_file(text: str) -> Path | None:
    """The file behind the URL, or None if it is not SQLite."""
    url = driver_url(text)
    return Path(cast("str", url.database)) if url.get_backend_name() == "sqlite" else None
