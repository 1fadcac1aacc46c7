"""Decide what a manifest changes, table by table. Impact, plan, ask and sync share these decisions; nothing is written.

An ask and a sync carry out a plan that was made without locks; see `batches`.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.formats.dbt import Manifest, Model
from tessera_gql.formats.dbt_catalog import ColumnBasis
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, is_allowed, may_act_for_project, may_sync_table
from tessera_gql.policy.affected_teams import AffectedTeams
from tessera_gql.policy.catalog_events import AssetRenamed
from tessera_gql.policy.compatibility import Judgement
from tessera_gql.policy.coverage import MissingCoverage
from tessera_gql.policy.enums import Outcome
from tessera_gql.policy.events import AssetCreated
from tessera_gql.policy.table_state import TableState
from tessera_gql.store import dbt, projects
from tessera_gql.store.dbt import KnownAsset
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Contract, Proposal, new_id
from tessera_gql.workflows.dbt import owners as manifest_owners
from tessera_gql.workflows.dbt import targets
from tessera_gql.workflows.dbt.column_lineage import ColumnLineageChanges
from tessera_gql.workflows.dbt.independent_events import INDEPENDENT_EVENTS
from tessera_gql.workflows.dbt.lineage import LineageChanges
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.readers import CrossTeamRead, DeprecatedRead, RegistrationChanges, TableReader
from tessera_gql.workflows.dbt.removals import Removal, find_removed_assets
from tessera_gql.workflows.dbt.state import SOURCE, ManifestCache, ManifestState, build_state
from tessera_gql.workflows.dbt.targets import KnownTarget
from tessera_gql.workflows.publishing import KnownJudgement

UNCHANGED = Judgement(is_unchanged=True)
NO_TEAMS = AffectedTeams({}, frozenset())
BATCH_SIZE = 500
"""Models that are looked at before the loop has its turn."""
FOREIGN_OWNER = "it belongs to another team than this key"
FOREIGN_PROJECT = "it belongs to a project for which this key may not act"
OTHER_SCHEMA = "it belongs to no schema of this key's project"


@dataclass(frozen=True)
class TablePlan:
    """What a sync would do with one table. `reason` is why it skips it, or why the table conflicts or is refused.

    `model` is None for a table that is gone, which has a `removal` instead. `readers` are those after the sync, of a
    table that breaks. `proposal` is the open one of the asset, with its acknowledgments. `unaffected` are tables of the
    owner whose new queries no longer read what breaks. `missing_coverage` is what a table waits for that is held.
    """

    fqn: str
    state: TableState
    asset_id: UUID | None = None
    contract: Contract | None = None
    contract_id: UUID | None = None
    model: Model | None = None
    removal: Removal | None = None
    outcome: Outcome = Outcome.UNCHANGED
    version: str | None = None
    judgement: Judgement = UNCHANGED
    affected: AffectedTeams = NO_TEAMS
    readers: tuple[TableReader, ...] = ()
    proposal: Proposal | None = None
    acknowledgments: tuple[Acknowledgment, ...] = ()
    reason: str | None = None
    unaffected: frozenset[UUID] = frozenset()
    missing_coverage: tuple[MissingCoverage, ...] = ()

    @property
    def is_safe(self) -> bool:
        return not self.judgement.breaking and self.reason is None


@dataclass
class ManifestPlan:
    """The decisions about a manifest: by fqn in `tables`, and what changes beside them.

    `ids` are those of known assets, and of assets to be created. `new_models` and `changed_models` are those that a
    sync by the actor writes, `removed` the assets that left the manifest and that the actor may sync.
    """

    state: ManifestState
    actor: Actor
    options: SyncOptions
    purpose: Purpose
    owns_project: bool = True
    """Whether the actor may end what an earlier manifest of the project brought."""
    target: KnownTarget | None = None
    sequence: int | None = None
    """The last event that the plan knows of; None if nothing will be written by it."""
    cache: ManifestCache = field(default_factory=ManifestCache)
    ids: dict[str, UUID] = field(default_factory=dict[str, UUID])
    tables: dict[str, TablePlan] = field(default_factory=dict[str, TablePlan])
    new_models: list[Model] = field(default_factory=list[Model])
    changed_models: list[Model] = field(default_factory=list[Model])
    removed: list[KnownAsset] = field(default_factory=list[KnownAsset])
    family_ids: frozenset[UUID] = frozenset()
    """The tables of breaking tables' owners that are made from those."""
    new_teams: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    registrations: RegistrationChanges = field(default_factory=RegistrationChanges)
    reads: Sequence[CrossTeamRead] = ()
    deprecated_reads: Sequence[DeprecatedRead] = ()
    lineage: LineageChanges = field(default_factory=LineageChanges)
    column_lineage: ColumnLineageChanges = field(default_factory=ColumnLineageChanges)
    warnings: tuple[str, ...] = ()
    finished: frozenset[str] = frozenset()
    """The fqns of the tables with which an earlier transaction of the ask or the sync was done."""

    @property
    def written_models(self) -> list[Model]:
        return [*self.new_models, *self.changed_models]

    @property
    def open_tables(self) -> list[TablePlan]:
        """The tables that are not finished."""
        return [table for table in self.tables.values() if table.fqn not in self.finished]

    def list_open(self, models: Iterable[Model]) -> list[Model]:
        """Return those of the models that are not finished."""
        return [model for model in models if model.fqn not in self.finished]

    @property
    def tables_to_retire(self) -> list[TablePlan]:
        """The tables that are gone and whose readers must agree, or that the options retire without readers."""
        removed = [table for table in self.open_tables if table.removal is not None and table.contract is not None]
        return [table for table in removed if table.affected.asked or table.proposal or self.options.retire_removed]

    @property
    def is_empty(self) -> bool:
        """Whether a sync would write nothing."""
        has_registrations = bool(self.registrations.asset_ids)
        has_lineage = self.lineage.added or self.lineage.removed or not self.column_lineage.is_empty
        return not (self.new_models or self.changed_models or has_registrations or has_lineage or self.tables_to_retire)

    def is_kept(self, model: Model) -> bool:
        """Whether a sync leaves a known table of the manifest as it is."""
        table = self.tables.get(model.fqn)
        return table is not None and table.state is TableState.UNCHANGED and model.fqn in self.state.assets

    @property
    def declared_only(self) -> int:
        """The number of tables whose columns rest on the declarations of the manifest alone."""
        return sum(model.basis is ColumnBasis.DECLARED for model in self.state.manifest.models)

    def find_unneeded_assets(self, waiting: Collection[UUID]) -> set[UUID]:
        """Return the judged assets that no proposal of the manifest's change set is needed for: all but `waiting`.

        Tables that another manifest describes are not judged: that one may ask in the same change set.
        """
        unjudged = {TableState.SKIPPED, TableState.CONFLICT, TableState.REFUSED}
        judged = {
            table.asset_id
            for table in self.tables.values()
            if table.state not in unjudged
            and not (table.model is not None and self.state.is_described_elsewhere(table.model))
        }
        return {asset for asset in judged if asset is not None and asset not in waiting}

    def with_refusals(self, refusals: Mapping[str, str]) -> "ManifestPlan":
        """Return the plan with tables that were refused when it was carried out, by the reason."""
        for fqn, reason in refusals.items():
            self.tables[fqn] = replace(self.tables[fqn], state=TableState.CONFLICT, reason=reason)
        return self

    def find_judgement(self, table: TablePlan) -> KnownJudgement | None:
        """Find the judgement of a table's change that was made for the plan."""
        judgement = self.cache.judgements.get((table.contract.id, table.fqn)) if table.contract else None
        return KnownJudgement(table.contract.id, judgement) if table.contract and judgement else None

    def may_act_for(self, team: UUID) -> bool:
        """Whether the actor may sync what belongs to the team; the impact is the same for all callers."""
        return not self.purpose.is_authorized or is_allowed(self.actor, Action.SYNC_DBT_MANIFEST, team)

    def list_assets_to_lock(self) -> list[UUID]:
        """Return the ids of the existing assets that an ask or a sync may change."""
        registrations = self.registrations
        rows = (*(row for row, _ in registrations.updated), *registrations.ended)
        asset_ids = {self.ids[model.fqn] for model in self.list_open(self.changed_models)}
        asset_ids |= {asset.id for asset in self.removed if asset.fqn not in self.finished}
        asset_ids |= {upstream for upstream, _, _ in registrations.created} | {row.asset_id for row in rows}
        asset_ids |= self.family_ids | self.column_lineage.asset_ids
        asset_ids |= {asset for pair in (*self.lineage.added, *self.lineage.removed_pairs) for asset in pair}
        return sorted(asset_ids - {self.ids[model.fqn] for model in self.list_open(self.new_models)})

    def rests_on(self, kind: str, asset_id: UUID | None) -> bool:
        """Return whether an event of this kind about this asset, or about none, may change what is left to do."""
        if asset_id is None:
            return kind not in INDEPENDENT_EVENTS
        if asset_id in self._finished_ids:
            return False
        is_creation = kind in {AssetCreated.kind, AssetRenamed.kind} and bool(self.list_open(self.new_models))
        return is_creation or asset_id in self._watched_ids

    @cached_property
    def owners_by_asset(self) -> dict[UUID, UUID]:
        """The owners of the assets of the manifest and of its project."""
        owners = {self.ids[fqn]: owner for fqn, owner in self.state.owners.items() if fqn in self.ids}
        return owners | {asset.id: asset.owner_team_id for asset in self.state.project_assets}

    @cached_property
    def _finished_ids(self) -> frozenset[UUID]:
        return frozenset(self.ids[fqn] for fqn in self.finished if fqn in self.ids)

    @cached_property
    def _watched_ids(self) -> frozenset[UUID]:
        """The assets of the manifest and of its project."""
        return frozenset(self.ids.values()) | {asset.id for asset in self.state.project_assets}


