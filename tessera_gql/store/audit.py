"""Proof that the event log is as it was written: every row's hash is computed again, from the first row on."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from tessera_gql.store import events
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow

PAGE_SIZE = 1_000
COLUMNS = events.rows.columns.keys()


@dataclass(frozen=True)
class Place:
    """A row and its hash: noted down elsewhere, it proves later that the log up to here was not written anew."""

    sequence: int = 0
    hash: str = events.GENESIS


class Broken(Exception):  # noqa: N818 - a state of the log
    """The first row that is not as it was written, and why."""

    def __init__(self, sequence: int, why: str) -> None:
        super().__init__(f"The event log is broken at sequence {sequence}: {why}.")
        self.sequence = sequence


async def verify(database: Database, known: Place | None = None) -> Place:
    """The last row of an unbroken log; raises Broken. `known` is a row as it was noted down earlier."""
    position = Place()
    async for page in pages(database):
        position = verify_rows(page, position, known)
    if known is not None and position.sequence < known.sequence:
        raise Broken(position.sequence + 1, f"the log ends before it; it once reached {known.sequence}")
    return position


def verify_rows(rows: Iterable[EventRow], position: Place, known: Place | None = None) -> Place:
    """Rows that must follow `place`; gives the last of them."""
    for row in rows:
        if row.sequence != position.sequence + 1:
            raise Broken(position.sequence + 1, f"it is missing; {row.sequence} comes after {position.sequence}")
        if events.link(position.hash, facts(row)) != row.hash:
            raise Broken(row.sequence, "its hash does not fit what the row says and the row before it")
        position = Place(row.sequence, row.hash)
        if known is not None and known.sequence == row.sequence and known.hash != row.hash:
            raise Broken(row.sequence, "its hash is not the one that was noted down: the log was written anew")
    return position


def facts(row: EventRow) -> dict[str, Any]:
    """What the hash covers besides the hash before."""
    return {name: getattr(row, name) for name in COLUMNS if name != "hash"}


async def pages(database: Database, after: int = 0) -> AsyncIterator[list[EventRow]]:
    """The log in order; each page is read in a transaction of its own, for rows never change."""
    while True:
        async with database.read() as session:
            page = await events.after(session, after, limit=PAGE_SIZE)
        if not page:
            return
        yield page
        after = page[-1].sequence
