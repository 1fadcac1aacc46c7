"""What a dbt manifest would come to, for the gate of a pull request; nothing is written."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from tessera_gql import diff
from tessera_gql.graphql.changes import Change, listed
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.nouns import computed, many, named, shown
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.syncing import read_manifest
from tessera_gql.policy.words import Outcome
from tessera_gql.workflows import manifest_impact
from tessera_gql.workflows.manifest_impact import ModelImpact
from tessera_gql.workflows.manifest_progress import Phase


@strawberry.type(description="A team that would be asked about a table of a manifest, and why.")
class ModelReader:
    team_id: strawberry.Private[UUID]
    changes: strawberry.Private[list[diff.Change]]

    @computed("The changes that touch what it reads.")
    def because(self, info: Info) -> list[Change]:
        return listed(info.context, self.changes)

    @computed("Who would be asked.", named("Team"))
    async def team(self, info: Info) -> Any:
        return shown("Team", await info.context.loaders.team.load(self.team_id))


@strawberry.type(description="What a manifest would come to for one table.")
class DbtModelImpact:
    found: strawberry.Private[ModelImpact]
    fqn: str = strawberry.field(description="Its fully qualified name.")
    outcome: Outcome = strawberry.field(description="PROPOSED if it would have to wait for other teams.")
    is_new: bool = strawberry.field(description="There is no such asset yet.")
    is_safe: bool = strawberry.field(description="Nothing breaks, and a sync would take it.")
    version: str | None = strawberry.field(description="The next honest version; null if nothing would change.")
    refused: str | None = strawberry.field(description="Why a sync could not take it, if so.")

    @computed("Its asset, if there is one.", named("Asset") | None)
    async def asset(self, info: Info) -> Any:
        key = self.found.asset_id
        return shown("Asset", await info.context.loaders.asset.load(key)) if key else None

    @computed("The proposal that is open for it, if one is.", named("Proposal") | None)
    def open_proposal(self) -> Any:
        return shown("Proposal", self.found.waiting)

    @computed("Every change from its contract that is active now.")
    def changes(self, info: Info) -> list[Change]:
        return listed(info.context, self.found.judgement.changes)

    @computed("What of that breaks.")
    def breaking(self, info: Info) -> list[Change]:
        return listed(info.context, self.found.judgement.breaking)

    @computed("The teams that would be asked.")
    def asked(self) -> list[ModelReader]:
        changes = {change.fingerprint: change for change in self.found.judgement.breaking}
        return [
            ModelReader(team_id=team, changes=[changes[reason] for reason in because])
            for team, because in self.found.affected.asked.items()
        ]

    @computed("The teams that would be told, but not asked.", many("Team"))
    async def informed(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.found.affected.informed))
        return [shown("Team", row) for row in rows]


@strawberry.type
class Queries:
    @computed("What a dbt manifest would come to, table by table in the order of fqns.")
    async def dbt_impact(
        self,
        info: Info,
        manifest: Annotated[
            JSON,
            strawberry.argument(
                description="The content of manifest.json, version 1 to 12; the file itself in a form."
            ),
        ],
    ) -> list[DbtModelImpact] | None:
        tell = info.context.tell
        tell(Phase.READ, 0, 0)
        read = await read_manifest(manifest)
        tell(Phase.COMPARE, 0, len(read.models))
        found = await info.context.loaders.asked(lambda session: manifest_impact.of(session, read))
        return [
            DbtModelImpact(
                found=one,
                fqn=one.fqn,
                outcome=one.outcome,
                is_new=one.asset_id is None,
                is_safe=one.is_safe,
                version=one.version,
                refused=one.refused,
            )
            for one in found
        ]
