"""Enums of the GraphQL schema, each value with its description."""

from enum import Enum, StrEnum
from typing import Any

import strawberry

from tessera_gql.diff import MODE_DESCRIPTIONS, Bump, Certainty, ChangeKind, Mode
from tessera_gql.formats.schema_documents import SchemaFormat
from tessera_gql.policy.access import Scope
from tessera_gql.policy.enums import (
    AcknowledgmentState,
    AssetTier,
    AwaitedStep,
    ChangeSetStatus,
    ChangeType,
    ColumnEdgeKind,
    ContractStatus,
    DebtKind,
    DependencyType,
    DeprecationOrigin,
    Evidence,
    Intent,
    ObligationKind,
    OnSilence,
    Outcome,
    ProposalKind,
    ProposalStatus,
    RegistrationStatus,
    ReleaseKind,
    ResourceType,
    Response,
)
from tessera_gql.store.lineage import Direction


def describe_enum(enum: type[Enum], description: str, *, name: str | None = None, **values: str) -> None:
    """Register an enum in the schema, by default under its own name. Raise KeyError if a value has no description."""
    strawberry.enum(enum, name=name, description=description)
    definition: Any = enum.__strawberry_definition__  # type: ignore[attr-defined] # set by the line above
    for value in definition.values:
        value.description = values[value.name]


