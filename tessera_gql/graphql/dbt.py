"""dbt manifests: sync a whole manifest in one transaction, and compute the impact of a sync."""

import asyncio
from dataclasses import fields
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import argument

from tessera_gql import diff
from tessera_gql.diff import Mode
from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt import ManifestError
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.filters import flag, optional, or_none
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.impact import ImpactedTeam
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, mutation, payload_field
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.policy.enums import Outcome
from tessera_gql.workflows.dbt import impact, sync
from tessera_gql.workflows.dbt.impact import ModelImpact
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
    reason: str | None = strawberry.field(description="The reason why the table was skipped; null if it was not.")

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
@strawberry.type(description="An asset that is no longer in the manifest.")
class RemovedModel(RowBacked):
    row: strawberry.Private[RemovalResult]
    fqn: str = strawberry.field(description="The fully qualified name of the asset.")
    retired: bool = strawberry.field(description="Whether the contract was retired because of `retireRemoved`.")
    reason: str | None = strawberry.field(
        description="The reason why the contract was not retired although `retireRemoved` was set; null otherwise."
    )

    asset = relation("Asset", "row.asset_id", "The asset that is no longer in the manifest.", nullable=True)


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
    warnings: list[str] = strawberry.field(description="The parts of the manifest that were ignored, with reasons.")

    @computed_field("The assets that an earlier manifest had and this one does not.")
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
            "removed": [vars(model) | {"asset_id": str(model.asset_id)} for model in self.row.removed],
            "reads": [vars(read) for read in self.row.reads],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ManifestReport":
        attributes: dict[str, Any] = value | {
            "models": [_model_from_json(model) for model in value["models"]],
            "removed": tuple(
                RemovalResult(**(model | {"asset_id": UUID(model["asset_id"])})) for model in value["removed"]
            ),
            "reads": tuple(CrossTeamRead(**read) for read in value["reads"]),
            "warnings": tuple(value["warnings"]),
        }
        return cls.of(SyncReport(**attributes))


def _model_to_json(model: ModelSyncResult) -> dict[str, Any]:
    names = [field.name for field in fields(model) if field.name not in {"changes", "breaking"}]
    keys = {name: value and str(value) for name in names for value in [getattr(model, name)]}
    lists = {name: [change.as_json() for change in getattr(model, name)] for name in ("changes", "breaking")}
    return keys | lists


def _model_from_json(value: dict[str, Any]) -> ModelSyncResult:
    attributes: dict[str, Any] = value | {"outcome": SyncOutcome(value["outcome"])}
    for name in ("asset_id", "contract_id", "proposal_id"):
        attributes[name] = value[name] and UUID(value[name])
    for name in ("changes", "breaking"):
        attributes[name] = tuple(diff.Change.from_json(change) for change in value[name])
    return ModelSyncResult(**attributes)


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
    create_teams: bool = flag("Create the owner teams that do not exist yet.")
    compatibility_mode: Mode | None = optional(
        "The mode of new assets without `meta.compatibility_mode`; DEFAULT_COMPATIBILITY_MODE or CONSUMER if left out."
    )
    supersede: bool = flag("Replace open proposals of the assets and ask the teams again.")
    owners: list[OwnerMapping] = strawberry.field(
        default_factory=list,
        description="The teams of owners in the manifest; an owner without an entry is the team of that name.",
    )
    per_asset: bool = flag("Skip and report a table that is refused, instead of refusing the whole manifest.")
    retire_removed: bool = flag(
        "Retire the contracts of assets that are no longer in the manifest and that no team reads."
    )
    dry_run: bool = flag("Execute the mutation and return its payload, then roll everything back.")


@strawberry.type(description="The result of `syncDbtManifest`.")
class SyncDbtManifestPayload(Payload):
    report: ManifestReport | None = payload_field("The report; null if refused.", load=ManifestReport.from_json)


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
        owner=team_ref(arguments.owner, "owner"),
        create_teams=arguments.create_teams,
        compatibility_mode=or_none(arguments.compatibility_mode) or call.default_mode or Mode.CONSUMER,
        supersede=arguments.supersede,
        owners={mapping.owner: mapping.team for mapping in arguments.owners},
        per_asset=arguments.per_asset,
        retire_removed=arguments.retire_removed,
    )
    report = await sync.sync_manifest(call.session, call.actor, manifest, options, call.report_progress)
    return SyncDbtManifestPayload(report=ManifestReport.of(report))


@strawberry.type(description="A team that would be asked to acknowledge the change of one table, with the reason.")
class ModelReader(ImpactedTeam): ...


@from_row(is_new=lambda model: model.asset_id is None, refused="refusal_reason")
@strawberry.type(description="The effect of syncing a dbt manifest on one table, without syncing it.")
class DbtModelImpact(RowBacked):
    row: strawberry.Private[ModelImpact]
    fqn: str = strawberry.field(description="The fully qualified name of the table.")
    outcome: Outcome = strawberry.field(
        description="The outcome that a sync would have; PROPOSED if it had to wait for other teams."
    )
    is_new: bool = strawberry.field(description="Whether the table is not an asset yet.")
    is_safe: bool = strawberry.field(description="Whether nothing breaks and a sync would accept the table.")
    version: str | None = strawberry.field(description="The version to be published; null if nothing would change.")
    refused: str | None = strawberry.field(description="The reason why a sync would refuse it; null if none.")

    asset = relation("Asset", "row.asset_id", "The asset of the table; null if there is none yet.", nullable=True)

    @computed_field("The open proposal of the asset; null if there is none.", lazy_type("Proposal") | None)
    def open_proposal(self) -> Any:
        return to_type("Proposal", self.row.open_proposal)

    @computed_field("All changes from the asset's active contract.")
    def changes(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.judgement.changes)

    @computed_field("The changes that are breaking under the active contract's mode.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.judgement.breaking)

    @computed_field("The teams that would be asked to acknowledge the change.")
    def asked(self) -> list[ModelReader]:
        return ModelReader.list_asked(self.row.judgement.breaking, self.row.affected.asked)

    @computed_field("The other teams that would be informed, but not asked.", lazy_list("Team"))
    async def informed(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.row.affected.informed))
        return [to_type("Team", row) for row in rows]


@strawberry.type
class Queries:
    @computed_field("Compute the effect of syncing a dbt manifest, table by table, sorted by fqn. Writes nothing.")
    async def dbt_impact(
        self,
        info: Info,
        manifest: Annotated[
            JSON, argument("The content of manifest.json, version 1 to 12, or the file itself in a multipart request.")
        ],
    ) -> list[DbtModelImpact] | None:
        report_progress = info.context.report_progress
        report_progress(Phase.READ, 0, 0)
        parsed_manifest = await read_manifest(manifest)
        report_progress(Phase.COMPARE, 0, len(parsed_manifest.models))
        actor = info.context.actor
        models = await info.context.loaders.run_query(
            lambda session: impact.compute_impact(session, actor, parsed_manifest)
        )
        return [DbtModelImpact.of(model) for model in models]


@strawberry.type
class Mutations:
    sync_dbt_manifest: Any = mutation(
        sync_dbt_manifest,
        "Sync assets, contracts, registrations and lineage with a dbt manifest, all of it or nothing.",
    )
