"""The query `dbtImpact`: what syncing a dbt manifest would do, for checks of pull requests. Writes nothing."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.graphql.changes import Change, to_changes
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.dbt_sync import read_manifest
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.type_registry import computed_field, lazy_list, lazy_type, to_type
from tessera_gql.policy.enums import Outcome
from tessera_gql.workflows.dbt import impact
from tessera_gql.workflows.dbt.impact import ModelImpact
from tessera_gql.workflows.dbt.progress import Phase


@strawberry.type(description="A team that would be asked to acknowledge the change of one table, with the reason.")
class ModelReader:
    team_id: strawberry.Private[UUID]
    changes: strawberry.Private[list[diff.Change]]

    @computed_field("The breaking changes that touch what the team reads.", name="because")
    def reasons(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.changes)

    @computed_field("The team that would be asked.", lazy_type("Team"))
    async def team(self, info: Info) -> Any:
        return to_type("Team", await info.context.loaders.team.load(self.team_id))


@strawberry.type(description="The effect of syncing a dbt manifest on one table, without syncing it.")
class DbtModelImpact:
    model: strawberry.Private[ModelImpact]
    fqn: str = strawberry.field(description="The fully qualified name of the table.")
    outcome: Outcome = strawberry.field(
        description="The outcome that a sync would have; PROPOSED if it had to wait for other teams."
    )
    is_new: bool = strawberry.field(description="Whether the table is not an asset yet.")
    is_safe: bool = strawberry.field(description="Whether nothing breaks and a sync would accept the table.")
    version: str | None = strawberry.field(description="The version to be published; null if nothing would change.")
    refused: str | None = strawberry.field(description="The reason why a sync would refuse it; null if none.")

    @computed_field("The asset of the table; null if there is none yet.", lazy_type("Asset") | None)
    async def asset(self, info: Info) -> Any:
        key = self.model.asset_id
        return to_type("Asset", await info.context.loaders.asset.load(key)) if key else None

    @computed_field("The open proposal of the asset; null if there is none.", lazy_type("Proposal") | None)
    def open_proposal(self) -> Any:
        return to_type("Proposal", self.model.open_proposal)

    @computed_field("All changes from the asset's active contract.")
    def changes(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.model.judgement.changes)

    @computed_field("The changes that are breaking under the active contract's mode.")
    def breaking(self, info: Info) -> list[Change]:
        return to_changes(info.context, self.model.judgement.breaking)

    @computed_field("The teams that would be asked to acknowledge the change.")
    def asked(self) -> list[ModelReader]:
        changes = {change.fingerprint: change for change in self.model.judgement.breaking}
        return [
            ModelReader(team_id=team, changes=[changes[fingerprint] for fingerprint in fingerprints])
            for team, fingerprints in self.model.affected.asked.items()
        ]

    @computed_field("The other teams that would be informed, but not asked.", lazy_list("Team"))
    async def informed(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.model.affected.informed))
        return [to_type("Team", row) for row in rows]


@strawberry.type
class Queries:
    @computed_field("Compute the effect of syncing a dbt manifest, table by table, sorted by fqn. Writes nothing.")
    async def dbt_impact(
        self,
        info: Info,
        manifest: Annotated[
            JSON,
            strawberry.argument(
                description="The content of manifest.json, version 1 to 12, or the file itself in a multipart request."
            ),
        ],
    ) -> list[DbtModelImpact] | None:
        report_progress = info.context.report_progress
        report_progress(Phase.READ, 0, 0)
        parsed_manifest = await read_manifest(manifest)
        report_progress(Phase.COMPARE, 0, len(parsed_manifest.models))
        models = await info.context.loaders.run_query(lambda session: impact.compute_impact(session, parsed_manifest))
        return [
            DbtModelImpact(
                model=model,
                fqn=model.fqn,
                outcome=model.outcome,
                is_new=model.asset_id is None,
                is_safe=model.is_safe,
                version=model.version,
                refused=model.refusal_reason,
            )
            for model in models
        ]
