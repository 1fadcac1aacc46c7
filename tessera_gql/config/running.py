"""How the server runs: its database, its processes, its end."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from tessera_gql.config.secrets import SECRET
from tessera_gql.store.engine import Options, driver_url, is_sqlite


class ServerSettings(BaseSettings):
    """A part of the settings."""

    database_url: Annotated[str, SECRET] = Field(
        default="sqlite:///tessera.db",
        description="Where everything is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
    )
    workers: int = Field(
        default=1, ge=1, le=64, description="How many processes serve requests; more than one on PostgreSQL only."
    )
    shutdown_seconds: float = Field(
        default=20,
        ge=1,
        le=600,
        description="How long requests may take to end when the server is stopped; what is left then is cut off.",
    )
    database_replica_url: Annotated[str | None, SECRET] = Field(
        default=None,
        description="A streaming replica of DATABASE_URL that queries are read from, except where it lacks what the"
        " same key wrote.",
    )
    database_replica_seconds: float = Field(
        default=5,
        ge=1,
        le=3600,
        description="How old the state of the replica may be; while it is older, DATABASE_URL is read.",
    )
    database_listen_url: Annotated[str | None, SECRET] = Field(
        default=None,
        description="The same PostgreSQL past a PgBouncer, to hear of events at once; without it they are looked for"
        " every second.",
    )
    database_pgbouncer: bool = Field(
        default=False,
        description="DATABASE_URL leads through a PgBouncer in transaction mode: nothing is prepared or set for longer"
        " than a transaction.",
    )
    database_pool: int = Field(
        default=20, ge=2, le=1000, description="How many connections to PostgreSQL a process opens at most."
    )
    database_connect_seconds: float = Field(
        default=5, ge=0.1, le=60, description="How long connecting to PostgreSQL may take."
    )
    database_statement_seconds: float = Field(
        default=30, ge=0.1, le=3600, description="How long a statement may run on PostgreSQL."
    )
    database_lock_seconds: float = Field(
        default=10, ge=0.1, le=600, description="How long a statement may wait there for what another one holds."
    )
    compute_processes: int = Field(
        default=2,
        ge=1,
        le=64,
        description="How many processes beside each server process compare schemas that are large or complicated."
        " Started when first needed.",
    )
    compute_seconds: float = Field(
        default=10,
        ge=0.1,
        le=600,
        description="How long comparing two schemas may take, with the search for counterexamples; then it is refused.",
    )
    database_wait_seconds: float = Field(
        default=30, ge=0, le=3600, description="How long a start waits for a PostgreSQL that can't be reached yet."
    )

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        driver_url(value)
        return value

    @field_validator("database_replica_url", "database_listen_url")
    @classmethod
    def _check_postgresql_url(cls, value: str | None) -> str | None:
        if value is not None and is_sqlite(value):
            raise ValueError("It is not the URL of a PostgreSQL. Write postgresql://USER:PASSWORD@HOST/DATABASE.")
        return value

    @property
    def listens_to(self) -> str | None:
        """Nobody can listen through a PgBouncer that hands its connections round, and on SQLite nobody needs to."""
        if self.database_pgbouncer or is_sqlite(self.database_url):
            return self.database_listen_url
        return self.database_listen_url or self.database_url

    @property
    def options(self) -> Options:
        return Options(
            pool=self.database_pool,
            connect_seconds=self.database_connect_seconds,
            statement_seconds=self.database_statement_seconds,
            lock_seconds=self.database_lock_seconds,
            pgbouncer=self.database_pgbouncer,
        )


def contradictions(settings: ServerSettings) -> Iterator[str]:
    """What is right by itself and wrong beside this database."""
    if is_sqlite(settings.database_url):
        if settings.workers > 1:
            yield (
                f"WORKERS: it is {settings.workers}, but SQLite serves one process: the others would not hear of events."
                " Leave it at 1, or set DATABASE_URL to a PostgreSQL."
            )
        for name in ("database_replica_url", "database_listen_url", "database_pgbouncer"):
            if getattr(settings, name):
                yield f"{name.upper()}: SQLite has no use for it. Leave it out, or set DATABASE_URL to a PostgreSQL."
        return
    replica = settings.database_replica_url
    if replica is not None and driver_url(replica) == driver_url(settings.database_url):
        yield "DATABASE_REPLICA_URL: it is the same as DATABASE_URL. Name the replica, or leave it out."
