"""What will happen to a proposal by the passing of time: reminders, escalation, silence, deadlines and expiry."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import argument

from tessera_gql.errors import Invalid
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.type_registry import computed_field, lazy_list, to_type
from tessera_gql.policy import upcoming
from tessera_gql.policy.enums import UpcomingKind
from tessera_gql.store import tables
from tessera_gql.store.pagination import MAX_SIZE
from tessera_gql.workflows.ask_clock import to_open_ask

describe_enum(
    UpcomingKind,
    "The kind of a step that time takes.",
    REMINDER="Teams that have not answered are reminded.",
    ESCALATION="The escalation teams of teams that have not answered are asked as well.",
    MIGRATION_DEADLINE="The deadline of a migration passes.",
    SILENCE="The silence of teams counts as their policy says.",
    EXPIRY="The proposal ends without consent.",
)

First = Annotated[int, argument("The number of steps, 0 to 100, the earliest ones.")]


@strawberry.type(description="A step that time takes with an open proposal, if nobody does anything before.")
class UpcomingStep:
    team_ids: strawberry.Private[Sequence[UUID]]
    kind: UpcomingKind = strawberry.field(description="The kind of the step.")
    at: datetime = strawberry.field(description="The time of the step, as things stand now.")
    consequence: str = strawberry.field(description="What follows from the step, as a sentence for people.")

    @computed_field("The asked teams that the step concerns; empty if it concerns the proposal.", lazy_list("Team"))
    async def teams(self, info: Info) -> Any:
        rows = await info.context.loaders.team.load_many([*self.team_ids])
        return [to_type("Team", row) for row in rows if row is not None]


async def load_upcoming(info: Info, row: tables.Proposal, first: int) -> list[UpcomingStep]:
    """Load the next steps of a proposal, the earliest first. Raise Invalid for a bad number of them."""
    if not 0 <= first <= MAX_SIZE:
        raise Invalid(f"`first` is {first}; 0 to {MAX_SIZE} steps are listed.", field=("first",))
    if not row.status.is_open:
        return []
    loaders = info.context.loaders
    items = [item for item in await loaders.acknowledgments_of_proposal.load(row.id) if item.released_at is None]
    asset = await loaders.asset.load(row.asset_id)
    teams = await loaders.team.load_many([item.consumer_team_id for item in items])
    proposers = {row.proposed_by, *([asset.owner_team_id] if asset else ())}
    asks = [
        to_open_ask(item, team.escalation_team_id if team else None, proposers)
        for item, team in zip(items, teams, strict=True)
    ]
    steps = upcoming.list_upcoming(row.status, row.expires_at, asks, info.context.database.clock())
    return [UpcomingStep(**vars(step)) for step in steps[:first]]
