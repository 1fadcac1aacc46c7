"""What a manifest would come to, table by table, by the very decisions a sync makes; nothing is written."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from tessera_gql.errors import Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import naming, publish
from tessera_gql.policy.affected import Affected, Reader, affected
from tessera_gql.policy.publish import Judgement, Terms
from tessera_gql.policy.version import FIRST
from tessera_gql.policy.words import Evidence, Outcome
from tessera_gql.store import contracts, lineage, proposals, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract, Proposal
from tessera_gql.workflows import manifest_readers, manifest_state
from tessera_gql.workflows.comparisons import judged
from tessera_gql.workflows.contracts import terms_of
from tessera_gql.workflows.manifest_readers import Readers
from tessera_gql.workflows.manifest_state import State

UNCHANGED = Judgement(unchanged=True)
NOBODY = Affected({}, frozenset())


@dataclass(frozen=True)
class ModelImpact:
    """`refused` says why a sync could not take the table; `waiting` is the asset's open proposal."""

    fqn: str
    outcome: Outcome
    asset_id: UUID | None = None
    contract: Contract | None = None
    version: str | None = None
    judgement: Judgement = UNCHANGED
    affected: Affected = NOBODY
    waiting: Proposal | None = None
    refused: str | None = None

    @property
    def is_safe(self) -> bool:
        return not self.judgement.breaking and self.refused is None


async def of(session: Session, manifest: Manifest) -> list[ModelImpact]:
    """In the order of fqns. Readers are those that there would be: who adapts in the same manifest has adapted."""
    state = await manifest_state.load(session, manifest, manifest.models)
    changed = [one for one in manifest.models if one.fqn in state.known and not state.is_unchanged(one)]
    ids = [state.known[model.fqn].id for model in changed]
    active = {one.asset_id: one for one in await contracts.active_of(session, ids)} if ids else {}
    waiting = {one.asset_id: one for one in await proposals.open_of(session, ids)} if ids else {}
    found = {model.fqn: _new(state, model) for model in manifest.models}
    for model in changed:
        key = state.known[model.fqn].id
        current = active.get(key)
        last = current.version if current else await contracts.highest_version(session, key)
        found[model.fqn] = replace(
            await _judged(session, model, current, last), asset_id=key, contract=current, waiting=waiting.get(key)
        )
    broken = [one for one in found.values() if one.judgement.breaking]
    if broken:
        read = await asyncio.to_thread(_reading, state, changed, active)
        for one in broken:
            found[one.fqn] = await _hurting(session, state, one, read, changed)
    return [found[fqn] for fqn in sorted(found)]


def _new(state: State, model: Model) -> ModelImpact:
    """A table that is unchanged, or is not there yet."""
    known = state.known.get(model.fqn)
    if known is not None:
        return ModelImpact(model.fqn, Outcome.UNCHANGED, known.id)
    try:
        naming.fqn(model.fqn)
    except Refusal as error:
        return ModelImpact(model.fqn, Outcome.UNCHANGED, refused=error.message)
    return ModelImpact(model.fqn, Outcome.PUBLISHED, version=FIRST, judgement=Judgement(first=True))


async def _judged(session: Session, model: Model, current: Contract | None, last: str | None) -> ModelImpact:
    """`last` is the highest version so far."""
    before = terms_of(current)
    try:
        offered = Terms(model.schema, model.guarantees or None, before.mode) if before else None
        judgement = await judged(session.compute, before, offered) if offered else Judgement(first=True)
        version = None if judgement.unchanged else publish.next_version(None, last, judgement)
    except Refusal as error:
        return ModelImpact(model.fqn, Outcome.UNCHANGED, refused=error.message)
    outcome = Outcome.PROPOSED if judgement.breaking else Outcome.PUBLISHED
    return ModelImpact(
        model.fqn, Outcome.UNCHANGED if judgement.unchanged else outcome, version=version, judgement=judgement
    )


def _reading(state: State, changed: Sequence[Model], active: Mapping[UUID, Contract]) -> Readers:
    ids = {fqn: one.id for fqn, one in state.known.items()}
    promised = {key: manifest_state.promised(one) for key, one in active.items()}
    return manifest_readers.of_models(state, ids, changed, promised)


async def _hurting(
    session: Session, state: State, one: ModelImpact, read: Readers, changed: Sequence[Model]
) -> ModelImpact:
    asset = state.known[one.fqn].id
    adapting = {state.known[model.fqn].id for model in changed}
    live = await registrations.live_of(session, [asset])
    readers = [
        registrations.reader_of(row)
        for row in live
        if not (row.evidence is Evidence.DBT_MANIFEST and row.consumer_asset_id in adapting)
    ]
    readers += [
        Reader(team, reading.fields) for (upstream, team, _), reading in read.wanted.items() if upstream == asset
    ]
    owner = state.owners[one.fqn]
    hurt = affected(one.judgement.breaking, readers, owner)
    downstream = await lineage.downstream_owners(session, asset)
    reading = Affected(hurt.asked, (hurt.informed | downstream).difference(hurt.asked, {owner}))
    return replace(one, affected=reading)
