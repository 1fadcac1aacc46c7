"""The SDK: `TesseraClient` and `AsyncTesseraClient`. Stands alone: importing it imports nothing of the server.

with TesseraClient() as tessera:                          # TESSERA_URL, TESSERA_API_KEY
    team = tessera.create_team("data-platform")
    orders = tessera.create_asset(fqn="analytics.marts.orders", owner_team_id=team.id)
    done = tessera.publish_contract(asset_id=orders.id, schema_def={…}, published_by=team)
    print(done.outcome)

async with AsyncTesseraClient() as tessera:
    async for event in tessera.subscribe(team_id=team.id):    # over restarts, nothing lost, nothing twice
        print(event.kind, event.cursor)
"""

from tessera_gql.client.awaited import AsyncTesseraClient
from tessera_gql.client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
    Stale,
    TesseraError,
    Unauthenticated,
    Unavailable,
)
from tessera_gql.client.nouns import (
    Acknowledged,
    Answer,
    Asset,
    Change,
    Contract,
    Diff,
    Event,
    Impact,
    ManifestReport,
    Proposal,
    Publication,
    Question,
    Registration,
    Team,
)
from tessera_gql.client.operations.publishing import Document
from tessera_gql.client.progress import Progress
from tessera_gql.client.sync import TesseraClient
from tessera_gql.client.words import (
    AcknowledgmentResponse,
    CompatibilityMode,
    ContractStatus,
    DependencyType,
    DocumentFormat,
    ProposalStatus,
    PublishOutcome,
    RegistrationStatus,
)

__all__ = [
    "Acknowledged",
    "AcknowledgmentResponse",
    "Answer",
    "Asset",
    "AsyncTesseraClient",
    "BadRequest",
    "Change",
    "CompatibilityMode",
    "Conflict",
    "Contract",
    "ContractStatus",
    "DependencyType",
    "Diff",
    "Document",
    "DocumentFormat",
    "Event",
    "Forbidden",
    "Impact",
    "Invalid",
    "ManifestReport",
    "NotFound",
    "Progress",
    "Proposal",
    "ProposalStatus",
    "Publication",
    "PublishOutcome",
    "Question",
    "Refused",
    "Registration",
    "RegistrationStatus",
    "ServerFault",
    "Stale",
    "Team",
    "TesseraClient",
    "TesseraError",
    "Unauthenticated",
    "Unavailable",
]
