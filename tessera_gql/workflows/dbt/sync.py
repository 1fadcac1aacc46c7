"""Sync a dbt manifest: it becomes assets, contracts, lineage and registrations, in the caller's transaction.

New and unchanged models take a fixed number of statements; changed ones go through the ordinary publish. An unchanged
manifest writes nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Refusal
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, authorize_for_own_teams, is_allowed, may_sync_table
from tessera_gql.policy.compatibility import Terms
from tessera_gql.policy.enums import Outcome
from tessera_gql.policy.events import ManifestSynced
from tessera_gql.store import assets, contracts, dbt
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.dbt import RemovedAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.contracts import retire
from tessera_gql.workflows.dbt import assets as manifest_assets
from tessera_gql.workflows.dbt import owners as manifest_owners
from tessera_gql.workflows.dbt import readers as manifest_readers
from tessera_gql.workflows.dbt import state as manifest_state
from tessera_gql.workflows.dbt.owners import OwnerRules
from tessera_gql.workflows.dbt.progress import Phase, ReportProgress, ignore_progress
from tessera_gql.workflows.dbt.readers import CrossTeamRead, RegistrationCounts
from tessera_gql.workflows.dbt.state import ManifestState
from tessera_gql.workflows.publishing import PublishRequest, PublishResult, publish_contract


class SyncOutcome(StrEnum):
    """The result of a sync for one model."""

    CREATED = "CREATED"
    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    UNCHANGED = "UNCHANGED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class SyncOptions:
    """Options of a sync. `owner` owns models without owner; `create_teams` creates owners that do not exist.

    `compatibility_mode` is for new assets for which the manifest names none. It is CONSUMER by default, because a
    warehouse replaces tables in place.

    `owners` maps owners in the manifest, in any case, to teams. `per_asset` skips a refused model with the reason
    instead of refusing all. `retire_removed` retires assets that left the manifest, if no other team reads them.
    """

    owner: TeamRef | None = None
    create_teams: bool = False
    compatibility_mode: Mode = Mode.CONSUMER
    supersede: bool = False
    owners: Mapping[str, str] = field(default_factory=dict[str, str])
    per_asset: bool = False
    retire_removed: bool = False


@dataclass(frozen=True, slots=True)
class ModelSyncResult:
    """The result for one model; `reason` is why it was skipped."""

    fqn: str
    outcome: SyncOutcome
    asset_id: UUID | None = None
    contract_id: UUID | None = None
    proposal_id: UUID | None = None
    changes: tuple[Change, ...] = ()
    breaking: tuple[Change, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class RemovalResult:
    """An asset of the project that the manifest no longer has; `reason` is why it was not retired."""

    fqn: str
    asset_id: UUID
    retired: bool = False
    reason: str | None = None


@dataclass(frozen=True)
class SyncReport:
    """The result of a sync in the order of fqns. `warnings` are skipped parts, `reads` newly found consumers."""

    models: Sequence[ModelSyncResult]
    dependencies_added: int = 0
    dependencies_removed: int = 0
    teams_created: int = 0
    warnings: tuple[str, ...] = ()
    removed: tuple[RemovalResult, ...] = ()
    reads: tuple[CrossTeamRead, ...] = ()
    registrations_created: int = 0
    registrations_updated: int = 0
    registrations_ended: int = 0

    def count(self, outcome: SyncOutcome) -> int:
        return sum(model.outcome is outcome for model in self.models)


@dataclass
class _Sync:
    """The state of a running sync: `results` by fqn; `ids` of all assets that exist by now."""

    session: Session
    actor: Actor
    options: SyncOptions
    state: ManifestState
    report_progress: ReportProgress = ignore_progress
    results: dict[str, ModelSyncResult] = field(default_factory=dict[str, ModelSyncResult])
    ids: dict[str, UUID] = field(default_factory=dict[str, UUID])

    @property
    def owner_rules(self) -> OwnerRules:
        return OwnerRules(self.options.owner, self.options.create_teams, self.options.owners)

    def skip(self, model: Model, reason: str) -> None:
        asset = self.state.assets.get(model.fqn)
        self.results[model.fqn] = ModelSyncResult(
            model.fqn, SyncOutcome.SKIPPED, asset.id if asset else None, reason=reason
        )


async def sync_manifest(
    session: Session,
    actor: Actor,
    manifest: Manifest,
    options: SyncOptions,
    report_progress: ReportProgress = ignore_progress,
) -> SyncReport:
    """Sync a manifest. A refusal names its model and rolls everything back, unless `per_asset` is set."""
    authorize_for_own_teams(actor, Action.SYNC_DBT_MANIFEST)
    problems = validation.find_invalid_fqns(model.fqn for model in manifest.models)
    models = [model for model in manifest.models if model.fqn not in problems]
    report_progress(Phase.COMPARE, 0, len(models))
    sync = _Sync(session, actor, options, await manifest_state.load_state(session, manifest, models), report_progress)
    for model in manifest.models:
        if model.fqn in problems:
            sync.skip(model, problems[model.fqn])
    teams_created = await manifest_owners.resolve_owners(session, actor, sync.state, models, sync.owner_rules)
    new_models, changed_models = _split_models(sync, models)
    sync.ids = {fqn: asset.id for fqn, asset in sync.state.assets.items()}
    report_progress(Phase.CREATE, 0, len(new_models))
    new_ids = await _create_assets(sync, new_models)
    report_progress(Phase.READERS, 0, 0)
    changed_fqns = [model.fqn for model in changed_models]
    locked_assets = await assets.lock_by_fqns(session, changed_fqns) if changed_fqns else []
    removed_assets = await _find_removed_assets(sync)
    written_models = [model for model in (*new_models, *changed_models) if model.fqn in sync.ids]
    readers, registered, exposure_warnings = await _register_consumers(sync, written_models, removed_assets)
    await _publish_all(sync, changed_models, {asset.fqn_key: asset for asset in locked_assets})
    dependencies_added, dependencies_removed = await manifest_assets.sync_dependencies(
        session, sync.ids, written_models, new_ids, [asset.id for asset in removed_assets]
    )
    report = SyncReport(
        models=[sync.results[fqn] for fqn in sorted(sync.results)],
        dependencies_added=dependencies_added,
        dependencies_removed=dependencies_removed,
        teams_created=teams_created,
        warnings=(*manifest.warnings, *exposure_warnings),
        removed=tuple([await _retire_removed(sync, asset) for asset in removed_assets if asset.contract_id]),
        reads=tuple(readers),
        registrations_created=registered.created,
        registrations_updated=registered.updated,
        registrations_ended=registered.ended,
    )
    _record_sync(session, manifest, report)
    return report


def _split_models(sync: _Sync, models: Sequence[Model]) -> tuple[list[Model], list[Model]]:
    """Split the models into new and changed ones; those of other teams and unchanged ones get their result."""
    new_models: list[Model] = []
    changed_models: list[Model] = []
    state = sync.state
    for model in models:
        asset = state.assets.get(model.fqn)
        if not may_sync_table(sync.actor, model.fqn, state.owners[model.fqn]):
            is_own = is_allowed(sync.actor, Action.SYNC_DBT_MANIFEST, state.owners[model.fqn])
            holder = "no schema of this key's project" if is_own else "another team than this key"
            sync.skip(model, f"it belongs to {holder}")
        elif asset is None:
            new_models.append(model)
        elif state.is_unchanged(model):
            sync.results[model.fqn] = ModelSyncResult(model.fqn, SyncOutcome.UNCHANGED, asset.id, asset.contract_id)
        else:
            changed_models.append(model)
    return new_models, changed_models


async def _create_assets(sync: _Sync, models: Sequence[Model]) -> set[UUID]:
    """Create assets with their first contracts; returns the ids."""
    accepted: list[Model] = []
    for model in models:
        with _handle_refusal(sync, model):
            manifest_assets.validate_model(model)
            accepted.append(model)
    state = sync.state
    rows = [(model, state.owners[model.fqn], state.compute_stamp(model)) for model in accepted]
    new_assets = await manifest_assets.create_assets(
        sync.session, state.manifest, rows, sync.options.compatibility_mode
    )
    published = await manifest_assets.insert_first_contracts(
        sync.session, [(model, new_assets[model.fqn]) for model in accepted]
    )
    for model, contract in zip(accepted, published, strict=True):
        sync.ids[model.fqn] = contract.asset_id
        sync.results[model.fqn] = ModelSyncResult(model.fqn, SyncOutcome.CREATED, contract.asset_id, contract.id)
    return {asset.id for asset in new_assets.values()}


async def _find_removed_assets(sync: _Sync) -> list[RemovedAsset]:
    """The assets of the project that the manifest no longer has and that the actor may sync."""
    manifest = sync.state.manifest
    if manifest.project is None:
        return []
    fqn_keys = [assets.key(model.fqn) for model in manifest.models]
    removed = await dbt.list_removed_assets(sync.session, manifest.project, fqn_keys)
    return [asset for asset in removed if may_sync_table(sync.actor, asset.fqn, asset.owner_team_id)]


async def _register_consumers(
    sync: _Sync, models: Sequence[Model], removed_assets: Sequence[RemovedAsset]
) -> tuple[list[CrossTeamRead], RegistrationCounts, list[str]]:
    """Register consumers, before publishing, so that a consumer is asked about what it reads from now on."""
    manifest, state = sync.state.manifest, sync.state
    asset_ids = [sync.ids[model.fqn] for model in models if model.fqn in state.assets]
    active = await contracts.list_active(sync.session, asset_ids) if asset_ids else []
    contract_columns = {contract.asset_id: manifest_state.contract_columns(contract) for contract in active}
    readers = await asyncio.to_thread(manifest_readers.find_model_reads, state, sync.ids, models, contract_columns)
    exposures, warnings = await manifest_owners.match_exposure_teams(
        sync.session, sync.actor, manifest.exposures, sync.owner_rules
    )
    registrations = readers.registrations | manifest_readers.find_exposure_reads(
        manifest, exposures, sync.ids, state.owners
    )
    consumers = [sync.ids[model.fqn] for model in models] + [asset.id for asset in removed_assets]
    owners = {sync.ids[fqn]: owner for fqn, owner in state.owners.items() if fqn in sync.ids}
    owners |= {asset.id: asset.owner_team_id for asset in removed_assets}
    counts = await manifest_readers.sync_registrations(sync.session, manifest, registrations, consumers, owners)
    return readers.reads, counts, warnings


async def _publish_all(sync: _Sync, models: Sequence[Model], locked_assets: Mapping[str, Asset]) -> None:
    """Publish to existing assets one by one; those without any contract get their first one."""
    known_assets = [sync.state.assets[model.fqn] for model in models]
    without_version = [asset.id for asset in known_assets if asset.version is None]
    never_published = await contracts.find_never_published(sync.session, without_version)
    for number, model in enumerate(models):
        sync.report_progress(Phase.PUBLISH, number, len(models))
        asset = locked_assets[assets.key(model.fqn)]
        async with _handle_refusal_in_savepoint(sync, model):
            if asset.id in never_published:
                contract = (await manifest_assets.insert_first_contracts(sync.session, [(model, asset)]))[0]
                synced = ModelSyncResult(model.fqn, SyncOutcome.CREATED, asset.id, contract.id)
            else:
                synced = await _publish(sync, model, asset)
            await _update_asset(sync, model, asset, synced)
            sync.results[model.fqn] = synced


async def _publish(sync: _Sync, model: Model, asset: Asset) -> ModelSyncResult:
    current = await contracts.find_active(sync.session, asset.id)
    if current is not None:
        terms = Terms(model.schema, model.guarantees or None, model.compatibility_mode or current.compatibility_mode)
        is_same_mode = terms.mode is current.compatibility_mode
        if is_same_mode and terms.schema_hash == current.schema_hash and terms.guarantees == current.guarantees:
            return ModelSyncResult(model.fqn, SyncOutcome.UNCHANGED, asset.id, current.id)
    request = PublishRequest(
        schema=model.schema,
        guarantees=model.guarantees,
        mode=model.compatibility_mode,
        supersede=sync.options.supersede,
    )
    return _to_synced_model(model, await publish_contract(sync.session, sync.actor, AssetRef(id=asset.id), request))


def _to_synced_model(model: Model, result: PublishResult) -> ModelSyncResult:
    return ModelSyncResult(
        fqn=model.fqn,
        outcome=SyncOutcome(result.outcome if result.outcome is not Outcome.FORCED else Outcome.PUBLISHED),
        asset_id=result.asset.id,
        contract_id=result.contract.id if result.contract else None,
        proposal_id=result.proposal.id if result.proposal else None,
        changes=result.changes,
        breaking=result.judgement.breaking,
    )


async def _update_asset(sync: _Sync, model: Model, asset: Asset, synced: ModelSyncResult) -> None:
    """Store what comes from dbt, and the marks by which the next sync recognizes the model as unchanged."""
    stamp = sync.state.compute_stamp(model)
    before = sync.state.assets[model.fqn]
    marks: dict[str, str | None] = {}
    if before.stamp != stamp or synced.outcome in {SyncOutcome.CREATED, SyncOutcome.PUBLISHED}:
        is_settled = synced.outcome is not SyncOutcome.PROPOSED
        contract = await contracts.find_active(sync.session, asset.id) if is_settled else None
        marks = {"fingerprint": stamp, "contract": contract.version if contract else None}
    await manifest_assets.update_asset(
        sync.session, asset, manifest_assets.asset_columns(sync.state.manifest, model), marks
    )


@contextmanager
def _handle_refusal(sync: _Sync, model: Model) -> Generator[None]:
    """Name the model in a refusal raised in the block, or skip only that model if `per_asset` is set."""
    try:
        yield
    except Refusal as error:
        if not sync.options.per_asset:
            raise type(error)(f"{model.fqn}: {error.message}", field=("manifest",)) from error
        sync.skip(model, error.message)


@asynccontextmanager
async def _handle_refusal_in_savepoint(sync: _Sync, model: Model) -> AsyncGenerator[None]:
    """Do the same as `_handle_refusal`, and roll back the changes and events of a skipped model."""
    if not sync.options.per_asset:
        with _handle_refusal(sync, model):
            yield
        return
    with _handle_refusal(sync, model):
        async with sync.session.savepoint():
            yield


async def _retire_removed(sync: _Sync, asset: RemovedAsset) -> RemovalResult:
    """Retire the asset if the options ask for it and no other team reads it."""
    if not sync.options.retire_removed or asset.contract_id is None:
        return RemovalResult(asset.fqn, asset.id)
    try:
        await retire(sync.session, sync.actor, asset.contract_id)
    except Refusal as error:
        return RemovalResult(asset.fqn, asset.id, reason=error.message)
    return RemovalResult(asset.fqn, asset.id, retired=True)


def _record_sync(session: Session, manifest: Manifest, report: SyncReport) -> None:
    """Record the sync, unless nothing changed."""
    if not (session.events or report.dependencies_added or report.dependencies_removed):
        return
    event = ManifestSynced(
        sync_id=new_id(),
        project=manifest.project,
        assets_created=report.count(SyncOutcome.CREATED),
        contracts_published=report.count(SyncOutcome.PUBLISHED) + report.count(SyncOutcome.CREATED),
        proposals_opened=report.count(SyncOutcome.PROPOSED),
        dependencies_added=report.dependencies_added,
        dependencies_removed=report.dependencies_removed,
    )
    session.record(event)
