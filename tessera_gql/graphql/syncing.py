"""A dbt manifest as one call: all of it or nothing, and the same code for a dry run."""

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
from tessera_gql.graphql.changes import Change, listed
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import given, optional
from tessera_gql.graphql.mutations import Call, CreatingInput, Payload, mutation
from tessera_gql.graphql.nouns import computed, named, shown
from tessera_gql.graphql.refs import TeamRefInput, team_ref
from tessera_gql.graphql.scalars import JSON, RawJson
from tessera_gql.graphql.words import described
from tessera_gql.workflows import manifests
from tessera_gql.workflows.manifest_progress import Phase
from tessera_gql.workflows.manifest_readers import Read
from tessera_gql.workflows.manifests import Removed, Synced, SyncOptions, SyncOutcome, SyncReport

COUNTS = (
    "dependencies_added",
    "dependencies_removed",
    "teams_created",
    "registrations_created",
    "registrations_updated",
    "registrations_ended",
)

described(
    SyncOutcome,
    "SyncOutcome",
    "What became of one table of a manifest.",
    CREATED="It is new, with its first contract.",
    PUBLISHED="Its schema changed compatibly and was published.",
    PROPOSED="Its change breaks something and waits for the teams it hurts.",
    UNCHANGED="Nothing was written.",
    SKIPPED="It was passed over; `reason` says why.",
)


@strawberry.type(description="One table of a manifest and what became of it.")
class SyncedModel:
    synced: strawberry.Private[Synced]
    fqn: str = strawberry.field(description="Its fully qualified name.")
    outcome: SyncOutcome = strawberry.field(description="What became of it.")
    reason: str | None = strawberry.field(description="Why it was skipped, if it was.")

    @computed("Its asset, if there is one.", named("Asset") | None)
    async def asset(self, info: Info) -> Any:
        key = self.synced.asset_id
        return shown("Asset", await info.context.loaders.asset.load(key)) if key else None

    @computed("Its contract that is active now, if there is one.", named("Contract") | None)
    async def contract(self, info: Info) -> Any:
        key = self.synced.contract_id
        return shown("Contract", await info.context.loaders.contract.load(key)) if key else None

    @computed("Its open proposal, if there is one.", named("Proposal") | None)
    async def proposal(self, info: Info) -> Any:
        key = self.synced.proposal_id
        return shown("Proposal", await info.context.loaders.proposal.load(key)) if key else None

    @computed("What differs from its contract before.")
    def changes(self, info: Info) -> list[Change]:
        return listed(info.context, self.synced.changes)

    @computed("What of that breaks.")
    def breaking(self, info: Info) -> list[Change]:
        return listed(info.context, self.synced.breaking)


@strawberry.type(description="A table that left the manifest.")
class RemovedModel:
    asset_id: strawberry.Private[UUID]
    fqn: str = strawberry.field(description="Its fully qualified name.")
    retired: bool = strawberry.field(description="Whether its contract was retired, as asked.")
    reason: str | None = strawberry.field(description="Why it was not retired, if that was asked.")

    @computed("Its asset.", named("Asset") | None)
    async def asset(self, info: Info) -> Any:
        return shown("Asset", await info.context.loaders.asset.load(self.asset_id))


@strawberry.type(description="What a model reads of a table of another team.")
class ModelRead:
    fqn: str = strawberry.field(description="The model that reads.")
    upstream: str = strawberry.field(description="The table it reads.")
    fields: list[str] | None = strawberry.field(
        description="The columns, as its compiled SQL says; null is everything."
    )
    why: str | None = strawberry.field(description="Why everything is assumed, where it is.")


