"""Subscriptions: the events since the cursor `after`, then live ones; in commit order, each exactly once."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, argument

from tessera_gql.errors import NotFound
from tessera_gql.executor.streams import StreamStart
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.events import Event, EventFilter, decode_cursor
from tessera_gql.graphql.filters import or_none, to_conditions
from tessera_gql.graphql.ids import local_id
from tessera_gql.graphql.refs import AssetRefInput, RefLoader, TeamRefInput, asset_loader, team_loader
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.type_registry import computed_field, lazy_type, subscription_field, to_type
from tessera_gql.policy.ask_events import AcknowledgmentRequested, ChangeSetAcknowledgmentRequested
from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.events import ProposalStatusChanged as StatusEvent
from tessera_gql.store.conditions import AnyCondition, Condition


@strawberry.type(description="An event with the cursor to resume from.")
class EventMessage:
    event: Event = strawberry.field(description="The event that caused this message.")
    cursor: str = strawberry.field(
        description="The position just behind this message; send it as `after` to resume there."
    )

    proposal = relation("Proposal", "event.row.proposal_id", "The current state of the proposal.", nullable=True)

    @property
    def position(self) -> int:
        return self.event.position


@strawberry.type(description="A message that the status of a proposal changed.")
class ProposalStatusChanged(EventMessage):
    before: ProposalStatus = strawberry.field(description="The status before the change.")
    after: ProposalStatus = strawberry.field(description="The status after the change.")


@strawberry.type(description="A message that a team is asked to acknowledge a proposal, or several of a change set.")
class AcknowledgmentRequest(EventMessage):
    acknowledgment_id: strawberry.Private[UUID | None]
    change_set_id: strawberry.Private[UUID | None]

    acknowledgment = relation(
        "Acknowledgment",
        "acknowledgment_id",
        "The current state of the team's acknowledgment; null for a change set.",
        nullable=True,
    )
    change_set = relation(
        "ChangeSet",
        "change_set_id",
        "The change set whose proposals the team is asked about, in one message; null for a single proposal.",
        nullable=True,
    )

    @computed_field("The team that is asked.", lazy_type("Team") | None)
    async def team(self, info: Info) -> Any:
        identity = UUID(self.event.row.payload["consumer_team_id"])
        return to_type("Team", await info.context.loaders.team.load(identity))


AfterEvent = Annotated[
    str | None, argument("The last cursor you have received, to get what you missed; only new events if left out.")
]
TeamArgument = Annotated[TeamRefInput | None, argument("Send only messages that concern this team, by id or name.")]


@strawberry.type(description="The subscriptions of the API. Messages come in commit order, each once.")
class Subscription:
    @subscription_field("Send a message whenever the status of a proposal changes.")
    async def proposal_status_changed(
        self,
        info: Info,
        *,
        proposal: Annotated[strawberry.ID | None, argument("Send only messages about this proposal.")] = UNSET,
        asset: Annotated[
            AssetRefInput | None, argument("Send only messages about proposals of this asset, by id or fqn.")
        ] = UNSET,
        team: TeamArgument = UNSET,
        after: AfterEvent = UNSET,
    ) -> AsyncGenerator[ProposalStatusChanged]:
        info.context.use_separate_sessions()
        proposal_id = local_id(proposal, "Proposal", field=("proposal",)) if isinstance(proposal, str) else None
        conditions = [
            Condition("kind", "eq", StatusEvent.kind),
            Condition("proposal_id", "eq", proposal_id),
            Condition("asset_id", "eq", await _find_id(info, asset, asset_loader, "asset")),
            Condition("teams", "has", await _find_id(info, team, team_loader, "team")),
        ]
        async with aclosing(_matching_events(info, or_none(after), conditions)) as stream:
            async for event in stream:
                payload = event.row.payload
                yield ProposalStatusChanged(
                    event=event,
                    cursor=event.cursor,
                    before=ProposalStatus(payload["before"]),
                    after=ProposalStatus(payload["after"]),
                )

    @subscription_field(
        "Send a message whenever a team is asked to acknowledge a proposal, and one for all proposals of a change set."
    )
    async def acknowledgment_requested(
        self, info: Info, *, team: TeamArgument = UNSET, after: AfterEvent = UNSET
    ) -> AsyncGenerator[AcknowledgmentRequest]:
        info.context.use_separate_sessions()
        conditions = [
            Condition("kind", "in", (AcknowledgmentRequested.kind, ChangeSetAcknowledgmentRequested.kind)),
            Condition("teams", "has", await _find_id(info, team, team_loader, "team")),
        ]
        async with aclosing(_matching_events(info, or_none(after), conditions)) as stream:
            async for event in stream:
                if (request := _to_request(event)) is not None:
                    yield request

    @subscription_field("Send every event that you may see.")
    async def events(
        self,
        info: Info,
        *,
        filter_input: Annotated[
            EventFilter | None,
            argument(name="filter", description="The conditions that events must meet; all events if left out."),
        ] = UNSET,
        after: AfterEvent = UNSET,
    ) -> AsyncGenerator[Event]:
        conditions = to_conditions(filter_input) if or_none(filter_input) else ()
        async with aclosing(_matching_events(info, or_none(after), conditions)) as stream:
            async for event in stream:
                yield event


def _to_request(event: Event) -> AcknowledgmentRequest | None:
    """Convert the event of a request; None for one in a change set, which has an event of its own for each team."""
    row = event.row
    is_of_change_set = row.kind == ChangeSetAcknowledgmentRequested.kind
    if not is_of_change_set and row.payload.get("change_set_id") is not None:
        return None
    return AcknowledgmentRequest(
        event=event,
        cursor=event.cursor,
        acknowledgment_id=None if is_of_change_set else row.entity_id,
        change_set_id=row.entity_id if is_of_change_set else None,
    )


async def _matching_events(info: Info, after: str | None, conditions: Iterable[AnyCondition]) -> AsyncGenerator[Event]:
    """Yield the events that meet all conditions; a single one with the value None is ignored.

    Loaders are renewed for each event, so that a message shows the current state.
    """
    conditions = [item for item in conditions if not isinstance(item, Condition) or item.value is not None]
    start: StreamStart = info.root_value
    if start.after is None and after is not None:
        start = replace(start, after=decode_cursor(after))
    async with aclosing(info.context.subscribe(start)) as stream:
        async for row in stream:
            if all(condition.matches(row) for condition in conditions):
                info.context.use_separate_sessions()
                yield Event.of(row)


async def _find_id(info: Info, ref: Any, get_loader: RefLoader, name: str) -> UUID | None:
    """Return the id of the asset or team of a reference, None without one. Raise NotFound if there is none."""
    if not ref:
        return None
    loader, key = get_loader(info.context.loaders, ref.to_ref())
    if (row := await loader.load(key)) is None:
        raise NotFound(f"There is no such {name}. Look it up with {name}s(filter:).", field=(name,))
    identity: UUID = row.id
    return identity
