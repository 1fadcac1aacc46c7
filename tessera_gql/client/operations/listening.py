"""Subscriptions: what happens, from behind a cursor or from the moment of the call."""

from collections.abc import Sequence

from tessera_gql.client.nouns import Event, Request, StatusChange
from tessera_gql.client.operation import (
    AssetRef,
    Field,
    Listing,
    Subscription,
    TeamRef,
    asset_ref,
    given,
    listen,
    pages,
)
from tessera_gql.client.operation import team_ref as _team
from tessera_gql.client.words import EventKind


def _filter(
    kinds: Sequence[EventKind], team_id: str | None, asset_id: str | None, proposal_id: str | None
) -> dict[str, object] | None:
    where = given(
        kind={"in": [*kinds]} if kinds else None,
        teams={"has": team_id} if team_id else None,
        asset={"eq": asset_id} if asset_id else None,
        proposal={"eq": proposal_id} if proposal_id else None,
    )
    return where or None


def subscribe(
    *,
    kinds: Sequence[EventKind] = (),
    team_id: str | None = None,
    asset_id: str | None = None,
    proposal_id: str | None = None,
    after: str | None = None,
) -> Subscription[Event]:
    """Everything that happens, or what meets all that is given. Goes on over restarts of the server, nothing lost."""
    variables = given(filter=_filter(kinds, team_id, asset_id, proposal_id))
    return listen(Field("events", Event, {"filter": "EventFilter"}), lambda event: event.cursor, variables, after)


def acknowledgment_requests(team: TeamRef | None = None, *, after: str | None = None) -> Subscription[Request]:
    """Every question to the team whether a breaking change may be published; without a team, to anybody."""
    root = Field("acknowledgmentRequested", Request, {"team": "TeamRef"})
    return listen(root, lambda message: message.cursor, given(team=_team(team)), after)


def status_changes(
    *,
    proposal_id: str | None = None,
    asset: AssetRef | None = None,
    team: TeamRef | None = None,
    after: str | None = None,
) -> Subscription[StatusChange]:
    """Every change of a proposal's status."""
    types = {"proposal": "ID", "asset": "AssetRef", "team": "TeamRef"}
    said = given(proposal=proposal_id, asset=asset_ref(asset) if asset else None, team=_team(team))
    return listen(Field("proposalStatusChanged", StatusChange, types), lambda message: message.cursor, said, after)


def events(
    *,
    kinds: Sequence[EventKind] = (),
    team_id: str | None = None,
    asset_id: str | None = None,
    proposal_id: str | None = None,
) -> Listing[Event]:
    """The log, oldest first."""
    where = _filter(kinds, team_id, asset_id, proposal_id)
    return pages(Field("events", Event, {"filter": "EventFilter"}), filter=where)
