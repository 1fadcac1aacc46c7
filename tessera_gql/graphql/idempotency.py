"""Idempotent replay of mutation payloads: outcomes are stored by value, nodes by id.

A replayed payload shows nodes in their current state.
"""

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any, TypeVar

from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.graphql.filters import or_none
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nodes import load_node
from tessera_gql.policy.access import Actor
from tessera_gql.store.idempotency import IdempotentCall

P = TypeVar("P")

MAX_KEY_LENGTH = 200
UNHASHED_FIELDS = {"idempotency_key", "client_mutation_id"}


def to_idempotent_call(actor: Actor, operation: str, input_: Any) -> IdempotentCall | None:
    """Identify a call by its idempotency key; None without one. Raises Invalid for a key of a wrong length."""
    key = or_none(getattr(input_, "idempotency_key", None))
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise Invalid(f"An idempotencyKey has 1 to {MAX_KEY_LENGTH} characters.", field=("idempotency_key",))
    text = json.dumps(
        {name: value for name, value in _to_plain(input_).items() if name not in UNHASHED_FIELDS}, sort_keys=True
    )
    return IdempotentCall(actor.account, key, operation, hashlib.sha256(text.encode()).hexdigest())


def _to_plain(value: Any) -> Any:
    """Convert an input to JSON values for hashing."""
    match value:
        case RawJson():
            return value.sha256
        case list():
            return [_to_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case str() | dict() | int() | float() | None:
            return value
        case _ if dataclasses.is_dataclass(value):
            members = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
            return {name: _to_plain(member) for name, member in members if member is not UNSET}
        case _:
            return str(value)


def dump_payload(payload: Any) -> dict[str, Any]:
    """Convert a payload to JSON values that `load_payload` restores."""
    values = ((name, getattr(payload, name)) for name in payload_fields(type(payload)))
    return {name: _dump_value(value) for name, value in values if value is not None}


def _dump_value(value: Any) -> Any:
    match value:
        case Node():
            return {"node": value.id}
        case Enum():
            return value.value
        case [Node(), *_]:
            return {"nodes": [node.id for node in value]}
        case list():
            return value
        case _:
            return value.to_json()


async def load_payload(payload: type[P], stored: dict[str, Any], loaders: Loaders) -> P:
    """Restore a stored payload. A node that no longer exists is null."""
    values: dict[str, Any] = {}
    for name, load in payload_fields(payload).items():
        match stored.get(name):
            case {"node": str(identity)}:
                values[name] = await load_node(loaders, identity)
            case {"nodes": list(identities)}:
                nodes = [await load_node(loaders, identity) for identity in identities]
                values[name] = [node for node in nodes if node is not None]
            case [] if load is None:
                values[name] = []
            case None:
                pass
            case value:
                values[name] = load(value)
    return payload(**values)


def payload_fields(payload: type[Any]) -> dict[str, Any]:
    """Return the fields of a payload to store, each with the function that restores a value."""
    return {
        field.name: field.metadata.get("load")
        for field in dataclasses.fields(payload)
        if field.init and field.name not in {"errors", "client_mutation_id"}
    }
