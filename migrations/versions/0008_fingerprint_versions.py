"""Compute the change fingerprints of open proposals again, with the version of their making.

A proposal whose changes can't be matched keeps its fingerprints and answers. It counts as stale, so that the owner team
publishes again, which asks the teams afresh.

Revision: 0008
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from tessera_gql.diff import Mode, canonical_json
from tessera_gql.policy.compatibility import Terms
from tessera_gql.policy.fingerprints import RenewedChanges, are_fingerprints_current, renew_fingerprints

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
works_with = "0008"

REPORT_INTERVAL = 100
MAX_SECONDS = 900.0
"""The proposals that are left after this time keep their fingerprints."""
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
OPEN_STATUSES = ("PENDING", "APPROVED", "REJECTED")
VERSION_PREFIX = "2:"


def table(schema: str, name: str, **columns: Any) -> sa.TableClause:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    items = [sa.column(column, type_) for column, type_ in columns.items()]
    return sa.table(name, sa.column("id", sa.Uuid()), *items, schema=None if is_sqlite else schema)


def proposals() -> sa.TableClause:
    return table(
        "workflow",
        "proposals",
        asset_id=sa.Uuid(),
        base_contract_id=sa.Uuid(),
        status=sa.Text(),
        proposed_schema=sa.JSON(),
        guarantees=JSON,
        compatibility_mode=sa.Text(),
        breaking_changes=JSON,
    )


def contracts() -> sa.TableClause:
    return table("core", "contracts", schema_def=sa.JSON(), guarantees=JSON, compatibility_mode=sa.Text())


def acknowledgments() -> sa.TableClause:
    return table(
        "workflow",
        "acknowledgments",
        proposal_id=sa.Uuid(),
        released_at=sa.DateTime(timezone=True),
        change_fingerprints=JSON,
    )


def open_proposals() -> sa.Select[Any]:
    rows = proposals()
    return sa.select(rows).where(rows.c.status.in_(OPEN_STATUSES))


def list_open_proposals() -> list[UUID]:
    rows = open_proposals().subquery()
    return list(op.get_bind().execute(sa.select(rows.c.id).order_by(rows.c.id)).scalars())


def load_open_proposal(proposal_id: UUID) -> sa.Row[Any] | None:
    rows = open_proposals().subquery()
    return op.get_bind().execute(sa.select(rows).where(rows.c.id == proposal_id)).one_or_none()


def lock_open_proposal(proposal_id: UUID) -> sa.Row[Any] | None:
    """Lock the asset of a proposal, as the workflows do, and load the proposal; None if it has ended meanwhile."""
    rows, assets = proposals(), table("core", "assets")
    asset_id = sa.select(rows.c.asset_id).where(rows.c.id == proposal_id).scalar_subquery()
    op.get_bind().execute(sa.select(assets.c.id).where(assets.c.id == asset_id).with_for_update())
    return load_open_proposal(proposal_id)


def update(target: sa.TableClause, row_id: UUID, **values: Any) -> None:
    op.get_bind().execute(sa.update(target).where(target.c.id == row_id).values(values))


def list_acknowledgments(proposal_id: UUID) -> list[sa.Row[Any]]:
    rows = acknowledgments()
    return list(op.get_bind().execute(sa.select(rows).where(rows.c.proposal_id == proposal_id)))


def upgrade() -> None:
    """Compare first, and lock for the short time of storing, because servers may be running."""
    report: Callable[[str], None] = context.config.attributes.get("report_progress", print)
    deadline = time.monotonic() + MAX_SECONDS
    compared: dict[UUID, RenewedChanges | None] = {}
    proposal_ids = list_open_proposals()
    for number, proposal_id in enumerate(proposal_ids, 1):
        row = load_open_proposal(proposal_id) if time.monotonic() < deadline else None
        compared[proposal_id] = None if row is None else compare_terms(row)
        if number % REPORT_INTERVAL == 0:
            report(f"Compared the terms of {number} of {len(proposal_ids)} open proposals again.")
    stale = sum(not store_changes(proposal_id, changes) for proposal_id, changes in compared.items())
    if stale:
        report(
            f"{stale} of {len(proposal_ids)} open proposals are stale: their changes are not those of before. Publish"
            " their schemas again with `supersede`, and the teams are asked afresh."
        )


def compare_terms(row: sa.Row[Any]) -> RenewedChanges | None:
    if are_fingerprints_current(row.breaking_changes):
        return None
    contract_rows = contracts()
    base = op.get_bind().execute(sa.select(contract_rows).where(contract_rows.c.id == row.base_contract_id)).one()
    return renew_fingerprints(
        Terms(base.schema_def, base.guarantees, Mode(base.compatibility_mode)),
        Terms(row.proposed_schema, row.guarantees, Mode(row.compatibility_mode)),
        row.breaking_changes,
    )


def store_changes(proposal_id: UUID, changes: RenewedChanges | None) -> bool:
    """Store the present fingerprints of a proposal and its acknowledgments; return False if they stay old."""
    row = lock_open_proposal(proposal_id)
    if row is None or are_fingerprints_current(row.breaking_changes):
        return True
    requests = list_acknowledgments(proposal_id)
    if changes is None or not changes.covers(item.change_fingerprints for item in requests if not item.released_at):
        return False
    update(proposals(), proposal_id, breaking_changes=[change.as_json() for change in changes.changes])
    for request in requests:
        update(acknowledgments(), request.id, change_fingerprints=changes.renew(request.change_fingerprints))
    return True


def downgrade() -> None:
    """Compute the hashes of before: without a version, the fields and the digest of what changes."""
    for proposal_id in list_open_proposals():
        row = lock_open_proposal(proposal_id)
        if row is not None:
            hashes = {change["fingerprint"]: compute_hash(change) for change in row.breaking_changes}
            changes = [{**change, "fingerprint": hashes[change["fingerprint"]]} for change in row.breaking_changes]
            update(proposals(), row.id, breaking_changes=changes)
            for request in list_acknowledgments(row.id):
                fingerprints = [*dict.fromkeys(hashes.get(item, item) for item in request.change_fingerprints)]
                update(acknowledgments(), request.id, change_fingerprints=fingerprints)


def compute_hash(change: Mapping[str, Any]) -> str:
    """Return the fingerprint of a stored change in the release before; one of that release stays."""
    if not change["fingerprint"].startswith(VERSION_PREFIX):
        return change["fingerprint"]
    parts = [change[name] for name in ("kind", "pointer", "path", "before", "after")]
    return hashlib.sha256(canonical_json(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
