"""Migration of a database to this version's tables while servers write to it, and checks of compatible revisions.

Expand, then contract. The database is upgraded first with `tessera db upgrade`, then the servers, one after another. So
a server may use tables that are newer than itself, never older ones. Each migration names in `works_with` the oldest
head whose servers can use the tables after it, at least its predecessor. The database keeps it as the comment of
`alembic_version`. So unused columns and tables are dropped one release after the last one that used them.

Each revision is one transaction. It waits for a lock for a few seconds only, because all other statements queue behind
it meanwhile, and is then tried again. An SQLite database has one process of one version, so versions never overlap.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar, cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import BLANK_SCHEMA

from tessera_gql.errors import Unavailable
from tessera_gql.store.engine import DEFAULT_OPTIONS, DatabaseOptions, create_engine, display_name
from tessera_gql.store.faults import driver_error, translate_faults
from tessera_gql.store.search_rebuild import rebuild
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Base

T = TypeVar("T")
ReportProgress: TypeAlias = Callable[[str], None]
UPGRADE_LOCK = 0x7E55E4B
LOCK_SECONDS = 3.0
STATEMENT_SECONDS = 3600.0
PAUSE_SECONDS = 1.0
MAX_ATTEMPTS = 40
LOCK_ERRORS = ("55P03", "40P01", 5, 6)
"""Codes of a lock timeout, a deadlock, and SQLite's busy and locked."""
UNDECLARED = ("search_index", "observation_days_")
PACKAGE = Path(__file__).resolve().parents[1]


class UnknownRevision(Exception):  # noqa: N818 - a state of the database, named as such
    """The database was made by a newer version of Tessera GQL than this one."""


def scripts_path() -> Path:
    """Return the folder of the migrations: inside the installed package, else next to it in a checkout."""
    inside = PACKAGE / "migrations"
    return inside if inside.is_dir() else PACKAGE.parent / "migrations"


def ignore_progress(_message: str) -> None:
    """Do nothing, where nobody reads the progress of an upgrade."""


def create_config(connection: Connection | None = None, report_progress: ReportProgress = ignore_progress) -> Config:
    """Create Alembic's configuration, with the connection that `migrations/env.py` uses.

    A migration that changes many rows calls `report_progress` with a sentence now and then.
    """
    alembic_config = Config()
    alembic_config.set_main_option("script_location", str(scripts_path()).replace("%", "%%"))
    alembic_config.attributes["connection"] = connection
    alembic_config.attributes["report_progress"] = report_progress
    return alembic_config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(create_config())


def head_revision() -> str | None:
    """Return the newest revision that this version has."""
    return _scripts().get_current_head()


def known_revisions() -> frozenset[str]:
    """Return all revisions that this version has."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


@dataclass(frozen=True)
class SchemaState:
    """The revision of a database, None for an empty one, and the oldest head whose servers can use it, if known."""

    revision: str | None
    works_with: str | None = None
    is_read_only: bool = False
    """Whether a PostgreSQL accepts no writes, as a standby or by configuration."""


def describe_mismatch(state: SchemaState) -> str | None:
    """Explain why this version can't use the database, with advice; None if it can."""
    if state.revision == head_revision():
        return None
    if state.revision is None or state.revision in known_revisions():
        return (
            f"The database is at revision {state.revision or 'none'}, this version needs {head_revision()}."
            " Run `tessera db upgrade` first; a server never changes the tables of a PostgreSQL by itself."
        )
    return None if state.works_with in known_revisions() else _too_new_message(state.revision)


def _too_new_message(at: str) -> str:
    return (
        f"The database is at revision {at}, which this version of Tessera GQL does not know."
        " A newer version made it: install that version, or use another database."
    )


def metadata_for(dialect: str) -> MetaData:
    """Return the tables as the dialect has them: without schemas on SQLite."""
    if dialect != "sqlite":
        return Base.metadata
    plain = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.tables.values():
        table.to_metadata(plain, schema=None, referred_schema_fn=lambda *_: BLANK_SCHEMA)  # type: ignore[arg-type] # accepted at run time
    return plain


def is_own_schema(name: str | None, kind: str, _parents: object = None) -> bool:
    """Return whether Alembic compares an object: on PostgreSQL only those in the three schemas of Tessera GQL.

    The inverted index of the search, on SQLite a group of tables, can't be declared in metadata; neither can the
    partitions of a table.
    """
    if kind in {"table", "index"} and (name or "").startswith(UNDECLARED):
        return False
    return kind != "schema" or name in (None, "core", "workflow", "audit")


async def load_revision(url: str) -> str | None:
    """Return the revision of a database, or None for an empty one."""
    return await _with_connection(url, _current_revision)


async def load_state(url: str, options: DatabaseOptions = DEFAULT_OPTIONS) -> SchemaState:
    """Load the revision of a database and which servers can use it."""
    return await _with_connection(url, _load_state, options)


