"""Visibility: which callers may read a field or an event, in one table for types and one for kinds of events.

The catalog is open to each caller with the scope READ. API keys, webhooks, deliveries and their events are private to
the team that owns them. A caller's `Visibility` decides; `store.visibility` applies it to queries, `redact_event` to
streams. The key of a project belongs to the owners of the project.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar
from uuid import UUID

from tessera_gql.policy import (
    ask_events,
    catalog_events,
    coverage_events,
    deprecation_events,
    events,
    private_events,
    usage_events,
)
from tessera_gql.policy.access import OWNER_OR_ADMIN, Actor
from tessera_gql.policy.events import Event

API_KEY_MARKER = "tsr_"
"""First characters of the token of every API key."""
KEY_PREFIX_LENGTH = 8
"""Length of the prefix of a token that is stored and shown to identify a key."""


class Audience(StrEnum):
    """The callers who may read a field; ADMIN may read all."""

    READERS = "every caller with the scope READ"
    OWNERS = "the scope WRITE in the team it belongs to, or that owns its project, and ADMIN"
    CALLER = "the caller of the operation, about itself or its own input"
    BY_KIND = "as the table of event kinds says"
    NAME = "ADMIN; other callers see the prefix of an API key in place of its name"


TYPE_AUDIENCES: Mapping[str, Audience] = {
    "Acknowledgment": Audience.READERS,
    "AcknowledgmentRequest": Audience.READERS,
    "ApiKey": Audience.OWNERS,
    "AskPolicy": Audience.READERS,
    "Asset": Audience.READERS,
    "AssetDependency": Audience.READERS,
    "AssetField": Audience.READERS,
    "AssetLabel": Audience.READERS,
    "AwaitedTeam": Audience.READERS,
    "BreakingChange": Audience.READERS,
    "Change": Audience.READERS,
    "ChangeSet": Audience.READERS,
    "ColumnLink": Audience.READERS,
    "Comment": Audience.READERS,
    "Contract": Audience.READERS,
    "Coverage": Audience.READERS,
    "ContractSource": Audience.READERS,
    "DbtModelImpact": Audience.READERS,
    "Debt": Audience.READERS,
    "DeprecatedRead": Audience.READERS,
    "Deprecation": Audience.READERS,
    "DeliveryAttempt": Audience.OWNERS,
    "EarlierAnswer": Audience.READERS,
    "EventLog": Audience.READERS,
    "Event": Audience.BY_KIND,
    "FieldChange": Audience.READERS,
    "Impact": Audience.READERS,
    "ChangeReads": Audience.READERS,
    "ImpactedTeam": Audience.READERS,
    "InboxGroup": Audience.READERS,
    "LineageStep": Audience.READERS,
    "Lineage": Audience.READERS,
    "LineageVia": Audience.READERS,
    "ManifestImpact": Audience.READERS,
    "ManifestReport": Audience.CALLER,
    "MissingCoverage": Audience.READERS,
    "ModelRead": Audience.CALLER,
    "ModelReader": Audience.READERS,
    "IgnoredRows": Audience.CALLER,
    "Mutation": Audience.CALLER,
    "NarrowerFields": Audience.READERS,
    "Obligation": Audience.READERS,
    "Observation": Audience.READERS,
    "PageInfo": Audience.READERS,
    "Principal": Audience.READERS,
    "PrincipalRule": Audience.READERS,
    "Project": Audience.READERS,
    "Proposal": Audience.READERS,
    "ProposalHold": Audience.READERS,
    "ProposalStatusChanged": Audience.READERS,
    "PullReport": Audience.CALLER,
    "Query": Audience.READERS,
    "ReasonPath": Audience.READERS,
    "Registration": Audience.READERS,
    "ReleaseEvidence": Audience.READERS,
    "RemovedModel": Audience.CALLER,
    "SchemaDiff": Audience.READERS,
    "SearchFacets": Audience.READERS,
    "SearchHighlight": Audience.READERS,
    "SearchOwnerCount": Audience.READERS,
    "SearchResult": Audience.READERS,
    "SearchSuggestion": Audience.READERS,
    "SearchTierCount": Audience.READERS,
    "SearchTypeCount": Audience.READERS,
    "Subscription": Audience.READERS,
    "SyncedModel": Audience.CALLER,
    "TableRead": Audience.READERS,
    "Team": Audience.READERS,
    "TeamSuggestion": Audience.READERS,
    "UnmappedReader": Audience.READERS,
    "UnusedField": Audience.READERS,
    "UnaskedReader": Audience.READERS,
    "UpcomingStep": Audience.READERS,
    "UsageImportReport": Audience.CALLER,
    "UsageSource": Audience.READERS,
    "UsageSpan": Audience.READERS,
    "UserError": Audience.CALLER,
    "Viewer": Audience.CALLER,
    "Webhook": Audience.OWNERS,
    "WebhookDelivery": Audience.OWNERS,
}
"""The audience of the fields of a type. Connections and edges have that of their nodes; payloads are for the caller."""

FIELD_AUDIENCES: Mapping[str, Audience] = {
    "ApiKey.createdBy": Audience.NAME,
    "Event.actor": Audience.NAME,
    "Event.actorName": Audience.NAME,
    "Query.apiKeys": Audience.OWNERS,
    "Query.webhooks": Audience.OWNERS,
}
"""Fields whose audience differs from that of their type."""

EVENT_AUDIENCES: Mapping[type[Event], Audience] = {
    events.TeamCreated: Audience.READERS,
    events.TeamUpdated: Audience.READERS,
    catalog_events.TeamArchived: Audience.READERS,
    catalog_events.TeamUnarchived: Audience.READERS,
    events.ProjectCreated: Audience.READERS,
    events.ProjectUpdated: Audience.READERS,
    events.AssetCreated: Audience.READERS,
    events.AssetUpdated: Audience.READERS,
    catalog_events.AssetRenamed: Audience.READERS,
    catalog_events.AssetArchived: Audience.READERS,
    catalog_events.AssetUnarchived: Audience.READERS,
    events.CompatibilityModeChanged: Audience.READERS,
    events.DependencyAdded: Audience.READERS,
    events.DependencyRemoved: Audience.READERS,
    events.ContractPublished: Audience.READERS,
    events.ContractUpdated: Audience.READERS,
    events.ContractRetired: Audience.READERS,
    events.RegistrationCreated: Audience.READERS,
    events.RegistrationUpdated: Audience.READERS,
    events.RegistrationEnded: Audience.READERS,
    events.DebtRecorded: Audience.READERS,
    events.DebtSettled: Audience.READERS,
    events.ProposalOpened: Audience.READERS,
    events.ProposalUpdated: Audience.READERS,
    events.ProposalRebased: Audience.READERS,
    ask_events.AcknowledgmentRequested: Audience.READERS,
    ask_events.ChangeSetAcknowledgmentRequested: Audience.READERS,
    ask_events.ChangeSetAnswersCarried: Audience.READERS,
    ask_events.ChangeSetReminderSent: Audience.READERS,
    ask_events.ChangeSetSilenceCounted: Audience.READERS,
    ask_events.ChangeSetAsksEscalated: Audience.READERS,
    ask_events.ChangeSetMigrationsOverdue: Audience.READERS,
    ask_events.AcknowledgmentReleased: Audience.READERS,
    ask_events.ReopeningLimited: Audience.READERS,
    ask_events.ProposalAnswered: Audience.READERS,
    events.ProposalStatusChanged: Audience.READERS,
    events.ProposalStale: Audience.READERS,
    coverage_events.ProposalHeld: Audience.READERS,
    coverage_events.ProposalHoldEnded: Audience.READERS,
    events.ChangeSetOpened: Audience.READERS,
    events.ChangeSetUpdated: Audience.READERS,
    events.ChangeSetWithdrawn: Audience.READERS,
    events.ChangeSetPublished: Audience.READERS,
    events.ManifestSynced: Audience.READERS,
    ask_events.ReminderSent: Audience.READERS,
    ask_events.AnswerCarried: Audience.READERS,
    ask_events.SilenceCounted: Audience.READERS,
    ask_events.AcknowledgmentEscalated: Audience.READERS,
    ask_events.MigrationOverdue: Audience.READERS,
    ask_events.ProposalExtended: Audience.READERS,
    ask_events.AskPolicyChanged: Audience.READERS,
    catalog_events.CommentAdded: Audience.READERS,
    deprecation_events.DeprecationDeclared: Audience.READERS,
    deprecation_events.DownstreamDeprecationDeclared: Audience.READERS,
    deprecation_events.DeprecationUpdated: Audience.READERS,
    deprecation_events.DeprecationEnded: Audience.READERS,
    deprecation_events.DeprecationReminder: Audience.READERS,
    usage_events.UsageSourceCreated: Audience.READERS,
    usage_events.UsageImported: Audience.READERS,
    usage_events.ReadsObserved: Audience.READERS,
    usage_events.PrincipalMapped: Audience.READERS,
    usage_events.PrincipalUnmapped: Audience.READERS,
    private_events.ApiKeyCreated: Audience.OWNERS,
    private_events.ApiKeyRevoked: Audience.OWNERS,
    private_events.WebhookCreated: Audience.OWNERS,
    private_events.WebhookUpdated: Audience.OWNERS,
    private_events.WebhookDeleted: Audience.OWNERS,
    private_events.WebhookRedelivered: Audience.OWNERS,
    private_events.WebhookDeliveryFailed: Audience.OWNERS,
}
"""The audience of an event; its owners are its audience teams."""

ALL_EVENT_KINDS = tuple(event.kind for event in EVENT_AUDIENCES)
PUBLIC_EVENT_KINDS = frozenset(
    event.kind for event, audience in EVENT_AUDIENCES.items() if audience is Audience.READERS
)
"""Kinds that every caller may see. A kind that is missing in the table would be private; a test refuses it."""


def audience_of_field(type_name: str, field: str) -> Audience:
    """The audience of a field in the schema; raises KeyError for a type that is not in the table."""
    if (exception := FIELD_AUDIENCES.get(f"{type_name}.{field}")) is not None:
        return exception
    if type_name.endswith("Payload"):
        return Audience.CALLER
    return TYPE_AUDIENCES[type_name.removesuffix("Connection").removesuffix("Edge")]


def is_private_type(type_name: str) -> bool:
    """Return whether rows of this type are hidden from some callers."""
    return TYPE_AUDIENCES[type_name] in {Audience.OWNERS, Audience.BY_KIND}


@dataclass(frozen=True)
class Visibility:
    """The private rows that a caller may read: all, or those of its team (None: of no team) and its own key."""

    is_unrestricted: bool = False
    team_id: UUID | None = None
    key_id: UUID | None = None


UNRESTRICTED = Visibility(is_unrestricted=True)


def visibility_of(actor: Actor) -> Visibility:
    """Return the visibility of an actor, who may read those private rows that it may change."""
    if actor.has_scope(OWNER_OR_ADMIN.other_team):
        return UNRESTRICTED
    return Visibility(team_id=actor.team_id if actor.has_scope(OWNER_OR_ADMIN.own_team) else None, key_id=actor.key_id)


def visibility_of_webhook(team_id: UUID | None) -> Visibility:
    """The events that a webhook may receive: those its team may read, or all if it belongs to no team."""
    return UNRESTRICTED if team_id is None else Visibility(team_id=team_id)


DESCRIBED_ACTORS: Mapping[str, str] = {
    "admin": "an administrator",
    "clock": "Tessera",
    "key": "an API key",
    "open": "anyone",
    "webhook": "a webhook",
}
"""What actors are called that are no names, by their first term."""


def format_key_actor(name: str, prefix: str) -> str:
    """Format the name of an API key as an actor of the event log."""
    return f"{name} ({prefix})"


def redact_actor(actor: str) -> str:
    """Remove the private part of a name that `format_key_actor` made; the prefix stays, which tells keys apart."""
    prefix = actor[-1 - KEY_PREFIX_LENGTH : -1]
    is_key = actor.endswith(f" ({prefix})") and prefix.startswith(API_KEY_MARKER)
    return f"key {prefix}" if is_key else actor


def describe_actor(actor: str) -> str:
    """Describe an actor of the event log for people: the name of a key, a person or a part of Tessera."""
    if (redacted := redact_actor(actor)) != actor:
        return actor[: -len(redacted.removeprefix("key ")) - 3]
    name, colon, subject = actor.partition(":")
    kind = actor.partition(" ")[0]
    if name == "oidc" and colon:
        return subject
    if kind in DESCRIBED_ACTORS:
        return DESCRIBED_ACTORS[kind]
    return actor


class EventRecord(Protocol):
    """The columns of an event that decide whether a caller may see it."""

    @property
    def kind(self) -> str: ...
    @property
    def teams(self) -> Collection[str]: ...
    @property
    def actor(self) -> str: ...


E = TypeVar("E", bound=EventRecord)


def redact_event(visibility: Visibility, row: E, rename: Callable[[E, str], E]) -> E | None:
    """The event as the caller may see it; None if it is hidden. `rename` copies it with another actor."""
    if visibility.is_unrestricted:
        return row
    if row.kind not in PUBLIC_EVENT_KINDS and (visibility.team_id is None or str(visibility.team_id) not in row.teams):
        return None
    return row if (actor := redact_actor(row.actor)) == row.actor else rename(row, actor)
