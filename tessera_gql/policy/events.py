"""Domain events in the past tense: one dataclass for each kind.

Audit log, webhooks and subscriptions are made from them. `audience_team_ids` are the teams that may see the event and
are notified. All fields outside the envelope (`audience_team_ids`, `asset_id`, `proposal_id`) form the payload, so a
new field is sent to all receivers; `policy.global_ids.PAYLOAD_TYPES` needs the type of a new id. `changes` of an update
holds the values before and after. A new kind also needs its row in `policy.visibility.EVENT_AUDIENCES` (without one,
only administrators and its audience teams would see it, which a test refuses) and a description in
`graphql/event_kinds.py`;
CONTRIBUTING.md has the recipe.
"""

import re
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from tessera_gql.diff import Mode
from tessera_gql.policy.enums import ChangeType, DebtKind, Outcome, ProposalKind, ProposalStatus
from tessera_gql.policy.event_changes import ValueChanges


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base class of events; `entity_field` names the field with the id of the subject."""

    kind: ClassVar[str]
    entity_field: ClassVar[str]

    audience_team_ids: frozenset[UUID] = field(default_factory=frozenset[UUID])
    asset_id: UUID | None = None
    proposal_id: UUID | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).upper()
        EVENT_KINDS.append(cls.kind)

    @property
    def entity_type(self) -> str:
        return self.entity_field.removesuffix("_id")

    @property
    def entity_id(self) -> UUID:
        value: UUID = getattr(self, self.entity_field)
        return value

    def payload(self) -> dict[str, Any]:
        """The payload as plain JSON, equal to what is read back from any database."""
        if (names := _PAYLOAD_FIELDS.get(self.kind)) is None:
            names = _PAYLOAD_FIELDS[self.kind] = tuple(
                item.name for item in fields(self) if item.name not in ENVELOPE_FIELDS
            )
        return {name: _to_json(getattr(self, name)) for name in names}


ENVELOPE_FIELDS = frozenset(item.name for item in fields(Event))
"""The fields of every event, stored in columns of their own; all other fields are the payload."""
EVENT_KINDS: list[str] = []
_PAYLOAD_FIELDS: dict[str, tuple[str, ...]] = {}


def _to_json(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case StrEnum():
            return value.value
        case frozenset():
            return sorted(_to_json(item) for item in value)
        case tuple() | list():
            return [_to_json(item) for item in value]
        case dict():
            return {str(key): _to_json(item) for key, item in value.items()}
        case _:
            return value


@dataclass(frozen=True, kw_only=True)
class TeamCreated(Event):
    entity_field = "team_id"
    team_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True)
class TeamUpdated(Event):
    entity_field = "team_id"
    team_id: UUID
    changed: tuple[str, ...]
    changes: ValueChanges = field(default_factory=ValueChanges)


@dataclass(frozen=True, kw_only=True)
class ProjectCreated(Event):
    """A project was created; its keys sync the tables of the `owners` in the `schemas` (none: every schema)."""

    entity_field = "project_id"
    project_id: UUID
    name: str
    owners: frozenset[UUID]
    schemas: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProjectUpdated(Event):
    """A project changed: `changes` has the values before and after. The open subscriptions of its keys end."""

    entity_field = "project_id"
    project_id: UUID
    changed: tuple[str, ...]
    changes: ValueChanges


@dataclass(frozen=True, kw_only=True)
class AssetCreated(Event):
    entity_field = "asset_id"
    fqn: str


@dataclass(frozen=True, kw_only=True)
class AssetUpdated(Event):
    entity_field = "asset_id"
    changed: tuple[str, ...]
    changes: ValueChanges = field(default_factory=ValueChanges)


@dataclass(frozen=True, kw_only=True)
class CompatibilityModeChanged(Event):
    """A contract changed its compatibility mode; consumers are informed that other changes now break.

    `without_asking` marks a move to CONSUMER by an administrator: no consumer was asked, though the mode is weaker.
    """

    entity_field = "asset_id"
    before: str
    after: str
    without_asking: bool = False


@dataclass(frozen=True, kw_only=True)
class DependencyAdded(Event):
    entity_field = "dependency_id"
    dependency_id: UUID
    dependency_asset_id: UUID
    dependency_type: str


@dataclass(frozen=True, kw_only=True)
class DependencyRemoved(Event):
    entity_field = "dependency_id"
    dependency_id: UUID
    dependency_asset_id: UUID
    dependency_type: str


@dataclass(frozen=True, kw_only=True)
class ContractPublished(Event):
    """A contract became active. FORCED has the reason and the teams that were not asked (`not_asked`)."""

    entity_field = "contract_id"
    contract_id: UUID
    version: str
    outcome: Outcome
    change_type: ChangeType
    mode: Mode
    previous_version: str | None = None
    previous_mode: Mode | None = None
    replaces: UUID | None = None
    reason: str | None = None
    not_asked: frozenset[UUID] = field(default_factory=frozenset[UUID])
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContractUpdated(Event):
    """The metadata of a contract were replaced; its terms never change."""

    entity_field = "contract_id"
    contract_id: UUID
    version: str
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ContractRetired(Event):
    """A contract was retired; `reason` is that of the proposal, if there was one."""

    entity_field = "contract_id"
    contract_id: UUID
    version: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegistrationCreated(Event):
    entity_field = "registration_id"
    registration_id: UUID
    consumer_team_id: UUID
    reads: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class RegistrationUpdated(Event):
    entity_field = "registration_id"
    registration_id: UUID
    consumer_team_id: UUID
    changed: tuple[str, ...]
    changes: ValueChanges = field(default_factory=ValueChanges)


@dataclass(frozen=True, kw_only=True)
class RegistrationEnded(Event):
    entity_field = "registration_id"
    registration_id: UUID
    consumer_team_id: UUID


@dataclass(frozen=True, kw_only=True)
class DebtRecorded(Event):
    """A publish left something undone for a team, for the same reason each; `changes` has a message for each debt.

    `count` is the number of the debts; of many, the lists have only the first ones.
    """

    entity_field = "team_id"
    team_id: UUID
    debt_kind: DebtKind
    count: int
    debts: tuple[UUID, ...]
    paths: tuple[str, ...]
    changes: tuple[str, ...]
    contract_id: UUID
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class DebtSettled(Event):
    """Debts of a team ended: the team acknowledged them or corrected its registration, or a field came back."""

    entity_field = "team_id"
    team_id: UUID
    debt_kind: DebtKind
    count: int
    debts: tuple[UUID, ...]
    paths: tuple[str, ...]
    reason: str
    notes: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProposalOpened(Event):
    """A proposal was opened; `informed` teams read or build on the asset. A RETIREMENT has no version."""

    entity_field = "proposal_id"
    version: str | None
    proposed_by: UUID
    asked: frozenset[UUID]
    informed: frozenset[UUID]
    changes: tuple[str, ...]
    proposal_kind: ProposalKind = ProposalKind.CHANGE
    change_set_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class ProposalUpdated(Event):
    """The producer changed how or until when a proposal is decided, not what it proposes."""

    entity_field = "proposal_id"
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProposalRebased(Event):
    """The terms of a proposal are now compared with a newer contract.

    `changes` are the breaking changes that this added, and `asked` their readers. Without readers they pass.
    """

    entity_field = "proposal_id"
    version: str
    base_contract_id: UUID
    base_version: str
    asked: frozenset[UUID]
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProposalStatusChanged(Event):
    entity_field = "proposal_id"
    before: ProposalStatus
    after: ProposalStatus
    reason: str


@dataclass(frozen=True, kw_only=True)
class ProposalStale(Event):
    """An approved proposal now breaks more than was approved, because the contract has changed."""

    entity_field = "proposal_id"
    proposed_by: UUID
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ChangeSetOpened(Event):
    """A change set was opened, or opened again after its end (`is_reopened`)."""

    entity_field = "change_set_id"
    change_set_id: UUID
    key: str
    title: str | None
    url: str | None
    commit: str | None = None
    is_reopened: bool = False


@dataclass(frozen=True, kw_only=True)
class ChangeSetUpdated(Event):
    """The title, the URL or the commit of a change set changed."""

    entity_field = "change_set_id"
    change_set_id: UUID
    key: str
    changed: tuple[str, ...]
    changes: ValueChanges


@dataclass(frozen=True, kw_only=True)
class ChangeSetWithdrawn(Event):
    """A change set was withdrawn with its open proposals (`proposals`)."""

    entity_field = "change_set_id"
    change_set_id: UUID
    key: str
    proposals: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class ChangeSetPublished(Event):
    """A proposal of the change set was published, and none is open any more.

    If the last two are published at once, the worker records it.
    """

    entity_field = "change_set_id"
    change_set_id: UUID
    key: str


@dataclass(frozen=True, kw_only=True)
class ManifestSynced(Event):
    """A manifest was synced: a summary, in addition to the events of the contracts that were published."""

    entity_field = "sync_id"
    sync_id: UUID
    project: str | None
    assets_created: int
    contracts_published: int
    proposals_opened: int
    dependencies_added: int
    dependencies_removed: int
