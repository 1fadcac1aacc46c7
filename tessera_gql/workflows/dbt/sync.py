"""Sync a dbt manifest: it becomes assets, contracts, lineage and registrations, in one transaction or several.

New models are written with one statement for each kind of row, and changed ones go through the ordinary publish. An
unchanged manifest writes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from tessera_gql.errors import Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy.access import Action, Actor, authorize_for_own_teams
from tessera_gql.policy.enums import Intent
from tessera_gql.policy.events import ManifestSynced
from tessera_gql.policy.labels import select_labels
from tessera_gql.policy.table_state import TableState
from tessera_gql.store import assets, contracts, labels
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, ChangeSet, new_id
from tessera_gql.workflows.change_set_notifications import postpone_notifications
from tessera_gql.workflows.contracts import terms_of
from tessera_gql.workflows.dbt import assets as manifest_assets
from tessera_gql.workflows.dbt.ask import open_needed_change_set, withdraw_in_steps
from tessera_gql.workflows.dbt.assets import NewAsset
from tessera_gql.workflows.dbt.batches import WHOLE, BatchRules, confirm_plan, run_steps
from tessera_gql.workflows.dbt.column_lineage import apply_column_lineage, describe_evidence, replace_edges, write_edges
from tessera_gql.workflows.dbt.compare import build_terms, plan_manifest
from tessera_gql.workflows.dbt.deprecations import follow_models, load_deprecated_ids
from tessera_gql.workflows.dbt.lineage import LineageChanges, apply_lineage
from tessera_gql.workflows.dbt.new_tables import NewTables
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.owner_teams import create_teams
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress
from tessera_gql.workflows.dbt.readers import RegistrationChanges
from tessera_gql.workflows.dbt.registrations import apply_registrations
from tessera_gql.workflows.dbt.removals import is_undone
from tessera_gql.workflows.dbt.report import (
    ModelSyncResult,
    RemovalResult,
    SyncOutcome,
    SyncReport,
    table_error,
    to_published,
    to_removal,
    to_result,
)
from tessera_gql.workflows.dbt.sync_progress import SyncProgress
from tessera_gql.workflows.labels import follow_manifest_labels
from tessera_gql.workflows.proposals import RetirementRequest, propose_retirement, withdraw
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.reopening import describe_limited

MODELS_PER_STEP = 100
ASSETS_PER_STEP = 100
"""The number of read assets whose registrations are changed in one step."""


@dataclass
class _Sync:
    """The state of a running transaction of a sync; `plan` has what is left."""

    session: Session
    plan: ManifestPlan
    report_progress: ReportProgress
    change_set: ChangeSet | None
    results: dict[str, ModelSyncResult]
    removals: dict[str, RemovalResult]
    finished: set[str]
    counts: SyncReport = field(default_factory=lambda: SyncReport([]))
    has_linked: bool = False

    @property
    def actor(self) -> Actor:
        return self.plan.actor

    @property
    def options(self) -> SyncOptions:
        return self.plan.options

    @property
    def change_set_id(self) -> UUID | None:
        return self.change_set.id if self.change_set else None

    def finish(self, *fqns: str) -> None:
        self.finished.update(fqns)

    def count(self, counts: SyncReport) -> None:
        """Add to the counts of the report."""
        self.counts = counts.add_counts(self.counts)

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
) -> SyncReport:
    """Plan and sync a manifest in one transaction."""
    report_progress(Phase.COMPARE, 0, len(manifest.models))
    plan = await plan_manifest(session, actor, manifest, options, Purpose.RELEASE)
    progress = await sync_batch(session, manifest, SyncProgress(plan), report_progress)
    await asyncio.sleep(0)
    return progress.build_report()


async def sync_batch(
    session: Session,
    manifest: Manifest,
    progress: SyncProgress,
    report_progress: ReportProgress = ignore_progress,
    batch: BatchRules = WHOLE,
) -> SyncProgress:
    """Carry out the plan of a sync until the time of the batch is up.

    A refused table is skipped and reported; with `atomic` it rolls everything back. What an interrupted sync has left
    undone, the next one does.
    """
    authorize_for_own_teams(progress.plan.actor, Action.SYNC_DBT_MANIFEST)
    if progress.plan.options.create_teams and progress.plan.new_teams:
        teams_created = await create_teams(session, manifest, progress.plan)
        draft = progress.plan
        plan = await plan_manifest(session, draft.actor, manifest, draft.options, draft.purpose, draft.cache)
        progress = progress.with_plan(plan)
        progress = replace(progress, counts=replace(progress.counts, teams_created=teams_created))
    plan = progress.plan
    has_breaks = any(table.judgement.breaking for table in plan.open_tables)
    change_set = await open_needed_change_set(session, plan.actor, plan.options, is_needed=has_breaks)
    if not plan.is_empty:
        progress = progress.with_plan(await confirm_plan(session, manifest, plan, batch))
        plan = progress.plan
    _require_complete(plan)
    results, removals = dict(progress.results), dict(progress.removals)
    sync = _Sync(session, plan, report_progress, change_set, results, removals, set(plan.finished))
    is_complete = await run_steps(_sync_all(sync), batch)
    sync.count(SyncReport([], warnings=tuple(await describe_limited(session))))
    _record_sync(sync, progress)
    plan = replace(sync.plan, finished=frozenset(sync.finished))
    asks = postpone_notifications(session, progress.asks, is_last=is_complete)
    return SyncProgress(plan, results, removals, sync.counts.add_counts(progress.counts), asks, is_complete=is_complete)


def _require_complete(plan: ManifestPlan) -> None:
    """Raise the refusal of a table if all tables or none are synced."""
    refused = (table for table in plan.tables.values() if table.state in {TableState.REFUSED, TableState.CONFLICT})
    if plan.options.atomic and (table := next(refused, None)) is not None:
        raise table_error(table)


async def _sync_all(sync: _Sync) -> AsyncGenerator[None]:
    """Do what is left of the plan, step by step.

    A table is marked as synced last, so that the next sync repeats what an interrupted one has not reached:
    registrations and lineage come with a new table and before a change. So a consumer is also asked about what it reads
    from now on.
    """
    async with aclosing(_create_tables(sync)) as steps:
        async for _ in steps:
            yield
    sync.report_progress(Phase.READERS, 0, 0)
    while asset_ids := frozenset(sync.plan.registrations.asset_ids[:ASSETS_PER_STEP]):
        await _apply_registrations(sync, sync.plan.registrations.select(asset_ids.__contains__))
        sync.plan = replace(
            sync.plan, registrations=sync.plan.registrations.select(lambda asset: asset not in asset_ids)
        )
        yield
    await _link(sync)
    async for _ in _link_columns(sync):
        yield
    async for _ in _publish_all(sync):
        yield
    for table in sync.plan.tables_to_retire:
        await _retire(sync, table)
        sync.finish(table.fqn)
        yield
    if sync.change_set is not None:
        async for fqns in withdraw_in_steps(sync.session, sync.plan, sync.change_set, sync.find_waiting_assets()):
            sync.finish(*fqns)
            yield


def _ids_of(plan: ManifestPlan, models: Iterable[Model]) -> list[UUID]:
    return [plan.ids[model.fqn] for model in models]


async def _create_tables(sync: _Sync) -> AsyncGenerator[None]:
    """Create assets with their first contracts, registrations and lineage."""
    models, tables = sync.plan.list_open(sync.plan.new_models), NewTables(sync.plan)
    try:
        for start in range(0, len(models), MODELS_PER_STEP):
            sync.report_progress(Phase.CREATE, start, len(models))
            step = models[start : start + MODELS_PER_STEP]
            parts = tables.take(_ids_of(sync.plan, step))
            await _create_assets(sync, step, parts.columns.stamps)
            await _apply_registrations(sync, parts.registrations)
            await write_edges(sync.session, parts.columns)
            await _apply_lineage(sync, parts.lineage)
            if start == 0 and not sync.plan.finished and len(models) > MODELS_PER_STEP:
                await assets.refresh_statistics(sync.session)
            sync.finish(*(model.fqn for model in step))
            yield
    finally:
        sync.plan = tables.leave_untaken(sync.plan)


async def _link(sync: _Sync) -> None:
    """Write the edges of tables that exist by now, with their columns, whose lineage is never unknown in between."""
    columns = sync.plan.column_lineage.select_pairs({*sync.plan.lineage.added})
    await replace_edges(sync.session, columns)
    sync.plan = replace(sync.plan, column_lineage=sync.plan.column_lineage.without(columns))
    await _apply_lineage(sync, sync.plan.lineage)
    sync.plan = replace(sync.plan, lineage=LineageChanges())


async def _apply_lineage(sync: _Sync, changes: LineageChanges) -> None:
    added, removed = await apply_lineage(sync.session, changes, describe_evidence(sync.plan.state.manifest.project))
    sync.count(SyncReport([], dependencies_added=added, dependencies_removed=removed))


async def _link_columns(sync: _Sync) -> AsyncGenerator[None]:
    """Write the column lineage of tables that exist by now."""
    changes, project = sync.plan.column_lineage, sync.plan.state.manifest.project
    async for step in apply_column_lineage(sync.session, changes, project):
        sync.has_linked = True
        sync.plan = replace(sync.plan, column_lineage=sync.plan.column_lineage.without(step))
        yield


async def _create_assets(sync: _Sync, models: Sequence[Model], lineage_stamps: Mapping[UUID, str]) -> None:
    """Create assets with their first contracts."""
    session, plan = sync.session, sync.plan
    state = plan.state
    rows = [
        NewAsset(
            model,
            key := plan.ids[model.fqn],
            state.owners[model.fqn],
            state.compute_stamp(model),
            lineage_stamps.get(key),
        )
        for model in models
    ]
    new_assets = await manifest_assets.create_assets(session, state.manifest, rows, sync.options.compatibility_mode)
    pairs = [(model, new_assets[model.fqn]) for model in models]
    for contract, (model, asset) in zip(
        await manifest_assets.insert_first_contracts(session, pairs), pairs, strict=True
    ):
        sync.results[model.fqn] = ModelSyncResult(
            model.fqn, SyncOutcome.CREATED, asset.id, contract.id, version=contract.version
        )
    await follow_models(session, plan, pairs)


async def _apply_registrations(sync: _Sync, changes: RegistrationChanges) -> None:
    await apply_registrations(sync.session, sync.plan, changes)
    counts = SyncReport(
        [],
        registrations_created=len(changes.created),
        registrations_updated=len(changes.updated),
        registrations_ended=len(changes.ended),
    )
    sync.count(counts)


async def _publish_all(sync: _Sync) -> AsyncGenerator[None]:
    """Publish to existing assets one by one; those without any contract get their first one."""
    session, plan = sync.session, sync.plan
    models = plan.list_open(plan.changed_models)
    rows = {row.id: row for row in await assets.by_ids(session, _ids_of(plan, models))}
    without_contract = [plan.ids[model.fqn] for model in models if plan.tables[model.fqn].contract is None]
    deprecated = await load_deprecated_ids(session, rows)
    never_published = await contracts.find_never_published(session, without_contract)
    known_labels = await labels.list_by_assets(session, [*rows]) if rows else []
    for number, model in enumerate(models):
        sync.report_progress(Phase.PUBLISH, number, len(models))
        table, asset = plan.tables[model.fqn], rows[plan.ids[model.fqn]]
        sync.results[model.fqn] = to_result(table)
        if table.state is not TableState.REFUSED:
            async with _handle_refusal(sync, table):
                await _publish_table(sync, table, asset, is_first=asset.id in never_published)
                await follow_models(session, plan, [(model, asset)], deprecated)
                await follow_manifest_labels(session, {asset.id: select_labels(model.labels)}, known_labels)
        sync.finish(model.fqn)
        yield


async def _publish_table(sync: _Sync, table: TablePlan, asset: Asset, *, is_first: bool) -> None:
    if (model := table.model) is None:
        return
    asset = await manifest_assets.restore(sync.session, asset)
    if is_first:
        contract = (await manifest_assets.insert_first_contracts(sync.session, [(model, asset)]))[0]
        result = ModelSyncResult(model.fqn, SyncOutcome.CREATED, asset.id, contract.id)
    else:
        result = await _publish(sync, table, model, asset)
    result = replace(result, version=None if result.outcome is SyncOutcome.UNCHANGED else table.version)
    await _update_asset(sync, model, asset, result)
    sync.results[model.fqn] = result


async def _publish(sync: _Sync, table: TablePlan, model: Model, asset: Asset) -> ModelSyncResult:
    asset_before = sync.plan.state.assets[model.fqn]
    if table.proposal is not None and is_undone(table.proposal, asset_before, sync.change_set_id):
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
        known_judgement=sync.plan.find_judgement(table),
    )
    return to_published(model, await publish_contract(sync.session, sync.actor, AssetRef(id=asset.id), request))


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
    await manifest_assets.update_asset(sync.session, asset, manifest_assets.asset_columns(state.manifest, model), marks)


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
        await manifest_assets.unsettle(sync.session, table.asset_id)
        sync.removals[table.fqn] = replace(
            result, retired=retired.contract is not None, proposal_id=retired.proposal.id
        )
    if (refused := sync.results.pop(table.fqn, None)) is not None:
        sync.removals[table.fqn] = replace(result, reason=refused.reason)


def _record_sync(sync: _Sync, progress: SyncProgress) -> None:
    """Record what a transaction of the sync did, unless nothing changed."""
    session, counts = sync.session, sync.counts
    if not (session.events or counts.dependencies_added or counts.dependencies_removed or sync.has_linked):
        return
    outcomes = Counter(result.outcome for fqn, result in sync.results.items() if fqn not in progress.results)
    event = ManifestSynced(
        sync_id=new_id(),
        project=sync.plan.state.manifest.project,
        assets_created=outcomes[SyncOutcome.CREATED],
        contracts_published=outcomes[SyncOutcome.PUBLISHED] + outcomes[SyncOutcome.CREATED],
        proposals_opened=outcomes[SyncOutcome.PROPOSED],
        dependencies_added=counts.dependencies_added,
        dependencies_removed=counts.dependencies_removed,
    )
    session.record(event)
