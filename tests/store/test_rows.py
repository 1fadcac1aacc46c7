"""Rows have the values that their table declares on both databases, and JSON documents only if selected."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select

from tessera_gql.policy.enums import RegistrationStatus
from tessera_gql.store import registrations
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Registration, table
from tests.world import World


async def test_every_column_has_the_type_its_table_declares(world: World, database: Database) -> None:
    asset = await world.published(consumers=1)
    async with database.read() as session:
        (row,) = await registrations.list_live(session, [asset.id])
        (whole,) = await session.rows(select(registrations.TABLE))
    for column in table(Registration).columns:
        assert getattr(row, column.key) == getattr(whole, column.key)
    assert isinstance(row.id, UUID)
    assert row.status is RegistrationStatus.ACTIVE
    assert row.registered_at == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert row.registered_at.tzinfo is not None
    assert (row.meta, row.fields, row.consumer_asset_id) == ({}, None, None)
