"""What happened, in the past tense. One dataclass per kind; audit, webhooks and subscriptions follow from it.

`teams` are those the event concerns: they may see it and are told. Everything that is not part of the address
(`teams`, `asset_id`, `proposal_id`) is the payload, so a field added here is published everywhere at once.
"""

import re
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from tessera_gql.policy.words import ChangeType, Outcome, ProposalStatus, Response

ADDRESS = frozenset({"teams", "asset_id", "proposal_id"})


@dataclass(frozen=True, kw_only=True)
class Event:
    """`entity` names the field that holds the id of what the event is about; `kind` is the class name in capitals."""

    kind: ClassVar[str]
    entity: ClassVar[str]

    teams: frozenset[UUID] = field(default_factory=frozenset[UUID])
    asset_id: UUID | None = None
    proposal_id: UUID | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).upper()
        KINDS.append(cls.kind)

    @property
    def entity_type(self) -> str:
        return self.entity.removesuffix("_id")

    @property
    def entity_id(self) -> UUID:
        value: UUID = getattr(self, self.entity)
        return value

    def payload(self) -> dict[str, Any]:
        """The facts as plain JSON, the same on the way out of any database."""
        if (names := _FACTS.get(self.kind)) is None:
            names = _FACTS[self.kind] = tuple(one.name for one in fields(self) if one.name not in ADDRESS)
        return {name: _plain(getattr(self, name)) for name in names}


KINDS: list[str] = []
_FACTS: dict[str, tuple[str, ...]] = {}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case StrEnum():
            return value.value
        case frozenset():
            return sorted(_plain(item) for item in value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case _:
            return value


@dataclass(frozen=True, kw_only=True)
class TeamCreated(Event):
    entity = "team_id"
    team_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class TeamUpdated(Event):
    entity = "team_id"
    team_id: UUID
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AssetCreated(Event):
    entity = "asset_id"
    fqn: str


@dataclass(frozen=True, kw_only=True)
class AssetUpdated(Event):
    entity = "asset_id"
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CompatibilityModeChanged(Event):
    """Informs the consumers: from now on other changes pass without a question."""

    entity = "asset_id"
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class DependencyAdded(Event):
    entity = "dependency_id"
    dependency_id: UUID
    dependency_asset_id: UUID
    dependency_type: str


@dataclass(frozen=True, kw_only=True)
class DependencyRemoved(Event):
    entity = "dependency_id"
    dependency_id: UUID
    dependency_asset_id: UUID
    dependency_type: str


@dataclass(frozen=True, kw_only=True)
class ContractPublished(Event):
    """FORCED names the reason and the teams that would have been asked (`not_asked`)."""

    entity = "contract_id"
    contract_id: UUID
    version: str
    outcome: Outcome
    change_type: ChangeType
    replaces: UUID | None = None
    reason: str | None = None
    not_asked: frozenset[UUID] = field(default_factory=frozenset[UUID])
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContractRetired(Event):
    entity = "contract_id"
    contract_id: UUID
    version: str


@dataclass(frozen=True, kw_only=True)
class RegistrationCreated(Event):
    entity = "registration_id"
    registration_id: UUID
    consumer_team_id: UUID
    reads: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class RegistrationUpdated(Event):
    entity = "registration_id"
    registration_id: UUID
    consumer_team_id: UUID
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RegistrationEnded(Event):
    entity = "registration_id"
    registration_id: UUID
    consumer_team_id: UUID


@dataclass(frozen=True, kw_only=True)
class ProposalOpened(Event):
    """Asked teams get an AcknowledgmentRequested each; `informed` are the others who read the asset or build on it."""

    entity = "proposal_id"
    version: str
    proposed_by: UUID
    asked: frozenset[UUID]
    informed: frozenset[UUID]
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AcknowledgmentRequested(Event):
    entity = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    expires_at: datetime
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AcknowledgmentReleased(Event):
    """The team no longer reads what the proposal breaks: it is no longer asked and its answer no longer counts."""

    entity = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID


@dataclass(frozen=True, kw_only=True)
class ProposalAnswered(Event):
    entity = "acknowledgment_id"
    acknowledgment_id: UUID
    consumer_team_id: UUID
    response: Response
    migration_deadline: datetime | None
    notes: str | None


@dataclass(frozen=True, kw_only=True)
class ProposalStatusChanged(Event):
    entity = "proposal_id"
    before: ProposalStatus
    after: ProposalStatus
    because: str


@dataclass(frozen=True, kw_only=True)
class ProposalStale(Event):
    """Approved, but the contract moved meanwhile and a new break appeared: the proposer must propose afresh."""

    entity = "proposal_id"
    proposed_by: UUID
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ManifestSynced(Event):
    """One event for a whole manifest, beside the events of the contracts it published."""

    entity = "sync_id"
    sync_id: UUID
    project: str | None
    assets_created: int
    contracts_published: int
    proposals_opened: int
    dependencies_added: int
    dependencies_removed: int


@dataclass(frozen=True, kw_only=True)
class ApiKeyCreated(Event):
    """`key_team_id` is null for an administrator's key. Neither the token nor its hash is ever part of an event."""

    entity = "api_key_id"
    api_key_id: UUID
    name: str
    key_team_id: UUID | None
    scopes: tuple[str, ...]
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ApiKeyRevoked(Event):
    """From now on the key opens nothing, and what lives on it ends."""

    entity = "api_key_id"
    api_key_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class ReminderSent(Event):
    """Its teams have not answered, and the proposal runs out in so many hours. Once for each span before the end."""

    entity = "proposal_id"
    hours_before: int
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class WebhookCreated(Event):
    """Of its address only the host: the rest may be as good as a password."""

    entity = "webhook_id"
    webhook_id: UUID
    host: str
    kinds: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class WebhookUpdated(Event):
    entity = "webhook_id"
    webhook_id: UUID
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WebhookDeleted(Event):
    entity = "webhook_id"
    webhook_id: UUID
    host: str


@dataclass(frozen=True, kw_only=True)
class WebhookRedelivered(Event):
    entity = "webhook_id"
    webhook_id: UUID
    delivery_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookDeliveryFailed(Event):
    """Given up after a day of attempts; `event_sequence` is the event that did not arrive, null for a ping."""

    entity = "webhook_id"
    webhook_id: UUID
    delivery_id: UUID
    event_sequence: int | None
    attempts: int
    error: str
