"""Verify new events of the log at an interval, and record how far it is as it was written.

Only events after the last verified one are read, so that a long log costs nothing. `tessera audit verify` reads the
whole log and records its result in the same place.
"""

import asyncio
import logging
from datetime import timedelta

from tessera_gql.errors import Unavailable
from tessera_gql.store import audit, events, log_verifications
from tessera_gql.store.audit import BrokenEventLog, LogPosition
from tessera_gql.store.database import Database

INTERVAL_SECONDS = 300.0
MAX_PAGES = 100
"""Pages of a thousand events that are verified at a time; the remaining ones follow at the next."""

log = logging.getLogger(__name__)


async def run_log_verification(database: Database, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
    """Verify new events at an interval, until cancelled. Of several processes, one does it at a time."""
    while True:
        try:
            await verify_new_events(database, timedelta(seconds=interval_seconds * 0.9))
        except Unavailable as error:
            log.warning("The event log is not verified for now. %s", error)
        except Exception:
            log.exception("The event log could not be verified; another attempt is made")
        await asyncio.sleep(interval_seconds)


async def verify_new_events(database: Database, age: timedelta = timedelta()) -> None:
    """Verify the events after the last verified one, and record the result, unless that was done within `age`.

    A log that was found broken stays so, until `tessera audit verify` finds it as it was written.
    """
    async with database.read() as session:
        state = await log_verifications.load(session)
        if state is not None and (state.broken_at is not None or session.now - state.verified_at < age):
            return
        start = await log_verifications.load_start(session)
        if state is None or state.sequence <= start.sequence:  # the archive has verified what is before its anchor
            verified = start
        else:
            verified = LogPosition(state.sequence, state.hash)
        stored = await log_verifications.load_position(session, verified.sequence)
    if verified in (stored, start):
        position, broken = await _verify_after(database, verified)
    else:
        reason = audit.REWRITING if stored else "it is gone"
        position, broken = verified, BrokenEventLog(verified.sequence, reason)
    if broken is not None:
        log.error("%s Find out who can write to the database, and restore it.", broken)
    async with database.write("log verification") as session:
        await log_verifications.record(session, position, broken)


async def _verify_after(database: Database, position: LogPosition) -> tuple[LogPosition, BrokenEventLog | None]:
    """Verify the next pages of events; returns the last good position and what is broken behind it."""
    for _ in range(MAX_PAGES):
        async with database.read() as session:
            page = await events.load_after(session, position.sequence, limit=audit.PAGE_SIZE)
        if not page:
            break
        try:
            position = await asyncio.to_thread(audit.verify_rows, page, position)
        except BrokenEventLog as error:
            return error.intact, error
    return position, None
