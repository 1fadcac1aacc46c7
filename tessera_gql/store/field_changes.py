"""Queries of the changes of fields, and of the columns by which assets are found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select

from tessera_gql.policy.enums import FieldChangeKind
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import AssetColumn, FieldChange, table

TABLE = table(FieldChange)
COLUMNS = table(AssetColumn)
MAX_CHANGES_OF_KIND = 50
"""The latest changes of one field of one kind that are read."""

by_ids = RowQuery(FieldChange, "id")


def _build_of_paths(dialect: str, *, with_renames: bool) -> Select[Any]:
    rows = TABLE.c
    is_wanted: ColumnElement[bool] = in_values(dialect, rows.path, list_parameter("paths", rows.path))
    if with_renames:
        is_wanted = or_(is_wanted, rows.kind == FieldChangeKind.RENAMED)
    position = func.row_number().over(
        partition_by=(rows.asset_id, rows.path, rows.kind), order_by=(rows.changed_at.desc(), rows.id.desc())
    )
    is_of_asset = in_values(dialect, rows.asset_id, list_parameter("assets", rows.asset_id))
    numbered = select(TABLE, position.label("position")).where(is_of_asset, is_wanted).subquery()
    return select(*(numbered.c[column.key] for column in rows)).where(numbered.c.position <= MAX_CHANGES_OF_KIND)


_OF_PATHS_AND_RENAMES = PreparedQuery(lambda dialect: _build_of_paths(dialect, with_renames=True))
_OF_PATHS = PreparedQuery(lambda dialect: _build_of_paths(dialect, with_renames=False))


async def list_by_paths(
    session: Session, asset_ids: Sequence[UUID], paths: Iterable[str], *, with_renames: bool
) -> list[FieldChange]:
    """Load the latest changes of fields at the paths of the assets, in any order, and of all renamed ones."""
    query = _OF_PATHS_AND_RENAMES if with_renames else _OF_PATHS
    return [*await session.fetch(query, assets=[*asset_ids], paths=[*paths])]


async def replace_columns(
    session: Session, added: Mapping[UUID, Iterable[str]], removed: Mapping[UUID, Sequence[str]]
) -> None:
    """Insert the keys of columns by asset, and delete others."""
    for asset, keys in removed.items():
        if keys:
            await session.execute(
                delete(COLUMNS).where(COLUMNS.c.asset_id == asset, session.in_values(COLUMNS.c.name_key, keys))
            )
    values = [{"asset_id": asset, "name_key": key} for asset, keys in added.items() for key in sorted(keys)]
    if values:
        await session.append(COLUMNS, values)


_COLUMNS = PreparedQuery(
    lambda dialect: select(COLUMNS.c.asset_id, COLUMNS.c.name_key).where(
        in_values(dialect, COLUMNS.c.asset_id, list_parameter("assets", COLUMNS.c.asset_id))
    )
)


async def list_columns(session: Session, asset_ids: Sequence[UUID]) -> dict[UUID, set[str]]:
    """Load the keys of the columns of assets."""
    keys: dict[UUID, set[str]] = {asset: set() for asset in asset_ids}
    for row in await session.fetch(_COLUMNS, assets=[*asset_ids]):
        keys[row.asset_id].add(row.name_key)
    return keys
