"""SDK of Tessera GQL. Imports nothing of the server.

with TesseraClient() as tessera:                          # TESSERA_URL, TESSERA_API_KEY
    team = tessera.create_team("data-platform")
    orders = tessera.create_asset(fqn="analytics.marts.orders", owner_team_id=team.id)
    result = tessera.publish_contract(asset_id=orders.id, schema_def={…}, published_by=team)
    print(result.outcome)

async with TesseraClient() as tessera:                    # an AsyncTesseraClient
    async for event in tessera.subscribe(team_id=team.id):    # resumes after restarts, without gaps or repeats
        print(event.kind, event.cursor)
"""

from tessera_gql.client.ask_policy_models import AskPolicy
from tessera_gql.client.enums import (
    AcknowledgmentResponse,
    AssetTier,
    AwaitedStep,
    ChangeSetStatus,
    CompatibilityMode,
    ContractStatus,
    DebtKind,
    DependencyType,
    DeprecationOrigin,
    DocumentFormat,
    FieldChangeKind,
    Intent,
    LabelOrigin,
    OnSilence,
    ProposalKind,
    ProposalStatus,
    PublishOutcome,
    RegistrationStatus,
)
from tessera_gql.client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    InvalidArgument,
    InvalidCall,
    NotFound,
    Refusal,
    ServerFault,
    Stale,
    TesseraError,
    Unauthenticated,
    Unavailable,
)
from tessera_gql.client.field_models import AssetField, AssetLabel, FieldChange, LabeledAsset
from tessera_gql.client.inbox_models import ChangeSetAcknowledgment, InboxGroup
from tessera_gql.client.manifest_models import ManifestReport
from tessera_gql.client.methods import AsyncTesseraClient, TesseraClient
from tessera_gql.client.models import (
    Acknowledgment,
    Asset,
    AwaitedTeam,
    Change,
    ChangeSet,
    ChangeSetSummary,
    Comment,
    Contract,
    Debt,
    Deprecation,
    Event,
    PendingAcknowledgment,
    Project,
    Proposal,
    Registration,
    Team,
)
from tessera_gql.client.operations.publishing import ChangeSetRequest, Document
from tessera_gql.client.progress import Progress
from tessera_gql.client.result_models import (
    AcknowledgeResult,
    DeclaredDeprecations,
    DeprecationResult,
    Diff,
    Impact,
    PublishResult,
    RegistrationResult,
    RetirementResult,
)
from tessera_gql.client.usage_models import Observation, Principal, UsageImportReport, UsageSource

__all__ = [
    "AcknowledgeResult",
    "Acknowledgment",
    "AcknowledgmentResponse",
    "AskPolicy",
    "Asset",
    "AssetField",
    "AssetLabel",
    "AssetTier",
    "AsyncTesseraClient",
    "AwaitedStep",
    "AwaitedTeam",
    "BadRequest",
    "Change",
    "ChangeSet",
    "ChangeSetAcknowledgment",
    "ChangeSetRequest",
    "ChangeSetStatus",
    "ChangeSetSummary",
    "Comment",
    "CompatibilityMode",
    "Conflict",
    "Contract",
    "ContractStatus",
    "Debt",
    "DebtKind",
    "DeclaredDeprecations",
    "DependencyType",
    "Deprecation",
    "DeprecationOrigin",
    "DeprecationResult",
    "Diff",
    "Document",
    "DocumentFormat",
    "Event",
    "FieldChange",
    "FieldChangeKind",
    "Forbidden",
    "Impact",
    "InboxGroup",
    "Intent",
    "Invalid",
    "InvalidArgument",
    "InvalidCall",
    "LabelOrigin",
    "LabeledAsset",
    "ManifestReport",
    "NotFound",
    "Observation",
    "OnSilence",
    "PendingAcknowledgment",
    "Principal",
    "Progress",
    "Project",
    "Proposal",
    "ProposalKind",
    "ProposalStatus",
    "PublishOutcome",
    "PublishResult",
    "Refusal",
    "Registration",
    "RegistrationResult",
    "RegistrationStatus",
    "RetirementResult",
    "ServerFault",
    "Stale",
    "Team",
    "TesseraClient",
    "TesseraError",
    "Unauthenticated",
    "Unavailable",
    "UsageImportReport",
    "UsageSource",
]
