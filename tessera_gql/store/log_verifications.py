"""The state of the verification of the event log: how far each hash fits, when that was found, and what is broken."""

from typing import Any

from sqlalchemy import Insert, select
from sqlalchemy.dialects import postgresql, sqlite

from tessera_gql.store import event_anchors, events
from tessera_gql.store.audit import BrokenEventLog, LogPosition
from tessera_gql.store.session import Session
from tessera_gql.store.tables import LogVerification, table

TABLE = table(LogVerification)
ROW_ID = 1


async def load(session: Session) -> LogVerification | None:
    """Load the state; None if the log was never verified."""
    return await session.find(select(TABLE).where(TABLE.c.id == ROW_ID), LogVerification)


async def record(session: Session, position: LogPosition, broken: BrokenEventLog | None = None) -> None:
    """Record that the log is as it was written up to a position, and where it no longer is."""
    values = {
        "sequence": position.sequence,
        "hash": position.hash,
        "verified_at": session.now,
        "broken_at": broken.sequence if broken else None,
        "fault": str(broken) if broken else None,
    }
    statement: Insert = postgresql.insert(TABLE) if session.dialect == "postgresql" else sqlite.insert(TABLE)
    insert: Any = statement.values(id=ROW_ID, **values)
    await session.execute(insert.on_conflict_do_update(index_elements=["id"], set_=values))


async def load_position(session: Session, sequence: int) -> LogPosition | None:
    """Load the position of an event as the log has it now; None if the event is gone. Zero is the beginning."""
    if sequence == 0:
        return LogPosition()
    rows = await events.load_by_sequences(session, [sequence])
    return LogPosition(rows[0].sequence, rows[0].hash) if rows else None


async def load_start(session: Session) -> LogPosition:
    """Load the position after which the log is verified: its beginning, or the last anchor."""
    anchor = await event_anchors.find_last(session)
    return LogPosition(anchor.sequence, anchor.hash) if anchor else LogPosition()


async def load_head(session: Session) -> LogPosition:
    """Load the position of the last event."""
    return await load_position(session, await events.load_last_sequence(session)) or LogPosition()
