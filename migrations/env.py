"""Alembic's environment: the same scripts migrate PostgreSQL with three schemas and SQLite with none."""

import asyncio
from collections.abc import Collection

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

from tessera_gql.config import Settings
from tessera_gql.store.engine import parse_url
from tessera_gql.store.migration import is_own_schema, metadata_for, record_works_with

config_file_name = None


def configure(connection: Connection) -> None:
    """Run the migrations on a connection."""

    def on_version_apply(heads: Collection[str], **_: object) -> None:
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
        on_version_apply=on_version_apply,
    )
    with context.begin_transaction():
        context.run_migrations()


async def upgrade_by_url(url: str) -> None:
    """Run the migrations on a new connection, for the `alembic` command in a checkout."""
    engine = create_async_engine(parse_url(url), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(configure)
        await connection.commit()
    await engine.dispose()


existing_connection: Connection | None = context.config.attributes.get("connection")
if existing_connection is not None:
    configure(existing_connection)
else:
    asyncio.run(upgrade_by_url(Settings().database_url))
