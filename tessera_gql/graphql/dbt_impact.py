"""What a dbt manifest would change: the result of the query `dbtImpact` and of an ask."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql import diff
from tessera_gql.errors import Invalid
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt import ManifestError
from tessera_gql.formats.dbt_catalog import CatalogError, parse_catalog
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.formats.storage_faults import find_storage_fault
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.coverage import MissingCoverage, asset_change_coverage
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.reason_paths import ReasonPath, to_paths
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.policy.affected_teams import Reasons, count_unknown, select_unasked
from tessera_gql.policy.ask_policy import AskPolicy, describe_silence
from tessera_gql.policy.enums import Outcome, Response
from tessera_gql.policy.table_state import TableState
from tessera_gql.store.tables import Acknowledgment
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.plan import ManifestPlan, TablePlan
from tessera_gql.workflows.dbt.progress import Phase
from tessera_gql.workflows.dbt.readers import DeprecatedRead as DbtDeprecatedRead
from tessera_gql.workflows.dbt.readers import TableReader

describe_enum(
    TableState,
    "The verdict about one table of a manifest.",
    UNCHANGED="Nothing changes in the table.",
    NEW="The table is not an asset yet.",
    COMPATIBLE="The change breaks no reader.",
    SKIPPED="A sync with this key would skip the table, because it belongs to another team.",
    UNREAD="The change is breaking, but no team reads what it breaks.",
    APPROVED="The change is breaking, and all affected teams have approved it on the present contract, or nobody reads"
    " it and its proposal was let go with the coverage that its policy demands.",
    WAITING="The change is breaking, and a proposal with these terms waits for answers.",
    HELD="The change is breaking and asks nobody, but less is observed than its policy demands; `missingCoverage` says"
    " what is missing.",
    ASK="The change is breaking, and its readers have to be asked, or asked again.",
    BLOCKED="The change is breaking, and a team has blocked it.",
    CONFLICT="Another change of the table is open, or another project builds it; `refused` gives the reason.",
    REFUSED="A sync would refuse the table; `refused` gives the reason.",
)


@strawberry.type(description="What one registration of a team reads of a table.")
class TableRead:
    fields: list[str] | None = strawberry.field(description="The columns that are read; null means all columns.")
    purpose: str | None = strawberry.field(description="The purpose of the registration; null if it names none.")


@dataclass(frozen=True)
class AskedTeam:
    """A team that a breaking table affects, with its reads and its acknowledgment of the open proposal."""

    team_id: UUID
    changes: list[diff.Change]
    readers: list[TableReader]
    acknowledgment: Acknowledgment | None
    reasons: Reasons


def _acknowledgment_field(name: str) -> Callable[[AskedTeam], Any]:
    return lambda asked: getattr(asked.acknowledgment, name) if asked.acknowledgment else None


@dataclass(frozen=True)
class AwaitedAnswer:
    """Until when an answer is awaited, and what none means; without both if none is awaited."""

    until: datetime | None = None
    silence_means: str | None = None


def _find_wait(asked: AskedTeam) -> AwaitedAnswer:
    row = asked.acknowledgment
    if row is None or row.response is not None or row.released_at is not None:
        return AwaitedAnswer()
    return AwaitedAnswer(row.due_at, describe_silence([AskPolicy.from_json(row.policy)]))


@from_row(
    response=_acknowledgment_field("response"),
    notes=_acknowledgment_field("notes"),
    migration_deadline=_acknowledgment_field("migration_deadline"),
    until=lambda asked: _find_wait(asked).until,
    silence_means=lambda asked: _find_wait(asked).silence_means,
    is_lineage_unknown="reasons.is_lineage_unknown",
)
@strawberry.type(description="A team that would be asked to acknowledge the change of one table, with the reason.")
class ModelReader(RowBacked):
    row: strawberry.Private[AskedTeam]
    response: Response | None = strawberry.field(
        description="The response of the team to the open proposal; null if there is none yet."
    )
    notes: str | None = strawberry.field(description="The notes of that response; null if there are none.")
    migration_deadline: datetime | None = strawberry.field(
        description="The time until which the team migrates; null unless the response is MIGRATING."
    )
    is_lineage_unknown: bool = strawberry.field(
        description="Whether the team is asked only because column lineage is unknown on the way to what it reads."
    )

    until: datetime | None = strawberry.field(
        description="The time until which the open proposal awaits the team's answer; null if it does not."
    )
    silence_means: str | None = strawberry.field(
        description="What no answer until then means, as in `the proposal expires`; null if none is awaited."
    )

    team = relation("Team", "row.team_id", "The team that would be asked.")

    @computed_field("The breaking changes that touch what the team reads.", name="because")
    def reasons(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.changes)

    @computed_field("The ways on which changes reach tables that are made from the table; empty if it is read itself.")
    def paths(self) -> list[ReasonPath]:
        return to_paths(self.row.reasons.paths, self.row.team_id)

    @computed_field("What the team reads of the table after the sync, and what for.")
    def reads(self) -> list[TableRead]:
        return [
            TableRead(fields=None if reader.fields is None else list(reader.fields), purpose=reader.purpose)
            for reader in self.row.readers
        ]


def list_asked(table: TablePlan) -> list[AskedTeam]:
    """List the teams that the breaking changes of a table affect."""
    changes = {change.fingerprint: change for change in table.judgement.breaking}
    acknowledgments = {row.consumer_team_id: row for row in table.acknowledgments}
    return [
        AskedTeam(
            team,
            [changes[fingerprint] for fingerprint in reasons.fingerprints],
            [reader for reader in table.readers if reader.team_id == team],
            acknowledgments.get(team),
            reasons,
        )
        for team, reasons in table.affected.asked.items()
    ]


@from_row(
    unique_id=lambda table: table.model.unique_id if table.model else None,
    is_new=lambda table: table.state is TableState.NEW,
    refused="reason",
    removed=lambda table: table.removal.reason if table.removal else None,
    successor=lambda table: table.removal.successor if table.removal else None,
    answer_by=lambda table: table.proposal.expires_at if table.proposal else None,
)
@strawberry.type(description="The effect of syncing a dbt manifest on one table, without syncing it.")
class DbtModelImpact(RowBacked):
    row: strawberry.Private[TablePlan]
    fqn: str = strawberry.field(description="The fully qualified name of the table.")
    unique_id: str | None = strawberry.field(
        description="The `unique_id` of the table's node in the manifest; null for a table that is gone."
    )
    state: TableState = strawberry.field(description="The verdict about the table.")
    outcome: Outcome = strawberry.field(
        description="The outcome that a sync would have; PROPOSED if it had to wait for other teams."
    )
    is_new: bool = strawberry.field(description="Whether the table is not an asset yet.")
    is_safe: bool = strawberry.field(description="Whether nothing breaks and a sync would accept the table.")
    version: str | None = strawberry.field(description="The version to be published; null if nothing would change.")
    refused: str | None = strawberry.field(
        description="The reason why a sync would skip or refuse the table; null if none."
    )
    removed: str | None = strawberry.field(
        description="The reason why the table is gone from the manifest; null for a table of the manifest."
    )
    successor: str | None = strawberry.field(
        description="The fully qualified name of the table that a removed one was renamed to; null if none is known."
    )
    answer_by: datetime | None = strawberry.field(
        description="The time until which the open proposal waits for answers; null if there is no open proposal."
    )

    asset = relation("Asset", "row.asset_id", "The asset of the table; null if there is none yet.", nullable=True)

    @computed_field("The open proposal of the asset; null if there is none.", lazy_type("Proposal") | None)
    def open_proposal(self) -> Any:
        return to_type("Proposal", self.row.proposal)

    @computed_field("What is missing of the coverage that the policy demands; empty unless the table is held.")
    def missing_coverage(self) -> list[MissingCoverage]:
        return [MissingCoverage.of(item) for item in self.row.missing_coverage]

    coverage = asset_change_coverage(
        lambda row: (row.asset_id, select_unasked(row.judgement.breaking, row.affected), row.unaffected)
    )

    @computed_field("All changes from the asset's active contract.")
    def changes(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.judgement.changes)

    @computed_field("The changes that are breaking under the active contract's mode.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.row.judgement.breaking)

    @computed_field("The teams that would be asked to acknowledge the change.")
    def asked(self) -> list[ModelReader]:
        return [ModelReader.of(asked) for asked in list_asked(self.row)]

    @computed_field("The number of asked teams that would not be asked if column lineage were known everywhere.")
    def asked_by_unknown_lineage(self) -> int:
        return count_unknown(self.row.affected)

    @computed_field("The other teams that would be informed, but not asked.", lazy_list("Team"))
    async def informed(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.row.affected.informed))
        return [to_type("Team", row) for row in rows]


@from_row(path=lambda read: read.path or None)
@strawberry.type(description="A deprecated field or table that a model of the manifest starts to read.")
class DeprecatedRead(RowBacked):
    row: strawberry.Private[DbtDeprecatedRead]
    fqn: str = strawberry.field(
        description="The fully qualified name of the reading model, or the `unique_id` of the exposures."
    )
    upstream: str = strawberry.field(description="The fully qualified name of the table that is read.")
    path: str | None = strawberry.field(description="The deprecated field; null if the whole table is deprecated.")
    sunset_at: datetime | None = strawberry.field(description="The time at which it goes; null if none is announced.")
    replacement: str | None = strawberry.field(description="The field or asset to use instead; null if there is none.")
    message: str = strawberry.field(description="What is read and when it goes, in words that follow the reader.")

    asset = relation("Asset", "row.asset_id", "The asset that is read.")


@from_row(compared_as=lambda plan: list(plan.target.known_schemas) if plan.target else [])
@strawberry.type(description="The effect of syncing a dbt manifest, without syncing it.")
class ManifestImpact(RowBacked):
    row: strawberry.Private[ManifestPlan]
    warnings: list[str] = strawberry.field(description="The parts of the manifest that were ignored, with reasons.")
    declared_only: int = strawberry.field(
        description="The number of tables whose columns are known from the manifest alone, because no catalog covers"
        " them: undeclared columns are unknown there."
    )
    compared_as: list[str] = strawberry.field(
        description="The schemas with whose tables a manifest of another target was compared; empty if it has the"
        " known target."
    )

    @computed_field("What is deprecated and read by the manifest, but by none that was synced before.")
    def deprecated_reads(self) -> list[DeprecatedRead]:
        return [DeprecatedRead.of(read) for read in self.row.deprecated_reads]

    @computed_field("All tables of the manifest and those that left it, sorted by fqn.")
    def models(self) -> list[DbtModelImpact]:
        return [DbtModelImpact.of(self.row.tables[fqn]) for fqn in sorted(self.row.tables)]


@strawberry.input(description="The schema of the assets that stands for a schema of the manifest.")
class SchemaMapping:
    old: str = strawberry.field(description="The schema in the manifest, with or without its database.")
    new: str = strawberry.field(description="The schema of the assets, with or without its database.")


async def read_manifest(manifest: object, catalog: object = None) -> dbt.Manifest:
    """Parse a manifest with the catalog of its project in a thread. Raise Invalid if one of them can't be read."""
    return await asyncio.to_thread(_parse_files, manifest, catalog)


