"""Verification of the event log: compute each row's hash again, from the first row or the last anchor on."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from tessera_gql.errors import Conflict
from tessera_gql.store import event_anchors, events
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventAnchor, EventRow

PAGE_SIZE = 1_000
COLUMNS = events.TABLE.columns.keys()
HASH_FAULT = "its hash does not fit what the row says and the row before it"
NO_CHECKPOINTS: Mapping[int, str] = MappingProxyType({})
REWRITING = "its hash is not the one that was noted down: the log was written anew"


@dataclass(frozen=True)
class LogPosition:
    """The sequence and hash of an event; stored elsewhere, it proves that the log up to there was not replaced."""

    sequence: int = 0
    hash: str = events.GENESIS


class BrokenEventLog(Exception):  # noqa: N818 - a state of the log
    """The event log was changed: the first sequence that is wrong, and the reason."""

    def __init__(self, sequence: int, reason: str, intact: LogPosition | None = None) -> None:
        super().__init__(f"The event log is broken at sequence {sequence}: {reason}.")
        self.sequence = sequence
        self.intact = intact or LogPosition()
        """The last position up to which it is as it was written."""


async def verify_log(
    database: Database, expected: LogPosition | None = None, *, has_anchors: bool = True
) -> LogPosition:
    """Verify all events that are not archived and return the last position; raise BrokenEventLog if they were changed.

    `expected` is a position that was stored earlier, which the log must contain. Raises Conflict if it is archived.
    A database of an earlier revision has no anchors.
    """
    async with database.read() as session:
        anchors = await event_anchors.list_all(session) if has_anchors else []
        if broken := event_anchors.find_broken(session.keyring, anchors):
            anchor, reason = broken
            raise BrokenEventLog(anchor.sequence, f"the archive before it has an anchor that does not hold: {reason}")
        position = await _find_start(session, anchors)
    checkpoints = {anchor.sequence: anchor.hash for anchor in anchors}
    if expected is not None:
        _require_unarchived(expected, position, checkpoints)
        checkpoints.setdefault(expected.sequence, expected.hash)
    async for page in read_pages(database, position.sequence):
        position = verify_rows(page, position, checkpoints)
    if anchors and position.sequence <= anchors[-1].sequence:
        reason = "it is missing, and an archive always leaves a later event"
        raise BrokenEventLog(anchors[-1].sequence + 1, reason, position)
    if expected is not None and position.sequence < expected.sequence:
        raise BrokenEventLog(
            position.sequence + 1, f"the log ends before it; it once reached {expected.sequence}", position
        )
    return position


def _require_unarchived(expected: LogPosition, start: LogPosition, checkpoints: Mapping[int, str]) -> None:
    """Compare an expected position with an anchor of the same event; raise Conflict if it is in an archive."""
    if expected.sequence in checkpoints and checkpoints[expected.sequence] != expected.hash:
        raise BrokenEventLog(expected.sequence, REWRITING)
    if expected.sequence not in checkpoints and expected.sequence <= start.sequence and start.sequence > 0:
        raise Conflict(
            f"Event {expected.sequence} is archived, so its hash can't be compared here."
            " Give the folder of the archives with --archive, and its files are verified as well."
        )


async def _find_start(session: Session, anchors: Sequence[EventAnchor]) -> LogPosition:
    """Find the position from which the stored events are verified: the beginning, or the last anchor.

    While an archive is being deleted, or that was interrupted, it is the oldest event that is left: the hashes of the
    later ones up to the anchor prove that it is the original one.
    """
    if not anchors:
        return LogPosition()
    first = await events.load_first_sequence(session)
    if first > anchors[-1].sequence:
        return LogPosition(anchors[-1].sequence, anchors[-1].hash)
    ends = {0: events.GENESIS, **{anchor.sequence: anchor.hash for anchor in anchors}}
    if first - 1 in ends:
        return LogPosition(first - 1, ends[first - 1])
    (row,) = await events.load_by_sequences(session, [first])
    return LogPosition(row.sequence, row.hash)


def verify_rows(
    rows: Iterable[EventRow], position: LogPosition, checkpoints: Mapping[int, str] = NO_CHECKPOINTS
) -> LogPosition:
    """Verify the rows that follow a position and return the position of the last one; raise BrokenEventLog.

    `checkpoints` are hashes of some sequences that are known from elsewhere.
    """
    for row in rows:
        if row.sequence != position.sequence + 1:
            reason = f"it is missing; {row.sequence} comes after {position.sequence}"
            raise BrokenEventLog(position.sequence + 1, reason, position)
        values = {name: getattr(row, name) for name in COLUMNS if name != "hash"}
        if events.compute_hash(position.hash, values) != row.hash:
            raise BrokenEventLog(row.sequence, HASH_FAULT, position)
        if checkpoints.get(row.sequence, row.hash) != row.hash:
            raise BrokenEventLog(row.sequence, REWRITING, position)
        position = LogPosition(row.sequence, row.hash)
    return position


async def read_pages(database: Database, after: int = 0, until: int | None = None) -> AsyncIterator[list[EventRow]]:
    """Read the log in order, each page in its own transaction, since rows never change."""
    while until is None or after < until:
        limit = PAGE_SIZE if until is None else min(PAGE_SIZE, until - after)
        async with database.read() as session:
            page = await events.load_after(session, after, limit=limit)
        if not page:
            return
        yield page
        after = page[-1].sequence


def to_json_line(row: EventRow, **replaced: Any) -> bytes:
    """Encode an event as a line of JSON, from which its hash can be computed unless values are replaced."""
    line = {name: getattr(row, name) for name in COLUMNS}
    return orjson.dumps({**line, **replaced}, default=str, option=orjson.OPT_APPEND_NEWLINE)
