"""Update the open proposals of upstream tables when readers or lineage of a table change.

A proposal also asks readers of tables that are made from its own, so a change of those may ask or release teams there.
Call this with the lock of the tables that changed: the opening of a proposal locks all tables of the owner that are
made from its own, so that it is either seen here, or waits and sees the change.
"""

from collections.abc import Collection
from uuid import UUID

from tessera_gql.store import assets, column_edges, proposals
from tessera_gql.store.session import Session
from tessera_gql.workflows.acknowledgment_requests import ReleaseEvidence
from tessera_gql.workflows.affected_teams import load_families
from tessera_gql.workflows.proposal_lifecycle import update_asked_teams
from tessera_gql.workflows.reopening import Registrants


async def update_upstream_proposals(
    session: Session,
    asset_ids: Collection[UUID],
    evidence: ReleaseEvidence | None = None,
    registrants: Registrants | None = None,
    *,
    includes_assets: bool = False,
    published: Collection[UUID] = (),
) -> bool:
    """Update the asked teams of proposals upstream of the assets, and of the assets themselves if they are included.

    Returns whether there are such proposals. Those of assets that are `published` at this moment end with that.
    The `evidence` is what has changed the readers; see `revise_requests` for the `registrants`.
    """
    upstream = set(await column_edges.find_upstream(session, [*asset_ids]))
    candidates = upstream.union(asset_ids if includes_assets else ()).difference(published)
    if not candidates:
        return False
    open_ids = {row.asset_id for row in await proposals.list_open(session, sorted(candidates))}
    if not open_ids:
        return False
    # An edge or an owner that changes may bring further tables into the reach of these proposals.
    await assets.lock_more(session, open_ids | await load_families(session, [*asset_ids]))
    for asset in sorted(await assets.by_ids(session, sorted(open_ids)), key=lambda row: row.id):
        await update_asked_teams(session, asset, evidence, registrants)
    return True


async def lock_with_sources(session: Session, asset_ids: Collection[UUID]) -> None:
    """Lock assets whose owner or lineage is about to change, and what they are made from."""
    await assets.lock_more(session, {*asset_ids, *await column_edges.list_sources(session, [*asset_ids])})