def _parse_files(manifest: Any, catalog: Any) -> dbt.Manifest:
    try:
        observed = parse_catalog(_to_document(catalog)) if catalog is not None else None
    except CatalogError as error:
        raise Invalid(f"The catalog can't be read: {error}", field=("catalog",)) from error
    try:
        return dbt.parse_manifest(_to_document(manifest), observed)
    except ManifestError as error:
        raise Invalid(f"The manifest can't be read: {error}", field=("manifest",)) from error


def _to_document(value: Any) -> Any:
    return value.text if isinstance(value, RawJson) else value


@strawberry.type
class Queries:
    @computed_field("Compute the effect of syncing a dbt manifest, table by table. Writes nothing.")
    async def dbt_impact(
        self,
        info: Info,
        *,
        manifest: Annotated[
            JSON, argument("The content of manifest.json, version 1 to 12, or the file itself in a multipart request.")
        ],
        catalog: Annotated[
            JSON | None,
            argument("The content of catalog.json of the same run, or the file itself in a multipart request."),
        ] = UNSET,
        change_set: Annotated[
            str | None, argument("The key of the change set whose proposals an ask would update.")
        ] = UNSET,
        new_target: Annotated[
            bool, argument("Take tables that are all in other schemas than before as moved for good.")
        ] = False,
        schema_map: Annotated[
            list[SchemaMapping] | None, argument("The schemas of the assets by those of the manifest.")
        ] = UNSET,
    ) -> ManifestImpact | None:
        context = info.context
        context.report_progress(Phase.READ, 0, 0)
        parsed_manifest = await read_manifest(manifest, or_none(catalog))
        context.report_progress(Phase.COMPARE, 0, len(parsed_manifest.models))
        key, schemas = or_none(change_set), {mapping.old: mapping.new for mapping in or_none(schema_map) or []}
        for name, value in (("changeSet", key), ("schemaMap", [*schemas.items()])):
            if fault := find_storage_fault(value):
                raise Invalid(f"`{name}` can't be the name of anything: {fault}.", field=(name,))
        options = SyncOptions(
            change_set=ChangeSetRequest(key) if key else None, new_target=new_target, schema_map=schemas
        )
        plan = await context.loaders.run_query(
            lambda session: plan_manifest(session, context.actor, parsed_manifest, options, Purpose.IMPACT)
        )
        return ManifestImpact.of(plan)
