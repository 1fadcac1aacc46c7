"""The closed vocabularies as the graph shows them: every value described where a reader meets it."""

from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import strawberry

from tessera_gql.diff import Bump, Certainty, ChangeKind, Mode
from tessera_gql.formats.sources import Format
from tessera_gql.policy.access import Scope
from tessera_gql.policy.events import KINDS
from tessera_gql.policy.words import (
    ChangeType,
    ContractStatus,
    DependencyType,
    Evidence,
    Outcome,
    ProposalStatus,
    RegistrationStatus,
    ResourceType,
    Response,
)


def described(enum: type[Enum], name: str, description: str, **values: str) -> None:
    """Registers an enum of another layer; a value without a description of its own is told by its name."""
    strawberry.enum(enum, name=name, description=description)
    definition: Any = enum.__strawberry_definition__  # type: ignore[attr-defined] # set by the line above
    for value in definition.values:
        value.description = values.get(value.name) or value.name.replace("_", " ").capitalize() + "."


if TYPE_CHECKING:
    EventKind: TypeAlias = StrEnum
else:  # made from the events there are, which type checkers can't know
    EventKind = StrEnum("EventKind", [(kind, kind) for kind in KINDS])


class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class UserErrorCode(StrEnum):
    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    STALE = "STALE"


class SearchType(StrEnum):
    TEAM = "TEAM"
    ASSET = "ASSET"


described(
    OrderDirection, "OrderDirection", "Which end comes first.", ASC="Smallest or oldest.", DESC="Largest or newest."
)
described(
    SearchType, "SearchType", "What can be searched for.", TEAM="Teams, by name.", ASSET="Assets, by fqn and text."
)
described(
    UserErrorCode,
    "UserErrorCode",
    "Why a call was refused.",
    NOT_FOUND="What was named does not exist.",
    INVALID="The input can't be right, whatever the state.",
    CONFLICT="The input could be right, but the present state forbids it.",
    FORBIDDEN="This key may not do this.",
    STALE="Somebody changed it since `expectedRowVersion` was read.",
)
described(
    Mode,
    "CompatibilityMode",
    "Which way round two versions must fit together.",
    BACKWARD="Who reads the old version can read the new one.",
    FORWARD="Who reads the new version can read data of the old one.",
    FULL="Both ways.",
    NONE="Nothing counts as breaking; consumers are only informed.",
)
described(
    Bump,
    "VersionBump",
    "The smallest honest step of the version.",
    NONE="Nothing changed.",
    PATCH="Nothing that anyone can rely on changed.",
    MINOR="Something was added.",
    MAJOR="Something breaks.",
)
described(
    Certainty,
    "Certainty",
    "How sure it is that a change does what it is said to do.",
    PROVEN="There is a document that shows it: `counterexample`.",
    UNPROVEN="Safety could not be proven, so it counts as breaking.",
)
described(ChangeKind, "ChangeKind", "What kind of difference there is between two versions.")
described(
    Scope,
    "Scope",
    "What a key is good for.",
    READ="Read everything.",
    WRITE="Change what belongs to its team, and answer for it.",
    ADMIN="Act for any team, create teams, publish by force.",
)
described(ResourceType, "ResourceType", "What kind of thing an asset is in the warehouse.")
described(
    Format,
    "DocumentFormat",
    "What a document that describes data is written in.",
    JSON_SCHEMA="A JSON Schema, as text.",
    ODCS="A data contract of the Open Data Contract Standard, version 3, in YAML.",
    AVRO="An Avro schema of a record: the content of an .avsc file.",
    PROTOBUF="A compiled protobuf descriptor set with its imports, in base64.",
    DDL="SQL that creates tables.",
)
described(
    ContractStatus,
    "ContractStatus",
    "Where a contract is in its life.",
    ACTIVE="The promise that holds now; at most one for each asset.",
    DEPRECATED="Replaced by a later version.",
    RETIRED="Ended for good.",
)
described(
    ChangeType,
    "ChangeType",
    "How far a contract's version moved.",
    INITIAL="The first contract of its asset.",
    PATCH="Nothing that anyone can rely on changed.",
    MINOR="Something was added.",
    MAJOR="Something broke.",
)
described(
    RegistrationStatus,
    "RegistrationStatus",
    "Where a registration is in its life.",
    ACTIVE="The team reads the asset.",
    MIGRATING="The team reads the asset and is preparing for a proposed change.",
    INACTIVE="The team no longer reads the asset.",
)
described(
    Evidence,
    "Evidence",
    "How it is known that one thing reads another.",
    DECLARED="Somebody said so.",
    DBT_MANIFEST="A dbt manifest says so.",
    QUERY_LOG="The warehouse's queries say so.",
)
described(
    ProposalStatus,
    "ProposalStatus",
    "Follows from the answers and the time; nobody sets it by hand.",
    PENDING="Answers are outstanding.",
    APPROVED="Everyone asked agrees; it can be published.",
    REJECTED="Someone answered BLOCKED; answers may still change.",
    WITHDRAWN="Ended: taken back by the owning team.",
    PUBLISHED="Ended: the contract was published.",
    SUPERSEDED="Ended: another proposal or a forced publish took its place.",
    EXPIRED="Ended: not everyone agreed in time.",
)
described(
    Response,
    "AcknowledgmentResponse",
    "What an asked team says to a breaking change.",
    APPROVED="Go ahead.",
    MIGRATING="Not yet: consent once the migration deadline has passed.",
    BLOCKED="No.",
)
described(
    DependencyType,
    "DependencyType",
    "What one asset does with another.",
    CONSUMES="It reads it.",
    REFERENCES="It points to it.",
    TRANSFORMS="It is made from it.",
)
described(
    Outcome,
    "PublishOutcome",
    "What a publish came to. PROPOSED is no failure.",
    PUBLISHED="The contract is active.",
    PROPOSED="The change breaks something and waits for the teams it hurts.",
    UNCHANGED="The active contract says the same already; nothing was written.",
    FORCED="The contract is active although it breaks something.",
)
described(EventKind, "EventKind", "What happened.")
