"""The data model. Rules that must hold whatever the code does are indexes and constraints of these tables.

No table declares a `Relationship()`, so nothing can lazy-load. Times are UTC-aware. SQLite has no schemas: there the
tables of `core`, `workflow` and `audit` share one namespace. A new column needs a migration; CONTRIBUTING.md has the
recipe.
"""

from tessera_gql.store.tables.audit import EventAnchor, EventRow
from tessera_gql.store.tables.base import JSON_TYPE, SEQUENCE_TYPE, Base, UTCDateTime, configure_models, new_id, table
from tessera_gql.store.tables.core import (
    ApiKey,
    Asset,
    AssetColumn,
    AssetDependency,
    AssetLabel,
    ColumnEdge,
    Contract,
    Deprecation,
    FieldChange,
    Project,
    ProjectOwner,
    Team,
)
from tessera_gql.store.tables.search import SearchDocument, SearchVariant
from tessera_gql.store.tables.usage import Observation, ObservationDay, Principal, PrincipalRule, UsageSource
from tessera_gql.store.tables.webhooks import Webhook, WebhookDelivery
from tessera_gql.store.tables.workflow import (
    IS_LIVE_FOR_ASSET,
    IS_LIVE_FOR_TEAM,
    IS_OPEN,
    REGISTRATION_KEY,
    Acknowledgment,
    Answer,
    AskPolicyRow,
    ChangeSet,
    Comment,
    Debt,
    IdempotencyKey,
    LogVerification,
    Proposal,
    Registration,
)

__all__ = [
    "IS_LIVE_FOR_ASSET",
    "IS_LIVE_FOR_TEAM",
    "IS_OPEN",
    "JSON_TYPE",
    "REGISTRATION_KEY",
    "SEQUENCE_TYPE",
    "Acknowledgment",
    "Answer",
    "ApiKey",
    "AskPolicyRow",
    "Asset",
    "AssetColumn",
    "AssetDependency",
    "AssetLabel",
    "Base",
    "ChangeSet",
    "ColumnEdge",
    "Comment",
    "Contract",
    "Debt",
    "Deprecation",
    "EventAnchor",
    "EventRow",
    "FieldChange",
    "IdempotencyKey",
    "LogVerification",
    "Observation",
    "ObservationDay",
    "Principal",
    "PrincipalRule",
    "Project",
    "ProjectOwner",
    "Proposal",
    "Registration",
    "SearchDocument",
    "SearchVariant",
    "Team",
    "UTCDateTime",
    "UsageSource",
    "Webhook",
    "WebhookDelivery",
    "configure_models",
    "new_id",
    "table",
]
