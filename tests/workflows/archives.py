"""A database with old and new events, and a key that signs archives."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from tessera_gql.cli.log_archive import archive_events
from tessera_gql.store import event_anchors
from tessera_gql.store.database import Database
from tessera_gql.store.engine import DEFAULT_OPTIONS
from tessera_gql.store.tables import EventAnchor, Proposal
from tessera_gql.workflows.log_archive import ArchivePlan
from tests.conftest import START, FixedClock
from tests.world import World, without

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
BEFORE = START + timedelta(days=50)


@dataclass
class OldLog:
    """A log whose first `old` events happened before BEFORE; `proposal` was opened then."""

    database: Database
    world: World
    folder: Path
    proposal: Proposal
    old: int

    async def archive(self, before: datetime = BEFORE) -> ArchivePlan:
        return await archive_events(self.database, self.folder, before, "operator", lambda _line: None)

    async def anchors(self) -> Sequence[EventAnchor]:
        async with self.database.read() as session:
            return await event_anchors.list_all(session)

    async def sequences(self) -> list[int]:
        return [event.sequence for event in await self.world.events()]

    def archived(self) -> list[int]:
        """The sequences of the events in all files, in the order of their names."""
        files = sorted(self.folder.glob("*.jsonl"))
        return [orjson.loads(line)["sequence"] for file in files for line in file.read_bytes().splitlines()]


def with_keys(url: str, clock: FixedClock, *keys: str) -> Database:
    return Database(url, clock=clock, options=replace(DEFAULT_OPTIONS, secrets_keys=keys))


async def fill_old_log(url: str) -> None:
    """Fill a database with about twenty events of January 2020 and one of today."""
    database = Database(url, clock=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    await World(database).proposed(consumers=4)
    await database.dispose()
    database = Database(url)
    await World(database).team("today")
    await database.dispose()


@asynccontextmanager
async def old_log(url: str, clock: FixedClock, folder: Path) -> AsyncIterator[OldLog]:
    await asyncio.to_thread(folder.mkdir)
    database = with_keys(url, clock, KEY)
    world = World(database)
    asset = await world.published(consumers=3)
    await world.register(asset, await world.team("informed"), "total")
    outcome = await world.publish(asset, without("note"))
    assert outcome.proposal is not None
    proposal = outcome.proposal
    old = len(await world.events())
    clock.advance(days=100)
    for name in ("late", "later"):
        await world.team(name)
    yield OldLog(database, world, folder, proposal, old)
    await database.dispose()
