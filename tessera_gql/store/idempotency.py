"""Payloads stored by idempotency key. A call inserts its key first, so the second of two equal calls waits."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Insert, and_, select
from sqlalchemy.dialects import postgresql, sqlite

from tessera_gql.errors import Conflict
from tessera_gql.store.session import Session
from tessera_gql.store.tables import IdempotencyKey, table

TABLE = table(IdempotencyKey)


@dataclass(frozen=True)
class IdempotentCall:
    """An idempotency key with its actor, and the mutation and input that it is used for."""

    actor: str
    key: str
    operation: str
    input_hash: str


async def claim_key(session: Session, call: IdempotentCall) -> dict[str, Any] | None:
    """Insert the key, or return the payload stored for it; waits for a transaction that is using the key.

    Raises Conflict if the key was used for another mutation or input.
    """
    is_new = await session.execute(
        _insert(session).values(**vars(call), answer={}, created_at=session.now).on_conflict_do_nothing()
    )
    if is_new:
        return None
    row = await session.find(select(TABLE).where(_is_same_key(call)), IdempotencyKey)
    if row is None:
        raise Conflict("Another call with this key has just failed. Repeat yours.", field=("idempotency_key",))
    if (row.operation, row.input_hash) != (call.operation, call.input_hash):
        raise Conflict(
            f"This idempotencyKey was used for {row.operation} with other input. Choose a new key for a new call.",
            field=("idempotency_key",),
        )
    return row.answer


async def is_key_used(session: Session, call: IdempotentCall) -> bool:
    """Return whether a call with the key has ended, be it with other input; `claim_key` decides what follows."""
    return await session.value(select(TABLE.c.key).where(_is_same_key(call))) is not None


async def store_payload(session: Session, call: IdempotentCall, payload: dict[str, Any]) -> None:
    """Store the payload of a call whose key was inserted by `claim_key`."""
    await session.update(IdempotencyKey, _is_same_key(call), answer=payload)


def _is_same_key(call: IdempotentCall) -> Any:
    return and_(TABLE.c.actor == call.actor, TABLE.c.key == call.key)


def _insert(session: Session) -> Any:
    """Return the dialect's own insert, which supports ON CONFLICT DO NOTHING."""
    statement: Insert = postgresql.insert(TABLE) if session.dialect == "postgresql" else sqlite.insert(TABLE)
    return statement
