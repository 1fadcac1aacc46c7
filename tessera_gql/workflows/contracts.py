"""Insert and retire contracts; no other module inserts them."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, overload
from uuid import UUID

from tessera_gql.errors import Conflict
from tessera_gql.formats.schema_documents import SchemaDocument
from tessera_gql.policy.access import Action, Actor
from tessera_gql.policy.compatibility import Judgement, Terms, summarize_changes
from tessera_gql.policy.coverage import describe_missing
from tessera_gql.policy.enums import ContractStatus, Outcome
from tessera_gql.policy.events import CompatibilityModeChanged, ContractPublished, ContractRetired, ContractUpdated
from tessera_gql.policy.known_columns import carry_over
from tessera_gql.policy.retirement import judge_retirement
from tessera_gql.store import answers, assets, contracts, proposals, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Proposal, new_id
from tessera_gql.workflows.affected_teams import load_affected_teams, lock_family
from tessera_gql.workflows.coverage_holds import load_missing
from tessera_gql.workflows.debts import Publication, update_debts
from tessera_gql.workflows.field_history import PublishedFields, compare_restored, forget_columns, record_field_changes
from tessera_gql.workflows.imported_deprecations import end_with_contract, follow_contracts
from tessera_gql.workflows.teams import require_owning_team

UpdateUpstream = Callable[[Session, Collection[UUID]], Awaitable[None]]
"""What updates proposals upstream of changed assets: `proposal_lifecycle.update_upstream_of_published`."""


@dataclass(frozen=True)
class ContractDraft:
    """A contract to insert, and why it may; restored history sets `status` and `published_at`.

    `not_asked` has the fingerprints of the changes that each team was not asked about.
    """

    terms: Terms
    version: str
    judgement: Judgement
    published_by: UUID
    outcome: Outcome = Outcome.PUBLISHED
    proposal_id: UUID | None = None
    reason: str | None = None
    not_asked: Mapping[UUID, Sequence[str]] = field(default_factory=dict[UUID, Sequence[str]])
    metadata: dict[str, Any] | None = None
    source: SchemaDocument | None = None
    status: ContractStatus = ContractStatus.ACTIVE
    published_at: datetime | None = None


@overload
def terms_of(contract: Contract) -> Terms: ...
@overload
def terms_of(contract: Contract | None) -> Terms | None: ...
def terms_of(contract: Contract | None) -> Terms | None:
    """Return the terms of a contract; None without one."""
    if contract is None:
        return None
    mode, known_columns = contract.compatibility_mode, contract.known_columns
    return Terms(contract.schema_def, contract.guarantees, mode, contract.schema_hash, known_columns)


async def find_base_version(session: Session, asset: UUID, current: Contract | None) -> str | None:
    """The version that the next one must follow: that of the active contract, or the highest that ever was."""
    return current.version if current else await contracts.load_highest_version(session, asset)


async def insert_contract(
    session: Session, asset: Asset, current: Contract | None, draft: ContractDraft, update_upstream: UpdateUpstream
) -> Contract:
    """Insert one contract; see `insert_contracts`."""
    return (await insert_contracts(session, [(asset, current, draft)], update_upstream))[0]


async def insert_contracts(
    session: Session, drafts: Sequence[tuple[Asset, Contract | None, ContractDraft]], update_upstream: UpdateUpstream
) -> Sequence[Contract]:
    """Insert contracts and deprecate their predecessors. The caller holds the locks of the assets.

    `update_upstream` updates the proposals upstream of assets of which teams read other fields now.
    """
    before = [current.id for _, current, _ in drafts if current is not None]
    if before:
        await contracts.deprecate(session, before)
    values = [_contract_values(session, asset, current, draft) for asset, current, draft in drafts]
    rows = await session.insert_many(Contract, values, conflict_message="Such a version exists already.")
    consumers: dict[UUID, set[UUID]] = {}
    live = await registrations.list_live(session, [asset.id for asset, _, _ in drafts])
    for row in live:
        consumers.setdefault(row.asset_id, set()).add(row.consumer_team_id)
    for contract, (asset, current, draft) in zip(rows, drafts, strict=True):
        audience = frozenset(consumers.get(asset.id, set()) | {asset.owner_team_id, draft.published_by})
        _record(session, contract, current, draft, audience)
    publications = [
        Publication(asset, contract, current, draft.judgement.breaking, draft.not_asked, draft.reason)
        for contract, (asset, current, draft) in zip(rows, drafts, strict=True)
        if contract.status is ContractStatus.ACTIVE
    ]
    if changed_assets := await update_debts(session, publications, live):
        await update_upstream(session, changed_assets)
    changed = {asset.id: {change.fingerprint for change in draft.judgement.changes} for asset, _, draft in drafts}
    if published := {asset: fingerprints for asset, fingerprints in changed.items() if fingerprints}:
        await answers.consume(session, published)
    followed = [  # the deprecations of restored history are restored themselves
        (asset, current, contract, draft.judgement.changes)
        for contract, (asset, current, draft) in zip(rows, drafts, strict=True)
        if draft.published_at is None
    ]
    await follow_contracts(session, followed)
    fields = [
        PublishedFields(contract, current, draft.judgement.changes)
        for contract, (_, current, draft) in zip(rows, drafts, strict=True)
        if draft.published_at is None
    ]
    restored = [contract for contract, (*_, draft) in zip(rows, drafts, strict=True) if draft.published_at is not None]
    await record_field_changes(session, [*fields, *await compare_restored(session, restored)])
    return rows


def _contract_values(session: Session, asset: Asset, current: Contract | None, draft: ContractDraft) -> dict[str, Any]:
    # A call that waited for the lock may have started before its predecessor: the order must stay.
    published_at = max(session.now, current.published_at) if current else session.now
    known_columns = draft.terms.known_columns
    if current is not None:
        known_columns = carry_over(current.known_columns, draft.terms.schema, known_columns)
    return {
        "id": new_id(),
        "asset_id": asset.id,
        "version": draft.version,
        "schema_def": draft.terms.schema,
        "guarantees": draft.terms.guarantees,
        "compatibility_mode": draft.terms.mode,
        "status": draft.status,
        "change_type": draft.judgement.change_type,
        "schema_hash": draft.terms.schema_hash,
        "published_by": draft.published_by,
        "published_at": draft.published_at or published_at,
        "meta": draft.metadata or {},
        "source": draft.source.as_json() if draft.source else None,
        "known_columns": known_columns,
        "created_at": session.now,
    }


def _record(
    session: Session, contract: Contract, current: Contract | None, draft: ContractDraft, audience: frozenset[UUID]
) -> None:
    event = ContractPublished(
        audience_team_ids=audience,
        asset_id=contract.asset_id,
        proposal_id=draft.proposal_id,
        contract_id=contract.id,
        version=contract.version,
        outcome=draft.outcome,
        change_type=contract.change_type,
        mode=contract.compatibility_mode,
        previous_version=current.version if current else None,
        previous_mode=current.compatibility_mode if current else None,
        replaces=current.id if current else None,
        reason=draft.reason,
        not_asked=frozenset(draft.not_asked),
        changes=summarize_changes(draft.judgement.changes),
    )
    session.record(event)
    if current is not None and current.compatibility_mode is not draft.terms.mode:
        mode_event = CompatibilityModeChanged(
            audience_team_ids=audience,
            asset_id=contract.asset_id,
            before=current.compatibility_mode,
            after=draft.terms.mode,
            without_asking=draft.judgement.is_waived,
        )
        session.record(mode_event)


async def retire(session: Session, actor: Actor, contract_id: UUID) -> Contract:
    """Retire a contract for good; the active one only when no team but its owner reads the asset."""
    asset = await assets.lock(session, AssetRef(id=(await contracts.get(session, contract_id)).asset_id))
    contract = await contracts.get(session, contract_id)
    await require_owning_team(session, actor, Action.RETIRE_CONTRACT, asset, f"retire contracts of {asset.fqn}")
    if contract.status is ContractStatus.RETIRED:
        raise Conflict(f"Version {contract.version} of {asset.fqn} is retired already.")
    if contract.status is ContractStatus.ACTIVE:
        await _require_no_consumers(session, asset, contract)
        await _require_coverage(session, asset, contract)
    return await mark_retired(session, asset, contract)


async def _require_coverage(session: Session, asset: Asset, contract: Contract) -> None:
    """Raise Conflict if the policy demands more coverage than shows that nobody reads the asset."""
    breaking = judge_retirement(contract.compatibility_mode).breaking
    if missing := await load_missing(session, asset, breaking):
        raise Conflict(
            f"The policy of {asset.fqn} demands observed reads that show that nobody reads it. Missing:"
            f" {describe_missing(missing)}. Use proposeRetirement, which waits for that."
        )


async def mark_retired(
    session: Session, asset: Asset, contract: Contract, proposal: Proposal | None = None
) -> Contract:
    """Retire a contract, as its owner or as the asked teams of the proposal agreed."""
    await session.update_row(Contract, contract.id, status=ContractStatus.RETIRED)
    if contract.status is ContractStatus.ACTIVE:
        await end_with_contract(session, asset, contract)
        await forget_columns(session, asset.id)
    consumers = {row.consumer_team_id for row in await registrations.list_live(session, [asset.id])}
    event = ContractRetired(
        audience_team_ids=frozenset({asset.owner_team_id, *consumers}),
        asset_id=asset.id,
        proposal_id=proposal.id if proposal else None,
        contract_id=contract.id,
        version=contract.version,
        reason=proposal.reason if proposal else None,
    )
    session.record(event)
    if contract.status is ContractStatus.ACTIVE:
        await answers.remove_all(session, asset.id)
    return await contracts.get(session, contract.id)


async def update_metadata(session: Session, asset: Asset, contract: Contract, metadata: dict[str, Any]) -> Contract:
    """Replace the metadata of a contract, which are no part of its terms."""
    await session.update_row(Contract, contract.id, meta=metadata)
    event = ContractUpdated(
        audience_team_ids=frozenset({asset.owner_team_id}),
        asset_id=asset.id,
        contract_id=contract.id,
        version=contract.version,
        changed=("metadata",),
    )
    session.record(event)
    return await contracts.get(session, contract.id)


async def _require_no_consumers(session: Session, asset: Asset, contract: Contract) -> None:
    await lock_family(session, asset)
    live = await registrations.list_live(session, [asset.id])
    breaking = judge_retirement(contract.compatibility_mode).breaking
    affected = await load_affected_teams(session, asset, breaking)
    consumers = {*affected.asked, *(row.consumer_team_id for row in live)} - {asset.owner_team_id}
    if consumers:
        names = await teams.join_names(session, sorted(consumers))
        raise Conflict(
            f"Version {contract.version} of {asset.fqn} is active and read by {names}. Propose the retirement, which"
            " asks them, or let them unregister first."
        )
    if await proposals.find_open(session, asset.id):
        raise Conflict(f"{asset.fqn} has an open proposal. Withdraw it first, then retire the contract.")
