"""Verification of the event log: compute each row's hash again, from the first row on."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow

PAGE_SIZE = 1_000
COLUMNS = events.TABLE.columns.keys()
HASH_FAULT = "its hash does not fit what the row says and the row before it"
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


async def verify_log(database: Database, expected: LogPosition | None = None) -> LogPosition:
    """Verify the whole log and return its last position; raise BrokenEventLog if it was changed.

    `expected` is a position that was stored earlier, which the log must contain.
    """
    position = LogPosition()
    async for page in read_pages(database):
        position = verify_rows(page, position, expected)
    if expected is not None and position.sequence < expected.sequence:
        raise BrokenEventLog(
            position.sequence + 1, f"the log ends before it; it once reached {expected.sequence}", position
        )
    return position


def verify_rows(rows: Iterable[EventRow], position: LogPosition, expected: LogPosition | None = None) -> LogPosition:
    """Verify the rows that follow a position and return the position of the last one; raise BrokenEventLog."""
    for row in rows:
        if row.sequence != position.sequence + 1:
            reason = f"it is missing; {row.sequence} comes after {position.sequence}"
            raise BrokenEventLog(position.sequence + 1, reason, position)
        values = {name: getattr(row, name) for name in COLUMNS if name != "hash"}
        if events.compute_hash(position.hash, values) != row.hash:
            raise BrokenEventLog(row.sequence, HASH_FAULT, position)
        before, position = position, LogPosition(row.sequence, row.hash)
        if expected is not None and expected.sequence == row.sequence and expected.hash != row.hash:
            raise BrokenEventLog(row.sequence, REWRITING, before)
    return position


async def read_pages(database: Database, after: int = 0) -> AsyncIterator[list[EventRow]]:
    """Read the log in order, each page in its own transaction, since rows never change."""
    while True:
        async with database.read() as session:
            page = await events.load_after(session, after, limit=PAGE_SIZE)
        if not page:
            return
        yield page
        after = page[-1].sequence
