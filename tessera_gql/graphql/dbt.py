"""Sync a dbt manifest in one transaction, preview a sync, or ask the readers of what it breaks."""

from dataclasses import fields
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.compute import run_deferrable
from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.graphql.change_sets import ChangeSetInput
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.context import Context, Info
from tessera_gql.graphql.dbt_impact import ManifestImpact, SchemaMapping, read_manifest
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.mutations import (
    Call,
    CreatingInput,
    Payload,
    check_storable,
    context_mutation,
    payload_field,
    run_once,
)
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy.access import Action, authorize_for_own_teams
from tessera_gql.policy.enums import Intent
from tessera_gql.workflows.dbt.ask import ask_readers
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.progress import Phase
from tessera_gql.workflows.dbt.readers import CrossTeamRead
from tessera_gql.workflows.dbt.report import ModelSyncResult, RemovalResult, SyncOutcome, SyncReport, build_report
from tessera_gql.workflows.dbt.sync import sync_manifest

COUNTS = (
    "dependencies_added",
    "dependencies_removed",
    "teams_created",
    "registrations_created",
    "registrations_updated",
    "registrations_ended",
    "declared_only",
)

describe_enum(
    SyncOutcome,
    "The result of syncing one table of a manifest.",
    CREATED="The table became an asset with its first contract.",
    PUBLISHED="The schema changed compatibly, and a contract was published.",
    PROPOSED="The change is breaking, so a proposal waits for the asked teams.",
    UNCHANGED="Nothing changed, so nothing was written.",
    SKIPPED="The table was skipped; `reason` gives the reason.",
)