class OrderDirection(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class UserErrorCode(StrEnum):
    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    STALE = "STALE"


describe_enum(
    OrderDirection,
    "The direction in which a list is sorted.",
    ASC="Smallest or oldest item first.",
    DESC="Largest or newest item first.",
)
describe_enum(
    UserErrorCode,
    "The reason why a mutation was refused.",
    NOT_FOUND="Something that the input refers to does not exist.",
    INVALID="The input is wrong, whatever the state of the server.",
    CONFLICT="The input is valid, but the current state does not allow it.",
    FORBIDDEN="The caller's key does not have the right to do this.",
    STALE="The object was changed after `expectedRowVersion` was read; read it again.",
)
describe_enum(
    Mode,
    "The rule that decides which changes to a schema are breaking. Weaker guarantees and a weaker mode break in every"
    " mode but NONE.",
    name="CompatibilityMode",
    **{mode.name: description for mode, description in MODE_DESCRIPTIONS.items()},
)
describe_enum(
    Bump,
    "The part of the semantic version that a change must raise at least.",
    name="VersionBump",
    NONE="Nothing changed, so the version stays.",
    PATCH="Only details such as annotations or formats changed, and nothing breaks.",
    MINOR="Declared fields, accepted values or guarantees changed, and nothing breaks.",
    MAJOR="At least one change is breaking under the compatibility mode; under NONE: under BACKWARD or CONSUMER.",
)
describe_enum(
    Certainty,
    "How certain the verdict about a change is.",
    PROVEN="The document in `counterexample` proves that the change breaks.",
    UNPROVEN="The change could not be proven safe or breaking, so it counts as breaking.",
)
describe_enum(
    ChangeKind,
    "The kind of a difference between two contract versions.",
    PROPERTY_ADDED="The new schema declares a property that the old one did not.",
    PROPERTY_REMOVED="The new schema no longer declares a property.",
    PROPERTY_RENAMED="A property was replaced by one of another name and the same shape.",
    TYPE_CHANGED="The type was replaced by one that neither includes the old one nor is part of it.",
    TYPE_WIDENED="The new type includes the old type and more.",
    TYPE_NARROWED="The new type is a part of the old type.",
    REQUIRED_ADDED="A property that was optional is now required.",
    REQUIRED_REMOVED="A property that was required is now optional.",
    ENUM_VALUES_ADDED="More values are allowed than before.",
    ENUM_VALUES_REMOVED="Some values are no longer allowed.",
    CONSTRAINT_TIGHTENED="A constraint such as a maximum or a length accepts fewer values.",
    CONSTRAINT_RELAXED="A constraint such as a maximum or a length accepts more values.",
    CONSTRAINT_CHANGED="A constraint changed in a way that can't be compared, such as another pattern.",
    DEFAULT_ADDED="A default value was added.",
    DEFAULT_REMOVED="A default value was removed.",
    DEFAULT_CHANGED="A default value was replaced by another.",
    NULLABLE_ADDED="A value may be null that could not be null before.",
    NULLABLE_REMOVED="A value may no longer be null.",
    COMPOSITION_CHANGED="The accepted values changed in a way no other kind describes, such as another `anyOf`.",
    FORMAT_CHANGED="The format of a text changed, such as `date` or `email`.",
    DEPRECATED_CHANGED="A field was marked as deprecated, or the mark was removed.",
    ANNOTATION_CHANGED="A title, description, example or other annotation changed.",
    UNRESOLVED_REF="A `$ref` leads nowhere, so what it refers to could not be compared.",
    UNDECIDED="The comparison could not be finished, so the change counts as breaking.",
    GUARANTEE_WEAKENED="A guarantee promises less than before, or is gone.",
    GUARANTEE_STRENGTHENED="A guarantee promises more than before, or is new.",
    GUARANTEE_CHANGED="A guarantee changed in a way that can't be ranked.",
    MODE_WEAKENED="The compatibility mode changed to one that allows changes which the old one forbids.",
    ASSET_RETIRED="The asset is retired: its contract ends and has no successor.",
)
describe_enum(
    Scope,
    "The rights of an API key. READ, WRITE and ADMIN each give the rights of those before them; EVIDENCE stands alone.",
    READ="Read everything but API keys, webhooks and the events about them.",
    WRITE="Change what belongs to the key's own team, and acknowledge proposals for it. The key of a project changes"
    " what its owners have in its schemas, and acknowledges nothing.",
    ADMIN="Act for any team, create teams, and publish breaking changes by force.",
    EVIDENCE="Import the reads of the key's usage source.",
)
describe_enum(
    ResourceType,
    "The kind of object that an asset is.",
    TABLE="A table of the warehouse.",
    VIEW="A view of the warehouse.",
    MODEL="A model of a dbt project.",
    SOURCE="A source that a dbt project reads.",
    SEED="A seed of a dbt project: a CSV file that is loaded as a table.",
    SNAPSHOT="A snapshot of a dbt project.",
    TOPIC="A topic of a message broker.",
    FILE="A file or a folder of files.",
    API="An interface that programs call.",
    EXPOSURE="A use of the data outside the warehouse, such as a dashboard.",
    OTHER="An asset of any other kind.",
)
describe_enum(
    SchemaFormat,
    "The format of a document that describes data.",
    name="DocumentFormat",
    JSON_SCHEMA="A JSON Schema, as text.",
    ODCS="A data contract of the Open Data Contract Standard, version 3, in YAML.",
    DCS="A data contract of the Data Contract Specification, version 0.9 or 1, in YAML.",
    AVRO="An Avro schema of a record, or of a union of records: the content of an .avsc file.",
    PROTOBUF="A compiled protobuf descriptor set with its imports, in base64.",
    DDL="SQL statements that create tables.",
)
describe_enum(
    DebtKind,
    "The reason for a debt.",
    REMOVED_FIELD="The team is registered for a field that a contract removed. It ends when the field comes back.",
    UNKNOWN_FIELD="The team registered a field that no contract ever had. Until it is corrected, the team is asked"
    " about every change.",
    FORCED="The team was not asked about a break that was published by force. It ends when the team acknowledges it.",
)
describe_enum(
    ContractStatus,
    "The stage of a contract's life.",
    ACTIVE="The contract that is in force; an asset has one at most.",
    DEPRECATED="The contract was replaced by a later version.",
    RETIRED="The contract was ended and has no successor.",
)
describe_enum(
    ChangeType,
    "The part of the semantic version that a contract raised.",
    INITIAL="The first contract of its asset.",
    PATCH="Only details such as annotations or formats changed.",
    MINOR="Declared fields, accepted values or guarantees changed, and nothing broke.",
    MAJOR="At least one change was breaking.",
)
describe_enum(
    RegistrationStatus,
    "The stage of a registration's life.",
    ACTIVE="The team reads the asset.",
    MIGRATING="The team reads the asset and is preparing for a proposed change.",
    INACTIVE="The team no longer reads the asset; the registration is kept as history.",
)
describe_enum(
    Evidence,
    "The source of the knowledge that one asset or team reads another asset.",
    DECLARED="A person or a program declared it through this API.",
    DBT_MANIFEST="It was found in a dbt manifest.",
    OBSERVED="It was observed in a log of reads, such as that of a warehouse.",
)
describe_enum(
    ProposalStatus,
    "The status of a proposal. It follows from the acknowledgments and the time; it can't be set.",
    PENDING="At least one asked team has not consented yet, and none has blocked.",
    APPROVED="All asked teams consent; the proposal can be published.",
    REJECTED="An asked team acknowledged with BLOCKED; it may still change its acknowledgment.",
    WITHDRAWN="Final: the owner team withdrew the proposal.",
    PUBLISHED="Final: the contract was published, or the asset retired.",
    SUPERSEDED="Final: another proposal or a publish without it replaced this one.",
    EXPIRED="Final: not all asked teams consented in time.",
)
describe_enum(
    Response,
    "The response of an asked team to a breaking change.",
    name="AcknowledgmentResponse",
    APPROVED="The team consents to the change now.",
    MIGRATING="The team needs time until its migration deadline. It is no consent: that takes APPROVED, or proof.",
    BLOCKED="The team objects, so the proposal can't be published. Needs notes.",
    SILENT="The team did not answer in time, which counts as the policy of the ask says. It can't be given.",
)
describe_enum(
    AcknowledgmentState,
    "What became of an ask.",
    AWAITED="The open proposal waits for the team's answer.",
    ANSWERED="The team has answered, or its silence was counted, and the proposal is open.",
    RELEASED="The team no longer reads what breaks, so it is no longer asked.",
    ENDED="The proposal has ended.",
)
describe_enum(
    OnSilence,
    "What happens if an asked team does not answer before the due date.",
    EXPIRE="The proposal expires then.",
    APPROVE="It counts as consent. An asset needs a tier that an administrator has set for this.",
    BLOCK="The silence counts as a block.",
    EXTEND="The team gets the same time again, for a year at most.",
)
describe_enum(
    AssetTier,
    "The importance of an asset, which decides the policy of the asks about it.",
    CRITICAL="Much depends on the asset.",
    HIGH="The asset matters more than most.",
    NORMAL="The asset is like most, which is the default.",
    LOW="Little depends on the asset.",
)
describe_enum(
    AwaitedStep,
    "The step of an asked team that a proposal waits for.",
    ANSWER="An answer of any kind.",
    MIGRATION="The proof that the team has migrated, or its consent.",
    CHANGE_OF_MIND="Another answer than the present one, which blocks the proposal.",
)
describe_enum(
    ReleaseKind,
    "The kind of proof that a team no longer reads what breaks.",
    MANIFEST="A dbt manifest that was released, not only asked about.",
    REGISTRATION="A change of the team's registration.",
    OBSERVATION="No read for long enough in a log that covers the time without a gap.",
)
describe_enum(
    DeprecationOrigin,
    "The source of a deprecation.",
    DECLARED="The owning team declared it, and only the owning team ends it.",
    SCHEMA="The schema of the active contract states it, and it ends when the schema no longer does.",
    DBT_MANIFEST="The synced dbt manifest states it, and it ends when the manifest no longer does.",
)
describe_enum(
    ColumnEdgeKind,
    "The way in which a column is made from another one.",
    COPIED="The column is the other one as it is.",
    DERIVED="The column is computed from the other one.",
    FILTER="The other column decides about the rows, by a condition, a join, a group or an order.",
)
describe_enum(
    Direction,
    "The direction in which lineage is followed.",
    name="LineageDirection",
    UPSTREAM="To what the asset is made from.",
    DOWNSTREAM="To what is made from the asset.",
)
describe_enum(
    DependencyType,
    "The way in which one asset depends on another.",
    CONSUMES="The dependent asset reads the other one.",
    REFERENCES="The dependent asset refers to the other one, for example by a foreign key.",
    TRANSFORMS="The dependent asset is made from the other one.",
)
describe_enum(
    Intent,
    "The intent of a publish: to ask about a change that is still in review, or to release it.",
    ASK="Open or update a proposal and publish nothing, as often as it is repeated.",
    RELEASE="Publish what is approved with exactly these terms, and what breaks no other team; otherwise propose it.",
)
describe_enum(
    ProposalKind,
    "The kind of a proposal.",
    CHANGE="The proposal would publish a new contract.",
    RETIREMENT="The proposal would retire the asset's contract, without a successor.",
)
describe_enum(
    ChangeSetStatus,
    "The status of a change set. A publish that names a change set that has ended opens it again.",
    OPEN="Proposals can be added, answered and published.",
    WITHDRAWN="The change set was withdrawn with its open proposals.",
    PUBLISHED="A proposal of it was published, and none is open.",
)
describe_enum(
    Outcome,
    "The result of a publish. PROPOSED is not an error.",
    name="PublishOutcome",
    PUBLISHED="The contract was published and is active.",
    COMPATIBLE="An ask (`intent: ASK`) about terms that break nothing: a release would publish them.",
    PROPOSED="The change is breaking, so a proposal waits for the acknowledgments of the asked teams.",
    UNCHANGED="The active contract is the same already, so nothing was written.",
    FORCED="The contract was published by force although the change is breaking.",
)
describe_enum(
    ObligationKind,
    "The kind of what a team owes.",
    ANSWER="An open proposal awaits its answer.",
    MIGRATION="It has promised to migrate, and that is not proven.",
    DEBT="A publish left something undone for it, or it is registered for a field that is not there.",
)
