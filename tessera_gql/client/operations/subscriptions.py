"""Subscriptions, and the event log that they resume from."""

from collections.abc import Sequence
from typing import TypedDict

from typing_extensions import Unpack

from tessera_gql.client.enums import EventKind
from tessera_gql.client.models import AcknowledgmentRequest, Event, JsonObject, StatusChange
from tessera_gql.client.operation import (
    AssetRef,
    PaginatedQuery,
    RootField,
    Subscription,
    TeamRef,
    build_asset_ref,
    build_filter,
    build_team_ref,
    build_variables,
)

EVENTS = RootField("events", Event, {"filter": "EventFilter"})


class EventConditions(TypedDict, total=False):
    """Conditions on events; those that are None or empty are left out."""

    kinds: Sequence[EventKind]
    team_id: str | None
    asset_id: str | None
    proposal_id: str | None


def _build_event_filter(conditions: EventConditions) -> JsonObject | None:
    return build_filter(
        kind=("in", conditions.get("kinds")),
        teams=("has", conditions.get("team_id")),
        asset=("eq", conditions.get("asset_id")),
        proposal=("eq", conditions.get("proposal_id")),
    )


def subscribe(*, after: str | None = None, **conditions: Unpack[EventConditions]) -> Subscription[Event]:
    """Subscribe to the events that match all of the conditions. Resumes after a restart of the server without gaps.

    `after` is the cursor of the last event that you have processed. Raises Invalid for a cursor of another server,
    Unavailable if no connection was accepted in the time for retries.

    Example:
        first = next(iter(tessera.events()))
        for event in tessera.subscribe(after=first.cursor):
            print(event.kind, event.cursor)
            break
    """
    variables = build_variables(filter=_build_event_filter(conditions))
    return EVENTS.build_subscription(lambda event: event.cursor, variables, after)


def acknowledgment_requests(
    team: TeamRef | None = None, *, after: str | None = None
) -> Subscription[AcknowledgmentRequest]:
    """Subscribe to the requests to acknowledge a breaking change, of one team or of all teams.

    Raises NotFound if there is no such team, and as `subscribe` does.

    Example:
        first = next(iter(tessera.events()))
        for request in tessera.acknowledgment_requests("support", after=first.cursor):
            print(request.team, request.change_set, request.proposal)
            break
    """
    root = RootField("acknowledgmentRequested", AcknowledgmentRequest, {"team": "TeamRef"})
    return root.build_subscription(lambda message: message.cursor, build_variables(team=build_team_ref(team)), after)


def status_changes(
    *,
    proposal_id: str | None = None,
    asset: AssetRef | None = None,
    team: TeamRef | None = None,
    after: str | None = None,
) -> Subscription[StatusChange]:
    """Subscribe to changes of the status of proposals.

    Raises NotFound for an asset or a team that does not exist, and as `subscribe` does.

    Example:
        first = next(iter(tessera.events()))
        for change in tessera.status_changes(asset="analytics.marts.returns", after=first.cursor):
            print(change.before, change.after)
            break
    """
    root = RootField("proposalStatusChanged", StatusChange, {"proposal": "ID", "asset": "AssetRef", "team": "TeamRef"})
    variables = build_variables(
        proposal=proposal_id, asset=build_asset_ref(asset) if asset else None, team=build_team_ref(team)
    )
    return root.build_subscription(lambda message: message.cursor, variables, after)


def events(**conditions: Unpack[EventConditions]) -> PaginatedQuery[Event]:
    """List the events that match all of the conditions, oldest first.

    Raises Invalid for an id of another type, BadRequest for an unknown kind.

    Example:
        for event in tessera.events(kinds=["TEAM_CREATED"]):
            print(event.occurred_at, event.actor, event.payload)
    """
    return EVENTS.build_paginated_query(filter=_build_event_filter(conditions))
