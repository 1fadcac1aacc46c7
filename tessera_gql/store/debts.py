"""Queries of debts by id and asset, and the views from which lists of them are read."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select, union_all

from tessera_gql.policy.debts import PATH_KINDS, OpenPathDebts
from tessera_gql.policy.enums import DebtKind
from tessera_gql.store.session import RowQuery, Session
from tessera_gql.store.tables import Asset, Debt, FieldChange, table

TABLE = table(Debt)
IS_OPEN = TABLE.c.settled_at.is_(None)
IS_OF_PATH = or_(*(TABLE.c.kind == kind for kind in PATH_KINDS))

by_ids = RowQuery(Debt, "id")
list_open = RowQuery(Debt, "asset_id", IS_OPEN, order_by=(TABLE.c.since, TABLE.c.id))
"""The open debts of assets, oldest first."""
list_open_of_paths = RowQuery(Debt, "asset_id", IS_OPEN, IS_OF_PATH, order_by=(TABLE.c.id,))
"""The open debts of assets for registered paths."""

OPEN = select(TABLE).where(IS_OPEN).subquery()
"""The debts that are not settled."""

_assets = table(Asset)
_OWNER = _assets.c.owner_team_id
INBOX = union_all(
    select(TABLE, TABLE.c.team_id.label("inbox_team_id")).where(IS_OPEN),
    select(TABLE, _OWNER.label("inbox_team_id"))
    .join(_assets, _assets.c.id == TABLE.c.asset_id)
    .where(IS_OPEN, TABLE.c.kind == DebtKind.UNKNOWN_FIELD, TABLE.c.team_id != _OWNER),
).subquery()
"""The open debts that a team sees: its own, and unknown fields that other teams registered with its assets."""


async def get(session: Session, debt_id: UUID) -> Debt:
    """Return a debt by its id; raise NotFound if there is none."""
    return await by_ids.get(session, debt_id, "debt", "List the debts of a team or an asset to find it.")


async def load_open_path_debts(session: Session, asset_ids: Sequence[UUID]) -> OpenPathDebts:
    """Load the open debts of registered paths of the assets."""
    return OpenPathDebts(await list_open_of_paths(session, asset_ids))


async def load_changed_paths(session: Session, rows: Sequence[Debt]) -> dict[UUID, set[str]]:
    """Load the paths that the change of each forced debt belongs to, by debt; both names of a field for a rename."""
    changes = table(FieldChange)
    columns = (changes.c.contract_id, changes.c.fingerprint, changes.c.path, changes.c.previous_path)
    statement = select(*columns).where(
        session.in_values(changes.c.contract_id, {row.contract_id for row in rows if row.contract_id}),
        session.in_values(changes.c.fingerprint, {row.change_fingerprint for row in rows}),
    )
    paths: dict[tuple[UUID | None, str], set[str]] = {}
    for change in await session.rows(statement):
        names = {path for path in (change.path, change.previous_path) if path is not None}
        paths.setdefault((change.contract_id, change.fingerprint), set()).update(names)
    return {row.id: {row.path} | paths.get((row.contract_id, row.change_fingerprint), set()) for row in rows}


async def settle(session: Session, debt_ids: Sequence[UUID]) -> None:
    """Mark debts as settled now."""
    await session.update(Debt, session.in_values(TABLE.c.id, debt_ids), settled_at=session.now)
