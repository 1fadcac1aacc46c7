"""On what "nobody reads it" rests: the coverage of assets, of changes and of proposals, and what holds a proposal."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Self, TypeAlias
from uuid import UUID

import strawberry

from tessera_gql.diff import Change
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.usage import UsageSpan
from tessera_gql.policy import coverage as policy
from tessera_gql.policy.coverage import CoverageGapKind
from tessera_gql.workflows.coverage import CoverageSubject
from tessera_gql.workflows.coverage_holds import describe_hold, list_missing

describe_enum(
    CoverageGapKind,
    "What is missing of the coverage that a policy demands.",
    NO_SOURCE="No usage source has ever seen a read of the asset.",
    TOO_SHORT="The sources of the asset cover fewer days without a gap.",
    OUTDATED="What the sources cover ends more than two days ago.",
    UNMAPPED_PRINCIPAL="A principal without a team has read what changes.",
)
MAX_UNMAPPED = 100

ChangedFields: TypeAlias = tuple[UUID | None, Sequence[Change], frozenset[UUID]]
"""An asset, its breaking changes, and the tables that no longer read them."""


@from_row()
@strawberry.type(description="A principal without a team that was seen reading what coverage is about.")
class UnmappedReader(RowBacked):
    row: strawberry.Private[policy.UnmappedReader]
    last_read_at: datetime = strawberry.field(description="The time of its latest read.")

    principal = relation("Principal", "row.principal_id", "The principal, which `mapPrincipal` gives to a team.")


@from_row(kind="kind", message="message")
@strawberry.type(description="One part of the coverage that is missing for what a policy demands.")
class MissingCoverage(RowBacked):
    row: strawberry.Private[policy.MissingCoverage]
    kind: CoverageGapKind = strawberry.field(description="The kind of what is missing.")
    message: str = strawberry.field(description="What is missing and what to do about it, for people.")

    principal = relation(
        "Principal",
        "row.principal_id",
        "The principal that has no team; null unless it is UNMAPPED_PRINCIPAL.",
        nullable=True,
    )


@strawberry.type(
    description="On what it rests that nobody reads something: declarations, and reads that were observed."
)
class Coverage:
    registered: int = strawberry.field(description="The number of other teams that are registered for it.")
    observed: int = strawberry.field(
        description="The number of other teams whose principals were seen reading it in the covered time."
    )
    unmapped: int = strawberry.field(
        description="The number of principals without a team that were seen reading it in the covered time."
    )
    unmapped_readers: list[UnmappedReader] = strawberry.field(
        description="Those principals, 100 at most, sorted by name; while there are any, it is read."
    )
    sources: list[str] = strawberry.field(
        description="The names of the usage sources that have ever seen a read of the asset; only they count for it."
    )
    start: datetime | None = strawberry.field(
        name="from", description="The time from which on all these sources have all reads; null if there is none."
    )
    end: datetime | None = strawberry.field(
        name="to", description="The time until which all these sources have all reads; null as for `from`."
    )
    gaps: list[UsageSpan] = strawberry.field(
        description="The spans between `from` and `to` in which a source is without its log, in order."
    )
    text: str = strawberry.field(description="All of it as a sentence for people, without a full stop.")

    @classmethod
    def of(cls, coverage: policy.Coverage) -> Self:
        """Make it from a coverage."""
        window = coverage.window
        return cls(
            registered=coverage.registered,
            observed=coverage.observed,
            unmapped=len(coverage.unmapped),
            unmapped_readers=[UnmappedReader.of(item) for item in coverage.unmapped[:MAX_UNMAPPED]],
            sources=list(window.sources),
            start=window.span.start if window.span else None,
            end=window.span.end if window.span else None,
            gaps=[UsageSpan.of(gap) for gap in window.gaps],
            text=coverage.describe(),
        )


@strawberry.type(description="Why an open proposal waits although no asked team keeps it: coverage that is missing.")
class ProposalHold:
    held_at: datetime = strawberry.field(description="The time from which on it is held.")
    required_days: int = strawberry.field(description="The days before the latest import that must be covered.")
    missing: list[MissingCoverage] = strawberry.field(
        description="What is missing; once it is there, the proposal is let go by itself."
    )
    text: str = strawberry.field(description="All of it for people, in whole sentences.")


async def _resolve_hold(root: Any) -> ProposalHold | None:
    row = root.row
    if row.hold is None or not row.status.is_open:
        return None
    return ProposalHold(
        held_at=row.held_at,
        required_days=row.required_coverage_days,
        missing=[MissingCoverage.of(item) for item in list_missing(row)],
        text=describe_hold(row),
    )


hold_field: Any = strawberry.field(
    resolver=_resolve_hold,
    graphql_type=ProposalHold | None,
    description="The coverage that the proposal waits for, as the policy of the asset's tier demands; null if it does"
    " not.",
)


async def _resolve_proposal_coverage(root: Any, info: Info) -> Coverage:
    return Coverage.of(await info.context.loaders.coverage_of_proposal.load(root.row.id))


proposal_coverage_field: Any = strawberry.field(
    resolver=_resolve_proposal_coverage,
    graphql_type=Coverage,
    description="On what it rests that nobody else reads what the proposal changes, as it is now.",
)


async def _resolve_asset_coverage(root: Any, info: Info) -> Coverage:
    return Coverage.of(await info.context.loaders.coverage_of_asset.load(root.row.id))


asset_coverage_field: Any = strawberry.field(
    resolver=_resolve_asset_coverage,
    graphql_type=Coverage,
    description="How sure it is who reads the asset: registered and observed teams, and the time that observed reads"
    " cover.",
)


def asset_change_coverage(read_changes: Callable[[Any], ChangedFields]) -> Any:
    """Declare the field of the coverage of what a change breaks, which `read_changes` reads from a row."""

    async def resolve(root: Any, info: Info) -> Coverage | None:
        asset_id, breaking, unaffected = read_changes(root.row)
        asset = await info.context.loaders.asset.load(asset_id) if asset_id and breaking else None
        if asset is None:
            return None
        subject = CoverageSubject(asset.id, asset.owner_team_id, tuple(breaking), unaffected)
        return Coverage.of(await info.context.loaders.coverage_of_changes.load(subject))

    return strawberry.field(
        resolver=resolve,
        graphql_type=Coverage | None,
        description="On what it rests that nobody reads what breaks without asking anybody; null if nothing does, or"
        " the asset is new.",
    )
