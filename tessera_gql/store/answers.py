"""Queries of the answers that teams have given to changes of assets."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select

from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Answer, table

TABLE = table(Answer)


async def load(session: Session, asset: UUID, teams: Collection[UUID]) -> dict[UUID, dict[str, Answer]]:
    """Load the answers of teams to changes of an asset, by team and fingerprint."""
    return {team: rows for (_, team), rows in (await load_by_teams(session, [asset], teams)).items()}


async def load_by_teams(
    session: Session, assets: Collection[UUID], teams: Collection[UUID]
) -> dict[tuple[UUID, UUID], dict[str, Answer]]:
    """Load the answers of teams to changes of assets that they still read, by fingerprint for each asset and team."""
    return await _load(session, assets, teams, TABLE.c.released_at.is_(None))


async def load_proven(
    session: Session, assets: Collection[UUID], teams: Collection[UUID]
) -> dict[tuple[UUID, UUID], dict[str, Answer]]:
    """Load the answers of teams that observed reads have released since, by fingerprint for each asset and team."""
    return await _load(session, assets, teams, TABLE.c.released_at.is_not(None))


async def _load(
    session: Session, assets: Collection[UUID], teams: Collection[UUID], condition: ColumnElement[bool]
) -> dict[tuple[UUID, UUID], dict[str, Answer]]:
    is_of_assets, is_of_teams = session.in_values(TABLE.c.asset_id, assets), session.in_values(TABLE.c.team_id, teams)
    by_team: dict[tuple[UUID, UUID], dict[str, Answer]] = {}
    for row in await session.list(select(TABLE).where(is_of_assets, is_of_teams, condition), Answer):
        by_team.setdefault((row.asset_id, row.team_id), {})[row.fingerprint] = row
    return by_team


async def replace(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store answers in place of earlier ones to the same changes; all rows are of one team and asset."""
    if not rows:
        return
    await remove(session, rows[0]["asset_id"], [row["fingerprint"] for row in rows], team=rows[0]["team_id"])
    await session.insert_many(Answer, rows)


_FINGERPRINTS = PreparedQuery(
    lambda dialect: (
        select(TABLE.c.asset_id, TABLE.c.fingerprint)
        .distinct()
        .where(in_values(dialect, TABLE.c.asset_id, list_parameter("assets", TABLE.c.asset_id)))
    )
)


async def consume(session: Session, published: Mapping[UUID, Collection[str]]) -> None:
    """Remove the answers to changes that were published, by asset: if they happen again, the teams are asked again."""
    rows = await session.fetch(_FINGERPRINTS, assets=[*published])
    consumed: dict[UUID, list[str]] = {}
    for row in rows:
        if row.fingerprint in published[row.asset_id]:
            consumed.setdefault(row.asset_id, []).append(row.fingerprint)
    for asset, fingerprints in consumed.items():
        await remove(session, asset, fingerprints)


async def remove_all(session: Session, asset: UUID) -> None:
    """Remove all answers to changes of an asset, whose contract has ended."""
    await session.execute(delete(TABLE).where(TABLE.c.asset_id == asset))


async def remove(session: Session, asset: UUID, fingerprints: Collection[str], *, team: UUID | None = None) -> None:
    """Remove the answers to changes of an asset, those of one team or of all."""
    conditions = [TABLE.c.asset_id == asset, session.in_values(TABLE.c.fingerprint, fingerprints)]
    if team is not None:
        conditions.append(TABLE.c.team_id == team)
    await session.execute(delete(TABLE).where(*conditions))
