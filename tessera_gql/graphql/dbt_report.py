"""The report of a dbt sync, as a type of the schema and as a value stored under an idempotency key."""

from dataclasses import fields
from typing import Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.workflows.dbt.readers import CrossTeamRead
from tessera_gql.workflows.dbt.report import ModelSyncResult, RemovalResult, SyncOutcome, SyncReport

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
    warnings: list[str] = strawberry.field(
        description="The parts of the manifest that were ignored, and teams that were not asked, with reasons."
    )

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
