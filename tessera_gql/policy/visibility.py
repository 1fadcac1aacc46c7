"""Who sees what: one table for the types of the schema, and one for the kinds of events.

The catalog is open to every caller with the scope READ. API keys, webhooks, their deliveries and the events about
them are private to the team they belong to. A caller's `View` is all that decides; `store.visibility` applies it to
what is read from the database, and `visible_event` to what is streamed.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from tessera_gql.policy import events
from tessera_gql.policy.access import OWNERS, Actor
from tessera_gql.policy.events import Event

KEY_MARK = "tsr_"
"""How the token of every API key begins."""
PREFIX_LENGTH = 8
"""Characters at the beginning of a token by which people recognize a key."""


class Audience(StrEnum):
    """The callers who see a field; ADMIN sees everything."""

    READERS = "every caller with the scope READ"
    OWNERS = "the scope WRITE in the team it belongs to, and ADMIN"
    CALLER = "the caller of the operation, about itself or its own input"
    BY_KIND = "as the table of event kinds says"
    NAME = "ADMIN; other callers see the prefix of an API key in place of its name"


TYPES: Mapping[str, Audience] = {
    "Acknowledgment": Audience.READERS,
    "AcknowledgmentRequest": Audience.READERS,
    "ApiKey": Audience.OWNERS,
    "Asset": Audience.READERS,
    "AssetDependency": Audience.READERS,
    "AssetField": Audience.READERS,
    "BreakingChange": Audience.READERS,
    "Change": Audience.READERS,
    "Contract": Audience.READERS,
    "ContractSource": Audience.READERS,
    "DbtModelImpact": Audience.READERS,
    "DeliveryAttempt": Audience.OWNERS,
    "Event": Audience.BY_KIND,
    "Impact": Audience.READERS,
    "ImpactedTeam": Audience.READERS,
    "Lineage": Audience.READERS,
    "ManifestReport": Audience.CALLER,
    "ModelRead": Audience.CALLER,
    "ModelReader": Audience.READERS,
    "Mutation": Audience.CALLER,
    "PageInfo": Audience.READERS,
    "Proposal": Audience.READERS,
    "ProposalStatusChanged": Audience.READERS,
    "PullReport": Audience.CALLER,
    "Query": Audience.READERS,
    "Registration": Audience.READERS,
    "RemovedModel": Audience.CALLER,
    "SchemaDiff": Audience.READERS,
    "SearchResult": Audience.READERS,
    "Subscription": Audience.READERS,
    "SyncedModel": Audience.CALLER,
    "Team": Audience.READERS,
    "UserError": Audience.CALLER,
    "Viewer": Audience.CALLER,
    "Webhook": Audience.OWNERS,
    "WebhookDelivery": Audience.OWNERS,
}
"""The audience of every field of a type. Connections and edges have that of their items; payloads are the caller's."""

FIELDS: Mapping[str, Audience] = {
    "ApiKey.createdBy": Audience.NAME,
    "Event.actor": Audience.NAME,
    "Query.apiKeys": Audience.OWNERS,
    "Query.webhooks": Audience.OWNERS,
}
"""Fields whose audience is not that of their type."""

KINDS: Mapping[type[Event], Audience] = {
    events.TeamCreated: Audience.READERS,
    events.TeamUpdated: Audience.READERS,
    events.AssetCreated: Audience.READERS,
    events.AssetUpdated: Audience.READERS,
    events.CompatibilityModeChanged: Audience.READERS,
    events.DependencyAdded: Audience.READERS,
    events.DependencyRemoved: Audience.READERS,
    events.ContractPublished: Audience.READERS,
    events.ContractRetired: Audience.READERS,
    events.RegistrationCreated: Audience.READERS,
    events.RegistrationUpdated: Audience.READERS,
    events.RegistrationEnded: Audience.READERS,
    events.ProposalOpened: Audience.READERS,
    events.AcknowledgmentRequested: Audience.READERS,
    events.AcknowledgmentReleased: Audience.READERS,
    events.ProposalAnswered: Audience.READERS,
    events.ProposalStatusChanged: Audience.READERS,
    events.ProposalStale: Audience.READERS,
    events.ManifestSynced: Audience.READERS,
    events.ReminderSent: Audience.READERS,
    events.ApiKeyCreated: Audience.OWNERS,
    events.ApiKeyRevoked: Audience.OWNERS,
    events.WebhookCreated: Audience.OWNERS,
    events.WebhookUpdated: Audience.OWNERS,
    events.WebhookDeleted: Audience.OWNERS,
    events.WebhookRedelivered: Audience.OWNERS,
    events.WebhookDeliveryFailed: Audience.OWNERS,
}
"""The audience of an event; its owners are the teams that it concerns."""

PUBLIC_KINDS = frozenset(event.kind for event, audience in KINDS.items() if audience is Audience.READERS)
"""A kind that is missing in the table is private."""


def audience(type_name: str, field: str) -> Audience:
    """The audience of a field in the schema; raises KeyError for a type that is not in the table."""
    if (found := FIELDS.get(f"{type_name}.{field}")) is not None:
        return found
    if type_name.endswith("Payload"):
        return Audience.CALLER
    return TYPES[type_name.removesuffix("Connection").removesuffix("Edge")]


def is_private(type_name: str) -> bool:
    """Whether rows of this type are hidden from some callers."""
    return TYPES[type_name] in {Audience.OWNERS, Audience.BY_KIND}


@dataclass(frozen=True)
class View:
    """The private rows that a caller sees: all, or those of one team (None: of no team) and the key it calls with."""

    is_whole: bool = False
    team_id: UUID | None = None
    key_id: UUID | None = None


WHOLE = View(is_whole=True)


def view_of(actor: Actor) -> View:
    """Private rows are seen by those who may change them."""
    if actor.may(OWNERS.other):
        return WHOLE
    return View(team_id=actor.team_id if actor.may(OWNERS.own) else None, key_id=actor.key_id)


def view_of_webhook(team_id: UUID | None) -> View:
    """What a webhook is sent: what its team sees, or everything if it belongs to no team."""
    return WHOLE if team_id is None else View(team_id=team_id)


def key_actor(name: str, prefix: str) -> str:
    """The name that the event log gives to the holder of an API key."""
    return f"{name} ({prefix})"


def public_actor(actor: str) -> str:
    """The name without what `key_actor` put there of a private key: only the prefix tells keys apart."""
    prefix = actor[-1 - PREFIX_LENGTH : -1]
    is_key = actor.endswith(f" ({prefix})") and prefix.startswith(KEY_MARK)
    return f"key {prefix}" if is_key else actor


class EventFacts(Protocol):
    """A row of the event log."""

    @property
    def kind(self) -> str: ...
    @property
    def teams(self) -> Collection[str]: ...
    @property
    def actor(self) -> str: ...


E = TypeVar("E", bound=EventFacts)


def visible_event(view: View, row: E, rename: Callable[[E, str], E]) -> E | None:
    """The event as the caller sees it, None if it is hidden. `rename` makes a copy with another actor."""
    if view.is_whole:
        return row
    if row.kind not in PUBLIC_KINDS and (view.team_id is None or str(view.team_id) not in row.teams):
        return None
    return row if (actor := public_actor(row.actor)) == row.actor else rename(row, actor)
