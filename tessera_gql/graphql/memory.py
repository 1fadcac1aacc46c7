"""What is remembered of a payload: outcomes by value, things by id, so that a retry sees them as they are now."""

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any, TypeVar

from strawberry import UNSET

from tessera_gql.errors import Invalid
from tessera_gql.graphql.filters import given
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.loaders import Loaders
from tessera_gql.graphql.nodes import find
from tessera_gql.graphql.scalars import RawJson
from tessera_gql.policy.access import Actor
from tessera_gql.store.idempotency import Memo

P = TypeVar("P")

MAX_KEY = 200
APART = {"idempotency_key", "client_mutation_id"}


def memo(actor: Actor, operation: str, input_: Any) -> Memo | None:
    """None where no key was given; raises Invalid for one that can't be kept."""
    key = given(getattr(input_, "idempotency_key", None))
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY:
        raise Invalid(f"An idempotencyKey has 1 to {MAX_KEY} characters.", field=("idempotency_key",))
    text = json.dumps({name: value for name, value in _plain(input_).items() if name not in APART}, sort_keys=True)
    return Memo(actor.account, key, operation, hashlib.sha256(text.encode()).hexdigest())


def _plain(value: Any) -> Any:
    match value:
        case RawJson():
            return hashlib.sha256(value.text).hexdigest()
        case list():
            return [_plain(one) for one in value]  # pyright: ignore[reportUnknownVariableType]
        case str() | dict() | int() | float() | None:
            return value
        case _ if dataclasses.is_dataclass(value):
            found = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
            return {name: _plain(one) for name, one in found if one is not UNSET}
        case _:
            return str(value)


def remembered(payload: Any) -> dict[str, Any]:
    found = ((name, getattr(payload, name)) for name in facts(type(payload)))
    return {name: _memory(value) for name, value in found if value is not None}


def _memory(value: Any) -> Any:
    match value:
        case Node():
            return {"node": value.id}
        case Enum():
            return value.value
        case _:
            return value.memory()


async def recalled(payload: type[P], memory: dict[str, Any], loaders: Loaders) -> P:
    """The payload again; a thing that is gone meanwhile is null."""
    found: dict[str, Any] = {}
    for name, recall in facts(payload).items():
        match memory.get(name):
            case {"node": str(identity)}:
                found[name] = await find(loaders, identity)
            case None:
                pass
            case value:
                found[name] = recall(value)
    return payload(**found)


def facts(payload: type[Any]) -> dict[str, Any]:
    """What a payload says of its own, each with the way to rebuild a value."""
    return {
        field.name: field.metadata.get("recall")
        for field in dataclasses.fields(payload)
        if field.init and field.name not in {"errors", "client_mutation_id"}
    }
