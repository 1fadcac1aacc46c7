"""Rows have the values that their table declares on both databases, and JSON documents only if selected."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import JSON, Text

from tessera_gql.policy.enums import RegistrationStatus
from tessera_gql.store import registrations
from tessera_gql.store import rows as module
from tessera_gql.store.database import Database
from tessera_gql.store.rows import get_row_class
from tessera_gql.store.tables import Registration, Team, table
from tests.world import World


async def test_every_column_has_the_type_its_table_declares(world: World, database: Database) -> None:
    asset = await world.published(consumers=1)
    async with database.read() as session:
        (row,) = await registrations.list_live(session, [asset.id])
        (whole,) = await session.rows(select(registrations.TABLE))
    for item in table(Registration).columns:
        assert getattr(row, item.key) == getattr(whole, item.key)
    assert isinstance(row.id, UUID)
    assert row.status is RegistrationStatus.ACTIVE
    assert row.registered_at == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert row.registered_at.tzinfo is not None
    assert (row.meta, row.fields, row.consumer_asset_id) == ({}, None, None)


def test_statements_with_like_columns_share_a_row_class() -> None:
    dialect, columns = postgresql.dialect(), table(Registration).columns
    plain = get_row_class([column("a", Text()), column("b", Text())], dialect)
    assert plain is get_row_class([column("a", Text()), column("b", Text())], dialect)
    assert plain is not get_row_class([column("b", Text()), column("a", Text())], dialect)
    assert plain is not get_row_class([column("a", Text()), column("b", JSON())], dialect)
    status = get_row_class([columns.id, columns.status], dialect)
    assert status is get_row_class([columns.id, columns.status.label("status")], dialect)
    assert status is not get_row_class([columns.id, table(Team).columns.name.label("status")], dialect)


def test_few_row_classes_are_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_CLASSES", 3)
    monkeypatch.setattr(module, "_row_classes", {})
    dialect = postgresql.dialect()
    first = get_row_class([column("a0", Text())], dialect)
    for number in range(5):
        get_row_class([column(f"a{number}", Text())], dialect)
    assert len(module._row_classes) == 3
    assert get_row_class([column("a0", Text())], dialect) is not first