async def classify(
    session: Session, actor: Actor, manifest: Manifest, options: SyncOptions, purpose: Purpose
) -> ManifestPlan:
    """Load the state of a manifest in the known target, and classify its tables.

    A release refuses a manifest of another target; everything else compares it with the known one.
    """
    query_names: dict[str, str] = {}
    if options.schema_map:
        names = targets.map_schemas(manifest, options.schema_map)
        manifest, query_names = targets.rename_tables(manifest, names)
    known_assets = await dbt.load_known_assets(session, [model.fqn for model in manifest.models], manifest.project)
    state = build_state(manifest, known_assets, query_names)
    await _require_tables(session, state, options)
    target = None if options.new_target else targets.find_other_target(manifest, await _list_own_assets(session, state))
    if target is not None:
        if purpose is Purpose.RELEASE:
            raise _other_target_error(target)
        manifest, new_names = targets.rename_tables(manifest, target.names)
        query_names = {new: query_names.get(old, old) for new, old in new_names.items()}
        known_assets = await dbt.load_known_assets(session, [model.fqn for model in manifest.models], manifest.project)
        state = build_state(manifest, known_assets, query_names)
    await asyncio.sleep(0)
    owns_project = not purpose.is_authorized or await _may_act_for_project(session, actor, manifest.project)
    plan = ManifestPlan(state, actor, options, purpose, owns_project, target, warnings=manifest.warnings)
    plan.new_teams = await manifest_owners.resolve_owners(
        session, actor, state, options.owner_rules, is_complete=purpose.is_sync
    )
    await _classify_tables(plan)
    if purpose is Purpose.ASK:
        _require_own_tables(plan)
    return plan


