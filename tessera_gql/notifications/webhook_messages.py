"""Render and sign the messages of the format STANDARD: an event as JSON, or the selection of a GraphQL document."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook as Signer

from tessera_gql.policy.global_ids import encode_event_ids
from tessera_gql.store.tables import EventRow

PING = "PING"


def render_standard(event: EventRow, data: Any = None) -> bytes:
    """Render the event in the format STANDARD; `data` is what a document selected, None the whole event."""
    body = {"type": event.kind, "timestamp": event.occurred_at, "data": event_to_json(event) if data is None else data}
    return orjson.dumps(body, default=str)


def event_to_json(event: EventRow) -> dict[str, Any]:
    """Convert the event to JSON with names and values as in the type `Event` of the API."""
    ids = encode_event_ids(event)
    return {
        "sequence": event.sequence,
        "id": ids["id"],
        "kind": event.kind,
        "entityType": event.entity_type,
        "entityId": ids["entity_id"],
        "assetId": ids["asset_id"],
        "proposalId": ids["proposal_id"],
        "teams": ids["teams"],
        "actor": event.actor,
        "payload": ids["payload"],
        "occurredAt": event.occurred_at,
        "hash": event.hash,
    }


def render_ping(moment: datetime) -> bytes:
    return orjson.dumps({"type": PING, "timestamp": moment, "data": {}})


def sign_headers(identity: str, body: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Build the headers of Standard Webhooks; a receiver that has any of the secrets can verify them."""
    moment = now.astimezone(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "tessera-gql",
        "webhook-id": identity,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    signatures = [create_signer(secret).sign(identity, moment, body.decode()) for secret in secrets]
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def create_signer(secret: str) -> Signer:
    """Create the signer of a secret: `whsec_` and base64, as in the standard, or any text from the settings."""
    return Signer(secret if secret.startswith("whsec_") else secret.encode())
