"""Queries of contracts by id, asset and version."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, not_, select, update

from tessera_gql.policy.enums import ContractStatus
from tessera_gql.policy.version import parse_version
from tessera_gql.store.compiled import PreparedQuery, in_values, list_parameter
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Contract, table

TABLE = table(Contract)
by_ids = RowQuery(Contract, "id")
list_active = RowQuery(Contract, "asset_id", TABLE.c.status == ContractStatus.ACTIVE)
"""The active contracts of assets, at most one of each."""
find_active = list_active.find


async def get(session: Session, contract_id: UUID) -> Contract:
    """Return a contract by its id; raise NotFound if there is none."""
    return await by_ids.get(session, contract_id, "contract", "List an asset's contracts to find it.")


async def list_all(session: Session) -> list[Contract]:
    """Load all contracts, in the order of their publication."""
    return await session.list(select(TABLE).order_by(TABLE.c.published_at, TABLE.c.id), Contract)


async def list_by_assets(session: Session, asset_ids: Sequence[UUID]) -> list[Contract]:
    """Load all contracts of the assets, in the order of their creation."""
    is_of_asset = session.in_values(TABLE.c.asset_id, asset_ids)
    return await session.list(select(TABLE).where(is_of_asset).order_by(TABLE.c.id), Contract)


async def find_never_published(session: Session, asset_ids: Sequence[UUID]) -> set[UUID]:
    """Find the assets without any contract, not even a retired one: their next version is the first."""
    if not asset_ids:
        return set()
    is_of_asset = session.in_values(TABLE.c.asset_id, asset_ids)
    published = await session.rows(select(TABLE.c.asset_id).where(is_of_asset).distinct())
    return set(asset_ids).difference(row.asset_id for row in published)


_DEPRECATE = PreparedQuery(
    lambda dialect: (
        update(TABLE)
        .where(in_values(dialect, TABLE.c.id, list_parameter("ids", TABLE.c.id)))
        .values(status=ContractStatus.DEPRECATED)
    )
)


async def deprecate(session: Session, contract_ids: Sequence[UUID]) -> None:
    """Mark contracts that are replaced by a newer version."""
    await session.run(_DEPRECATE, ids=[*contract_ids])


async def load_highest_version(session: Session, asset: UUID) -> str | None:
    """Return the highest version ever published of an asset, since clocks of two machines may disagree on the last."""
    statement = select(TABLE.c.version).where(TABLE.c.asset_id == asset)
    return max((row.version for row in await session.rows(statement)), key=parse_version, default=None)


async def by_versions(session: Session, asset_versions: Sequence[tuple[UUID, str]]) -> list[Contract]:
    """Load the contracts with these pairs of asset id and version."""
    assets = {asset for asset, _ in asset_versions}
    versions = {version for _, version in asset_versions}
    contracts = await session.list(
        select(TABLE).where(session.in_values(TABLE.c.asset_id, assets), session.in_values(TABLE.c.version, versions)),
        Contract,
    )
    return [row for row in contracts if (row.asset_id, row.version) in set(asset_versions)]


async def load_previous(session: Session, contract_ids: Sequence[UUID]) -> dict[UUID, Contract]:
    """Load for each contract the one published just before it on the same asset, where there is one."""
    lag = func.lag(TABLE.c.id, type_=TABLE.c.id.type)  # without the type SQLite returns text
    before = lag.over(partition_by=TABLE.c.asset_id, order_by=(TABLE.c.published_at, TABLE.c.id))
    assets = select(TABLE.c.asset_id).where(session.in_values(TABLE.c.id, contract_ids))
    ordered = select(TABLE.c.id, before.label("before")).where(TABLE.c.asset_id.in_(assets)).subquery()
    pairs = await session.rows(
        select(ordered.c.id, ordered.c.before).where(
            session.in_values(ordered.c.id, contract_ids), ordered.c.before.is_not(None)
        )
    )
    previous = {row.id: row for row in await by_ids(session, [pair.before for pair in pairs])}
    return {pair.id: previous[pair.before] for pair in pairs}


async def load_last_before(session: Session, contract_ids: Sequence[UUID]) -> dict[UUID, Contract]:
    """Load for each asset of these contracts the last one published before them, active or not."""
    assets = select(TABLE.c.asset_id).where(session.in_values(TABLE.c.id, contract_ids))
    order = (TABLE.c.published_at.desc(), TABLE.c.id.desc())
    position = func.row_number().over(partition_by=TABLE.c.asset_id, order_by=order)
    ordered = (
        select(TABLE.c.id, position.label("position"))
        .where(TABLE.c.asset_id.in_(assets), not_(session.in_values(TABLE.c.id, contract_ids)))
        .subquery()
    )
    last_ids = select(ordered.c.id).where(ordered.c.position == 1)
    return {row.asset_id: row for row in await session.list(select(TABLE).where(TABLE.c.id.in_(last_ids)), Contract)}
