"""The one door through which a contract comes into being, and the way it is retired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.errors import Conflict
from tessera_gql.formats.sources import Source
from tessera_gql.policy.access import Actor, Verb, require_owner
from tessera_gql.policy.events import CompatibilityModeChanged, ContractPublished, ContractRetired
from tessera_gql.policy.publish import Judgement, Terms, summary
from tessera_gql.policy.words import ContractStatus, Outcome, RegistrationStatus
from tessera_gql.store import assets, contracts, proposals, registrations, teams
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Contract, Registration, new_id


@dataclass(frozen=True)
class Release:
    """What is to become the active contract, and why it may; history has its own `status` and `published_at`."""

    terms: Terms
    version: str
    judgement: Judgement
    published_by: UUID
    outcome: Outcome = Outcome.PUBLISHED
    proposal_id: UUID | None = None
    reason: str | None = None
    not_asked: frozenset[UUID] = frozenset()
    metadata: dict[str, Any] | None = None
    source: Source | None = None
    status: ContractStatus = ContractStatus.ACTIVE
    published_at: datetime | None = None


def terms_of(contract: Contract | None) -> Terms | None:
    if contract is None:
        return None
    return Terms(contract.schema_def, contract.guarantees, contract.compatibility_mode, contract.schema_hash)


async def release(session: Session, asset: Asset, current: Contract | None, offer: Release) -> Contract:
    """One contract through the door; see `release_all`."""
    return (await release_all(session, [(asset, current, offer)]))[0]


async def release_all(session: Session, offers: Sequence[tuple[Asset, Contract | None, Release]]) -> Sequence[Contract]:
    """Inserts the contracts and deprecates the ones before them. The caller holds the locks of the assets."""
    before = [current.id for _, current, _ in offers if current is not None]
    if before:
        await session.update(Contract, session.among(contracts.rows.c.id, before), status=ContractStatus.DEPRECATED)
    values = [_contract(session, asset, current, offer) for asset, current, offer in offers]
    made = await session.insert_many(Contract, values, clash="Such a version exists already.")
    readers: dict[UUID, set[UUID]] = {}
    for one in await registrations.live_of(session, [asset.id for asset, _, _ in offers]):
        readers.setdefault(one.asset_id, set()).add(one.consumer_team_id)
    for contract, (asset, current, offer) in zip(made, offers, strict=True):
        told = frozenset(readers.get(asset.id, set()) | {asset.owner_team_id, offer.published_by})
        _record(session, contract, current, offer, told)
    return made


def _contract(session: Session, asset: Asset, current: Contract | None, offer: Release) -> dict[str, Any]:
    # A call that waited for the asset's lock may have begun before the one it follows.
    published_at = max(session.now, current.published_at) if current else session.now
    return {
        "id": new_id(),
        "asset_id": asset.id,
        "version": offer.version,
        "schema_def": offer.terms.schema,
        "guarantees": offer.terms.guarantees,
        "compatibility_mode": offer.terms.mode,
        "status": offer.status,
        "change_type": offer.judgement.change_type,
        "schema_hash": offer.terms.schema_hash,
        "published_by": offer.published_by,
        "published_at": offer.published_at or published_at,
        "meta": offer.metadata or {},
        "source": offer.source.as_json() if offer.source else None,
        "created_at": session.now,
    }


def _record(
    session: Session, contract: Contract, current: Contract | None, offer: Release, told: frozenset[UUID]
) -> None:
    session.record(
        ContractPublished(
            teams=told,
            asset_id=contract.asset_id,
            proposal_id=offer.proposal_id,
            contract_id=contract.id,
            version=contract.version,
            outcome=offer.outcome,
            change_type=contract.change_type,
            replaces=current.id if current else None,
            reason=offer.reason,
            not_asked=offer.not_asked,
            changes=summary(offer.judgement.changes),
        )
    )
    if current is not None and current.compatibility_mode is not offer.terms.mode:
        session.record(
            CompatibilityModeChanged(
                teams=told,
                asset_id=contract.asset_id,
                before=current.compatibility_mode,
                after=offer.terms.mode,
            )
        )


async def settle(session: Session, asset: Asset) -> None:
    """Nobody is migrating any more: the change they prepared for is published, or will not come."""
    rows = registrations.rows
    await session.update(
        Registration,
        (rows.c.asset_id == asset.id) & (rows.c.status == RegistrationStatus.MIGRATING),
        status=RegistrationStatus.ACTIVE,
    )


async def retire(session: Session, actor: Actor, identity: UUID) -> Contract:
    """Ends a contract for good; the active one only when nobody but its owner reads the asset any more."""
    found = await contracts.get(session, identity)
    asset = await assets.lock(session, AssetRef(id=found.asset_id))
    contract = await contracts.get(session, identity)
    owner = (await teams.by_ids(session, [asset.owner_team_id]))[0]
    what = f"retire contracts of {asset.fqn}"
    require_owner(actor, Verb.RETIRE_CONTRACT, owner.id, what=what, owner_name=owner.name)
    if contract.status is ContractStatus.RETIRED:
        raise Conflict(f"Version {contract.version} of {asset.fqn} is retired already.")
    if contract.status is ContractStatus.ACTIVE:
        await _require_unread(session, asset, contract)
    await session.update(Contract, contracts.rows.c.id == contract.id, status=ContractStatus.RETIRED)
    session.record(
        ContractRetired(
            teams=frozenset({asset.owner_team_id}),
            asset_id=asset.id,
            contract_id=contract.id,
            version=contract.version,
        )
    )
    return await contracts.get(session, identity)


async def _require_unread(session: Session, asset: Asset, contract: Contract) -> None:
    readers = {one.consumer_team_id for one in await registrations.live_of(session, [asset.id])} - {asset.owner_team_id}
    if readers:
        names = await teams.names_of(session, sorted(readers))
        raise Conflict(
            f"Version {contract.version} of {asset.fqn} is active and read by {names}. They must unregister first,"
            " or you publish the change they need to agree to."
        )
    if await proposals.find_open(session, asset.id):
        raise Conflict(f"{asset.fqn} has an open proposal. Withdraw it first, then retire the contract.")
