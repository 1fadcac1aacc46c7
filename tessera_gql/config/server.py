"""Settings of the server's database, processes and shutdown."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.fields import setting
from tessera_gql.config.secrets import SECRET
from tessera_gql.store.engine import DatabaseOptions, is_sqlite, list_tls_files, parse_url


class ServerSettings(BaseSettings):
    """The settings of the server's database, processes and shutdown."""

    database_url: Annotated[str, SECRET] = setting(
        "sqlite:///tessera.db", "URL of the database: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
    )
    workers: int = setting(
        1, "Number of processes that serve requests; more than one only with PostgreSQL.", ge=1, le=64
    )
    shutdown_seconds: float = setting(
        20,
        "Seconds that running requests have to end when the server is stopped; after that they are cancelled.",
        ge=1,
        le=600,
    )
    shutdown_delay_seconds: float = setting(
        0,
        "Seconds that a server which is stopped still accepts requests while `/readyz` answers 503, so that load "
        "balancers stop sending to it; SHUTDOWN_SECONDS follow.",
        ge=0,
        le=600,
    )
    database_replica_url: Annotated[str | None, SECRET] = setting(
        None,
        "URL of a streaming replica of DATABASE_URL for queries; a key whose last changes it lacks "
        "reads from DATABASE_URL.",
    )
    database_replica_seconds: float = setting(
        5,
        "Maximum age in seconds of the replica's state; while it is older, queries read from DATABASE_URL.",
        ge=1,
        le=3600,
    )
    database_listen_url: Annotated[str | None, SECRET] = setting(
        None,
        "URL of the same PostgreSQL without PgBouncer, for immediate notification of events; without "
        "it the server polls every second.",
    )
    database_pgbouncer: bool = setting(
        default=False,
        description="Set this if DATABASE_URL leads through a PgBouncer in transaction mode; it disables prepared "
        "statements and session settings.",
    )
    database_pool: int = setting(20, "Maximum number of connections that a process opens to PostgreSQL.", ge=2, le=1000)
    database_connect_seconds: float = setting(5, "Timeout in seconds for connecting to PostgreSQL.", ge=0.1, le=60)
    database_statement_seconds: float = setting(30, "Timeout in seconds of a statement on PostgreSQL.", ge=0.1, le=3600)
    database_lock_seconds: float = setting(
        10, "Timeout in seconds for a statement that waits for a lock on PostgreSQL.", ge=0.1, le=600
    )
    compute_processes: int = setting(
        2,
        "Worker processes per server process that compare large or complicated schemas; started when first needed.",
        ge=1,
        le=64,
    )
    compute_seconds: float = setting(
        10,
        "Processor time in seconds for comparing two schemas, counterexamples included; a longer "
        "comparison is refused.",
        ge=0.1,
        le=600,
    )
    usage_retention_days: int = setting(
        400,
        "Days for which imported reads are kept by day; after them, of each reader the first and the last read, their "
        "number and the longest pause stay.",
        ge=60,
        le=36_500,
    )
    database_wait_seconds: float = setting(
        30, "Seconds that the server waits at the start for a PostgreSQL that can't be reached yet.", ge=0, le=3600
    )

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        _check_tls_files(value)
        return value

    @field_validator("database_replica_url", "database_listen_url")
    @classmethod
    def _check_postgresql_url(cls, value: str | None) -> str | None:
        if value is not None and is_sqlite(value):
            raise ValueError("It is not the URL of a PostgreSQL. Write postgresql://USER:PASSWORD@HOST/DATABASE.")
        if value is not None:
            _check_tls_files(value)
        return value

    @property
    def listen_url(self) -> str | None:
        """URL for LISTEN, which fails through a PgBouncer in transaction mode; None where the server must poll."""
        if self.database_pgbouncer or is_sqlite(self.database_url):
            return self.database_listen_url
        return self.database_listen_url or self.database_url

    @property
    def database_options(self) -> DatabaseOptions:
        """The options of the database, without keys for secrets."""
        return DatabaseOptions(
            pool_size=self.database_pool,
            connect_seconds=self.database_connect_seconds,
            statement_seconds=self.database_statement_seconds,
            lock_seconds=self.database_lock_seconds,
            uses_pgbouncer=self.database_pgbouncer,
        )


def _check_tls_files(url: str) -> None:
    """Raise ValueError for a URL that can't be used, or a file of certificates that can't be read."""
    for name, path in list_tls_files(url).items():
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            raise ValueError(
                f"The file {path} of its parameter {name} can't be read: {error.strerror or error}. Name a file"
                f" in PEM format that this process may read, or leave {name} out."
            ) from None


def contradictions(settings: ServerSettings) -> Iterator[str]:
    """Describe settings that the chosen database does not support."""
    if is_sqlite(settings.database_url):
        if settings.workers > 1:
            yield (
                f"WORKERS: it is {settings.workers}, but SQLite serves one process: the others would not hear of"
                " events. Leave it at 1, or set DATABASE_URL to a PostgreSQL."
            )
        for name in ("database_replica_url", "database_listen_url", "database_pgbouncer"):
            if getattr(settings, name):
                yield f"{name.upper()}: SQLite has no use for it. Leave it out, or set DATABASE_URL to a PostgreSQL."
        return
    replica = settings.database_replica_url
    if replica is not None and parse_url(replica) == parse_url(settings.database_url):
        yield "DATABASE_REPLICA_URL: it is the same as DATABASE_URL. Name the replica, or leave it out."
