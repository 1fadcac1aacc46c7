"""Publish an open proposal by force, before all asked teams consent. What that leaves undone becomes debts."""

from uuid import UUID

from tessera_gql.errors import Invalid
from tessera_gql.formats.schema_documents import SchemaDocument
from tessera_gql.policy.access import Actor
from tessera_gql.policy.proposal_status import require_open
from tessera_gql.policy.version import parse_version
from tessera_gql.store import assets, contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract, Proposal
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.proposal_bases import list_unaffected, proposed_terms
from tessera_gql.workflows.proposal_lifecycle import ProposalResult
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.teams import require_row_version


async def publish_by_force(
    session: Session,
    actor: Actor,
    proposal_id: UUID,
    reason: str | None,
    *,
    team: TeamRef | None = None,
    expected_row_version: int | None = None,
) -> ProposalResult:
    """Publish the terms of an open proposal by force, as an administrator with a reason.

    It is the forced publish of the proposed terms: the proposal ends, and the teams that did not consent get debts.
    """
    asset = await assets.lock(session, AssetRef(id=(await proposals.get(session, proposal_id)).asset_id))
    row = await proposals.get(session, proposal_id)
    require_row_version(row.row_version, expected_row_version, "proposal")
    require_open(row.status, row.expires_at, row.resolved_at)
    if row.proposed_schema is None:
        raise Invalid("A retirement can't be published by force. Retire the contract itself, which asks no team.")
    terms = proposed_terms(row)
    request = PublishRequest(
        schema=terms.schema,
        guarantees=terms.guarantees,
        mode=terms.mode,
        version=_choose_version(row, await contracts.find_active(session, asset.id)),
        team=team,
        force=True,
        reason=reason,
        metadata=row.meta,
        source=SchemaDocument.from_json(row.source) if row.source else None,
        known_columns=terms.known_columns,
        unaffected_assets=list_unaffected(row),
    )
    result = await publish_contract(session, actor, AssetRef(id=asset.id), request)
    return ProposalResult(await proposals.get(session, row.id), result.contract)


def _choose_version(row: Proposal, current: Contract | None) -> str | None:
    """Return the proposed version; None, for the next one, if a contract published meanwhile has taken it."""
    proposed = row.proposed_version
    if proposed is None or current is None or parse_version(proposed) > parse_version(current.version):
        return proposed
    return None
