"""Bulk reads of a dbt sync: the assets of a manifest with their active contracts, and its registrations."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select

from tessera_gql.policy.enums import ContractStatus, Evidence
from tessera_gql.store import assets, contracts, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Registration

DBT = "dbt"
"""The key of an asset's or registration's metadata that holds what comes from dbt."""


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """An existing asset; `stamp` and `settled_version` are the hash of the last sync's input, and its version."""

    id: UUID
    owner_team_id: UUID
    stamp: str | None
    settled_version: str | None
    contract_id: UUID | None
    version: str | None


@dataclass(frozen=True)
class RemovedAsset:
    """An asset that an earlier manifest of the project had and this one does not have."""

    id: UUID
    fqn: str
    owner_team_id: UUID
    contract_id: UUID | None


def _select_assets(*columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Select from the assets with their active contracts, if any."""
    rows, versions = assets.TABLE, contracts.TABLE
    is_active = (versions.c.asset_id == rows.c.id) & (versions.c.status == ContractStatus.ACTIVE)
    own_columns = (rows.c.id, rows.c.owner_team_id, versions.c.id.label("contract_id"))
    return select(*own_columns, *columns).select_from(rows.outerjoin(versions, is_active))


async def load_known_assets(session: Session, fqn_keys: Sequence[str]) -> dict[str, KnownAsset]:
    """Load the assets with these keys, by key, without locks."""
    rows = assets.TABLE
    stamp, settled_version = (rows.c.meta[DBT, name].as_string().label(name) for name in ("fingerprint", "contract"))
    statement = _select_assets(rows.c.fqn_key, stamp, settled_version, contracts.TABLE.c.version)
    return {
        row.fqn_key: KnownAsset(row.id, row.owner_team_id, row.fingerprint, row.contract, row.contract_id, row.version)
        for row in await session.rows(statement.where(session.in_values(rows.c.fqn_key, fqn_keys)))
    }


async def list_removed_assets(session: Session, project: str, fqn_keys: Sequence[str]) -> list[RemovedAsset]:
    """Load the assets of the dbt project without one of these keys, in the order of their fqns."""
    rows = assets.TABLE
    is_removed = (rows.c.meta[DBT, "project"].as_string() == project) & ~session.in_values(rows.c.fqn_key, fqn_keys)
    statement = _select_assets(rows.c.fqn).where(is_removed).order_by(rows.c.fqn_key)
    return [RemovedAsset(row.id, row.fqn, row.owner_team_id, row.contract_id) for row in await session.rows(statement)]


async def list_registrations(
    session: Session, consumer_assets: Collection[UUID], exposed_assets: Collection[UUID]
) -> list[Registration]:
    """Load the live registrations of dbt's exposures, of these consumer assets, and of teams on `exposed_assets`."""
    rows = registrations.TABLE
    is_of_team = rows.c.consumer_asset_id.is_(None)
    conditions: list[ColumnElement[bool]] = [is_of_team & (rows.c.evidence == Evidence.DBT_MANIFEST)]
    if consumer_assets:
        conditions.append(session.in_values(rows.c.consumer_asset_id, consumer_assets))
    if exposed_assets:
        conditions.append(is_of_team & session.in_values(rows.c.asset_id, exposed_assets))
    return await session.list(select(rows).where(registrations.IS_LIVE, or_(*conditions)), Registration)
