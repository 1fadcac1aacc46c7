"""Bulk reads of a dbt sync: the assets of a manifest and of its project, and the registrations that come from dbt."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from tessera_gql.policy.enums import ContractStatus, Evidence, ResourceType
from tessera_gql.store import assets, contracts, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration

BATCH_SIZE = 1_000
"""Assets that are read before the loop has its turn."""
DBT = "dbt"
"""The key of an asset's or registration's metadata that holds what comes from dbt."""

LINEAGE_MARK = "lineage"
"""The member of it with the hash of what the column lineage of the asset was read from."""


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An existing asset with its active contract, if any.

    `stamp` and `settled_version` are the hash of the last sync's input and its version, `lineage_stamp` is that of what
    its column lineage was read from, `project` and `unique_id` the
    dbt project and node that the asset came from.
    """

    id: UUID
    fqn: str
    owner_team_id: UUID
    resource_type: ResourceType
    project: str | None
    unique_id: str | None
    stamp: str | None
    settled_version: str | None
    contract_id: UUID | None
    version: str | None
    lineage_stamp: str | None = None
    is_archived: bool = False

    @property
    def is_source(self) -> bool:
        return self.resource_type is ResourceType.SOURCE


def _dbt_member(name: str) -> ColumnElement[str]:
    member: ColumnElement[str] = assets.TABLE.c.meta[DBT, name].as_string()
    return member


PROJECT = _dbt_member("project")


def _is_of_project(project: str) -> ColumnElement[bool]:
    return PROJECT == project  # noqa: SIM300 - the constant is a column


async def _load(session: Session, condition: ColumnElement[bool]) -> list[KnownAsset]:
    rows, versions = assets.TABLE.c, contracts.TABLE.c
    is_active = (versions.asset_id == rows.id) & (versions.status == ContractStatus.ACTIVE)
    statement = select(
        rows.id,
        rows.fqn,
        rows.owner_team_id,
        rows.resource_type,
        PROJECT.label("project"),
        _dbt_member("unique_id").label("unique_id"),
        _dbt_member("fingerprint").label("stamp"),
        _dbt_member("contract").label("settled_version"),
        versions.id.label("contract_id"),
        versions.version,
        rows.archived_at.is_not(None).label("is_archived"),
        _dbt_member(LINEAGE_MARK).label("lineage_stamp"),
    ).select_from(assets.TABLE.outerjoin(contracts.TABLE, is_active))
    names = KnownAsset.__slots__
    asset_rows = await session.rows(statement.where(condition).order_by(rows.fqn_key))
    known_assets: list[KnownAsset] = []
    for start in range(0, len(asset_rows), BATCH_SIZE):
        rows_of_batch = asset_rows[start : start + BATCH_SIZE]
        known_assets += [KnownAsset(*(getattr(row, name) for name in names)) for row in rows_of_batch]
        await asyncio.sleep(0)
    return known_assets


async def load_known_assets(session: Session, fqns: Sequence[str], project: str | None) -> list[KnownAsset]:
    """Load the assets with these fqns and those of the dbt project, in the order of their fqns, without locks."""
    has_fqn = session.in_values(assets.TABLE.c.fqn_key, [assets.key(fqn) for fqn in fqns])
    return await _load(session, has_fqn if project is None else or_(has_fqn, _is_of_project(project)))


async def has_registrations(session: Session, project: str) -> bool:
    """Whether a live registration comes from a manifest of the dbt project."""
    rows = registrations.TABLE.c
    is_of_project = rows.meta[DBT, "project"].as_string() == project
    condition = and_(registrations.IS_LIVE, rows.evidence == Evidence.DBT_MANIFEST, is_of_project)
    return await session.value(select(rows.id).where(condition).limit(1)) is not None


async def list_registrations(
    session: Session, consumer_assets: Collection[UUID], exposed_assets: Collection[UUID], project: str | None
) -> list[Registration]:
    """Load live registrations: of the project's exposures, of consumer assets, and of teams on `exposed_assets`."""
    rows = registrations.TABLE.c
    is_of_team = rows.consumer_asset_id.is_(None)
    conditions: list[ColumnElement[bool]] = []
    if project is not None:
        is_of_project = rows.meta[DBT, "project"].as_string() == project
        conditions.append(is_of_team & (rows.evidence == Evidence.DBT_MANIFEST) & is_of_project)
    if consumer_assets:
        conditions.append(session.in_values(rows.consumer_asset_id, consumer_assets))
    if exposed_assets:
        conditions.append(is_of_team & session.in_values(rows.asset_id, exposed_assets))
    if not conditions:
        return []
    statement = select(registrations.TABLE).where(registrations.IS_LIVE, or_(*conditions))
    return await session.list(statement, Registration)
