"""The closed vocabularies of the graph; a test holds them equal to schema.graphql. Open ones are plain strings."""

from enum import StrEnum
from typing import TypeAlias


class CompatibilityMode(StrEnum):
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    NONE = "NONE"


class ContractStatus(StrEnum):
    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"
    RETIRED = "RETIRED"


class ProposalStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    PUBLISHED = "PUBLISHED"
    WITHDRAWN = "WITHDRAWN"
    SUPERSEDED = "SUPERSEDED"
    EXPIRED = "EXPIRED"


class AcknowledgmentResponse(StrEnum):
    """MIGRATING is "not yet", and needs a deadline."""

    APPROVED = "APPROVED"
    MIGRATING = "MIGRATING"
    BLOCKED = "BLOCKED"


class RegistrationStatus(StrEnum):
    ACTIVE = "ACTIVE"
    MIGRATING = "MIGRATING"
    INACTIVE = "INACTIVE"


class PublishOutcome(StrEnum):
    """PROPOSED is no failure: the change waits for the teams it hurts."""

    PUBLISHED = "PUBLISHED"
    PROPOSED = "PROPOSED"
    UNCHANGED = "UNCHANGED"
    FORCED = "FORCED"


class DocumentFormat(StrEnum):
    JSON_SCHEMA = "JSON_SCHEMA"
    ODCS = "ODCS"
    AVRO = "AVRO"
    PROTOBUF = "PROTOBUF"
    DDL = "DDL"


class DependencyType(StrEnum):
    CONSUMES = "CONSUMES"
    REFERENCES = "REFERENCES"
    TRANSFORMS = "TRANSFORMS"


ResourceType: TypeAlias = str
"""Grows with the platforms we read: MODEL, TABLE, SOURCE, TOPIC …"""

ChangeKind: TypeAlias = str
"""Grows with the diff engine: PROPERTY_REMOVED, TYPE_NARROWED …"""

EventKind: TypeAlias = str
"""Grows with the product: CONTRACT_PUBLISHED, ACKNOWLEDGMENT_REQUESTED …"""
