"""What happens, as it happens: what was missed since `after`, then live; all of it, once, in order."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.errors import NotFound
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.events import Event, EventFilter, place
from tessera_gql.graphql.filters import conditions, given
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.nouns import computed, listened, named, shown
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, asset_of, team_of
from tessera_gql.policy.events import AcknowledgmentRequested
from tessera_gql.policy.events import ProposalStatusChanged as StatusEvent
from tessera_gql.policy.words import ProposalStatus
from tessera_gql.store import events
from tessera_gql.store.page import Condition
from tessera_gql.store.tables import EventRow

Wanted = Callable[[EventRow], bool]


@strawberry.type(description="Something that happened, with the place to resume from.")
class Message:
    event: Event = strawberry.field(description="The event behind it.")
    cursor: str = strawberry.field(description="For `after`, to go on behind this message.")

    @computed("The proposal as it is now.", named("Proposal") | None)
    async def proposal(self, info: Info) -> Any:
        identity = self.event.row.proposal_id
        return shown("Proposal", await info.context.loaders.proposal.load(identity)) if identity else None


@strawberry.type(description="A proposal has another status.")
class ProposalStatusChanged(Message):
    before: ProposalStatus = strawberry.field(description="The status it had.")
    after: ProposalStatus = strawberry.field(description="The status it got.")


@strawberry.type(description="A team is asked whether a breaking change may be published.")
class AcknowledgmentRequest(Message):
    @computed("The team's place in the proposal, as it is now.", named("Acknowledgment") | None)
    async def acknowledgment(self, info: Info) -> Any:
        return shown("Acknowledgment", await info.context.loaders.acknowledgment.load(self.event.row.entity_id))

    @computed("Who is asked.", named("Team") | None)
    async def team(self, info: Info) -> Any:
        identity = UUID(self.event.row.payload["consumer_team_id"])
        return shown("Team", await info.context.loaders.team.load(identity))


AfterEvent = Annotated[
    str | None, strawberry.argument(description="The last cursor that was seen; only what is new if left out.")
]
TeamArgument = Annotated[TeamRefInput | None, strawberry.argument(description="Only what concerns this team.")]


@strawberry.type(description="Everything that can be listened to.")
class Subscription:
    @listened("Every change of a proposal's status.")
    async def proposal_status_changed(
        self,
        info: Info,
        *,
        proposal: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this proposal.")] = UNSET,
        asset: Annotated[
            AssetRefInput | None, strawberry.argument(description="Only of this asset's proposals.")
        ] = UNSET,
        team: TeamArgument = UNSET,
        after: AfterEvent = UNSET,
    ) -> AsyncGenerator[ProposalStatusChanged]:
        info.context.live()
        of_proposal = local_id(proposal, "Proposal", field=("proposal",)) if isinstance(proposal, str) else None
        of_asset, of_team = await _asset(info, given(asset)), await _team(info, given(team))

        def wanted(row: EventRow) -> bool:
            return (
                row.kind == StatusEvent.kind
                and of_proposal in {None, row.proposal_id}
                and of_asset in {None, row.asset_id}
                and (of_team is None or events.concerns(row, of_team))
            )

        async with aclosing(_happened(info, given(after), wanted)) as found:
            async for event in found:
                facts = event.row.payload
                yield ProposalStatusChanged(
                    event=event,
                    cursor=event.cursor,
                    before=ProposalStatus(facts["before"]),
                    after=ProposalStatus(facts["after"]),
                )

    @listened("Every question to a team whether a breaking change may be published.")
    async def acknowledgment_requested(
        self, info: Info, *, team: TeamArgument = UNSET, after: AfterEvent = UNSET
    ) -> AsyncGenerator[AcknowledgmentRequest]:
        info.context.live()
        of_team = await _team(info, given(team))

        def wanted(row: EventRow) -> bool:
            asked = row.kind == AcknowledgmentRequested.kind
            return asked and (of_team is None or events.concerns(row, of_team))

        async with aclosing(_happened(info, given(after), wanted)) as found:
            async for event in found:
                yield AcknowledgmentRequest(event=event, cursor=event.cursor)

    @listened("Everything that happens.")
    async def events(
        self,
        info: Info,
        *,
        where: Annotated[
            EventFilter | None,
            strawberry.argument(name="filter", description="Only events that meet all of this."),
        ] = UNSET,
        after: AfterEvent = UNSET,
    ) -> AsyncGenerator[Event]:
        asked = conditions(where) if given(where) else ()

        def wanted(row: EventRow) -> bool:
            return all(meets(row, condition) for condition in asked)

        async with aclosing(_happened(info, given(after), wanted)) as found:
            async for event in found:
                yield event


async def _happened(info: Info, after: str | None, wanted: Wanted) -> AsyncGenerator[Event]:
    """Each event read afresh: what one message loaded does not count for the next."""
    context, course = info.context, info.context.course
    start = None if after is None else place(after)
    if course.start is not None:
        start = course.start
    async with aclosing(context.happened(start)) as stream:
        async for row in stream:
            if wanted(row):
                course.position = row.sequence
                context.live()
                yield Event.of(row)


def meets(row: EventRow, condition: Condition) -> bool:
    """What `store.page.where` asks of the database, asked of one event."""
    found = getattr(row, condition.column)
    match condition.operator:
        case "eq":
            return bool(found == condition.value)
        case "in":
            return found in condition.value
        case "contains":
            return condition.value.lower() in found.lower()
        case "has":
            return str(condition.value) in found
        case "gte":
            return bool(found >= condition.value)
        case _:
            return bool(found < condition.value)


async def _asset(info: Info, ref: AssetRefInput | None) -> UUID | None:
    if ref is None:
        return None
    found = await asset_of(info.context.loaders, ref.local())
    if found is None:
        raise NotFound("There is no such asset. Look it up with assets(filter:).", field=("asset",))
    return found.id


async def _team(info: Info, ref: TeamRefInput | None) -> UUID | None:
    if ref is None:
        return None
    found = await team_of(info.context.loaders, ref.local())
    if found is None:
        raise NotFound("There is no such team. Look it up with teams(filter:).", field=("team",))
    return found.id