@strawberry.type(description="What became of a manifest.")
class ManifestReport:
    report: strawberry.Private[SyncReport]
    dependencies_added: int = strawberry.field(description="Edges of the lineage that are new.")
    dependencies_removed: int = strawberry.field(description="Edges of the lineage that are gone.")
    teams_created: int = strawberry.field(description="Owners that did not exist yet.")
    registrations_created: int = strawberry.field(description="Teams newly known to read another team's table.")
    registrations_updated: int = strawberry.field(description="Registrations that dbt made and whose columns changed.")
    registrations_ended: int = strawberry.field(description="Registrations that dbt made and that left the manifest.")
    warnings: list[str] = strawberry.field(description="What the manifest has that was passed over.")

    @computed("Tables that an earlier manifest had and this one has not.")
    def removed(self) -> list[RemovedModel]:
        return [RemovedModel(**vars(one)) for one in self.report.removed]

    @computed("What models read of the tables of other teams.")
    def reads(self) -> list[ModelRead]:
        return [
            ModelRead(
                fqn=one.fqn,
                upstream=one.upstream,
                fields=None if one.fields is None else list(one.fields),
                why=one.why,
            )
            for one in self.report.reads
        ]

    @computed("Every table, in the order of fqns.")
    def models(self) -> list[SyncedModel]:
        return [
            SyncedModel(synced=one, fqn=one.fqn, outcome=one.outcome, reason=one.reason) for one in self.report.models
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
        """As kept under an idempotency key."""
        return {
            **{name: getattr(self.report, name) for name in COUNTS},
            "warnings": self.warnings,
            "models": [_memory(one) for one in self.report.models],
            "removed": [vars(one) | {"asset_id": str(one.asset_id)} for one in self.report.removed],
            "reads": [vars(one) for one in self.report.reads],
        }

    @classmethod
    def recall(cls, memory: dict[str, Any]) -> "ManifestReport":
        facts: dict[str, Any] = memory | {
            "models": [_recall(one) for one in memory["models"]],
            "removed": tuple(Removed(**(one | {"asset_id": UUID(one["asset_id"])})) for one in memory["removed"]),
            "reads": tuple(Read(**one) for one in memory["reads"]),
            "warnings": tuple(memory["warnings"]),
        }
        return cls.of(SyncReport(**facts))


def _memory(one: Synced) -> dict[str, Any]:
    names = [field.name for field in fields(one) if field.name not in {"changes", "breaking"}]
    keys = {name: value and str(value) for name in names for value in [getattr(one, name)]}
    lists = {name: [change.as_json() for change in getattr(one, name)] for name in ("changes", "breaking")}
    return keys | lists


def _recall(memory: dict[str, Any]) -> Synced:
    facts: dict[str, Any] = memory | {"outcome": SyncOutcome(memory["outcome"])}
    for name in ("asset_id", "contract_id", "proposal_id"):
        facts[name] = memory[name] and UUID(memory[name])
    for name in ("changes", "breaking"):
        facts[name] = tuple(diff.Change.from_json(change) for change in memory[name])
    return Synced(**facts)


@strawberry.input(description="What an owner in a manifest is called here.")
class OwnerMapping:
    owner: str = strawberry.field(description="As in the manifest.")
    team: str = strawberry.field(description="The team's name.")


@strawberry.input(description="A dbt manifest to take in.")
class SyncDbtManifestInput(CreatingInput):
    manifest: JSON = strawberry.field(
        description="The content of manifest.json, version 1 to 12; the file itself in a form."
    )
    owner: TeamRefInput | None = optional("Who owns the tables for which the manifest names nobody.")
    create_teams: bool = strawberry.field(default=False, description="Create the owners that do not exist yet.")
    compatibility_mode: Mode = strawberry.field(default=Mode.BACKWARD, description="The mode of new assets.")
    supersede: bool = strawberry.field(default=False, description="End other open proposals and ask afresh.")
    owners: list[OwnerMapping] = strawberry.field(
        default_factory=list, description="Which team an owner of the manifest is; others are teams of that name."
    )
    per_asset: bool = strawberry.field(
        default=False, description="Skip and report a table that is refused, instead of taking nothing."
    )
    retire_removed: bool = strawberry.field(
        default=False, description="Retire the contracts of tables that left the manifest and that nobody reads."
    )
    dry_run: bool = strawberry.field(default=False, description="Do everything, answer, and take it all back.")


@strawberry.type(description="What became of the manifest.")
class SyncDbtManifestPayload(Payload):
    report: ManifestReport | None = strawberry.field(
        default=None, description="Null if it was refused.", metadata={"recall": ManifestReport.recall}
    )


async def read_manifest(value: object) -> dbt.Manifest:
    """Raises Invalid."""
    document: Any = value.text if isinstance(value, RawJson) else value
    try:
        return await asyncio.to_thread(dbt.read, document)
    except ManifestError as error:
        raise Invalid(f"The manifest can't be read: {error}", field=("manifest",)) from error


async def sync_dbt_manifest(call: Call, asked: SyncDbtManifestInput) -> SyncDbtManifestPayload:
    call.tell(Phase.READ, 0, 0)
    manifest = await read_manifest(asked.manifest)
    options = SyncOptions(
        owner=team_ref(given(asked.owner), "owner"),
        create_teams=asked.create_teams,
        compatibility_mode=asked.compatibility_mode,
        supersede=asked.supersede,
        owners={one.owner: one.team for one in asked.owners},
        per_asset=asked.per_asset,
        retire_removed=asked.retire_removed,
    )
    report = await manifests.sync(call.session, call.actor, manifest, options, call.tell)
    return SyncDbtManifestPayload(report=ManifestReport.of(report))


@strawberry.type
class Mutations:
    sync_dbt_manifest: Any = mutation(
        sync_dbt_manifest, "Takes in a dbt manifest: assets, contracts and lineage; all of it or nothing."
    )
