"""What a call does with the proposal that is open for its asset: ask again, replace it, or end it.

One proposal is open for an asset. The caller holds the lock of the asset.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.diff import Change
from tessera_gql.errors import Conflict
from tessera_gql.policy import events, proposal_status
from tessera_gql.policy.enums import ProposalKind, ProposalStatus
from tessera_gql.policy.fingerprints import are_fingerprints_current
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import change_sets, proposals
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal
from tessera_gql.workflows.ask_clock import apply_time, move_due_dates
from tessera_gql.workflows.proposal_bases import compare_with_base
from tessera_gql.workflows.proposal_lifecycle import ProposalResult, change_status, rebase, update_status

NO_LONGER_BREAKS = "its change set no longer breaks this asset"


@dataclass(frozen=True)
class ProposalOptions:
    """Options of an open proposal that a call sets; None leaves an option as it is."""

    publish_when_approved: bool | None = None
    require_explicit_publish: bool | None = None
    change_set_id: UUID | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Claim:
    """By what right a call replaces the open proposal, and how that one differs from what the call proposes.

    With `is_agreed` it releases what the teams have agreed to already.
    """

    change_set_id: UUID | None
    supersede: bool
    difference: str
    is_agreed: bool = False


async def find_open_proposal(session: Session, asset: Asset) -> Proposal | None:
    """Find the proposal that is still open after its deadlines were applied, and publish nothing yet.

    The call that follows may be one that takes back `publish_when_approved`.
    """
    row = await proposals.find_open(session, asset.id)
    if row is None:
        return None
    row = (await update_status(session, asset, row, may_publish=False)).proposal
    return row if row.status.is_open else None


def describe_difference(row: Proposal | None, fingerprint: str, version: str | None = None) -> str | None:
    """Describe how the open proposal differs from the requested one; None if it does not, or if there is none."""
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        return "these terms do not match"
    if version not in (None, row.proposed_version):
        return "has these terms under another version"
    if not are_fingerprints_current(row.breaking_changes):
        return "is stale: an earlier version of Tessera GQL found its changes, and the present one finds others"
    return None


async def ask_again(
    session: Session, asset: Asset, row: Proposal, current: Contract, options: ProposalOptions
) -> ProposalResult:
    """Update the open proposal of the same terms: its options, and its base if another contract is active now.

    Publishes nothing yet.
    """
    if row.change_set_id is not None:  # the first change set that asked keeps it
        options = ProposalOptions(
            options.publish_when_approved, options.require_explicit_publish, expires_at=options.expires_at
        )
    row = await update_options(session, asset, row, options)
    if options.expires_at is not None:  # not before a migration has ended, or silence is counted
        row, _ = await apply_time(session, asset, row)
    base = await compare_with_base(session, row, current)
    return ProposalResult(row) if base is None else await rebase(session, asset, row, base)


async def update_options(session: Session, asset: Asset, row: Proposal, options: ProposalOptions) -> Proposal:
    """Set options of an open proposal. The later of automatic and explicit publishing replaces the other."""
    values: dict[str, Any] = {item.name: getattr(options, item.name) for item in fields(options)}
    if options.publish_when_approved:
        values["require_explicit_publish"] = False
    if options.require_explicit_publish:
        values["publish_when_approved"] = False
    changed = {name: value for name, value in values.items() if value is not None and value != getattr(row, name)}
    if "expires_at" in changed:
        proposal_status.choose_expiry(options.expires_at, session.now, session.now)
    if not changed:
        return row
    await session.update_row(Proposal, row.id, **changed, row_version=row.row_version + 1)
    if "expires_at" in changed:
        await move_due_dates(session, row, changed["expires_at"])
    acknowledgments = await proposals.list_acknowledgments(session, [row.id])
    asked = {item.consumer_team_id for item in acknowledgments if item.released_at is None}
    event = events.ProposalUpdated(
        audience_team_ids=frozenset({asset.owner_team_id, row.proposed_by, *asked}),
        asset_id=asset.id,
        proposal_id=row.id,
        changed=tuple(sorted(changed)),
    )
    session.record(event)
    return await proposals.get(session, row.id)


def is_agreed(row: Proposal, breaking: Sequence[Change]) -> bool:
    """Return whether the open proposal is approved and has all these breaks, so that a release may replace it.

    The teams agree to changes, not to a document: after a pull request was asked about without a catalog, the release
    has one, and its schema says more of the other columns.
    """
    if row.status is not ProposalStatus.APPROVED or row.kind is not ProposalKind.CHANGE:
        return False
    if row.require_explicit_publish or not are_fingerprints_current(row.breaking_changes):
        return False
    approved = {change["fingerprint"] for change in row.breaking_changes}
    return all(change.fingerprint in approved for change in breaking)


async def supersede(session: Session, asset: Asset, row: Proposal, claim: Claim, successor: str) -> None:
    """End the open proposal in favour of another one.

    Raises Conflict unless the call asks for it, belongs to the same change set, or releases what is agreed.
    """
    is_same_change_set = row.change_set_id is not None and row.change_set_id == claim.change_set_id
    if not (is_same_change_set or claim.supersede or claim.is_agreed):
        raise Conflict(await _describe_conflict(session, asset, row, claim))
    await change_status(session, asset, row, ProposalStatus.SUPERSEDED, f"superseded by {successor}")


async def _describe_conflict(session: Session, asset: Asset, row: Proposal, claim: Claim) -> str:
    is_retirement = row.kind is ProposalKind.RETIREMENT
    subject = "to retire it" if is_retirement else f"for version {row.proposed_version}"
    source = ""
    if row.change_set_id is not None:
        change_set = (await change_sets.by_ids(session, [row.change_set_id]))[0]
        source = f" of the change set {change_set.key}" + (f" ({change_set.url})" if change_set.url else "")
    return (
        f"{asset.fqn} has an open proposal {subject} ({encode_global_id('Proposal', row.id)},"
        f" {row.status.lower()}){source} that {claim.difference}."
        " Wait for it, withdraw it, or publish again with `supersede`."
    )


async def end_reached(session: Session, asset: Asset, row: Proposal, contract: Contract) -> Proposal:
    """End the open proposal whose terms a contract has reached in another way."""
    reason = f"version {contract.version} has the proposed terms"
    if row.status is not ProposalStatus.APPROVED:
        return await change_status(session, asset, row, ProposalStatus.SUPERSEDED, reason)
    values = {"contract_id": contract.id, "proposed_version": contract.version}
    return await change_status(session, asset, row, ProposalStatus.PUBLISHED, reason, **values)
