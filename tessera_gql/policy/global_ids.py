"""Global ids: base64 of `Type:uuid`, by which the API returns every object and `node(id:)` finds it.

Rows and the hash chain of the event log hold plain UUIDs. They become global ids where a client reads them: in the
schema, in webhooks, in messages of errors and in what commands print.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

ENTITY_TYPES: Mapping[str, str] = {
    "acknowledgment": "Acknowledgment",
    "api_key": "ApiKey",
    "asset": "Asset",
    "comment": "Comment",
    "contract": "Contract",
    "debt": "Debt",
    "delivery": "WebhookDelivery",
    "dependency": "AssetDependency",
    "deprecation": "Deprecation",
    "event": "Event",
    "project": "Project",
    "change_set": "ChangeSet",
    "proposal": "Proposal",
    "registration": "Registration",
    "team": "Team",
    "usage_source": "UsageSource",
    "principal_rule": "PrincipalRule",
    "webhook": "Webhook",
}
"""The schema type of the entity of an event. An entity without a type has no row: its event stands for it."""

PAYLOAD_TYPES: Mapping[str, str] = {
    **{f"{entity}_id": type_name for entity, type_name in ENTITY_TYPES.items()},
    "asked": "Team",
    "base_contract_id": "Contract",
    "carried_from": "Acknowledgment",
    "consumer_asset_id": "Asset",
    "consumer_team_id": "Team",
    "debts": "Debt",
    "delegate": "Team",
    "escalation_team": "Team",
    "escalated_to": "Team",
    "dependency_asset_id": "Asset",
    "deprecations": "Deprecation",
    "informed": "Team",
    "key_team_id": "Team",
    "not_asked": "Team",
    "opened_by": "Team",
    "owner": "Team",
    "owner_team_id": "Team",
    "owners": "Team",
    "proposed_by": "Team",
    "proposals": "Proposal",
    "published_by": "Team",
    "replaces": "Contract",
    "responded_by": "Team",
    "superseded_by": "Asset",
}
"""The schema type of the objects whose ids a field of an event's payload holds."""


def encode_global_id(type_name: str, row_id: UUID | str) -> str:
    """Encode a type name and a UUID as a global id."""
    return base64.urlsafe_b64encode(f"{type_name}:{row_id}".encode()).decode()


def decode_global_id(text: str) -> tuple[str, UUID] | None:
    """Decode a global id into type name and UUID; None if it is malformed."""
    try:
        type_name, _, row_id = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        return type_name, UUID(row_id)
    except (ValueError, binascii.Error):
        return None


class EventIds(Protocol):
    """The columns of an event that hold ids."""

    @property
    def id(self) -> UUID: ...
    @property
    def entity_type(self) -> str: ...
    @property
    def entity_id(self) -> UUID: ...
    @property
    def asset_id(self) -> UUID | None: ...
    @property
    def proposal_id(self) -> UUID | None: ...
    @property
    def teams(self) -> Sequence[str]: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


def encode_event_ids(event: EventIds) -> dict[str, Any]:
    """Return the columns of an event that hold ids, with global ids."""
    return {
        "id": encode_global_id("Event", event.id),
        "entity_id": encode_entity_id(event),
        "asset_id": encode_global_id("Asset", event.asset_id) if event.asset_id else None,
        "proposal_id": encode_global_id("Proposal", event.proposal_id) if event.proposal_id else None,
        "teams": [encode_global_id("Team", team) for team in event.teams],
        "payload": encode_payload_ids(event),
    }


def encode_entity_id(event: EventIds) -> str:
    """Encode the id of an event's entity; an entity that is no object of the schema has the id of the event."""
    type_name = ENTITY_TYPES.get(event.entity_type)
    return encode_global_id(type_name, event.entity_id) if type_name else encode_global_id("Event", event.id)


def encode_payload_ids(event: EventIds) -> dict[str, Any]:
    """Copy the payload of an event with global ids in place of UUIDs, also in the values before and after."""
    payload = event.payload  # decoded once
    encoded = {name: _encode_value(name, value) for name, value in payload.items()}
    entity_field = f"{event.entity_type}_id"
    if entity_field in encoded:
        encoded[entity_field] = encode_entity_id(event)
    if isinstance(changes := payload.get("changes"), dict):
        encoded["changes"] = {
            name: {side: _encode_value(name, value) for side, value in change.items()}
            for name, change in changes.items()
        }
    return encoded


def _encode_value(name: str, value: Any) -> Any:
    type_name = PAYLOAD_TYPES.get(name)
    if type_name is None:
        return value
    if isinstance(value, list):
        return [_encode_id(type_name, item) for item in value]
    return _encode_id(type_name, value)


def _encode_id(type_name: str, value: Any) -> Any:
    """Encode a UUID that was written as text; any other value stays."""
    try:
        return encode_global_id(type_name, UUID(value))
    except (ValueError, TypeError, AttributeError):
        return value