async def _list_own_assets(session: Session, state: ManifestState) -> Sequence[KnownAsset]:
    """Return the assets of the project that belong to its owners; all of them if the project is not registered.

    Any team can sync tables of its own under the name of the project.
    """
    name, project_assets = state.manifest.project, state.project_assets
    if name is None or len({asset.owner_team_id for asset in project_assets}) < 2:
        return project_assets
    scope = await projects.find_scope(session, name)
    return [asset for asset in project_assets if scope is None or asset.owner_team_id in scope.owner_ids]


async def _may_act_for_project(session: Session, actor: Actor, name: str | None) -> bool:
    scope = None if actor.is_admin or name is None else await projects.find_scope(session, name)
    return may_act_for_project(actor, name, scope)


async def _require_tables(session: Session, state: ManifestState, options: SyncOptions) -> None:
    """Raise Invalid for a manifest without tables of a known project: it would end all of the project's reads."""
    manifest = state.manifest
    if options.allow_empty or manifest.project is None or any(m.resource_type != SOURCE for m in manifest.models):
        return
    is_known = any(not asset.is_source for asset in state.project_assets)
    if is_known or await dbt.has_registrations(session, manifest.project):
        raise Invalid(
            f"The manifest has no models, but the project {manifest.project} is known. Give the whole"
            " target/manifest.json; if the project really has no models any more, set `allowEmpty` (--allow-empty).",
            field=("manifest",),
        )


def _require_own_tables(plan: ManifestPlan) -> None:
    """Raise Forbidden if the caller may sync no table that the manifest builds: its gate would pass without a check."""
    models = [model.fqn for model in plan.state.manifest.models if model.resource_type != SOURCE]
    reasons = {table.reason for fqn in models if (table := plan.tables.get(fqn)) is not None}
    if models and all(fqn in plan.tables for fqn in models) and reasons <= {FOREIGN_OWNER, OTHER_SCHEMA}:
        raise Forbidden(
            "This key may ask for none of the tables that the manifest builds: they belong to other teams, or are in no"
            " schema of the key's project. Use a key of this project, or of a team that owns its tables."
        )


def _other_target_error(target: KnownTarget) -> Conflict:
    schemas, known_schemas = ", ".join(target.manifest_schemas[:5]), ", ".join(target.known_schemas[:5])
    example = f"{target.manifest_schemas[0]}={target.known_schemas[0]}"
    return Conflict(
        f"None of the project's tables is where it was: the manifest has them in {schemas}, the assets are in"
        f" {known_schemas}. This looks like the target of a pull request or of a developer. Sync the manifest of the"
        f" production target, map its schemas with `schemaMap` (--target-schema-map {example}), or, if the tables have"
        " moved for good, set `newTarget` (--new-target).",
        field=("manifest",),
    )


