"""Compare a proposal with the contract that is active now, and find what its teams were not asked about."""

from dataclasses import dataclass
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.policy import compatibility
from tessera_gql.policy.compatibility import Judgement, Terms
from tessera_gql.policy.coverage import describe_missing
from tessera_gql.policy.enums import ProposalKind
from tessera_gql.policy.fingerprints import are_fingerprints_current
from tessera_gql.store import assets, contracts, proposals, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal
from tessera_gql.workflows.affected_teams import load_affected_teams
from tessera_gql.workflows.comparisons import compare_terms
from tessera_gql.workflows.contracts import terms_of
from tessera_gql.workflows.coverage_holds import find_missing_for


@dataclass(frozen=True)
class NewBase:
    """The contract that became active after a proposal was opened, and what the proposal breaks of it.

    `further_breaks` are the breaking changes that the proposal does not have yet.
    """

    contract: Contract
    judgement: Judgement
    further_breaks: tuple[Change, ...]


def list_unaffected(row: Proposal) -> frozenset[UUID]:
    """List the tables of the owner that no longer read what the proposal changes."""
    return frozenset(map(UUID, row.unaffected_assets or ()))


async def find_stale_reason(session: Session, asset: Asset, row: Proposal) -> str | None:
    """Describe what is new since a proposal was opened and read by a team that was not asked; None if nothing is."""
    if not are_fingerprints_current(row.breaking_changes):
        return "an earlier version of Tessera GQL found its changes, and the present one finds others"
    base = await compare_with_base(session, row, await contracts.find_active(session, row.asset_id))
    if base is None or not base.further_breaks:
        return None
    unaffected = list_unaffected(row)
    asked = (await load_affected_teams(session, asset, base.further_breaks, unaffected=unaffected)).asked
    if not asked:
        return await _describe_uncovered(session, asset, row, base)
    messages = "; ".join(compatibility.summarize_changes(base.further_breaks, limit=5))
    names = await teams.join_names(session, list(asked))
    return f"since version {base.contract.version} it also breaks {names}: {messages}"


async def _describe_uncovered(session: Session, asset: Asset, row: Proposal, base: NewBase) -> str | None:
    """Describe further breaks that nobody is asked about although the policy demands coverage; None if it is there."""
    missing = await find_missing_for(session, asset, row, base.further_breaks)
    if not missing:
        return None
    messages = "; ".join(compatibility.summarize_changes(base.further_breaks, limit=5))
    return f"since version {base.contract.version} it also breaks {messages}. {describe_missing(missing)}"


async def is_proposal_stale(session: Session, proposal_id: UUID) -> bool:
    """Return whether an open proposal breaks something that is new and whose readers were not asked."""
    row = await proposals.get(session, proposal_id)
    (asset,) = await assets.by_ids(session, [row.asset_id])
    return await find_stale_reason(session, asset, row) is not None


async def compare_with_base(session: Session, row: Proposal, current: Contract | None) -> NewBase | None:
    """Compare the terms of a proposal with the active contract; None while that is the one it was opened for.

    A retirement breaks the same readers whatever the contract is.
    """
    if current is None or current.id == row.base_contract_id or row.kind is ProposalKind.RETIREMENT:
        return None
    judgement = await compare_terms(session.compute, terms_of(current), proposed_terms(row))
    proposed = {change["fingerprint"] for change in row.breaking_changes}
    return NewBase(current, judgement, compatibility.find_further_breaks(judgement, proposed))


def proposed_terms(row: Proposal) -> Terms:
    """Return the terms of a proposal of the kind CHANGE."""
    return Terms(row.proposed_schema, row.guarantees, row.compatibility_mode, known_columns=row.known_columns)
