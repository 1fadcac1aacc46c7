"""What a publish would come to, by the very decisions it makes; nothing is written."""

from typing import Annotated, Any, cast
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql import diff
from tessera_gql.diff import Bump, Mode
from tessera_gql.graphql.changes import Change, listed
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.filters import given
from tessera_gql.graphql.lineage import LineageConnection, lineage_page
from tessera_gql.graphql.nouns import computed, many, named, shown
from tessera_gql.graphql.pages import After, First
from tessera_gql.graphql.refs import AssetRefInput
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.sources import DocumentInput, promised
from tessera_gql.policy.words import Outcome
from tessera_gql.store import assets
from tessera_gql.workflows import impact
from tessera_gql.workflows.publishing import KEEP, PublishRequest


@strawberry.type(description="A team that would be asked, and why.")
class ImpactedTeam:
    team_id: strawberry.Private[UUID]
    changes: strawberry.Private[list[diff.Change]]

    @computed("The changes that touch what it reads.")
    def because(self, info: Info) -> list[Change]:
        return listed(info.context, self.changes)

    @computed("Who would be asked.", named("Team"))
    async def team(self, info: Info) -> Any:
        return shown("Team", await info.context.loaders.team.load(self.team_id))


@strawberry.type(description="What a publish would come to.")
class Impact:
    found: strawberry.Private[impact.Impact]
    outcome: Outcome = strawberry.field(description="PROPOSED if it would have to wait for other teams.")
    version: str | None = strawberry.field(description="The next honest version; null if nothing would change.")
    bump: Bump = strawberry.field(description="The smallest honest step of the version.")
    mode: Mode = strawberry.field(description="The mode that judges.")

    @computed("What would change.", named("Asset"))
    def asset(self) -> Any:
        return shown("Asset", self.found.asset)

    @computed("Every change from the contract that is active now.")
    def changes(self, info: Info) -> list[Change]:
        return listed(info.context, self.found.judgement.changes)

    @computed("The changes that break under the mode that judges.")
    def breaking(self, info: Info) -> list[Change]:
        return listed(info.context, self.found.judgement.breaking)

    @computed("The teams that would be asked.")
    def asked(self) -> list[ImpactedTeam]:
        changes = {change.fingerprint: change for change in self.found.judgement.breaking}
        return [
            ImpactedTeam(team_id=team, changes=[changes[reason] for reason in because])
            for team, because in self.found.asked.items()
        ]

    @computed("The teams that would be told, but not asked.", many("Team"))
    async def informed(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many(sorted(self.found.affected.informed))
        return [shown("Team", row) for row in rows]

    @computed("Everything made from the asset, nearest first.")
    def downstream(self, first: First = UNSET, after: After = UNSET) -> LineageConnection:
        return lineage_page(self.found.downstream, given(first), given(after))


@strawberry.type
class Queries:
    @computed("What publishing a schema for an asset would come to, and who would be asked.")
    async def impact(  # noqa: PLR0913 - one parameter for each argument in the graph
        self,
        info: Info,
        *,
        asset: Annotated[AssetRefInput, strawberry.argument(description="What would change.")],
        schema: Annotated[
            JSON | None, strawberry.argument(description="The JSON Schema to publish; either this or `document`.")
        ] = UNSET,
        document: Annotated[
            DocumentInput | None, strawberry.argument(description="The same in another format.")
        ] = UNSET,
        guarantees: Annotated[
            JSON | None, strawberry.argument(description="What would be promised beside it; kept if left out.")
        ] = UNSET,
        compatibility_mode: Annotated[
            Mode | None, strawberry.argument(description="The mode of the change after it; kept if left out.")
        ] = UNSET,
        version: Annotated[
            str | None, strawberry.argument(description="The version to publish; the next honest one if left out.")
        ] = UNSET,
    ) -> Impact | None:
        ref = asset.local()
        document = given(document)
        about = await info.context.loaders.asked(lambda session: assets.get(session, ref)) if document else None
        offered = await promised(info.context.computer.run, schema, document, about.fqn if about else None)
        kept = KEEP if offered.guarantees is None else offered.guarantees
        request = PublishRequest(
            schema=offered.schema,
            guarantees=kept if guarantees is UNSET else cast("dict[str, Any] | None", guarantees),
            mode=given(compatibility_mode),
            version=given(version),
        )
        found = await info.context.loaders.asked(lambda session: impact.of(session, ref, request))
        return Impact(
            found=found,
            outcome=found.outcome,
            version=found.version,
            bump=found.judgement.bump,
            mode=found.judgement.mode,
        )
