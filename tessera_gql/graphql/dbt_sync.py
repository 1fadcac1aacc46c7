"""The mutation `syncDbtManifest`: sync a whole manifest in one transaction, or execute it as a dry run."""

import asyncio
from dataclasses import fields
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt import ManifestError
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, mutation
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_type, to_type
from tessera_gql.workflows.dbt import sync
from tessera_gql.workflows.dbt.progress import Phase
from tessera_gql.workflows.dbt.readers import CrossTeamRead
from tessera_gql.workflows.dbt.sync import ModelSyncResult, RemovalResult, SyncOptions, SyncOutcome, SyncReport

COUNTS = (
    "dependencies_added",
    "dependencies_removed",
    "teams_created",
    "registrations_created",
    "registrations_updated",
    "registrations_ended",
)

describe_enum(
    SyncOutcome,
    "SyncOutcome",
    "The result of syncing one table of a manifest.",
    CREATED="The table became an asset with its first contract.",
    PUBLISHED="The schema changed compatibly, and a contract was published.",
    PROPOSED="The change is breaking, so a proposal waits for the asked teams.",
    UNCHANGED="Nothing changed, so nothing was written.",
    SKIPPED="The table was skipped; `reason` gives the reason.",
)


@strawberry.type(description="One table of a manifest with the result of its sync.")
class SyncedModel:
    model: strawberry.Private[ModelSyncResult]
    fqn: str = strawberry.field(description="The fully qualified name of the table.")
    outcome: SyncOutcome = strawberry.field(description="The result of syncing the table.")
    reason: str | None = strawberry.field(description="The reason why the table was skipped; null if it was not.")

    @computed_field("The asset of the table; null if there is none.", lazy_type("Asset") | None)
    async def asset(self, info: Info) -> Any:
        key = self.model.asset_id
        return to_type("Asset", await info.context.loaders.asset.load(key)) if key else None

    @computed_field("The active contract of the asset; null if there is none.", lazy_type("Contract") | None)
    async def contract(self, info: Info) -> Any:
        key = self.model.contract_id
        return to_type("Contract", await info.context.loaders.contract.load(key)) if key else None

    @computed_field("The open proposal of the asset; null if there is none.", lazy_type("Proposal") | None)
    async def proposal(self, info: Info) -> Any:
        key = self.model.proposal_id
        return to_type("Proposal", await info.context.loaders.proposal.load(key)) if key else None

    @computed_field("All changes from the contract before.")
    def changes(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.model.changes)

    @computed_field("The changes that are breaking.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.model.breaking)


@strawberry.type(description="An asset that is no longer in the manifest.")
class RemovedModel:
    asset_id: strawberry.Private[UUID]
    fqn: str = strawberry.field(description="The fully qualified name of the asset.")
    retired: bool = strawberry.field(description="Whether the contract was retired because of `retireRemoved`.")
    reason: str | None = strawberry.field(
        description="The reason why the contract was not retired although `retireRemoved` was set; null otherwise."
    )

    @computed_field("The asset that is no longer in the manifest.", lazy_type("Asset") | None)
    async def asset(self, info: Info) -> Any:
        return to_type("Asset", await info.context.loaders.asset.load(self.asset_id))


@strawberry.type(description="The columns that a model reads of another team's table.")
class ModelRead:
    fqn: str = strawberry.field(description="The fully qualified name of the reading model.")
    upstream: str = strawberry.field(description="The fully qualified name of the table that is read.")
    fields: list[str] | None = strawberry.field(
        description="The columns that the model's compiled SQL reads; null means all columns."
    )
    assumption: str | None = strawberry.field(
        name="why", description="The reason why all columns are assumed; null if the columns are known."
    )


@strawberry.type(description="The report of the sync of a manifest.")
class ManifestReport:
    report: strawberry.Private[SyncReport]
    dependencies_added: int = strawberry.field(description="The number of dependencies that were added.")
    dependencies_removed: int = strawberry.field(description="The number of dependencies that were removed.")
    teams_created: int = strawberry.field(description="The number of owner teams that were created.")
    registrations_created: int = strawberry.field(description="The number of registrations that were created.")
    registrations_updated: int = strawberry.field(description="The number of dbt registrations that changed.")
    registrations_ended: int = strawberry.field(
        description="The number of registrations from dbt that are no longer in the manifest."
    )
    warnings: list[str] = strawberry.field(description="The parts of the manifest that were ignored, with reasons.")

    @computed_field("The assets that an earlier manifest had and this one does not.")
    def removed(self) -> list[RemovedModel]:
        return [RemovedModel(**vars(model)) for model in self.report.removed]

    @computed_field("The columns that models read of other teams' tables.")
    def reads(self) -> list[ModelRead]:
        return [
            ModelRead(
                fqn=read.fqn,
                upstream=read.upstream,
                fields=None if read.fields is None else list(read.fields),
                assumption=read.why,
            )
            for read in self.report.reads
        ]

    @computed_field("All tables of the manifest, sorted by fqn.")
    def models(self) -> list[SyncedModel]:
        return [
            SyncedModel(model=one, fqn=one.fqn, outcome=one.outcome, reason=one.reason) for one in self.report.models
        ]

    @classmethod
    def of(cls, report: SyncReport) -> "ManifestReport":
        return cls(
            report=report,
            dependencies_added=report.dependencies_added,
            dependencies_removed=report.dependencies_removed,
            teams_created=report.teams_created,
            registrations_created=report.registrations_created,
            registrations_updated=report.registrations_updated,
            registrations_ended=report.registrations_ended,
            warnings=list(report.warnings),
        )

    def memory(self) -> dict[str, Any]:
        """Return the JSON stored under an idempotency key."""
        return {
            **{name: getattr(self.report, name) for name in COUNTS},
            "warnings": self.warnings,
            "models": [_to_json(model) for model in self.report.models],
            "removed": [vars(model) | {"asset_id": str(model.asset_id)} for model in self.report.removed],
            "reads": [vars(read) for read in self.report.reads],
        }

    @classmethod
    def recall(cls, memory: dict[str, Any]) -> "ManifestReport":
        facts: dict[str, Any] = memory | {
            "models": [_from_json(model) for model in memory["models"]],
            "removed": tuple(
                RemovalResult(**(model | {"asset_id": UUID(model["asset_id"])})) for model in memory["removed"]
            ),
            "reads": tuple(CrossTeamRead(**read) for read in memory["reads"]),
            "warnings": tuple(memory["warnings"]),
        }
        return cls.of(SyncReport(**facts))


def _to_json(model: ModelSyncResult) -> dict[str, Any]:
    names = [field.name for field in fields(model) if field.name not in {"changes", "breaking"}]
    keys = {name: value and str(value) for name in names for value in [getattr(model, name)]}
    lists = {name: [change.as_json() for change in getattr(model, name)] for name in ("changes", "breaking")}
    return keys | lists


def _from_json(memory: dict[str, Any]) -> ModelSyncResult:
    facts: dict[str, Any] = memory | {"outcome": SyncOutcome(memory["outcome"])}
    for name in ("asset_id", "contract_id", "proposal_id"):
        facts[name] = memory[name] and UUID(memory[name])
    for name in ("changes", "breaking"):
        facts[name] = tuple(diff.Change.from_json(change) for change in memory[name])
    return ModelSyncResult(**facts)


@strawberry.input(description="The team that stands for an owner in the manifest.")
class OwnerMapping:
    owner: str = strawberry.field(description="The owner as the manifest spells it, ignoring case.")
    team: str = strawberry.field(description="The name of the team.")


@strawberry.input(description="The dbt manifest to sync, with options.")
class SyncDbtManifestInput(CreatingInput):
    manifest: JSON = strawberry.field(
        description="The content of manifest.json, version 1 to 12, or the file itself in a multipart request."
    )
    owner: TeamRefInput | None = optional("The owner team of tables for which the manifest names no owner.")
    create_teams: bool = strawberry.field(default=False, description="Create the owner teams that do not exist yet.")
    compatibility_mode: Mode = strawberry.field(
        default=Mode.BACKWARD, description="The compatibility mode of new assets."
    )
    supersede: bool = strawberry.field(
        default=False, description="Replace open proposals of the assets and ask the teams again."
    )
    owners: list[OwnerMapping] = strawberry.field(
        default_factory=list,
        description="The teams of owners in the manifest; an owner without an entry is the team of that name.",
    )
    per_asset: bool = strawberry.field(
        default=False, description="Skip and report a table that is refused, instead of refusing the whole manifest."
    )
    retire_removed: bool = strawberry.field(
        default=False,
        description="Retire the contracts of assets that are no longer in the manifest and that no team reads.",
    )
    dry_run: bool = strawberry.field(
        default=False, description="Execute the mutation and return its payload, then roll everything back."
    )


@strawberry.type(description="The result of `syncDbtManifest`.")
class SyncDbtManifestPayload(Payload):
    report: ManifestReport | None = strawberry.field(
        default=None, description="The report; null if refused.", metadata={"recall": ManifestReport.recall}
    )


async def read_manifest(value: object) -> dbt.Manifest:
    """Parse a manifest in a thread. Raise Invalid if it can't be read."""
    document: Any = value.text if isinstance(value, RawJson) else value
    try:
        return await asyncio.to_thread(dbt.parse_manifest, document)
    except ManifestError as error:
        raise Invalid(f"The manifest can't be read: {error}", field=("manifest",)) from error


async def sync_dbt_manifest(call: Call, arguments: SyncDbtManifestInput) -> SyncDbtManifestPayload:
    call.report_progress(Phase.READ, 0, 0)
    manifest = await read_manifest(arguments.manifest)
    options = SyncOptions(
        owner=team_ref(or_none(arguments.owner), "owner"),
        create_teams=arguments.create_teams,
        compatibility_mode=arguments.compatibility_mode,
        supersede=arguments.supersede,
        owners={mapping.owner: mapping.team for mapping in arguments.owners},
        per_asset=arguments.per_asset,
        retire_removed=arguments.retire_removed,
    )
    report = await sync.sync_manifest(call.session, call.actor, manifest, options, call.report_progress)
    return SyncDbtManifestPayload(report=ManifestReport.of(report))


@strawberry.type
class Mutations:
    sync_dbt_manifest: Any = mutation(
        sync_dbt_manifest,
        "Sync assets, contracts, registrations and lineage with a dbt manifest, all of it or nothing.",
    )
