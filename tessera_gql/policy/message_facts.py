"""The facts that a message is made from: events, and what they are about, as far as it is public."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import ProposalKind, ProposalStatus, Response
from tessera_gql.policy.messages import Pages
from tessera_gql.policy.visibility import API_KEY_MARKER, describe_actor

MAX_NAMES = 3


class MessageEvent(Protocol):
    """The columns of an event that a message is made from."""

    @property
    def kind(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def asset_id(self) -> UUID | None: ...
    @property
    def proposal_id(self) -> UUID | None: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class ChangeFacts:
    """A breaking change: its message, and the ways on which it reaches what a team reads."""

    message: str
    routes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskFacts:
    """What a proposal asks a team, and its answer."""

    changes: tuple[ChangeFacts, ...]
    policy: AskPolicy
    due_at: datetime
    response: Response | None = None
    notes: str | None = None
    migration_deadline: datetime | None = None


@dataclass(frozen=True)
class ProposalFacts:
    """A proposal: what it changes, who proposes it and why, and what it asks each team."""

    id: UUID
    asset_id: UUID
    proposed_by: UUID
    kind: ProposalKind
    version: str | None
    status: ProposalStatus
    reason: str | None
    changes: tuple[ChangeFacts, ...]
    change_set_id: UUID | None = None
    asks: Mapping[UUID, AskFacts] = field(default_factory=dict[UUID, AskFacts])


@dataclass(frozen=True)
class ChangeSetFacts:
    """A change set, such as a pull request."""

    id: UUID
    key: str
    title: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class AssetFacts:
    """An asset and its owner."""

    fqn: str
    owner_id: UUID


@dataclass(frozen=True)
class MessageFacts:
    """Events of one family, and the rows that they are about.

    `viewer` is the team that is addressed, None for a channel of all teams. `counts` has the number of all events that
    the message covers, by kind; `events` has the first ones.
    """

    events: Sequence[MessageEvent]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    viewer: UUID | None = None
    pages: Pages = field(default_factory=Pages)
    team_names: Mapping[UUID, str] = field(default_factory=dict[UUID, str])
    assets: Mapping[UUID, AssetFacts] = field(default_factory=dict[UUID, AssetFacts])
    proposals: Mapping[UUID, ProposalFacts] = field(default_factory=dict[UUID, ProposalFacts])
    change_sets: Mapping[UUID, ChangeSetFacts] = field(default_factory=dict[UUID, ChangeSetFacts])

    def name_team(self, team: UUID | str | None) -> str:
        """Name a team, by its id as a row or a payload has it."""
        if team is None:
            return "an administrator"
        return self.team_names.get(team if isinstance(team, UUID) else UUID(team), "a team")

    def name_teams(self, teams: Iterable[UUID | str]) -> str:
        return join_names(sorted({self.name_team(team) for team in teams}))

    def name_asset(self, asset: UUID | None) -> str:
        known = self.assets.get(asset) if asset else None
        return known.fqn if known else "an asset"

    def find_owners(self, assets: Iterable[UUID | None]) -> list[UUID]:
        """Return the owners of those assets that are known."""
        return [self.assets[asset].owner_id for asset in assets if asset is not None and asset in self.assets]

    def count_events(self, events: Sequence[MessageEvent]) -> int:
        """Count all events of the kinds of these, those that are not loaded included."""
        loaded = Counter(event.kind for event in events)
        return sum(max(self.counts.get(kind, 0), number) for kind, number in loaded.items())

    def count_subjects(self, events: Sequence[MessageEvent]) -> int:
        """Estimate the assets of events by the kind with the most, if each team has one event for each asset."""
        numbers = [0]
        for kind in {event.kind for event in events}:
            loaded = [event for event in events if event.kind == kind]
            teams = {event.payload.get("consumer_team_id") for event in loaded}
            numbers.append(-(-self.count_events(loaded) // len(teams)))
        return max(numbers)

    def list_events(self, *kinds: str) -> list[MessageEvent]:
        """List the events of these kinds."""
        return [event for event in self.events if event.kind in kinds]

    def find_change_set(self) -> ChangeSetFacts | None:
        """Return the change set that the first event is about, if there is one."""
        for event in self.events:
            proposal = self.proposals.get(event.proposal_id) if event.proposal_id else None
            identity = event.payload.get("change_set_id") or (proposal.change_set_id if proposal else None)
            if identity is not None:
                return self.change_sets.get(UUID(str(identity)))
        return None


def describe_caller(actor: str) -> str:
    """Describe an actor for people; a key keeps the prefix by which its owner knows it."""
    return actor if API_KEY_MARKER in actor else describe_actor(actor)


def join_names(names: Sequence[str], limit: int = MAX_NAMES) -> str:
    """Join names as a sentence has them, with the number of those left out."""
    listed = [*names[:limit]]
    if len(names) > limit:
        listed.append(f"{len(names) - limit} more")
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else "no team"


def count_noun(count: int, noun: str) -> str:
    """Return a number with its noun: `1 table`, `2 tables`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_moment(moment: datetime | str | None) -> str:
    """Format a time for people, in UTC with its zone."""
    if moment is None:
        return "an unknown time"
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{value.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"


def format_day(moment: datetime | str | None) -> str:
    """Format the day of a time for people."""
    if moment is None:
        return "a day that is not set"
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{value.astimezone(UTC):%d %b %Y}"