@from_row()
@strawberry.type(description="One table of a manifest with the result of its sync.")
class SyncedModel(RowBacked):
    row: strawberry.Private[ModelSyncResult]
    fqn: str = strawberry.field(description="The fully qualified name of the table.")
    outcome: SyncOutcome = strawberry.field(description="The result of syncing the table.")
    version: str | None = strawberry.field(
        description="The version that is published or proposed; null if nothing changes."
    )
    reason: str | None = strawberry.field(description="The reason why the table was skipped; null if it was not.")
    is_refused: bool = strawberry.field(
        description="Whether the table was skipped because of a conflict or an error, not because of its owner."
    )

    owner = relation(
        "Team", "row.owner_id", "The team that owns the table, or would; null if it is to be created.", nullable=True
    )
    asset = relation("Asset", "row.asset_id", "The asset of the table; null if there is none.", nullable=True)
    contract = relation(
        "Contract", "row.contract_id", "The active contract of the asset; null if there is none.", nullable=True
    )
    proposal = relation(
        "Proposal", "row.proposal_id", "The open proposal of the asset; null if there is none.", nullable=True
    )

    @computed_field("All changes from the contract before.")
    def changes(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.changes)

    @computed_field("The changes that are breaking.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.breaking)


@from_row()
@strawberry.type(description="A table that the project had and the manifest has no longer.")
class RemovedModel(RowBacked):
    row: strawberry.Private[RemovalResult]
    fqn: str = strawberry.field(description="The fully qualified name of the asset.")
    cause: str = strawberry.field(
        description="Why the table is gone, as the end of a sentence: it was renamed, is disabled or is ephemeral."
    )
    successor: str | None = strawberry.field(
        description="The fully qualified name of the table that it was renamed to; null if none is known."
    )
    retired: bool = strawberry.field(
        description="Whether the contract was retired: its readers agreed, or it has none and `retireRemoved` was set."
    )
    reason: str | None = strawberry.field(description="The reason why the contract could not be retired; null if none.")

    asset = relation("Asset", "row.asset_id", "The asset that is no longer in the manifest.", nullable=True)
    proposal = relation(
        "Proposal", "row.proposal_id", "The open proposal to retire the asset; null if there is none.", nullable=True
    )

    @computed_field("The teams that read the table.", lazy_list("Team"))
    async def asked(self, info: Info) -> Any:
        return [to_type("Team", row) for row in await info.context.loaders.team.load_many(self.row.asked)]


@from_row()
@strawberry.type(description="The columns that a model reads of another team's table.")
class ModelRead(RowBacked):
    row: strawberry.Private[CrossTeamRead]
    fqn: str = strawberry.field(description="The fully qualified name of the reading model.")
    upstream: str = strawberry.field(description="The fully qualified name of the table that is read.")
    fields: list[str] | None = strawberry.field(
        description="The columns that the model's compiled SQL reads; null means all columns."
    )
    assumption: str | None = strawberry.field(
        name="why", description="The reason why all columns are assumed; null if the columns are known."
    )


@from_row()
@strawberry.type(description="The report of the sync of a manifest.")
class ManifestReport(RowBacked):
    row: strawberry.Private[SyncReport]
    dependencies_added: int = strawberry.field(description="The number of dependencies that were added.")
    dependencies_removed: int = strawberry.field(description="The number of dependencies that were removed.")
    teams_created: int = strawberry.field(description="The number of owner teams that were created.")
    registrations_created: int = strawberry.field(description="The number of registrations that were created.")
    registrations_updated: int = strawberry.field(description="The number of dbt registrations that changed.")
    registrations_ended: int = strawberry.field(
        description="The number of registrations from dbt that are no longer in the manifest."
    )
    declared_only: int = strawberry.field(
        description="The number of tables whose columns are known from the manifest alone, because no catalog covers"
        " them."
    )
    warnings: list[str] = strawberry.field(description="The parts of the manifest that were ignored, with reasons.")

    @computed_field("The tables that an earlier manifest had and this one does not.")
    def removed(self) -> list[RemovedModel]:
        return [RemovedModel.of(model) for model in self.row.removed]

    @computed_field("The columns that models read of other teams' tables.")
    def reads(self) -> list[ModelRead]:
        return [ModelRead.of(read) for read in self.row.reads]

    @computed_field("All tables of the manifest, sorted by fqn.")
    def models(self) -> list[SyncedModel]:
        return [SyncedModel.of(model) for model in self.row.models]

    def to_json(self) -> dict[str, Any]:
        """Return the value stored under an idempotency key."""
        return {
            **{name: getattr(self.row, name) for name in COUNTS},
            "warnings": self.warnings,
            "models": [_model_to_json(model) for model in self.row.models],
            "removed": [_removal_to_json(model) for model in self.row.removed],
            "reads": [vars(read) for read in self.row.reads],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ManifestReport":
        attributes: dict[str, Any] = value | {
            "models": [_model_from_json(model) for model in value["models"]],
            "removed": tuple(_removal_from_json(model) for model in value["removed"]),
            "reads": tuple(CrossTeamRead(**read) for read in value["reads"]),
            "warnings": tuple(value["warnings"]),
        }
        return cls.of(SyncReport(**attributes))


def _removal_to_json(removal: RemovalResult) -> dict[str, Any]:
    ids = {name: value and str(value) for name in ("asset_id", "proposal_id") for value in [getattr(removal, name)]}
    return vars(removal) | ids | {"asked": [str(team) for team in removal.asked]}


def _removal_from_json(value: dict[str, Any]) -> RemovalResult:
    attributes: dict[str, Any] = value | {"asked": tuple(UUID(team) for team in value["asked"])}
    for name in ("asset_id", "proposal_id"):
        attributes[name] = value[name] and UUID(value[name])
    return RemovalResult(**attributes)


def _model_to_json(model: ModelSyncResult) -> dict[str, Any]:
    names = [field.name for field in fields(model) if field.name not in {"changes", "breaking", "is_refused"}]
    keys = {name: value and str(value) for name in names for value in [getattr(model, name)]}
    keys["is_refused"] = model.is_refused
    lists = {name: [change.as_json() for change in getattr(model, name)] for name in ("changes", "breaking")}
    return keys | lists


def _model_from_json(value: dict[str, Any]) -> ModelSyncResult:
    attributes: dict[str, Any] = value | {"outcome": SyncOutcome(value["outcome"])}
    for name in ("asset_id", "contract_id", "proposal_id", "owner_id"):
        attributes[name] = value[name] and UUID(value[name])
    for name in ("changes", "breaking"):
        attributes[name] = tuple(diff.Change.from_json(change) for change in value[name])
    return ModelSyncResult(**attributes)


@strawberry.input(description="The team that stands for an owner in the manifest.")
class OwnerMapping:
    owner: str = strawberry.field(description="The owner as the manifest spells it, ignoring case.")
    team: str = strawberry.field(description="The name of the team.")


@strawberry.input(description="The team that owns sources which no project builds.")
class SourceMapping:
    source: str = strawberry.field(
        description="The name of the source, `source.table`, or the fqn; `*` stands for any text."
    )
    team: str = strawberry.field(description="The name of the team.")


@strawberry.input(description="The dbt manifest to sync, with options.")
class SyncDbtManifestInput(CreatingInput):
    manifest: JSON = strawberry.field(
        description="The content of manifest.json, version 1 to 12, or the file itself in a multipart request."
    )
    catalog: JSON | None = optional(
        "The content of catalog.json of the same run, or the file itself in a multipart request. It has the columns of"
        " the tables in the warehouse."
    )
    intent: Intent = strawberry.field(
        default=Intent.RELEASE,
        description="RELEASE syncs: it publishes what is approved and what breaks nobody. ASK opens and updates"
        " proposals for what breaks, and writes nothing else; it needs no `idempotencyKey`.",
    )
    change_set: ChangeSetInput | None = optional(
        "The change set of the proposals; its proposals for tables that no longer break are withdrawn."
    )
    reason: str | None = optional("The reason of the change, which the asked teams see.")
    owner: TeamRefInput | None = optional("The owner team of tables for which the manifest names no owner.")
    create_teams: bool = flag("Create the owner teams that do not exist yet.")
    compatibility_mode: Mode | None = optional(
        "The mode of new assets without `meta.compatibility_mode`; DEFAULT_COMPATIBILITY_MODE or CONSUMER if left out."
    )
    supersede: bool = flag("Replace open proposals of the assets and ask the teams again.")
    owners: list[OwnerMapping] = strawberry.field(
        default_factory=list,
        description="The teams of owners in the manifest; an owner without an entry is the team of that name.",
    )
    sources: list[SourceMapping] = strawberry.field(
        default_factory=list,
        description="The teams that own sources which no project builds; the first entry that matches decides.",
    )
    atomic: bool = flag("Refuse the whole manifest because of one table, instead of skipping and reporting it.")
    retire_removed: bool = flag(
        "Retire the contracts of assets that are no longer in the manifest and that no team reads."
    )
    allow_empty: bool = flag("Accept a manifest without models although its project is known.")
    new_target: bool = flag("Accept a manifest whose tables are all in other schemas than before.")
    schema_map: list[SchemaMapping] = strawberry.field(
        default_factory=list, description="The schemas of the assets by those of the manifest."
    )
    dry_run: bool = flag("Return the report that a sync would have, and write nothing.")


@strawberry.type(description="The result of `syncDbtManifest`.")
class SyncDbtManifestPayload(Payload):
    report: ManifestReport | None = payload_field(
        "The report of a sync; null if refused, and for an ask.", load=ManifestReport.from_json
    )
    impact: ManifestImpact | None = strawberry.field(
        default=None, description="The effect of the manifest after an ask; null if refused, and for a sync."
    )


async def sync_dbt_manifest(context: Context, arguments: SyncDbtManifestInput) -> SyncDbtManifestPayload:
    """Plan without locks, then ask or sync in a write transaction if there is something to write."""
    check_storable(arguments)
    authorize_for_own_teams(context.actor, Action.SYNC_DBT_MANIFEST)
    context.report_progress(Phase.READ, 0, 0)
    manifest = await read_manifest(arguments.manifest, or_none(arguments.catalog))
    context.report_progress(Phase.COMPARE, 0, len(manifest.models))
    options = _build_options(context, arguments)
    if arguments.dry_run:
        purpose = Purpose.PREVIEW if arguments.intent is Intent.RELEASE else Purpose.ASK
        plan = await context.loaders.run_query(
            lambda session: plan_manifest(session, context.actor, manifest, options, purpose)
        )
        return _to_payload(plan, arguments.intent)
    purpose = Purpose.RELEASE if arguments.intent is Intent.RELEASE else Purpose.ASK
    async with context.database.read() as session:
        session.computer = context.computer
        plan = await plan_manifest(session, context.actor, manifest, options, purpose)
    if arguments.intent is Intent.ASK:
        return SyncDbtManifestPayload(impact=ManifestImpact.of(await _ask(context, manifest, options, plan)))

    async def sync_dbt_manifest(call: Call, _: SyncDbtManifestInput) -> SyncDbtManifestPayload:
        if plan.is_empty and options.change_set is None and not options.atomic:
            return _to_payload(plan, Intent.RELEASE)
        report = await sync_manifest(call.session, call.actor, manifest, options, call.report_progress, plan)
        return SyncDbtManifestPayload(report=ManifestReport.of(report))

    return await run_once(context, sync_dbt_manifest, SyncDbtManifestPayload, arguments)


def _to_payload(plan: ManifestPlan, intent: Intent) -> SyncDbtManifestPayload:
    if intent is Intent.ASK:
        return SyncDbtManifestPayload(impact=ManifestImpact.of(plan))
    return SyncDbtManifestPayload(report=ManifestReport.of(build_report(plan)))


async def _ask(context: Context, manifest: dbt.Manifest, options: SyncOptions, draft: ManifestPlan) -> ManifestPlan:
    async def attempt(may_defer: bool) -> ManifestPlan:  # noqa: FBT001 - as `run_deferrable` calls it
        async with context.write(may_defer=may_defer) as session:
            return await ask_readers(session, context.actor, manifest, options, context.report_progress, draft=draft)

    return await run_deferrable(context.computer, attempt)


def _build_options(context: Context, arguments: SyncDbtManifestInput) -> SyncOptions:
    change_set = or_none(arguments.change_set)
    if arguments.intent is Intent.ASK and (arguments.retire_removed or arguments.create_teams):
        raise Invalid("An ask publishes and creates nothing: leave `retireRemoved` and `createTeams` out.")
    return SyncOptions(
        owner=team_ref(arguments.owner, "owner"),
        create_teams=arguments.create_teams,
        compatibility_mode=or_none(arguments.compatibility_mode) or context.default_mode or Mode.CONSUMER,
        supersede=arguments.supersede,
        owners={mapping.owner: mapping.team for mapping in arguments.owners},
        sources={mapping.source: mapping.team for mapping in arguments.sources},
        atomic=arguments.atomic,
        retire_removed=arguments.retire_removed,
        allow_empty=arguments.allow_empty,
        new_target=arguments.new_target,
        schema_map={mapping.old: mapping.new for mapping in arguments.schema_map},
        change_set=change_set and change_set.to_request(),
        reason=or_none(arguments.reason),
    )


@strawberry.type
class Mutations:
    sync_dbt_manifest: Any = context_mutation(
        sync_dbt_manifest,
        "Sync assets, contracts, registrations and lineage with a dbt manifest, or ask the readers of what it breaks.",
    )