async def _classify_tables(plan: ManifestPlan) -> None:
    """Give each table that is not compared its plan, and collect the new, changed and removed ones."""
    state = plan.state
    invalid = validation.find_invalid_fqns(model.fqn for model in state.manifest.models)

    @cache
    def may_sync_schema(schema: str, owner: UUID) -> bool:
        return may_sync_table(plan.actor, f"{schema}.*", owner)

    def may_sync(fqn: str, owner: UUID | None) -> bool:
        return not plan.purpose.is_authorized or owner is None or may_sync_schema(fqn.rpartition(".")[0], owner)

    for number, model in enumerate(state.manifest.models, start=1):
        if number % BATCH_SIZE == 0:
            await asyncio.sleep(0)
        asset = state.assets.get(model.fqn)
        if asset is not None:
            plan.ids[model.fqn] = asset.id
        if (reason := invalid.get(model.fqn)) is not None:
            plan.tables[model.fqn] = _skip(model, asset, TableState.REFUSED, reason)
        else:
            _classify_table(plan, model, asset, is_permitted=may_sync(model.fqn, state.owners.get(model.fqn)))
    removed = find_removed_assets(state)
    plan.removed = [asset for asset in removed if plan.owns_project and may_sync(asset.fqn, asset.owner_team_id)]
    permitted = {asset.id for asset in plan.removed}
    plan.tables |= {
        asset.fqn: _skip_removed(plan, asset)
        for asset in removed
        if asset.id not in permitted and asset.contract_id is not None and not asset.is_source
    }


def _skip_removed(plan: ManifestPlan, asset: KnownAsset) -> TablePlan:
    reason = _describe_foreign(plan, asset.owner_team_id) if plan.owns_project else FOREIGN_PROJECT
    removal = Removal("is no longer in the manifest")
    return TablePlan(asset.fqn, TableState.SKIPPED, asset.id, removal=removal, reason=reason)


def _classify_table(plan: ManifestPlan, model: Model, asset: KnownAsset | None, *, is_permitted: bool) -> None:
    state = plan.state
    if state.is_described_elsewhere(model):
        plan.tables[model.fqn] = _keep(model, asset)
    elif (conflict := state.manifest.conflicts.get(model.fqn)) is not None:
        plan.tables[model.fqn] = _skip(model, asset, TableState.CONFLICT, conflict)
    elif (builder := state.find_other_builder(model)) and model.resource_type != SOURCE:
        reason = f"the project {builder} builds it: leave it out of that project first, or build another table"
        plan.tables[model.fqn] = _skip(model, asset, TableState.CONFLICT, reason)
    elif model.fqn in state.unowned:
        plan.tables[model.fqn] = _skip_unowned(plan, model, asset)
    elif not is_permitted:
        plan.tables[model.fqn] = _skip(
            model, asset, TableState.SKIPPED, _describe_foreign(plan, state.owners[model.fqn])
        )
    elif asset is None:
        plan.ids[model.fqn] = new_id()
        plan.new_models.append(model)
    elif state.is_unchanged(model):
        plan.tables[model.fqn] = _keep(model, asset)
    else:
        plan.changed_models.append(model)


def _skip_unowned(plan: ManifestPlan, model: Model, asset: KnownAsset | None) -> TablePlan:
    """Skip a source that no team owns, because it is only declared; refuse a model, which the project builds."""
    owners = plan.actor.team_ids
    if owners and not any(may_sync_table(plan.actor, model.fqn, owner) for owner in owners):
        return _skip(model, asset, TableState.SKIPPED, OTHER_SCHEMA)
    if model.resource_type == SOURCE:
        return _skip(model, asset, TableState.SKIPPED, "it has no owner: name a team in `sources` (--sources)")
    name = plan.state.unowned[model.fqn]
    cause = "the manifest names no owner" if name is None else f"its owner {name} is no team"
    reason = f"{cause}: give `owner` (--owner), or map it in `owners` (--owners)"
    return _skip(model, asset, TableState.REFUSED, reason)


def _describe_foreign(plan: ManifestPlan, owner: UUID) -> str:
    return OTHER_SCHEMA if plan.may_act_for(owner) else FOREIGN_OWNER


def _keep(model: Model, asset: KnownAsset | None) -> TablePlan:
    contract = asset.contract_id if asset else None
    return TablePlan(model.fqn, TableState.UNCHANGED, asset.id if asset else None, contract_id=contract, model=model)


def _skip(model: Model, asset: KnownAsset | None, state: TableState, reason: str) -> TablePlan:
    return TablePlan(model.fqn, state, asset.id if asset else None, model=model, reason=reason)
