"""What a webhook is sent: the event as JSON, what a GraphQL document chose of it, or one sentence for a chat room."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook as Signer

from tessera_gql.escaping import escape_slack
from tessera_gql.store.tables import EventRow

PING = "PING"


def standard(event: EventRow, data: Any = None) -> bytes:
    """`data` replaces the event's own facts: what a document chose."""
    body = {"type": event.kind, "timestamp": event.occurred_at, "data": facts(event) if data is None else data}
    return orjson.dumps(body, default=str)


def facts(event: EventRow) -> dict[str, Any]:
    """The row of the log in the graph's spelling; ids are plain UUIDs."""
    return {
        "sequence": event.sequence,
        "id": event.id,
        "kind": event.kind,
        "entityType": event.entity_type,
        "entityId": event.entity_id,
        "assetId": event.asset_id,
        "proposalId": event.proposal_id,
        "teams": event.teams,
        "actor": event.actor,
        "payload": event.payload,
        "occurredAt": event.occurred_at,
        "hash": event.hash,
    }


def ping(moment: datetime) -> bytes:
    return orjson.dumps({"type": PING, "timestamp": moment, "data": {}})


def slack(event: EventRow, fqn: str | None) -> bytes:
    """One sentence: what happened, to what, by whom, and the facts that fit into a line each."""
    what = event.kind.replace("_", " ").capitalize()
    where = f" · {escape_slack(fqn)}" if fqn else ""
    facts = "".join(f"\n• {line}" for line in _lines(event.payload))
    return orjson.dumps({"text": f"*{what}*{where} (by {escape_slack(event.actor)}){facts}"})


def slack_ping() -> bytes:
    return orjson.dumps({"text": "*Ping*: this channel gets the alerts of Tessera GQL."})


def _lines(payload: Mapping[str, Any]) -> list[str]:
    """Facts that people read; ids mean nothing to them."""
    lines: list[str] = []
    for name, value in payload.items():
        match value:
            case None | "" | [] | {}:
                continue
            case list() if name == "changes":
                lines += [escape_slack(str(change)[:500]) for change in value[:5]]
            case str() | int() | float() if not name.endswith("_id") and name not in {"replaces", "proposed_by"}:
                lines.append(f"{name.replace('_', ' ')}: {escape_slack(str(value)[:500])}")
            case _:
                continue
    return lines


def signed(identity: str, body: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks; a receiver that knows any of the secrets can check them."""
    moment = now.astimezone(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "tessera-gql",
        "webhook-id": identity,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    signatures = [key(secret).sign(identity, moment, body.decode()) for secret in secrets]
    return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def key(secret: str) -> Signer:
    """`whsec_` and base64, as the standard has it; any other text (from the settings) signs as it is."""
    return Signer(secret if secret.startswith("whsec_") else secret.encode())
