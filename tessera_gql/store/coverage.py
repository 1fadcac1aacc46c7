"""Queries of what usage sources cover of assets: their sources, and who was seen reading which field last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select

from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.usage import CoveredSpan
from tessera_gql.store import proposals
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import Session
from tessera_gql.store.tables import UsageSource
from tessera_gql.store.usage import OBSERVATIONS, PRINCIPALS, by_ids


@dataclass(frozen=True)
class UnmappedRead:
    """The latest read of a field of an asset by a principal without a team; an empty field is the whole asset."""

    asset_id: UUID
    principal_id: UUID
    principal: str
    field: str
    last_seen: datetime


@dataclass(frozen=True)
class TeamRead:
    """The latest read of a field of an asset by the principals of a team; an empty field is the whole asset."""

    asset_id: UUID
    team_id: UUID
    field: str
    last_seen: datetime


def _is_of_assets(dialect: str) -> ColumnElement[bool]:
    """Build the condition that reads are of assets, the parameter `assets` of a prepared query."""
    return in_values(dialect, OBSERVATIONS.c.asset_id, list_parameter("assets", OBSERVATIONS.c.asset_id))


def _build_sources(dialect: str) -> Select[Any]:
    statement = (
        select(OBSERVATIONS.c.asset_id, PRINCIPALS.c.source_id)
        .join(PRINCIPALS, PRINCIPALS.c.id == OBSERVATIONS.c.principal_id)
        .where(_is_of_assets(dialect))
        .distinct()
    )
    return cast("Select[Any]", statement)


def _build_unmapped_reads(dialect: str) -> Select[Any]:
    reads = OBSERVATIONS.c
    statement = (
        select(reads.asset_id, reads.principal_id, PRINCIPALS.c.name, reads.field, reads.last_seen)
        .join(PRINCIPALS, PRINCIPALS.c.id == reads.principal_id)
        .where(_is_of_assets(dialect), PRINCIPALS.c.team_id.is_(None))
    )
    return cast("Select[Any]", statement)


def _build_team_reads(dialect: str) -> Select[Any]:
    last_seen = func.max(OBSERVATIONS.c.last_seen, type_=OBSERVATIONS.c.last_seen.type).label("last_seen")
    columns = (OBSERVATIONS.c.asset_id, PRINCIPALS.c.team_id, OBSERVATIONS.c.field)
    statement = (
        select(*columns, last_seen)
        .join(PRINCIPALS, PRINCIPALS.c.id == OBSERVATIONS.c.principal_id)
        .where(_is_of_assets(dialect), PRINCIPALS.c.team_id.is_not(None))
        .group_by(*columns)
    )
    return cast("Select[Any]", statement)


_SOURCES = PreparedQuery(_build_sources)
_UNMAPPED_READS = PreparedQuery(_build_unmapped_reads)
_TEAM_READS = PreparedQuery(_build_team_reads)


async def load_sources(session: Session, asset_ids: Collection[UUID]) -> dict[UUID, list[UsageSource]]:
    """Load the usage sources that have ever seen a read of the assets, by asset."""
    rows = await session.fetch(_SOURCES, assets=[*asset_ids])
    source_ids = sorted({row.source_id for row in rows})
    sources = {row.id: row for row in await by_ids(session, source_ids)} if source_ids else {}
    by_asset: dict[UUID, list[UsageSource]] = {asset_id: [] for asset_id in asset_ids}
    for row in rows:
        by_asset[row.asset_id].append(sources[row.source_id])
    return by_asset


def list_spans(source: UsageSource) -> list[CoveredSpan]:
    """Return the spans that a source covers."""
    return [*map(CoveredSpan.from_json, source.covered)]


async def load_unmapped_reads(session: Session, asset_ids: Collection[UUID]) -> list[UnmappedRead]:
    """Load the reads of assets by principals without a team."""
    rows = await session.fetch(_UNMAPPED_READS, assets=[*asset_ids])
    return [UnmappedRead(row.asset_id, row.principal_id, row.name, row.field, row.last_seen) for row in rows]


async def load_team_reads(session: Session, asset_ids: Collection[UUID]) -> list[TeamRead]:
    """Load the reads of assets by the teams of mapped principals."""
    rows = await session.fetch(_TEAM_READS, assets=[*asset_ids])
    return [TeamRead(row.asset_id, row.team_id, row.field, row.last_seen) for row in rows]


async def load_last_reads(session: Session, asset_ids: Collection[UUID]) -> dict[UUID, dict[str, datetime]]:
    """Load when fields of assets were last read by anybody; an empty field is the whole asset."""
    last_seen = func.max(OBSERVATIONS.c.last_seen, type_=OBSERVATIONS.c.last_seen.type).label("last_seen")
    statement = (
        select(OBSERVATIONS.c.asset_id, OBSERVATIONS.c.field, last_seen)
        .where(session.in_values(OBSERVATIONS.c.asset_id, asset_ids))
        .group_by(OBSERVATIONS.c.asset_id, OBSERVATIONS.c.field)
    )
    reads: dict[UUID, dict[str, datetime]] = {asset_id: {} for asset_id in asset_ids}
    for row in await session.rows(statement):
        reads[row.asset_id][row.field] = row.last_seen
    return reads


async def list_demanding(session: Session, limit: int, after: UUID | None = None) -> list[UUID]:
    """Load the ids of open proposals whose policy demands coverage and that were held or approved for lack of readers.

    They are in the order of their ids, the next ones `after` one of them.
    """
    rows = proposals.TABLE.c
    is_decided = or_(rows.held_at.is_not(None), rows.status == ProposalStatus.APPROVED)
    statement = (
        select(rows.id)
        .where(proposals.IS_OPEN, rows.required_coverage_days.is_not(None), is_decided)
        .order_by(rows.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(rows.id > after)
    return [row.id for row in await session.rows(statement)]
