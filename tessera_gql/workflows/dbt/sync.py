"""Sync a dbt manifest: it becomes assets, contracts, lineage and registrations, in the caller's transaction.

New and unchanged models take a fixed number of statements; changed ones go through the ordinary publish. An unchanged
manifest writes nothing.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from tessera_gql.errors import Conflict, Invalid, Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy.access import Action, Actor, authorize_for_own_teams
from tessera_gql.policy.enums import Evidence, Intent, Outcome, ProposalKind, RegistrationStatus
from tessera_gql.policy.events import ManifestSynced
from tessera_gql.policy.table_state import TableState
from tessera_gql.store import assets, contracts, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.dbt import DBT
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, Proposal, Registration, new_id
from tessera_gql.workflows import proposal_lifecycle, registrations
from tessera_gql.workflows.change_sets import withdraw_unneeded
from tessera_gql.workflows.contracts import terms_of
from tessera_gql.workflows.dbt import assets as manifest_assets
from tessera_gql.workflows.dbt import owners as manifest_owners
from tessera_gql.workflows.dbt.ask import open_needed_change_set
from tessera_gql.workflows.dbt.assets import NewAsset
from tessera_gql.workflows.dbt.compare import build_terms, plan_manifest, renew_plan
from tessera_gql.workflows.dbt.lineage import apply_lineage
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress
from tessera_gql.workflows.dbt.readers import DbtRegistration, RegistrationKey
from tessera_gql.workflows.dbt.report import (
    ModelSyncResult,
    RemovalResult,
    SyncOutcome,
    SyncReport,
    build_report,
    to_removal,
    to_result,
)
from tessera_gql.workflows.dbt.state import load_state
from tessera_gql.workflows.debts import settle_corrected
from tessera_gql.workflows.proposals import RetirementRequest, propose_retirement, withdraw
from tessera_gql.workflows.publishing import PublishRequest, PublishResult, publish_contract

BATCH_SIZE = 60
"""Changed tables that one transaction publishes: other writers of SQLite wait about half a second for it."""


@dataclass(frozen=True)
class SyncBatch:
    """The part of a sync that one transaction does: at most `limit` changed tables without a result before it.

    The last one has no limit. It also retires what is gone. `draft` is a plan that was made without locks.
    """

    results_before: Mapping[str, ModelSyncResult] = field(default_factory=dict[str, ModelSyncResult])
    limit: int | None = None
    draft: ManifestPlan | None = None

    @property
    def is_last(self) -> bool:
        return self.limit is None

    def choose(self, models: Sequence[Model]) -> list[Model]:
        """Return the models of this part."""
        return [model for model in models if model.fqn not in self.results_before][: self.limit]


WHOLE_SYNC = SyncBatch()


@dataclass
class _Sync:
    """The state of a running sync: the results so far, by fqn."""

    session: Session
    actor: Actor
    options: SyncOptions
    plan: ManifestPlan
    report_progress: ReportProgress
    batch: SyncBatch
    change_set_id: UUID | None
    results: dict[str, ModelSyncResult] = field(default_factory=dict[str, ModelSyncResult])
    removals: dict[str, RemovalResult] = field(default_factory=dict[str, RemovalResult])

    def find_waiting_assets(self) -> set[UUID]:
        """Return the assets whose change or end still waits for teams."""
        models = {result.asset_id for result in self.results.values() if result.outcome is SyncOutcome.PROPOSED}
        removed = {result.asset_id for result in self.removals.values() if result.proposal_id and not result.retired}
        return {asset for asset in models | removed if asset is not None}


async def sync_manifest(
    session: Session,
    actor: Actor,
    manifest: Manifest,
    options: SyncOptions,
    report_progress: ReportProgress = ignore_progress,
    batch: SyncBatch = WHOLE_SYNC,
) -> SyncReport:
    """Sync a manifest. A refused table is skipped and reported; with `atomic` it rolls everything back."""
    authorize_for_own_teams(actor, Action.SYNC_DBT_MANIFEST)
    report_progress(Phase.COMPARE, 0, len(manifest.models))
    teams_created = 0
    if options.create_teams and (batch.draft is None or batch.draft.new_teams):
        state = await load_state(session, manifest)
        teams_created = await manifest_owners.create_missing_teams(session, actor, state, options.owner_rules)
    plan = batch.draft or await plan_manifest(session, actor, manifest, options, Purpose.RELEASE)
    has_breaks = any(table.judgement.breaking for table in plan.tables.values())
    change_set = await open_needed_change_set(session, actor, options, is_needed=has_breaks)
    if not plan.is_empty:
        plan = await renew_plan(session, manifest, plan)
    _require_complete(plan)
    change_set_id = change_set.id if change_set else None
    sync = _Sync(session, actor, options, plan, report_progress, batch, change_set_id, dict(batch.results_before))
    lineage_counts = await _apply(sync)
    if change_set is not None and batch.is_last:
        unneeded = plan.find_unneeded_assets(sync.find_waiting_assets())
        await withdraw_unneeded(session, actor, change_set, unneeded)
    report = build_report(plan, sync.results, sync.removals, teams_created=teams_created, lineage_counts=lineage_counts)
    _record_sync(session, manifest, report, batch)
    return report


def _require_complete(plan: ManifestPlan) -> None:
    """Raise the refusal of a table if all tables or none are synced."""
    refused = (table for table in plan.tables.values() if table.state in {TableState.REFUSED, TableState.CONFLICT})
    if plan.options.atomic and (table := next(refused, None)) is not None:
        raise table_error(table)


async def _apply(sync: _Sync) -> tuple[int, int]:
    """Write the plan; returns how many edges of lineage were added and removed.

    Registrations come before publishing, so that a consumer is asked about what it reads from now on.
    """
    plan = sync.plan
    sync.report_progress(Phase.CREATE, 0, len(plan.new_models))
    await _create_assets(sync)
    sync.report_progress(Phase.READERS, 0, 0)
    await _apply_registrations(sync)
    await _publish_all(sync)
    for table in plan.tables_to_retire if sync.batch.is_last else ():
        await _retire(sync, table)
    return await apply_lineage(sync.session, plan.lineage, frozenset(plan.ids.values()))


async def _create_assets(sync: _Sync) -> None:
    """Create assets with their first contracts."""
    session, plan = sync.session, sync.plan
    state = plan.state
    rows = [
        NewAsset(model, plan.ids[model.fqn], state.owners[model.fqn], state.compute_stamp(model))
        for model in plan.new_models
    ]
    new_assets = await manifest_assets.create_assets(session, state.manifest, rows, sync.options.compatibility_mode)
    pairs = [(model, new_assets[model.fqn]) for model in plan.new_models]
    for contract, (model, asset) in zip(
        await manifest_assets.insert_first_contracts(session, pairs), pairs, strict=True
    ):
        sync.results[model.fqn] = ModelSyncResult(
            model.fqn, SyncOutcome.CREATED, asset.id, contract.id, version=contract.version
        )


async def _apply_registrations(sync: _Sync) -> None:
    """Create, update and end registrations, then settle debts and ask the teams of open proposals."""
    session, plan = sync.session, sync.plan
    owners = {plan.ids[fqn]: owner for fqn, owner in plan.state.owners.items() if fqn in plan.ids}
    owners |= {asset.id: asset.owner_team_id for asset in plan.state.project_assets}
    changes = plan.registrations
    for row, reader in changes.updated:
        await registrations.update_columns(session, row, _owner(row, owners), reader.columns(row.meta))
    for row in changes.ended:
        await registrations.end(session, row, _owner(row, owners))
    created_rows = await session.insert_many(
        Registration,
        [_registration_values(session, key, reader) for key, reader in changes.created.items()],
        conflict_message="One of these teams registered at this moment.",
    )
    for row in created_rows:
        registrations.record_created(session, row, _owner(row, owners))
    rows = (*(row for row, _ in changes.updated), *changes.ended, *created_rows)
    if changed_assets := sorted({row.asset_id for row in rows}):
        await settle_corrected(session, changed_assets)
        proposed_assets = [row.asset_id for row in await proposals.list_open(session, changed_assets)]
        for asset in await assets.by_ids(session, proposed_assets):
            await proposal_lifecycle.update_asked_teams(session, asset)


def _owner(row: Registration, owners: Mapping[UUID, UUID]) -> UUID:
    return owners.get(row.asset_id, row.consumer_team_id)


def _registration_values(session: Session, key: RegistrationKey, reader: DbtRegistration) -> dict[str, Any]:
    return {
        "id": new_id(),
        "asset_id": key[0],
        "consumer_team_id": key[1],
        "consumer_asset_id": key[2],
        **reader.columns({}),
        "pinned_version": None,
        "status": RegistrationStatus.ACTIVE,
        "evidence": Evidence.DBT_MANIFEST,
        "registered_at": session.now,
        "acknowledged_at": None,
        "row_version": 1,
        "created_at": session.now,
    }


async def _publish_all(sync: _Sync) -> None:
    """Publish to existing assets one by one; those without any contract get their first one."""
    session, models = sync.session, sync.batch.choose(sync.plan.changed_models)
    rows = {row.id: row for row in await assets.by_ids(session, [sync.plan.ids[model.fqn] for model in models])}
    without_contract = [sync.plan.ids[model.fqn] for model in models if sync.plan.tables[model.fqn].contract is None]
    never_published = await contracts.find_never_published(session, without_contract)
    for number, model in enumerate(models):
        sync.report_progress(Phase.PUBLISH, number, len(models))
        sync.results[model.fqn] = to_result(sync.plan.tables[model.fqn])
        table, asset = sync.plan.tables[model.fqn], rows[sync.plan.ids[model.fqn]]
        if table.state is TableState.REFUSED:
            continue
        async with _handle_refusal(sync, table):
            if asset.id in never_published:
                contract = (await manifest_assets.insert_first_contracts(session, [(model, asset)]))[0]
                result = ModelSyncResult(model.fqn, SyncOutcome.CREATED, asset.id, contract.id)
            else:
                result = await _publish(sync, table, model, asset)
            result = replace(result, version=None if result.outcome is SyncOutcome.UNCHANGED else table.version)
            await _update_asset(sync, model, asset, result)
            sync.results[model.fqn] = result


async def _publish(sync: _Sync, table: TablePlan, model: Model, asset: Asset) -> ModelSyncResult:
    if table.proposal is not None and _is_undone(sync, table.proposal, model):
        await withdraw(sync.session, sync.actor, table.proposal.id)
    current = table.contract
    if current is not None and build_terms(model, current).fingerprint == terms_of(current).fingerprint:
        return ModelSyncResult(model.fqn, SyncOutcome.UNCHANGED, asset.id, current.id)
    request = PublishRequest(
        schema=model.schema,
        known_columns=model.known_columns,
        guarantees=model.guarantees,
        mode=model.compatibility_mode,
        supersede=sync.options.supersede,
        intent=Intent.RELEASE,
        change_set_id=sync.change_set_id,
        reason=sync.options.reason,
    )
    return to_published(model, await publish_contract(sync.session, sync.actor, AssetRef(id=asset.id), request))


def _is_undone(sync: _Sync, proposal: Proposal, model: Model) -> bool:
    """Return whether the model has come back that a proposal retires; another pull request may still remove it."""
    if proposal.kind is not ProposalKind.RETIREMENT:
        return False
    was_removed = sync.plan.state.assets[model.fqn].settled_version is None  # by a sync, see `_unsettle`
    return was_removed or proposal.change_set_id in {None, sync.change_set_id}


def to_published(model: Model, result: PublishResult) -> ModelSyncResult:
    return ModelSyncResult(
        fqn=model.fqn,
        outcome=SyncOutcome(result.outcome if result.outcome is not Outcome.FORCED else Outcome.PUBLISHED),
        asset_id=result.asset.id,
        contract_id=result.contract.id if result.contract else None,
        proposal_id=result.proposal.id if result.proposal else None,
        changes=result.changes,
        breaking=result.judgement.breaking,
    )


async def _update_asset(sync: _Sync, model: Model, asset: Asset, result: ModelSyncResult) -> None:
    """Store what comes from dbt, and the marks by which the next sync recognizes the model as unchanged."""
    state = sync.plan.state
    stamp = state.compute_stamp(model)
    before = state.assets[model.fqn]
    marks: dict[str, str | None] = {}
    is_published = result.outcome in {SyncOutcome.CREATED, SyncOutcome.PUBLISHED}
    if is_published or before.stamp != stamp or before.settled_version != before.version:
        is_settled = result.outcome is not SyncOutcome.PROPOSED
        contract = await contracts.find_active(sync.session, asset.id) if is_settled else None
        marks = {"fingerprint": stamp, "contract": contract.version if contract else None}
    columns = manifest_assets.asset_columns(state.manifest, model)
    await manifest_assets.update_asset(sync.session, asset, columns, marks)


def table_error(table: TablePlan) -> Refusal:
    """Return the refusal of a whole manifest because of one table."""
    error = Conflict if table.state is TableState.CONFLICT else Invalid
    return error(f"{table.fqn}: {table.reason}", field=("manifest",))


@asynccontextmanager
async def _handle_refusal(sync: _Sync, table: TablePlan) -> AsyncGenerator[None]:
    """Skip a table that is refused in the block and roll back its changes; with `atomic`, refuse the manifest."""
    try:
        if sync.options.atomic:
            yield
        else:
            async with sync.session.savepoint():
                yield
    except Refusal as error:
        if sync.options.atomic:
            raise type(error)(f"{table.fqn}: {error.message}", field=("manifest",)) from error
        result = replace(to_result(table), outcome=SyncOutcome.SKIPPED, reason=error.message, is_refused=True)
        sync.results[table.fqn] = result


async def _retire(sync: _Sync, table: TablePlan) -> None:
    """Retire a table that is gone: after its readers agreed, or without readers if the options ask for it."""
    result = to_removal(table)
    if result is None or table.asset_id is None or table.contract is None:
        return
    sync.removals[table.fqn] = result
    async with _handle_refusal(sync, table):
        request = RetirementRequest(
            result.proposal_reason, change_set_id=sync.change_set_id, supersede=sync.options.supersede
        )
        retired = await propose_retirement(sync.session, sync.actor, AssetRef(id=table.asset_id), request)
        await _unsettle(sync, table.asset_id)
        sync.removals[table.fqn] = replace(
            result, retired=retired.contract is not None, proposal_id=retired.proposal.id
        )
    if (refused := sync.results.pop(table.fqn, None)) is not None:
        sync.removals[table.fqn] = replace(result, reason=refused.reason)


async def _unsettle(sync: _Sync, asset_id: UUID) -> None:
    """Remove the mark of the last sync, so that a model that comes back is published again."""
    (asset,) = await assets.by_ids(sync.session, [asset_id])
    from_dbt = asset.meta.get(DBT)
    if isinstance(from_dbt, dict) and "contract" in from_dbt:
        marks = {name: value for name, value in from_dbt.items() if name != "contract"}
        await sync.session.update_row(Asset, asset_id, meta={**asset.meta, DBT: marks})


def _record_sync(session: Session, manifest: Manifest, report: SyncReport, batch: SyncBatch) -> None:
    """Record what a transaction of the sync did, unless nothing changed."""
    if not (session.events or report.dependencies_added or report.dependencies_removed):
        return
    counts = Counter(model.outcome for model in report.models if model.fqn not in batch.results_before)
    event = ManifestSynced(
        sync_id=new_id(),
        project=manifest.project,
        assets_created=counts[SyncOutcome.CREATED],
        contracts_published=counts[SyncOutcome.PUBLISHED] + counts[SyncOutcome.CREATED],
        proposals_opened=counts[SyncOutcome.PROPOSED],
        dependencies_added=report.dependencies_added,
        dependencies_removed=report.dependencies_removed,
    )
    session.record(event)
