"""Queries of the labels of assets."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select

from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import AssetLabel, table

TABLE = table(AssetLabel)

list_by_assets = RowQuery(AssetLabel, "asset_id", order_by=(TABLE.c.name_key,))
"""The labels of assets, sorted."""


async def list_all(session: Session) -> list[AssetLabel]:
    """Load the labels of all assets, sorted."""
    return await session.list(select(TABLE).order_by(TABLE.c.asset_id, TABLE.c.name_key), AssetLabel)


async def remove(session: Session, asset_id: UUID, keys: Sequence[str]) -> None:
    """Remove labels of an asset by their keys."""
    await session.execute(delete(TABLE).where(TABLE.c.asset_id == asset_id, session.in_values(TABLE.c.name_key, keys)))
