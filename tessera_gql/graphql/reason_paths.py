"""The ways on which changes reach what a team reads: how each column is made from the last, and the reads seen."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from tessera_gql.graphql.context import Info
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.affected_teams import LineagePath
from tessera_gql.policy.enums import ColumnEdgeKind, Evidence
from tessera_gql.policy.lineage_steps import do_paths_overlap, find_step_kind
from tessera_gql.policy.lineage_walk import ColumnLink
from tessera_gql.store.usage import TeamReads


@strawberry.type(description="A column on the way from a changed column to one that a team reads.")
class LineageStep:
    asset_id: strawberry.Private[UUID]
    team_id: strawberry.Private[UUID]
    """The team at the end of the way."""
    previous: strawberry.Private[tuple[UUID, str] | None]
    """The asset and column of the step before."""
    field: str | None = strawberry.field(description="The path of the field; null if lineage does not name it.")

    asset = relation("Asset", "asset_id", "The asset that has the field.")

    @computed_field(
        "The way in which the field is made from that of the step before; null for the first step, and where lineage is"
        " unknown."
    )
    async def kind(self, info: Info) -> ColumnEdgeKind | None:
        if self.previous is None:
            return None
        source, column = self.previous
        rows = await info.context.loaders.column_links_to.load(self.asset_id)
        links = [
            ColumnLink(row.source_column, row.target_column, row.kind) for row in rows if row.source_asset_id == source
        ]
        return find_step_kind(links, column, self.field or "")

    @computed_field(
        "The sources of the knowledge that the asset is made from that of the step before, and OBSERVED if the team was"
        " seen to read the field."
    )
    async def evidence(self, info: Info) -> list[Evidence]:
        sources = {Evidence.OBSERVED} if await self._list_reads(info) else set[Evidence]()
        if self.previous is not None:
            rows = await info.context.loaders.dependencies_of_dependent.load(self.asset_id)
            sources |= {row.evidence for row in rows if row.dependency_asset_id == self.previous[0]}
        return sorted(sources, key=[*Evidence].index)

    @computed_field("The latest read of the field by the team that a usage source has seen; null if there is none.")
    async def last_read_at(self, info: Info) -> datetime | None:
        return max((read.observation.last_seen for read in await self._list_reads(info)), default=None)

    async def _list_reads(self, info: Info) -> Sequence[TeamReads]:
        reads = await info.context.loaders.team_reads.load((self.asset_id, self.team_id))
        return [read for read in reads if do_paths_overlap(read.field, self.field or "")]


@strawberry.type(description="How a change reaches a table that an asked team reads.")
class ReasonPath:
    fingerprint: str = strawberry.field(description="The fingerprint of the change.")
    is_known: bool = strawberry.field(
        description="Whether lineage is known on the whole way; otherwise each column counts as made from every column."
    )
    steps: list[LineageStep] = strawberry.field(description="The columns from the changed one to the one that is read.")


def to_paths(paths: Iterable[LineagePath], team_id: UUID) -> list[ReasonPath]:
    """Convert the lineage paths to a team to their type in the schema."""
    return [
        ReasonPath(fingerprint=path.fingerprint, is_known=path.is_known, steps=_to_steps(path, team_id))
        for path in paths
    ]


def _to_steps(path: LineagePath, team_id: UUID) -> list[LineageStep]:
    return [
        LineageStep(asset_id=asset, team_id=team_id, previous=previous, field=column or None)
        for previous, (asset, column) in zip((None, *path.steps[:-1]), path.steps, strict=True)
    ]
