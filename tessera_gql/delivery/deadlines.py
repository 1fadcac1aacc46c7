"""The passing of time: proposals run out and migration deadlines pass, each in a transaction of its own."""

import asyncio
import logging

from tessera_gql.errors import Refusal, Unavailable
from tessera_gql.store import proposals
from tessera_gql.store.database import Database
from tessera_gql.store.session import ids
from tessera_gql.workflows.proposals import apply_time

EVERY_SECONDS = 15.0

log = logging.getLogger(__name__)


async def keep(database: Database, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Runs until cancelled."""
    while True:
        try:
            await apply(database)
        except Unavailable as error:
            log.warning("Deadlines are not looked at for now. %s", error)
        await asyncio.sleep(every_seconds)


async def apply(database: Database) -> int:
    """How many proposals were looked at. Any number of processes may do this at once: the asset's lock decides."""
    async with database.read() as session:
        due = ids(await proposals.overdue(session, session.now))
    for identity in due:
        try:
            async with database.write("clock") as session:
                await apply_time(session, identity)
        except Refusal as error:
            log.warning("The proposal %s could not be brought up to date: %s", identity, error)
    return len(due)
