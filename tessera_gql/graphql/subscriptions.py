"""Subscriptions: the events since the cursor `after`, then live ones; in commit order, each exactly once."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from tessera_gql.errors import NotFound
from tessera_gql.executor.streams import StreamStart
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.events import Event, EventFilter, decode_cursor
from tessera_gql.graphql.filters import or_none, to_conditions
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.refs import AssetRefInput, TeamRefInput, load_asset, load_team
from tessera_gql.graphql.type_registry import computed_field, lazy_type, subscription_field, to_type
from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.events import AcknowledgmentRequested
from tessera_gql.policy.events import ProposalStatusChanged as StatusEvent
from tessera_gql.store import events
from tessera_gql.store.pagination import Condition
from tessera_gql.store.tables import EventRow

EventPredicate = Callable[[EventRow], bool]


@strawberry.type(description="An event with the cursor to resume from.")
class EventMessage:
    event: Event = strawberry.field(description="The event that caused this message.")
    cursor: str = strawberry.field(
        description="The position just behind this message; send it as `after` to resume there."
    )

    @property
    def position(self) -> int:
        return self.event.position

    @computed_field("The current state of the proposal.", lazy_type("Proposal") | None)
    async def proposal(self, info: Info) -> Any:
        identity = self.event.row.proposal_id
        return to_type("Proposal", await info.context.loaders.proposal.load(identity)) if identity else None


@strawberry.type(description="A message that the status of a proposal changed.")
class ProposalStatusChanged(EventMessage):
    before: ProposalStatus = strawberry.field(description="The status before the change.")
    after: ProposalStatus = strawberry.field(description="The status after the change.")


@strawberry.type(description="A message that a team is asked to acknowledge a proposal.")
class AcknowledgmentRequest(EventMessage):
    @computed_field("The current state of the team's acknowledgment.", lazy_type("Acknowledgment") | None)
    async def acknowledgment(self, info: Info) -> Any:
        return to_type("Acknowledgment", await info.context.loaders.acknowledgment.load(self.event.row.entity_id))

    @computed_field("The team that is asked.", lazy_type("Team") | None)
    async def team(self, info: Info) -> Any:
        identity = UUID(self.event.row.payload["consumer_team_id"])
        return to_type("Team", await info.context.loaders.team.load(identity))


AfterEvent = Annotated[
    str | None,
    strawberry.argument(
        description="The last cursor you have received, to get what you missed; only new events if left out."
    ),
]
TeamArgument = Annotated[
    TeamRefInput | None, strawberry.argument(description="Send only messages that concern this team, by id or name.")
]


@strawberry.type(description="The subscriptions of the API. Messages come in commit order, each once.")
class Subscription:
    @subscription_field("Send a message whenever the status of a proposal changes.")
    async def proposal_status_changed(
        self,
        info: Info,
        *,
        proposal: Annotated[
            strawberry.ID | None, strawberry.argument(description="Send only messages about this proposal.")
        ] = UNSET,
        asset: Annotated[
            AssetRefInput | None,
            strawberry.argument(description="Send only messages about proposals of this asset, by id or fqn."),
        ] = UNSET,
        team: TeamArgument = UNSET,
        after: AfterEvent = UNSET,
    ) -> AsyncGenerator[ProposalStatusChanged]:
        info.context.use_separate_sessions()
        proposal_id = local_id(proposal, "Proposal", field=("proposal",)) if isinstance(proposal, str) else None
        asset_id, team_id = await _asset_id(info, or_none(asset)), await _team_id(info, or_none(team))

        def matches(row: EventRow) -> bool:
            return (
                row.kind == StatusEvent.kind
                and proposal_id in {None, row.proposal_id}
                and asset_id in {None, row.asset_id}
                and (team_id is None or events.is_audience(row, team_id))
            )

        async with aclosing(_matching_events(info, or_none(after), matches)) as stream:
            async for event in stream:
                facts = event.row.payload
                yield ProposalStatusChanged(
                    event=event,
                    cursor=event.cursor,
                    before=ProposalStatus(facts["before"]),
                    after=ProposalStatus(facts["after"]),
                )

    @subscription_field("Send a message whenever a team is asked to acknowledge a proposal.")
    async def acknowledgment_requested(
        self, info: Info, *, team: TeamArgument = UNSET, after: AfterEvent = UNSET
    ) -> AsyncGenerator[AcknowledgmentRequest]:
        info.context.use_separate_sessions()
        team_id = await _team_id(info, or_none(team))

        def matches(row: EventRow) -> bool:
            asked = row.kind == AcknowledgmentRequested.kind
            return asked and (team_id is None or events.is_audience(row, team_id))

        async with aclosing(_matching_events(info, or_none(after), matches)) as stream:
            async for event in stream:
                yield AcknowledgmentRequest(event=event, cursor=event.cursor)

    @subscription_field("Send every event that you may see.")
    async def events(
        self,
        info: Info,
        *,
        filter_input: Annotated[
            EventFilter | None,
            strawberry.argument(
                name="filter", description="The conditions that events must meet; all events if left out."
            ),
        ] = UNSET,
        after: AfterEvent = UNSET,
    ) -> AsyncGenerator[Event]:
        conditions = to_conditions(filter_input) if or_none(filter_input) else ()

        def matches(row: EventRow) -> bool:
            return all(satisfies(row, condition) for condition in conditions)

        async with aclosing(_matching_events(info, or_none(after), matches)) as stream:
            async for event in stream:
                yield event


async def _matching_events(info: Info, after: str | None, matches: EventPredicate) -> AsyncGenerator[Event]:
    """Yield the events that match. Loaders are renewed for each event, so that a message shows the current state."""
    start: StreamStart = info.root_value
    if start.after is None and after is not None:
        start = replace(start, after=decode_cursor(after))
    async with aclosing(info.context.subscribe(start)) as stream:
        async for row in stream:
            if matches(row):
                info.context.use_separate_sessions()
                yield Event.of(row)


def satisfies(row: EventRow, condition: Condition) -> bool:
    """Test one event for a condition, with the semantics of `store.page.where`."""
    value = getattr(row, condition.column)
    match condition.operator:
        case "eq":
            return bool(value == condition.value)
        case "in":
            return value in condition.value
        case "contains":
            return condition.value.lower() in value.lower()
        case "has":
            return str(condition.value) in value
        case "gte":
            return bool(value >= condition.value)
        case _:
            return bool(value < condition.value)


async def _asset_id(info: Info, ref: AssetRefInput | None) -> UUID | None:
    if ref is None:
        return None
    row = await load_asset(info.context.loaders, ref.to_ref())
    if row is None:
        raise NotFound("There is no such asset. Look it up with assets(filter:).", field=("asset",))
    return row.id


async def _team_id(info: Info, ref: TeamRefInput | None) -> UUID | None:
    if ref is None:
        return None
    row = await load_team(info.context.loaders, ref.to_ref())
    if row is None:
        raise NotFound("There is no such team. Look it up with teams(filter:).", field=("team",))
    return row.id
