"""Brings a database to the tables this version knows, from a checkout or from an installed wheel."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.schema import BLANK_SCHEMA

from tessera_gql.store.engine import Engines, connect
from tessera_gql.store.session import Session, translated
from tessera_gql.store.tables import Base

T = TypeVar("T")
UPGRADE_LOCK = 0x7E55E4B
PACKAGE = Path(__file__).resolve().parents[1]


class UnknownRevision(Exception):  # noqa: N818 - a state of the database, named as such
    """The database was made by a newer version of Tessera GQL than this one."""


def scripts() -> Path:
    """Inside the installed package, else beside it in a checkout."""
    inside = PACKAGE / "migrations"
    return inside if inside.is_dir() else PACKAGE.parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    found = Config()
    found.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    found.attributes["connection"] = connection
    return found


def head() -> str | None:
    return ScriptDirectory.from_config(config()).get_current_head()


def metadata_for(dialect: str) -> MetaData:
    """The tables as the dialect keeps them: SQLite has no schemas."""
    if dialect != "sqlite":
        return Base.metadata
    plain = MetaData(naming_convention=Base.metadata.naming_convention)
    for found in Base.metadata.tables.values():
        found.to_metadata(plain, schema=None, referred_schema_fn=lambda *_: BLANK_SCHEMA)  # type: ignore[arg-type] # accepted at run time
    return plain


def is_ours(name: str | None, kind: str, _parents: object = None) -> bool:
    """Of the schemas of a PostgreSQL only our three; on SQLite the one without a name."""
    return kind != "schema" or name in (None, "core", "workflow", "audit")


async def current(url: str) -> str | None:
    """The revision the database is at, or None for an empty one."""

    def read(connection: Connection) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    return await _run(url, read)


async def revision(session: Session) -> str | None:
    """As `current`, within a transaction that is open anyway."""
    return cast("str | None", (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar())


async def upgrade(url: str, revision: str = "head") -> None:
    """Raises UnknownRevision for a database of a newer version; of several processes one upgrades, the others wait."""

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":  # on SQLite there is one writer anyway
            connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        found = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
        if found is not None and found not in known:
            raise UnknownRevision(
                f"The database is at revision {found}, which this version of Tessera GQL does not know."
                " A newer version made it: install that version, or use another database."
            )
        command.upgrade(config(connection), revision)

    await _run(url, run)


async def downgrade(url: str, revision: str) -> None:
    await _run(url, lambda connection: command.downgrade(config(connection), revision))


async def differences(url: str) -> list[object]:
    """What the tables in code and in the database disagree on; empty when the migrations are complete."""

    def compare(connection: Connection) -> list[object]:
        options = {
            "include_schemas": connection.dialect.name != "sqlite",
            "include_name": is_ours,
            "compare_type": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata_for(connection.dialect.name)))

    return await _run(url, compare)


async def _run(url: str, work: Callable[[Connection], T]) -> T:
    engines: Engines = connect(url)
    try:
        with translated():
            async with engines.writer.connect() as connection:
                found = await connection.run_sync(work)
                await connection.commit()
                return found
    finally:
        await engines.dispose()
