"""The data model. Rules that must hold whatever the code does are indexes and constraints of these tables.

No table declares a `Relationship()`, so nothing can lazy-load. Times are UTC-aware. SQLite has no schemas: there the
tables of `core`, `workflow` and `audit` share one namespace. A new column needs a migration; CONTRIBUTING.md has the
recipe.
"""

from tessera_gql.store.tables.audit import EventRow
from tessera_gql.store.tables.base import JSON_TYPE, SEQUENCE_TYPE, Base, UTCDateTime, new_id, table
from tessera_gql.store.tables.core import ApiKey, Asset, AssetDependency, Contract, Project, ProjectOwner, Team
from tessera_gql.store.tables.workflow import (
    IS_LIVE_FOR_ASSET,
    IS_LIVE_FOR_TEAM,
    IS_OPEN,
    REGISTRATION_KEY,
    Acknowledgment,
    ChangeSet,
    Debt,
    IdempotencyKey,
    Proposal,
    Registration,
    Webhook,
    WebhookDelivery,
)

__all__ = [
    "IS_LIVE_FOR_ASSET",
    "IS_LIVE_FOR_TEAM",
    "IS_OPEN",
    "JSON_TYPE",
    "REGISTRATION_KEY",
    "SEQUENCE_TYPE",
    "Acknowledgment",
    "ApiKey",
    "Asset",
    "AssetDependency",
    "Base",
    "ChangeSet",
    "Contract",
    "Debt",
    "EventRow",
    "IdempotencyKey",
    "Project",
    "ProjectOwner",
    "Proposal",
    "Registration",
    "Team",
    "UTCDateTime",
    "Webhook",
    "WebhookDelivery",
    "new_id",
    "table",
]
