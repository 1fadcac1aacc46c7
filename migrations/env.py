"""Alembic's entry: PostgreSQL keeps the tables in three schemas, SQLite beside each other, from one set of scripts."""

import asyncio
from collections.abc import Collection

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from tessera_gql.config import Settings
from tessera_gql.store.engine import driver_url
from tessera_gql.store.migration import is_own_schema, metadata_for, record_works_with

config_file_name = None


def configure(connection: Connection) -> None:
    def told(heads: Collection[str], **_: object) -> None:
        record_works_with(connection, next(iter(heads), None))

    sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=metadata_for(connection.dialect.name),
        render_as_batch=sqlite,
        include_schemas=not sqlite,
        include_name=is_own_schema,
        compare_type=True,
        transaction_per_migration=True,
        on_version_apply=told,
    )
    with context.begin_transaction():
        context.run_migrations()


async def upgrade_by_url(url: str) -> None:
    """For the `alembic` command in a checkout; the product hands a connection in."""
    engine = create_async_engine(driver_url(url), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(configure)
        await connection.commit()
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    configure(given)
else:
    asyncio.run(upgrade_by_url(Settings().database_url))
