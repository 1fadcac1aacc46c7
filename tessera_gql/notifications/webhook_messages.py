"""Render and sign webhook messages: an event as JSON, the selection of a GraphQL document, or text for Slack."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook as Signer

from tessera_gql.escaping import escape_slack
from tessera_gql.policy.ask_policy import AskPolicy, describe_silence
from tessera_gql.policy.enums import OnSilence
from tessera_gql.policy.global_ids import PAYLOAD_TYPES, encode_event_ids
from tessera_gql.store.tables import EventRow

PING = "PING"
OWN_IDS = frozenset({"sync_id", "policy_id"})
"""Ids of events whose subject has no row."""
SILENCE_FIELDS = frozenset({"due_at", "on_silence"})
"""The fields of an event of an ask that say until when an answer is awaited, and what none means."""


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


def render_slack(event: EventRow, fqn: str | None) -> bytes:
    """Render the event for Slack: kind, asset and actor in a sentence, then a line for each scalar of the payload."""
    title = event.kind.replace("_", " ").capitalize()
    suffix = f" · {escape_slack(fqn)}" if fqn else ""
    lines = "".join(f"\n• {line}" for line in _payload_lines(event.payload))
    return orjson.dumps({"text": f"*{title}*{suffix} (by {escape_slack(event.actor)}){lines}"})


def render_slack_ping() -> bytes:
    return orjson.dumps({"text": "*Ping*: this channel gets the alerts of Tessera GQL."})


def _payload_lines(payload: Mapping[str, Any]) -> list[str]:
    """Return the payload as lines for people, without ids."""
    lines: list[str] = []
    if (sentence := _describe_silence(payload)) is not None:
        lines.append(sentence)
        payload = {name: value for name, value in payload.items() if name not in SILENCE_FIELDS}
    for name, value in payload.items():
        match value:
            case None | "" | [] | {}:
                continue
            case list() if name in {"changes", "tables"}:
                lines += [escape_slack(str(change)[:500]) for change in value[:5]]
            case dict() if name == "changes":
                lines += [_change_line(field, change) for field, change in value.items() if field not in PAYLOAD_TYPES]
            case str() | int() | float() if name not in PAYLOAD_TYPES and name not in OWN_IDS:
                lines.append(f"{name.replace('_', ' ')}: {escape_slack(str(value)[:500])}")
            case _:
                continue
    return lines


def _describe_silence(payload: Mapping[str, Any]) -> str | None:
    """Say what no answer to an ask means, and from when; None for another event."""
    if not payload.keys() >= SILENCE_FIELDS:
        return None
    due_at = datetime.fromisoformat(payload["due_at"]).astimezone(UTC)
    meaning = describe_silence([AskPolicy(on_silence=OnSilence(payload["on_silence"]))])
    return escape_slack(f"Without an answer before {due_at:%Y-%m-%d %H:%M} UTC, {meaning}.")


def _change_line(field: str, change: Mapping[str, Any]) -> str:
    before, after = ("(none)" if value is None else str(value)[:100] for value in (change["before"], change["after"]))
    return escape_slack(f"{field.replace('_', ' ')}: {before} → {after}")


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
