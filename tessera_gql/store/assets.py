"""Questions about assets. Whoever changes anything of an asset holds its lock first, then reads, then decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select

from tessera_gql.errors import Invalid, NotFound
from tessera_gql.policy import naming
from tessera_gql.store.session import Session
from tessera_gql.store.statements import whole
from tessera_gql.store.tables import Asset, table

rows = table(Asset)
_by_id = whole(rows.c.id)
_by_key = whole(rows.c.fqn_key)


@dataclass(frozen=True)
class AssetRef:
    """Exactly one of the two."""

    id: UUID | None = None
    fqn: str | None = None


def key(fqn: str) -> str:
    """What makes it unique."""
    return naming.key(fqn)


async def by_ids(session: Session, wanted: Sequence[UUID]) -> list[Asset]:
    return [*await session.ask(_by_id, wanted=wanted)]


async def by_fqns(session: Session, fqns: Sequence[str]) -> list[Asset]:
    """Whatever the case."""
    return [*await session.ask(_by_key, wanted=[key(fqn) for fqn in fqns])]


async def get(session: Session, ref: AssetRef, *, field: tuple[str, ...] = ("asset",)) -> Asset:
    return _present(await session.find(select(rows).where(_named(ref)), Asset), ref, field)


def _named(ref: AssetRef) -> ColumnElement[bool]:
    if (ref.id is None) == (ref.fqn is None):
        raise Invalid("Name an asset by its id or by its fqn, one of the two.", field=("asset",))
    return rows.c.id == ref.id if ref.id else rows.c.fqn_key == key(ref.fqn or "")


def _present(found: Asset | None, ref: AssetRef, field: tuple[str, ...]) -> Asset:
    if found is None:
        raise NotFound(
            f"There is no asset {ref.fqn or ref.id!s}. Create it with createAsset, or look it up with assets(filter:).",
            field=field,
        )
    return found


async def lock(session: Session, ref: AssetRef, *, field: tuple[str, ...] = ("asset",)) -> Asset:
    """The asset as it is once nobody else can change it: everything about an asset waits here for its turn.

    NO KEY UPDATE, so that rows that merely refer to the asset can still be inserted: they would deadlock otherwise.
    """
    found = await session.find(select(rows).where(_named(ref)).with_for_update(key_share=True), Asset)
    return _present(found, ref, field)


async def lock_all(session: Session, wanted: Sequence[UUID]) -> None:
    """In the order of ids, so that two callers never wait for each other."""
    statement = select(rows.c.id).where(session.among(rows.c.id, wanted)).order_by(rows.c.id)
    await session.execute(statement.with_for_update(key_share=True))