async def load_state_in_session(session: Session) -> SchemaState:
    """Load the same as `load_state` within a session, from a database that is not empty."""
    at = await session.value(text("SELECT version_num FROM alembic_version"))
    if session.dialect != "postgresql":
        return SchemaState(cast("str | None", at))
    works_with, is_read_only = await session.value(text(WORKS_WITH_SQL)), await session.value(text(READ_ONLY_SQL))
    return SchemaState(cast("str | None", at), cast("str | None", works_with), bool(is_read_only))


async def upgrade(
    url: str,
    revision: str = "head",
    options: DatabaseOptions = DEFAULT_OPTIONS,
    report_progress: ReportProgress = ignore_progress,
) -> None:
    """Upgrade a database to a revision; concurrent upgrades wait for each other.

    Raises UnknownRevision if a newer version made the database, and Unavailable if its tables stay locked. Revisions
    that were applied until then stay, and the next upgrade continues after them.
    """
    upgrade_once = partial(_upgrade_once, target=revision, report_progress=report_progress)
    slow_options = replace(options, statement_seconds=STATEMENT_SECONDS, lock_seconds=STATEMENT_SECONDS)
    async with _create_engine(url, slow_options) as engine:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                while await _run_in_transaction(engine, upgrade_once):
                    pass
            except Unavailable as error:
                if not _is_lock_conflict(error) or attempt == MAX_ATTEMPTS:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return


def _upgrade_once(connection: Connection, target: str, report_progress: ReportProgress) -> bool:
    """Apply the next revision, and tell whether more follow."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS * 1000:.0f}ms'"))
    at = _current_revision(connection)
    if at is not None and at not in known_revisions():
        raise UnknownRevision(_too_new_message(at))
    ahead = list(_scripts().iterate_revisions(target, at or "base"))
    if not ahead:
        return False
    command.upgrade(create_config(connection, report_progress), ahead[-1].revision)
    return len(ahead) > 1


def _is_lock_conflict(error: Unavailable) -> bool:
    """Return whether another transaction holds a lock, rather than that the database is unavailable."""
    fault = error.__cause__ and driver_error(error.__cause__)
    return getattr(fault, "sqlstate", None) in LOCK_ERRORS or getattr(fault, "sqlite_errorcode", None) in LOCK_ERRORS


async def downgrade(url: str, revision: str) -> None:
    await _with_connection(url, lambda connection: command.downgrade(create_config(connection), revision))


async def reindex(
    url: str, options: DatabaseOptions = DEFAULT_OPTIONS, report_progress: ReportProgress = ignore_progress
) -> int:
    """Build all documents of the search anew, and return their number; writers of the catalog wait meanwhile."""
    slow_options = replace(options, statement_seconds=STATEMENT_SECONDS, lock_seconds=STATEMENT_SECONDS)
    return await _with_connection(url, partial(rebuild, report_progress=report_progress), slow_options)


async def find_differences(url: str) -> list[object]:
    """Compare the tables in code and in the database; the result is empty if the migrations are complete."""

    def compare(connection: Connection) -> list[object]:
        options = {
            "include_schemas": connection.dialect.name != "sqlite",
            "include_name": is_own_schema,
            "compare_type": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata_for(connection.dialect.name)))

    return await _with_connection(url, compare)


WORKS_WITH_SQL = "SELECT obj_description('alembic_version'::regclass, 'pg_class')"
READ_ONLY_SQL = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean"


def record_works_with(connection: Connection, at: str | None) -> None:
    """Store the oldest head whose servers can use the tables, for servers that don't know this revision."""
    if connection.dialect.name != "postgresql" or at is None:
        return
    script = _scripts().get_revision(at)
    oldest = getattr(script.module, "works_with", at)
    connection.execute(text(f"COMMENT ON TABLE alembic_version IS '{oldest}'"))


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _load_state(connection: Connection) -> SchemaState:
    at = _current_revision(connection)
    if at is None or connection.dialect.name != "postgresql":
        return SchemaState(at)
    works_with, is_read_only = (connection.execute(text(sql)).scalar() for sql in (WORKS_WITH_SQL, READ_ONLY_SQL))
    return SchemaState(at, works_with, bool(is_read_only))


async def _with_connection(
    url: str, function: Callable[[Connection], T], options: DatabaseOptions = DEFAULT_OPTIONS
) -> T:
    async with _create_engine(url, options) as engine:
        return await _run_in_transaction(engine, function)


async def _run_in_transaction(engine: AsyncEngine, function: Callable[[Connection], T]) -> T:
    with translate_faults(display_name(engine.url)):
        async with engine.connect() as connection:
            result = await connection.run_sync(function)
            await connection.commit()
            return result


@asynccontextmanager
async def _create_engine(url: str, options: DatabaseOptions) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(url, options)
    try:
        yield engine
    finally:
        await engine.dispose()
