"""Queries and locks of assets. Lock an asset before reading anything that a change of it depends on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select, text, update

from tessera_gql.compute import LocksMissing
from tessera_gql.errors import Invalid, NotFound
from tessera_gql.policy import validation
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.compiled import PreparedQuery
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Asset, table

TABLE = table(Asset)
by_ids = RowQuery(Asset, "id")
by_fqn_keys = RowQuery(Asset, "fqn_key")


@dataclass(frozen=True)
class AssetRef:
    """A reference to an asset by exactly one of its id and its fqn."""

    id: UUID | None = None
    fqn: str | None = None

    def __str__(self) -> str:
        return self.fqn or (encode_global_id("Asset", self.id) if self.id else "")


def key(fqn: str) -> str:
    """Fold an asset's fqn to the key that is unique."""
    return validation.uniqueness_key(fqn)


async def by_fqns(session: Session, fqns: Sequence[str]) -> list[Asset]:
    """Load the assets with these fqns, ignoring case."""
    return await by_fqn_keys(session, [key(fqn) for fqn in fqns])


async def list_all(session: Session) -> list[Asset]:
    """Load all assets, in any order."""
    return await session.list(select(TABLE), Asset)


async def get(session: Session, ref: AssetRef, *, field: tuple[str, ...] = ("asset",)) -> Asset:
    """Return the asset that is referred to; raise NotFound for the input `field` if there is none."""
    return _require(await session.find(select(TABLE).where(_ref_condition(ref)), Asset), ref, field)


def _require_one_name(ref: AssetRef) -> None:
    if (ref.id is None) == (ref.fqn is None):
        raise Invalid("Name an asset by its id or by its fqn, one of the two.", field=("asset",))


def _ref_condition(ref: AssetRef) -> ColumnElement[bool]:
    _require_one_name(ref)
    return TABLE.c.id == ref.id if ref.id else TABLE.c.fqn_key == key(ref.fqn or "")


def _require(asset: Asset | None, ref: AssetRef, field: tuple[str, ...]) -> Asset:
    if asset is None:
        raise NotFound(
            f"There is no asset {ref}. Create it with createAsset, or look it up with assets(filter:).", field=field
        )
    return asset


def _prepare_lock(column: ColumnElement[Any]) -> PreparedQuery:
    is_requested = column == bindparam("key", type_=column.type)
    return PreparedQuery(lambda _dialect: select(TABLE).where(is_requested).with_for_update(key_share=True))


_LOCK_BY_ID, _LOCK_BY_FQN = _prepare_lock(TABLE.c.id), _prepare_lock(TABLE.c.fqn_key)


async def lock(session: Session, ref: AssetRef, *, field: tuple[str, ...] = ("asset",)) -> Asset:
    """Lock an asset until the commit and return it; changes of one asset wait here for each other.

    NO KEY UPDATE, because inserting rows that refer to the asset would deadlock with a full lock.
    """
    await _lock_first(session)
    _require_one_name(ref)
    rows = session.fetch(_LOCK_BY_ID, key=ref.id) if ref.id else session.fetch(_LOCK_BY_FQN, key=key(ref.fqn or ""))
    asset = _require(next(iter(await rows), None), ref, field)
    session.locked_asset_ids.add(asset.id)
    session.asset_fqns[asset.id] = asset.fqn
    return asset


async def lock_by_fqns(session: Session, fqns: Sequence[str]) -> list[Asset]:
    """Lock assets in the order of their ids and return them."""
    await _lock_first(session)
    statement = select(TABLE).where(session.in_values(TABLE.c.fqn_key, [key(fqn) for fqn in fqns])).order_by(TABLE.c.id)
    rows = await session.list(statement.with_for_update(key_share=True), Asset)
    session.locked_asset_ids.update(row.id for row in rows)
    session.asset_fqns.update((row.id, row.fqn) for row in rows)
    return rows


async def lock_by_ids(session: Session, asset_ids: Collection[UUID]) -> None:
    """Lock assets in the order of their ids, so that two callers never deadlock."""
    await _lock_first(session)
    await _lock_ids(session, asset_ids)


async def lock_more(session: Session, asset_ids: Collection[UUID]) -> None:
    """Lock further assets of a transaction that has locked some.

    If that could deadlock, because the order of ids would be broken, the transaction is run again and locks all of them
    at first. One that can't be run again waits for them here.
    """
    missing = frozenset(asset_ids) - session.locked_asset_ids
    if not missing or session.dialect == "sqlite":
        return
    locked = session.locked_asset_ids
    if session.may_defer and locked and min(missing) < max(locked):
        raise LocksMissing(missing | locked)
    await _lock_ids(session, missing)


async def _lock_first(session: Session) -> None:
    """Lock what an earlier attempt of the operation lacked, before anything else."""
    if session.computer.asset_ids_to_lock and not session.locked_asset_ids:
        await _lock_ids(session, session.computer.asset_ids_to_lock)


async def _lock_ids(session: Session, asset_ids: Collection[UUID]) -> None:
    statement = select(TABLE.c.id).where(session.in_values(TABLE.c.id, sorted(asset_ids))).order_by(TABLE.c.id)
    await session.execute(statement.with_for_update(key_share=True))
    session.locked_asset_ids.update(asset_ids)


_STORE_META = PreparedQuery(
    lambda _dialect: (
        update(TABLE)
        .where(TABLE.c.id == bindparam("of_asset"))
        .values(meta=bindparam("new_meta"), updated_at=bindparam("now"))
    )
)


_ANALYZE = text("ANALYZE (SKIP_LOCKED) core.assets, core.contracts")


async def refresh_statistics(session: Session) -> None:
    """Let PostgreSQL plan the checks of foreign keys anew, once tables that were empty have rows.

    A connection keeps the plan of such a check, which reads the whole table if it was made while that was empty. A
    table that another transaction analyses is left out, since two syncs could wait for each other.
    """
    if session.dialect == "postgresql":
        await session.execute(_ANALYZE)


async def store_meta(session: Session, changed: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Store the metadata of assets by id, in one statement for all."""
    if changed:
        rows = [{"of_asset": key, "new_meta": meta, "now": session.now} for key, meta in changed.items()]
        await session.run_many(_STORE_META, rows)
