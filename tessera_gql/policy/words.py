"""The closed vocabularies of the domain; a value's name is its spelling everywhere: database, graph, files."""

from enum import StrEnum


class ResourceType(StrEnum):
    """What kind of thing an asset is in the warehouse."""

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
    """How far a contract's version moved, and so how much a consumer should care."""

    INITIAL = "INITIAL"
    PATCH = "PATCH"
    MINOR = "MINOR"
    MAJOR = "MAJOR"


class RegistrationStatus(StrEnum):
    """ACTIVE and MIGRATING registrations are live: their teams are asked. INACTIVE ones are history."""

    ACTIVE = "ACTIVE"
    MIGRATING = "MIGRATING"
    INACTIVE = "INACTIVE"


class Evidence(StrEnum):
    """How we know that a team reads an asset."""

    DECLARED = "DECLARED"
    DBT_MANIFEST = "DBT_MANIFEST"
    QUERY_LOG = "QUERY_LOG"


class ProposalStatus(StrEnum):
    """PENDING, APPROVED and REJECTED follow the answers; the other four are ends, never left again."""

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
LIVE_STATUSES = (RegistrationStatus.ACTIVE, RegistrationStatus.MIGRATING)


class Response(StrEnum):
    """A consumer's answer. MIGRATING means "not yet": consent only once its deadline has passed."""

    APPROVED = "APPROVED"
    MIGRATING = "MIGRATING"
    BLOCKED = "BLOCKED"


class DependencyType(StrEnum):
    CONSUMES = "CONSUMES"
    REFERENCES = "REFERENCES"
    TRANSFORMS = "TRANSFORMS"


class Outcome(StrEnum):
    """What a publish came to. PROPOSED is no failure: the change waits for its consumers."""

    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    UNCHANGED = "UNCHANGED"
    FORCED = "FORCED"


class WebhookFormat(StrEnum):
    """STANDARD is the event, or what a document chose of it; SLACK is one sentence, as Slack and its like take it."""

    STANDARD = "STANDARD"
    SLACK = "SLACK"


class DeliveryStatus(StrEnum):
    """PENDING is tried again until it is DELIVERED, or DEAD after a day of failures."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
