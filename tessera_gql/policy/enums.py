"""Enums of the domain. A value equals its name, in database, GraphQL schema and files."""

from enum import StrEnum


class ResourceType(StrEnum):
    """The kind of resource that an asset is in the warehouse."""

    TABLE = "TABLE"
    VIEW = "VIEW"
    MODEL = "MODEL"
    SOURCE = "SOURCE"
    SEED = "SEED"
    SNAPSHOT = "SNAPSHOT"
    TOPIC = "TOPIC"
    FILE = "FILE"
    API = "API"
    EXPOSURE = "EXPOSURE"
    OTHER = "OTHER"


class ContractStatus(StrEnum):
    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class ChangeType(StrEnum):
    """How much a contract's version was raised, a hint at its importance for consumers."""

    INITIAL = "INITIAL"
    PATCH = "PATCH"
    MINOR = "MINOR"
    MAJOR = "MAJOR"


class RegistrationStatus(StrEnum):
    """The state of a registration. ACTIVE and MIGRATING are live: their teams are asked. INACTIVE has ended."""

    ACTIVE = "ACTIVE"
    MIGRATING = "MIGRATING"
    INACTIVE = "INACTIVE"


class Evidence(StrEnum):
    """The source of our knowledge that a team reads an asset."""

    DECLARED = "DECLARED"
    DBT_MANIFEST = "DBT_MANIFEST"
    OBSERVED = "OBSERVED"


class ProposalStatus(StrEnum):
    """The state of a proposal. PENDING, APPROVED and REJECTED follow the acknowledgments; the others are final."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"
    EXPIRED = "EXPIRED"

    @property
    def is_open(self) -> bool:
        return self in OPEN_STATUSES


OPEN_STATUSES = (ProposalStatus.PENDING, ProposalStatus.APPROVED, ProposalStatus.REJECTED)


class ProposalKind(StrEnum):
    """What a proposal changes: CHANGE publishes a new contract, RETIREMENT ends the asset's contract."""

    CHANGE = "CHANGE"
    RETIREMENT = "RETIREMENT"


class ChangeSetStatus(StrEnum):
    """The state of a change set. WITHDRAWN and PUBLISHED are reopened by the next request with its key."""

    OPEN = "OPEN"
    WITHDRAWN = "WITHDRAWN"
    PUBLISHED = "PUBLISHED"


class DebtKind(StrEnum):
    """Why a team is owed something: a field it reads was removed or never existed, or a break was forced on it."""

    REMOVED_FIELD = "REMOVED_FIELD"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    FORCED = "FORCED"


class Intent(StrEnum):
    """What a call may do. ASK opens or updates proposals and publishes no break; RELEASE publishes what is approved."""

    ASK = "ASK"
    RELEASE = "RELEASE"


class Response(StrEnum):
    """The response of a team to a proposal. MIGRATING is no consent; SILENT stands for none before the due date.

    What SILENT means, consent or a block, says the policy that the ask was made with.
    """

    APPROVED = "APPROVED"
    MIGRATING = "MIGRATING"
    BLOCKED = "BLOCKED"
    SILENT = "SILENT"


class AcknowledgmentState(StrEnum):
    """What became of an ask: it waits for an answer, has one, was released, or its proposal has ended."""

    AWAITED = "AWAITED"
    ANSWERED = "ANSWERED"
    RELEASED = "RELEASED"
    ENDED = "ENDED"


class OnSilence(StrEnum):
    """What it means that a team does not answer before the due date.

    EXPIRE lets the proposal expire, APPROVE and BLOCK answer for the team, EXTEND gives it the same time again.
    """

    EXPIRE = "EXPIRE"
    APPROVE = "APPROVE"
    BLOCK = "BLOCK"
    EXTEND = "EXTEND"


class AssetTier(StrEnum):
    """The importance of an asset, which decides the policy of asks about it."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


class AwaitedStep(StrEnum):
    """The step of an asked team that an open proposal waits for."""

    ANSWER = "ANSWER"
    MIGRATION = "MIGRATION"
    CHANGE_OF_MIND = "CHANGE_OF_MIND"


class ReleaseKind(StrEnum):
    """The proof that an asked team no longer reads what breaks: a synced manifest, its registration, or quiet reads."""

    MANIFEST = "MANIFEST"
    REGISTRATION = "REGISTRATION"
    OBSERVATION = "OBSERVATION"


class ColumnEdgeKind(StrEnum):
    """How a column is made from another one: copied as it is, computed from it, or by rows that it selects."""

    COPIED = "COPIED"
    DERIVED = "DERIVED"
    FILTER = "FILTER"


class UnaskedReason(StrEnum):
    """Why a reader is not asked about a change."""

    RELEASED = "RELEASED"
    OTHER_FIELDS = "OTHER_FIELDS"
    DOWNSTREAM = "DOWNSTREAM"


class ObligationKind(StrEnum):
    """What a team owes: an answer to an ask, a migration that it has promised, or what a publish left undone."""

    ANSWER = "ANSWER"
    MIGRATION = "MIGRATION"
    DEBT = "DEBT"


class UpcomingKind(StrEnum):
    """What time does with an open proposal, in the order of steps at the same moment."""

    REMINDER = "REMINDER"
    ESCALATION = "ESCALATION"
    MIGRATION_DEADLINE = "MIGRATION_DEADLINE"
    SILENCE = "SILENCE"
    EXPIRY = "EXPIRY"


class DeprecationOrigin(StrEnum):
    """Where a deprecation comes from: declared by the owning team, or imported from a schema or a manifest."""

    DECLARED = "DECLARED"
    SCHEMA = "SCHEMA"
    DBT_MANIFEST = "DBT_MANIFEST"


class LabelOrigin(StrEnum):
    """Where a label of an asset comes from: set by the owning team, or imported from a dbt manifest."""

    DECLARED = "DECLARED"
    DBT_MANIFEST = "DBT_MANIFEST"


class FieldChangeKind(StrEnum):
    """What a contract did to a field, compared with the contract before it."""

    ADDED = "ADDED"
    CHANGED = "CHANGED"
    RENAMED = "RENAMED"
    REMOVED = "REMOVED"


class DependencyType(StrEnum):
    CONSUMES = "CONSUMES"
    REFERENCES = "REFERENCES"
    TRANSFORMS = "TRANSFORMS"


class Outcome(StrEnum):
    """The result of a publish. PROPOSED is not a failure: the change waits for acknowledgments.

    COMPATIBLE is the result of an ask about terms that break nothing: a release would publish them.
    """

    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    COMPATIBLE = "COMPATIBLE"
    UNCHANGED = "UNCHANGED"
    FORCED = "FORCED"


class WebhookFormat(StrEnum):
    """What a webhook sends: STANDARD an event or a document's selection of it, GITHUB_STATUS the state of a commit.

    SLACK, TEAMS and EMAIL send messages to people.
    """

    STANDARD = "STANDARD"
    SLACK = "SLACK"
    TEAMS = "TEAMS"
    EMAIL = "EMAIL"
    GITHUB_STATUS = "GITHUB_STATUS"

    @property
    def is_message(self) -> bool:
        return self in (WebhookFormat.SLACK, WebhookFormat.TEAMS, WebhookFormat.EMAIL)


class DeliveryStatus(StrEnum):
    """The state of a delivery. PENDING is retried until it is DELIVERED, or DEAD after a day of failures."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
