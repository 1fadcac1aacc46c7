"""A streaming replica for queries: read only while it holds all that the same actor wrote, and nothing too old.

Every change ends with an event of its actor, and sequences follow the order of commits. (Two leave none: a webhook's
test, and `publishWhenApproved` asked of a proposal that waits already.) So a snapshot that holds the actor's last event
holds whatever that actor has been told, by whichever process; and one that holds every event older than the age allowed
is no older than that. Where the last events are is asked of the primary, once for all requests that wait for it, after
they came. Whatever the replica lacks is read from the primary. So a primary that is away is away for queries too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import func, select

from tessera_gql.errors import Unavailable
from tessera_gql.store.drivers import Lane, Transaction
from tessera_gql.store.events import last_sequence, rows
from tessera_gql.store.session import Session, transaction

CHECK_SECONDS = 1.0
"""A replica that has not even answered where it stands by then is not waited for."""
PROBE_SECONDS = 2.0

log = logging.getLogger(__name__)

T = TypeVar("T")


class Replica:
    """`primary` is asked where the log stands."""

    def __init__(self, lane: Lane, primary: Lane, clock: Callable[[], datetime], age: timedelta) -> None:
        self.lane = lane
        self._primary = primary
        self._clock = clock
        self._age = age
        self._floor: int | None = None
        """The last event that any snapshot must hold: what came after it is looked through for each actor's last."""
        self._old = 0
        """The last event that is too old to be missing."""
        self._asking: asyncio.Future[Mapping[str, int]] | None = None
        self._next: asyncio.Future[Mapping[str, int]] | None = None
        self._probe: asyncio.Task[None] | None = None

    @property
    def is_there(self) -> bool:
        return self._probe is None or self._probe.done()

    async def needed(self, actor: str) -> int:
        """The sequence that a snapshot for this actor must hold. Raises Unavailable if the primary is."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._asking))
            self._next.add_done_callback(_seen)
        last = await asyncio.shield(self._next)
        return max(self._floor or 0, last.get(actor, 0))

    async def _after(self, asking: asyncio.Future[Mapping[str, int]] | None) -> Mapping[str, int]:
        """Who comes while a question is under way must not be given its answer."""
        if asking is not None:
            await asyncio.wait([asking])
        self._asking, self._next = self._next, None
        async with transaction(self._primary) as single:
            return await self._ask(Session(single, self._clock()))

    async def _ask(self, session: Session) -> Mapping[str, int]:
        """The last event of each actor, of those that came after the floor; the floor rises as events grow old."""
        if self._floor is None:
            self._floor = await last_sequence(session)
        last = func.max(rows.c.sequence)
        old = last.filter(rows.c.occurred_at <= self._clock() - self._age)
        statement = select(rows.c.actor, last.label("last"), old.label("old"))
        found = await session.rows(statement.where(rows.c.sequence > self._floor).group_by(rows.c.actor))
        self._old = max([self._old, *(row.old for row in found if row.old is not None)])
        self._floor = max(self._floor, self._old)
        return {row.actor: row.last for row in found}

    async def holds(self, session: Session, needed: int) -> bool:
        """Fixes the snapshot."""
        found = await last_sequence(session)
        if found < self._old:
            self.lose(f"it lacks events older than {self._age.total_seconds():g} seconds")
        return found >= needed

    def lose(self, why: object) -> None:
        """Nobody is sent there until it is well again."""
        if self.is_there:
            log.warning("The replica is not read for now: %s. Queries go to the primary.", why)
            self._probe = asyncio.ensure_future(self._recover())

    async def _recover(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                needed = await self.needed("")
                async with asyncio.timeout(CHECK_SECONDS), transaction(self.lane) as begun:
                    if await last_sequence(Session(begun, self._clock())) >= needed:
                        break
            except Exception:  # noqa: BLE001, S112 - whatever it is, another attempt follows
                continue
        log.warning("The replica is read again.")

    async def dispose(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
        await self.lane.engine.dispose()


def _seen(question: asyncio.Future[Mapping[str, int]]) -> None:
    """Whoever waited for it may have left."""
    if not question.cancelled():
        question.exception()


class Borrowed(Session):
    """A transaction on the replica."""

    from_replica = True

    def __init__(self, transaction: Transaction, now: datetime, replica: Replica) -> None:
        super().__init__(transaction, now)
        self._replica = replica

    async def _answered(self, work: Awaitable[T]) -> T:
        try:
            return await super()._answered(work)
        except Unavailable as error:
            self._replica.lose(error.__cause__ or error)
            raise
