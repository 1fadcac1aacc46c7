"""Queries of registrations by id, asset and team."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, literal_column, select

from tessera_gql.policy.affected_teams import FieldReader
from tessera_gql.policy.enums import RegistrationStatus
from tessera_gql.store.compiled import OnSQLite
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Registration, Team, table

TABLE = table(Registration)
IS_LIVE = TABLE.c.status != RegistrationStatus.INACTIVE

by_ids = RowQuery(Registration, "id")
list_live = RowQuery(Registration, "asset_id", IS_LIVE, order_by=(TABLE.c.registered_at, TABLE.c.id))
"""The live registrations of assets, oldest first."""
list_live_of_teams = RowQuery(Registration, "consumer_team_id", IS_LIVE, order_by=(TABLE.c.registered_at, TABLE.c.id))
"""The live registrations of teams, oldest first."""

_teams = table(Team)


_peers, _rivals = TABLE.alias("peers"), TABLE.alias("rivals")


def _is_live_with_same_reader(peer: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether another live registration is of the same asset and team; its status is compared as in partial indexes."""
    same = [peer.c[name] == TABLE.c[name] for name in ("asset_id", "consumer_team_id")]
    is_live = peer.c.status != literal_column(f"'{RegistrationStatus.INACTIVE.value}'")
    return exists().where(*same, is_live, *conditions).correlate(TABLE)


_is_first_of_team = TABLE.c.consumer_asset_id.is_(None) | and_(
    ~_is_live_with_same_reader(_peers, _peers.c.consumer_asset_id.is_(None)),
    ~_is_live_with_same_reader(
        _rivals, _rivals.c.consumer_asset_id.is_not(None), _rivals.c.consumer_asset_id < TABLE.c.consumer_asset_id
    ),
)
"""Whether a registration is the one of its team for the asset as a whole, or else that for the first of its assets."""
# SQLite finds distinct pairs in the whole table before it takes those of an asset, so that it counts one row of each.
_readers = (
    select(TABLE.c.asset_id, TABLE.c.consumer_team_id)
    .where(IS_LIVE, OnSQLite(_is_first_of_team))
    .prefix_with("DISTINCT", dialect="postgresql")
    .subquery()
)
CONSUMER_TEAMS = (
    select(_teams, _readers.c.asset_id).join(_readers, _readers.c.consumer_team_id == _teams.c.id).subquery()
)
"""The teams that read an asset, without duplicates, with the `asset_id` as an extra column."""


async def get(session: Session, registration_id: UUID) -> Registration:
    """Return a registration by its id; raise NotFound if there is none."""
    return await by_ids.get(session, registration_id, "registration", "List an asset's registrations to find it.")


async def list_all_live(session: Session) -> list[Registration]:
    """Load all live registrations, in any order."""
    return await session.list(select(TABLE).where(IS_LIVE), Registration)


async def end_migrations(session: Session, asset: UUID) -> None:
    """End all migrations for an asset: the change they prepare for is published, or will not come."""
    is_migrating = (TABLE.c.asset_id == asset) & (TABLE.c.status == RegistrationStatus.MIGRATING)
    await session.update(Registration, is_migrating, status=RegistrationStatus.ACTIVE)


async def mark_response(
    session: Session, asset: UUID, team: UUID, status: RegistrationStatus, acknowledged_at: datetime | None
) -> None:
    """Mark the live registrations of a team for an asset with its response to a proposal."""
    is_of_team = (TABLE.c.asset_id == asset) & (TABLE.c.consumer_team_id == team) & IS_LIVE
    version = TABLE.c.row_version + 1
    await session.update(Registration, is_of_team, status=status, acknowledged_at=acknowledged_at, row_version=version)


def to_reader(row: Registration) -> FieldReader:
    """Convert a registration to the value that `policy.affected_teams` takes."""
    return FieldReader(row.consumer_team_id, None if row.fields is None else tuple(row.fields))


async def find_live(session: Session, asset: UUID, team: UUID, consumer_asset: UUID | None) -> Registration | None:
    """Find the live registration of a team for an asset and, if not None, for a consuming asset of the team's."""
    column = TABLE.c.consumer_asset_id
    is_for_asset = column.is_(None) if consumer_asset is None else column == consumer_asset
    is_for_team = TABLE.c.consumer_team_id == team
    return await session.find(
        select(TABLE).where(TABLE.c.asset_id == asset, is_for_team, is_for_asset, IS_LIVE), Registration
    )
