"""Questions about registrations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from tessera_gql.errors import NotFound
from tessera_gql.policy.affected import Reader
from tessera_gql.policy.words import RegistrationStatus
from tessera_gql.store.session import Session
from tessera_gql.store.statements import rows_by
from tessera_gql.store.tables import Registration, Team, table

rows = table(Registration)
is_live = rows.c.status != RegistrationStatus.INACTIVE

_by_id = rows_by(rows.c.id)
_live_by_asset = rows_by(rows.c.asset_id, is_live, order_by=(rows.c.registered_at, rows.c.id))

_teams = table(Team)
_readers = select(rows.c.asset_id, rows.c.consumer_team_id).where(is_live).distinct().subquery()
# The teams that read an asset, each once.
consumers = select(_teams, _readers.c.asset_id).join(_readers, _readers.c.consumer_team_id == _teams.c.id).subquery()


async def by_ids(session: Session, registration_ids: Sequence[UUID]) -> list[Registration]:
    return [*await session.fetch(_by_id, values=registration_ids)]


async def get(session: Session, identity: UUID) -> Registration:
    registrations = await by_ids(session, [identity])
    if not registrations:
        raise NotFound(
            f"There is no registration {identity}. List an asset's registrations to find it.",
            field=("registration",),
        )
    return registrations[0]


async def live_of(session: Session, asset_ids: Sequence[UUID]) -> list[Registration]:
    """Live registrations of the assets, oldest first."""
    return [*await session.fetch(_live_by_asset, values=asset_ids)]


def reader_of(row: Registration) -> Reader:
    """A registration as `policy.affected` reads it."""
    return Reader(row.consumer_team_id, None if row.fields is None else tuple(row.fields))


async def find_live(session: Session, asset: UUID, team: UUID, consumer_asset: UUID | None) -> Registration | None:
    has_consumer_asset = (
        rows.c.consumer_asset_id.is_(None) if consumer_asset is None else rows.c.consumer_asset_id == consumer_asset
    )
    return await session.find(
        select(rows).where(rows.c.asset_id == asset, rows.c.consumer_team_id == team, has_consumer_asset, is_live),
        Registration,
    )
