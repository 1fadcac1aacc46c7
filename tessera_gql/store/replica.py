"""A streaming replica for queries, used only while it holds everything its reader wrote and is not too old.

Every change ends with an event of its actor, and sequences follow commit order. (Two changes record no event: a
webhook's test, and setting `publishWhenApproved` on a pending proposal.) So a snapshot that holds an actor's last event
holds all of the actor's changes, and one that holds every event older than the maximum age is no older than that. One
statement on the primary reads the last sequences for all queries that wait for it. A query that the replica can't
answer is read from the primary, so queries fail while the primary is unavailable.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import func, select

from tessera_gql.errors import Unavailable
from tessera_gql.store.connections import ConnectionSource, Transaction
from tessera_gql.store.events import TABLE, load_last_sequence
from tessera_gql.store.session import Session, transaction

CHECK_SECONDS = 1.0
"""Time in which a replica must report its last sequence; after that the primary is read."""
PROBE_SECONDS = 2.0
"""Pause between two attempts to use a suspended replica again."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class Replica:
    """Decides which snapshots of a replica are recent enough, and suspends a replica that fails or lags."""

    def __init__(
        self, source: ConnectionSource, primary: ConnectionSource, clock: Callable[[], datetime], max_age: timedelta
    ) -> None:
        self.source = source
        self._primary = primary
        self._clock = clock
        self._max_age = max_age
        self._checked_sequence: int | None = None
        """The sequence that every snapshot must hold; only later events are searched for an actor's last one."""
        self._required_by_age = 0
        """The sequence of the last event that is older than the maximum age."""
        self._running_request: asyncio.Future[Mapping[str, int]] | None = None
        self._next_request: asyncio.Future[Mapping[str, int]] | None = None
        self._probe: asyncio.Task[None] | None = None

    @property
    def is_available(self) -> bool:
        return self._probe is None or self._probe.done()

    async def required_sequence(self, actor: str) -> int:
        """Return the sequence that a snapshot for this actor must hold. Raises Unavailable if the primary fails."""
        if self._next_request is None:
            self._next_request = asyncio.ensure_future(self._request_after(self._running_request))
            # Every task that waits may be cancelled; the exception counts as retrieved all the same.
            self._next_request.add_done_callback(lambda request: request.cancelled() or request.exception())
        last = await asyncio.shield(self._next_request)
        return max(self._checked_sequence or 0, last.get(actor, 0))

    async def _request_after(self, running: asyncio.Future[Mapping[str, int]] | None) -> Mapping[str, int]:
        """Read the last sequences once the running request has ended, since that may miss the caller's last commit."""
        if running is not None:
            await asyncio.wait([running])
        self._running_request, self._next_request = self._next_request, None
        async with transaction(self._primary) as single:
            return await self._load_last_sequences(Session(single, self._clock()))

    async def _load_last_sequences(self, session: Session) -> Mapping[str, int]:
        """Return each actor's last sequence among recent events, and raise the sequence that all snapshots need."""
        if self._checked_sequence is None:
            self._checked_sequence = await load_last_sequence(session)
        last = func.max(TABLE.c.sequence)
        old = last.filter(TABLE.c.occurred_at <= self._clock() - self._max_age)
        statement = select(TABLE.c.actor, last.label("last"), old.label("old"))
        is_recent = TABLE.c.sequence > self._checked_sequence
        actors = await session.rows(statement.where(is_recent).group_by(TABLE.c.actor))
        self._required_by_age = max([self._required_by_age, *(row.old for row in actors if row.old is not None)])
        self._checked_sequence = max(self._checked_sequence, self._required_by_age)
        return {row.actor: row.last for row in actors}

    async def has_sequence(self, session: Session, sequence: int) -> bool:
        """Return whether the session's snapshot, which this fixes, holds the sequence; suspend a replica too old."""
        last = await load_last_sequence(session)
        if last < self._required_by_age:
            self.suspend(f"it lacks events older than {self._max_age.total_seconds():g} seconds")
        return last >= sequence

    def suspend(self, reason: object) -> None:
        """Stop using the replica until a probe finds it up to date again."""
        if self.is_available:
            log.warning("The replica is not read for now: %s. Queries go to the primary.", reason)
            self._probe = asyncio.ensure_future(self._recover())

    async def _recover(self) -> None:
        while True:
            await asyncio.sleep(PROBE_SECONDS)
            try:
                sequence = await self.required_sequence("")
                async with asyncio.timeout(CHECK_SECONDS), transaction(self.source) as probe:
                    if await load_last_sequence(Session(probe, self._clock())) >= sequence:
                        break
            except Exception:  # noqa: BLE001, S112 - another attempt follows any failure
                continue
        log.warning("The replica is read again.")

    async def dispose(self) -> None:
        if self._probe is not None:
            self._probe.cancel()
        await self.source.engine.dispose()


class ReplicaSession(Session):
    """A transaction on the replica, which is suspended when a statement fails."""

    from_replica = True

    def __init__(self, transaction: Transaction, now: datetime, replica: Replica) -> None:
        super().__init__(transaction, now)
        self._replica = replica

    async def _translate_faults(self, work: Awaitable[T]) -> T:
        try:
            return await super()._translate_faults(work)
        except Unavailable as error:
            self._replica.suspend(error.__cause__ or error)
            raise
