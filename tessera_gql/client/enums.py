"""Enums of the schema; a test keeps them equal to schema.graphql. Values that later versions extend are strings."""

from enum import StrEnum
from typing import TypeAlias


class UsageFormat(StrEnum):
    """The format of a log of reads."""

    CSV = "CSV"
    SNOWFLAKE = "SNOWFLAKE"
    BIGQUERY = "BIGQUERY"
    OPENLINEAGE = "OPENLINEAGE"


class CompatibilityMode(StrEnum):
    """The rule that decides which changes break."""

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    CONSUMER = "CONSUMER"
    NONE = "NONE"


class ContractStatus(StrEnum):
    """The state of a contract; an asset has at most one ACTIVE contract."""

    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class ProposalStatus(StrEnum):
    """The state of a proposal, open or resolved."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"
    SUPERSEDED = "SUPERSEDED"
    EXPIRED = "EXPIRED"


class ProposalKind(StrEnum):
    """What a proposal changes: CHANGE publishes a contract, RETIREMENT ends the asset's contract."""

    CHANGE = "CHANGE"
    RETIREMENT = "RETIREMENT"


class ChangeSetStatus(StrEnum):
    """The state of a change set. The next publish with its key opens an ended one again."""

    OPEN = "OPEN"
    WITHDRAWN = "WITHDRAWN"
    PUBLISHED = "PUBLISHED"


class Intent(StrEnum):
    """ASK opens or updates a proposal and publishes nothing; RELEASE publishes what is approved or breaks no reader."""

    ASK = "ASK"
    RELEASE = "RELEASE"


class AcknowledgmentResponse(StrEnum):
    """A team's response to a proposal. MIGRATING needs a deadline; SILENT is counted, never given."""

    APPROVED = "APPROVED"
    MIGRATING = "MIGRATING"
    BLOCKED = "BLOCKED"
    SILENT = "SILENT"


class AwaitedStep(StrEnum):
    """The step of an asked team that a proposal waits for."""

    ANSWER = "ANSWER"
    MIGRATION = "MIGRATION"
    CHANGE_OF_MIND = "CHANGE_OF_MIND"


class ObligationKind(StrEnum):
    """The kind of what a team owes."""

    ANSWER = "ANSWER"
    MIGRATION = "MIGRATION"
    DEBT = "DEBT"


class UpcomingKind(StrEnum):
    """The kind of a step that time takes with an open proposal."""

    REMINDER = "REMINDER"
    ESCALATION = "ESCALATION"
    SILENCE = "SILENCE"
    MIGRATION_DEADLINE = "MIGRATION_DEADLINE"
    EXPIRY = "EXPIRY"


class UnaskedReason(StrEnum):
    """The reason why a reader is not asked about a change."""

    RELEASED = "RELEASED"
    OTHER_FIELDS = "OTHER_FIELDS"
    DOWNSTREAM = "DOWNSTREAM"


class OnSilence(StrEnum):
    """What happens if an asked team does not answer before the due date."""

    EXPIRE = "EXPIRE"
    APPROVE = "APPROVE"
    BLOCK = "BLOCK"
    EXTEND = "EXTEND"


class AssetTier(StrEnum):
    """The importance of an asset, which decides the policy of the asks about it."""

    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


class RegistrationStatus(StrEnum):
    """The state of a registration; INACTIVE ones have ended."""

    ACTIVE = "ACTIVE"
    MIGRATING = "MIGRATING"
    INACTIVE = "INACTIVE"


class PublishOutcome(StrEnum):
    """The result of a publish. PROPOSED is a success: the change waits for acknowledgments.

    COMPATIBLE is the result of an ask about terms that a release would publish.
    """

    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    COMPATIBLE = "COMPATIBLE"
    UNCHANGED = "UNCHANGED"
    FORCED = "FORCED"


class TableState(StrEnum):
    """The verdict about one table of a dbt manifest."""

    UNCHANGED = "UNCHANGED"
    NEW = "NEW"
    COMPATIBLE = "COMPATIBLE"
    SKIPPED = "SKIPPED"
    UNREAD = "UNREAD"
    APPROVED = "APPROVED"
    WAITING = "WAITING"
    HELD = "HELD"
    ASK = "ASK"
    BLOCKED = "BLOCKED"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"


class DebtKind(StrEnum):
    """The reason for a debt."""

    REMOVED_FIELD = "REMOVED_FIELD"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    FORCED = "FORCED"


class DeprecationOrigin(StrEnum):
    """The source of a deprecation."""

    DECLARED = "DECLARED"
    SCHEMA = "SCHEMA"
    DBT_MANIFEST = "DBT_MANIFEST"


class DocumentFormat(StrEnum):
    """The format of a schema document."""

    JSON_SCHEMA = "JSON_SCHEMA"
    ODCS = "ODCS"
    DCS = "DCS"
    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    DDL = "DDL"


class DependencyType(StrEnum):
    """The kind of a lineage edge."""

    CONSUMES = "CONSUMES"
    REFERENCES = "REFERENCES"
    TRANSFORMS = "TRANSFORMS"


class SearchType(StrEnum):
    """The type of what a search finds."""

    TEAM = "TEAM"
    ASSET = "ASSET"
    PROPOSAL = "PROPOSAL"


class SearchPart(StrEnum):
    """The part in which a word of a search is found."""

    NAME = "NAME"
    COLUMN = "COLUMN"
    LABEL = "LABEL"
    CONTRACT = "CONTRACT"
    DESCRIPTION = "DESCRIPTION"


ResourceType: TypeAlias = str
"""Kind of an asset, such as MODEL, TABLE, SOURCE or TOPIC. Later versions add values."""

ChangeKind: TypeAlias = str
"""Kind of a change, such as PROPERTY_REMOVED or TYPE_NARROWED. Later versions add values."""

EventKind: TypeAlias = str
"""Kind of an event, such as CONTRACT_PUBLISHED. Later versions add values."""


class FieldChangeKind(StrEnum):
    ADDED = "ADDED"
    CHANGED = "CHANGED"
    RENAMED = "RENAMED"
    REMOVED = "REMOVED"


class LabelOrigin(StrEnum):
    DECLARED = "DECLARED"
    DBT_MANIFEST = "DBT_MANIFEST"


class LineageDirection(StrEnum):
    """The direction in which lineage is followed."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"


class ColumnEdgeKind(StrEnum):
    """How a column is made from another one."""

    COPIED = "COPIED"
    DERIVED = "DERIVED"
    FILTER = "FILTER"


class Evidence(StrEnum):
    """The source of the knowledge about a dependency or a reader."""

    DECLARED = "DECLARED"
    DBT_MANIFEST = "DBT_MANIFEST"
    OBSERVED = "OBSERVED"


class WebhookFormat(StrEnum):
    """What a webhook sends: events as JSON, messages to people, or the state of a commit."""

    STANDARD = "STANDARD"
    SLACK = "SLACK"
    TEAMS = "TEAMS"
    EMAIL = "EMAIL"
    GITHUB_STATUS = "GITHUB_STATUS"


class DeliveryStatus(StrEnum):
    """The state of a delivery. PENDING is tried again until it is DELIVERED or DEAD."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
