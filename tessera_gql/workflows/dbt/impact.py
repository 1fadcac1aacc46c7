"""Compute what syncing a manifest would do for each model, by the decisions of a sync; nothing is written."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from tessera_gql.errors import Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import compatibility, validation
from tessera_gql.policy.access import Actor
from tessera_gql.policy.affected_teams import AffectedTeams, FieldReader, find_affected_teams
from tessera_gql.policy.compatibility import Judgement, Terms, waive_move_to_consumer
from tessera_gql.policy.enums import Evidence, Outcome
from tessera_gql.policy.version import FIRST_VERSION
from tessera_gql.store import contracts, debts, lineage, proposals, registrations
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Contract, Proposal
from tessera_gql.workflows.comparisons import compare_terms
from tessera_gql.workflows.contracts import find_base_version, terms_of
from tessera_gql.workflows.dbt import readers as manifest_readers
from tessera_gql.workflows.dbt import state as manifest_state
from tessera_gql.workflows.dbt.readers import DbtRegistrations
from tessera_gql.workflows.dbt.state import ManifestState

UNCHANGED = Judgement(is_unchanged=True)
NO_TEAMS = AffectedTeams({}, frozenset())


@dataclass(frozen=True)
class ModelImpact:
    """The impact of one model. `refusal_reason` is why a sync would skip it; `open_proposal` is that of its asset."""

    fqn: str
    outcome: Outcome
    asset_id: UUID | None = None
    contract: Contract | None = None
    version: str | None = None
    judgement: Judgement = UNCHANGED
    affected: AffectedTeams = NO_TEAMS
    open_proposal: Proposal | None = None
    refusal_reason: str | None = None

    @property
    def is_safe(self) -> bool:
        return not self.judgement.breaking and self.refusal_reason is None


async def compute_impact(session: Session, actor: Actor, manifest: Manifest) -> list[ModelImpact]:
    """Compute the impact of all models for a sync by the actor, in the order of fqns.

    Consumers are those after the sync: a model that changes in the same manifest counts with what it reads then.
    """
    state = await manifest_state.load_state(session, manifest, manifest.models)
    changed = [model for model in manifest.models if model.fqn in state.assets and not state.is_unchanged(model)]
    ids = [state.assets[model.fqn].id for model in changed]
    active = {row.asset_id: row for row in await contracts.list_active(session, ids)} if ids else {}
    open_proposals = {row.asset_id: row for row in await proposals.list_open(session, ids)} if ids else {}
    impacts = {model.fqn: _impact_unchanged_or_new(state, model) for model in manifest.models}
    for model in changed:
        key = state.assets[model.fqn].id
        impact = ModelImpact(model.fqn, Outcome.UNCHANGED, key, active.get(key), open_proposal=open_proposals.get(key))
        impacts[model.fqn] = await _judge_change(session, actor, model, impact)
    breaking_impacts = [impact for impact in impacts.values() if impact.judgement.breaking]
    if breaking_impacts:
        asset_ids = {fqn: asset.id for fqn, asset in state.assets.items()}
        columns = {asset: manifest_state.contract_columns(contract) for asset, contract in active.items()}
        readers = await asyncio.to_thread(manifest_readers.find_model_reads, state, asset_ids, changed, columns)
        for impact in breaking_impacts:
            impacts[impact.fqn] = await _add_affected(session, state, impact, readers, changed)
    return [impacts[fqn] for fqn in sorted(impacts)]


def _impact_unchanged_or_new(state: ManifestState, model: Model) -> ModelImpact:
    """Return the impact of a model that is unchanged or has no asset yet."""
    asset = state.assets.get(model.fqn)
    if asset is not None:
        return ModelImpact(model.fqn, Outcome.UNCHANGED, asset.id)
    if reason := validation.find_invalid_fqns([model.fqn]).get(model.fqn):
        return ModelImpact(model.fqn, Outcome.UNCHANGED, refusal_reason=reason)
    return ModelImpact(model.fqn, Outcome.PUBLISHED, version=FIRST_VERSION, judgement=Judgement(is_first=True))


async def _judge_change(session: Session, actor: Actor, model: Model, impact: ModelImpact) -> ModelImpact:
    """Add what a publish of the changed model would do, without the affected teams."""
    current, judgement, version = impact.contract, Judgement(is_first=True), None
    try:
        if (current_terms := terms_of(current)) is not None:
            mode = model.compatibility_mode or current_terms.mode
            proposed = Terms(model.schema, model.guarantees or None, mode)
            judgement = waive_move_to_consumer(await compare_terms(session.compute, current_terms, proposed), actor)
        if not judgement.is_unchanged and impact.asset_id is not None:
            base_version = await find_base_version(session, impact.asset_id, current)
            version = compatibility.next_version(None, base_version, judgement)
    except Refusal as error:
        return replace(impact, refusal_reason=error.message)
    return replace(impact, outcome=compatibility.decide_outcome(judgement), version=version, judgement=judgement)


async def _add_affected(
    session: Session, state: ManifestState, impact: ModelImpact, dbt_readers: DbtRegistrations, changed: Sequence[Model]
) -> ModelImpact:
    asset = state.assets[impact.fqn].id
    changed_ids = {state.assets[model.fqn].id for model in changed}
    live = await registrations.list_live(session, [asset])
    path_debts = await debts.load_open_path_debts(session, [asset])
    readers = [
        path_debts.to_reader(row)
        for row in live
        if not (row.evidence is Evidence.DBT_MANIFEST and row.consumer_asset_id in changed_ids)
    ]
    readers += [
        FieldReader(team, row.fields)
        for (upstream, team, _), row in dbt_readers.registrations.items()
        if upstream == asset
    ]
    owner = state.owners[impact.fqn]
    teams = find_affected_teams(impact.judgement.breaking, readers, owner)
    downstream = await lineage.load_downstream_owner_ids(session, asset)
    informed = (teams.informed | downstream).difference(teams.asked, {owner})
    return replace(impact, affected=AffectedTeams(teams.asked, informed))
