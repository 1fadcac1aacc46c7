"""Subscriptions, and the event log that they resume from."""

from collections.abc import Sequence

from tessera_gql.client.enums import EventKind
from tessera_gql.client.models import AcknowledgmentRequest, Event, StatusChange
from tessera_gql.client.operation import (
    AssetRef,
    PaginatedQuery,
    RootField,
    Subscription,
    TeamRef,
    build_asset_ref,
    build_paginated_query,
    build_subscription,
    build_team_ref,
    build_variables,
)

EVENTS = RootField("events", Event, {"filter": "EventFilter"})


def _build_filter(
    kinds: Sequence[EventKind], team_id: str | None, asset_id: str | None, proposal_id: str | None
) -> dict[str, object] | None:
    conditions = build_variables(
        kind={"in": [*kinds]} if kinds else None,
        teams={"has": team_id} if team_id else None,
        asset={"eq": asset_id} if asset_id else None,
        proposal={"eq": proposal_id} if proposal_id else None,
    )
    return conditions or None


def subscribe(
    *,
    kinds: Sequence[EventKind] = (),
    team_id: str | None = None,
    asset_id: str | None = None,
    proposal_id: str | None = None,
    after: str | None = None,
) -> Subscription[Event]:
    """Subscribe to the events that match all of the filters. Resumes after a restart of the server without gaps."""
    variables = build_variables(filter=_build_filter(kinds, team_id, asset_id, proposal_id))
    return build_subscription(EVENTS, lambda event: event.cursor, variables, after)


def acknowledgment_requests(
    team: TeamRef | None = None, *, after: str | None = None
) -> Subscription[AcknowledgmentRequest]:
    """Subscribe to the requests to acknowledge a breaking change, of one team or of all teams."""
    root = RootField("acknowledgmentRequested", AcknowledgmentRequest, {"team": "TeamRef"})
    return build_subscription(root, lambda message: message.cursor, build_variables(team=build_team_ref(team)), after)


def status_changes(
    *,
    proposal_id: str | None = None,
    asset: AssetRef | None = None,
    team: TeamRef | None = None,
    after: str | None = None,
) -> Subscription[StatusChange]:
    """Subscribe to changes of the status of proposals."""
    root = RootField("proposalStatusChanged", StatusChange, {"proposal": "ID", "asset": "AssetRef", "team": "TeamRef"})
    variables = build_variables(
        proposal=proposal_id, asset=build_asset_ref(asset) if asset else None, team=build_team_ref(team)
    )
    return build_subscription(root, lambda message: message.cursor, variables, after)


def events(
    *,
    kinds: Sequence[EventKind] = (),
    team_id: str | None = None,
    asset_id: str | None = None,
    proposal_id: str | None = None,
) -> PaginatedQuery[Event]:
    """List the events that match all of the filters, oldest first."""
    return build_paginated_query(EVENTS, filter=_build_filter(kinds, team_id, asset_id, proposal_id))
