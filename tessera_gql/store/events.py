"""The event log: append-only rows with a gap-free `sequence` in commit order, chained by hashes.

Only its beginning can be missing, after it was archived (`store/event_anchors.py`).
"""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, delete, func, select

from tessera_gql.policy.events import Event, ProposalOpened
from tessera_gql.store.compiled import PreparedQuery
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventRow, new_id, table

GENESIS = "0" * 64
WRITE_LOCK = 0x7E55E4A
CHANNEL = "tessera_events"
BATCH_SIZE = 500
"""Events that are hashed and inserted before the loop has its turn."""

TABLE = table(EventRow)

LOCK_AND_NOTIFY = PreparedQuery(
    lambda _dialect: select(func.pg_advisory_xact_lock(WRITE_LOCK), func.pg_notify(CHANNEL, ""))
)
LAST = PreparedQuery(lambda _dialect: select(TABLE.c.sequence, TABLE.c.hash).order_by(TABLE.c.sequence.desc()).limit(1))


async def append(session: Session, new_events: Sequence[Event]) -> None:
    """Append events to the log and notify listeners at the commit.

    The write lock is held until the commit, which must follow at once.
    """
    if not new_events:
        return
    if session.dialect == "postgresql":
        await session.run(LOCK_AND_NOTIFY)
    last = await session.fetch(LAST)
    sequence, previous_hash = (last[0].sequence, last[0].hash) if last else (0, GENESIS)
    values: list[dict[str, Any]] = []
    for event in new_events:
        if len(values) == BATCH_SIZE:
            await session.append(TABLE, values)
            await asyncio.sleep(0)
            values = []
        sequence += 1
        row = {
            "sequence": sequence,
            "id": new_id(),
            "kind": event.kind,
            "entity_type": event.entity_type,
            "entity_id": event.entity_id,
            "asset_id": event.asset_id,
            "proposal_id": event.proposal_id,
            "teams": sorted(str(team) for team in event.audience_team_ids),
            "actor": session.actor,
            "payload": event.payload(),
            "occurred_at": session.now,
        }
        previous_hash = compute_hash(previous_hash, row)
        values.append({**row, "hash": previous_hash})
    await session.append(TABLE, values)


def compute_hash(previous: str, row: dict[str, Any]) -> str:
    """Compute a row's hash: SHA-256 of the previous hash and the row's JSON with sorted keys and without `hash`."""
    body = orjson.dumps(
        {**row, "occurred_at": row["occurred_at"].astimezone(UTC).isoformat(), "hash": previous},
        default=str,
        option=orjson.OPT_SORT_KEYS,
    )
    return hashlib.sha256(body).hexdigest()


async def load_after(session: Session, sequence: int, *, limit: int = 500) -> list[EventRow]:
    """Load the next events after a sequence, in order."""
    statement = select(TABLE).where(TABLE.c.sequence > sequence).order_by(TABLE.c.sequence).limit(limit)
    return await session.list(statement, EventRow)


async def load_by_sequences(session: Session, sequences: Sequence[int]) -> list[EventRow]:
    """Load the events with these sequences, in order."""
    statement = select(TABLE).where(session.in_values(TABLE.c.sequence, sequences)).order_by(TABLE.c.sequence)
    return await session.list(statement, EventRow)


async def list_subjects_after(session: Session, sequence: int) -> list[EventRow]:
    """List sequence, kind and asset of all events after a sequence, in order."""
    columns = select(TABLE.c.sequence, TABLE.c.kind, TABLE.c.asset_id)
    return await session.list(columns.where(TABLE.c.sequence > sequence).order_by(TABLE.c.sequence), EventRow)


async def load_informed_teams(session: Session, condition: ColumnElement[bool]) -> dict[UUID, list[str]]:
    """Load the ids of the teams that were informed when proposals were opened, by proposal, from their events."""
    columns = select(TABLE.c.proposal_id, TABLE.c.payload)
    rows = await session.rows(columns.where(TABLE.c.kind == ProposalOpened.kind, condition))
    return {row.proposal_id: row.payload["informed"] for row in rows}


async def load_last_sequence(session: Session) -> int:
    """Return the sequence of the last event, or 0 for an empty log."""
    return int(await session.value(select(func.max(TABLE.c.sequence))) or 0)


async def load_first_sequence(session: Session) -> int:
    """Return the sequence of the oldest event that is not deleted, or 1 for an empty log."""
    return int(await session.value(select(func.min(TABLE.c.sequence))) or 1)


async def find_first_since(session: Session, moment: datetime, after: int) -> int | None:
    """Return the sequence of the first event that happened at a moment or later; None if there is none."""
    is_later = (TABLE.c.sequence > after) & (TABLE.c.occurred_at >= moment)
    sequence = await session.value(select(TABLE.c.sequence).where(is_later).order_by(TABLE.c.sequence).limit(1))
    return None if sequence is None else int(sequence)


async def delete_up_to(session: Session, sequence: int) -> None:
    """Delete the events up to a sequence; the database refuses it beyond the last anchor."""
    await session.execute(delete(TABLE).where(TABLE.c.sequence <= sequence))


def with_actor(row: EventRow, actor: str) -> EventRow:
    """Copy an event with another actor, for output only."""
    values: dict[str, Any] = {column.key: getattr(row, column.key) for column in TABLE.c}
    values["actor"] = actor
    return EventRow(**values)
