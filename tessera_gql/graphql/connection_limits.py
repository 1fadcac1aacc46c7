"""The open connections of a process: how many there may be, which are closed to make room, and which are cut off.

A connection is waiting while it has no request under way: its client has sent nothing yet, or half a head, or has kept
it alive. Waiting connections cost the least to lose, so the one that has waited longest is closed when another comes
and no place is left. A few places are a reserve in which only health checks and metrics are answered.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from collections import Counter
from contextlib import suppress
from enum import StrEnum

from tessera_gql.graphql.limit_values import Limits

SLOWEST_BYTES_A_SECOND = 4096
"""A client that sends or reads at least this much gets all the time that it takes."""
RESERVE = 16
"""Connections above the limit that are accepted for health checks and metrics."""
GRACE_SECONDS = 5.0
"""How long a client that reads too slowly has to read why its stream ends, before its connection is aborted."""

PRESSED_SECONDS = 1.0
"""How long any client has to read, however much waits for others."""

CLOSED_BEFORE_TRIM = 500
"""Closed connections after which memory is given back to the system."""
TRIM_AFTER_SECONDS = 1.0
"""After clients were cut off, until their memory is returned to the system: once for many."""


class Reason(StrEnum):
    """Why a connection was refused or closed before its time; the label `reason` of the metric."""

    MALFORMED = "malformed"
    HEAD_TOO_LARGE = "head_too_large"
    URL_TOO_LONG = "url_too_long"
    HEAD_TIMEOUT = "head_timeout"
    PIPELINE = "pipeline"
    FULL = "full"
    ADDRESS = "address"
    KEY = "key"
    EVICTED = "evicted"
    SLOW_READER = "slow_reader"
    UNREAD_BYTES = "unread_bytes"
    PINGS = "pings"


class Connection:
    """One TCP connection, whichever protocol it speaks: its place among the others and its write deadline."""

    __slots__ = ("_limiter", "_timer", "_unread", "address", "is_surplus", "transport")

    def __init__(self, limiter: ConnectionLimiter, transport: asyncio.Transport, address: str) -> None:
        self.transport = transport
        self.address = address
        self.is_surplus = False
        """Accepted from the reserve."""
        self._limiter = limiter
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    @property
    def unread_bytes(self) -> int:
        """Bytes that the system does not take from us because the client does not read."""
        return self.transport.get_write_buffer_size()

    def expect_reading(self) -> None:
        """Abort the connection unless the client reads what is written. To be called when writing has to wait, and
        when the connection is to be closed: closing waits for the client as well.
        """
        if self._timer is None and self.transport in self._limiter.open:
            self._limiter.stalled[self] = time.monotonic()
            self._watch()
            self._limiter.bound_unread()

    def stop_expecting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._limiter.stalled.pop(self, None)

    def abort(self, reason: Reason) -> None:
        self._limiter.refusals[reason] += 1
        if self.unread_bytes:
            self._limiter.return_memory_soon()
        self._limiter.remove(self)
        self.transport.abort()

    def _watch(self) -> None:
        seconds = self._limiter.limits.send_timeout_seconds
        self._unread = self.unread_bytes
        self._timer = asyncio.get_running_loop().call_later(seconds + min(seconds, GRACE_SECONDS), self._check)

    def _check(self) -> None:
        needed = int(self._limiter.limits.send_timeout_seconds * SLOWEST_BYTES_A_SECOND)
        unread = self.unread_bytes
        if unread and unread > self._unread - needed:
            self.abort(Reason.SLOW_READER)
            return
        self.stop_expecting()
        if unread:
            self.expect_reading()


def _trim_malloc() -> None:
    """Give freed memory back to the system, replies first that are kept by cycles of what failed to send them."""
    gc.collect()
    with suppress(OSError, AttributeError):  # it is glibc that has this
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class ConnectionLimiter:
    """Counts connections and decides which are accepted."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.most = limits.connections
        """Less where the process may open fewer files."""
        self.open: dict[asyncio.Transport, Connection] = {}
        self.refusals: Counter[Reason] = Counter()
        self.stalled: dict[Connection, float] = {}
        """Connections whose clients do not read, and since when; the longest first."""
        self._trim: asyncio.TimerHandle | None = None
        self._closed = 0
        self._addresses: Counter[str] = Counter()
        self._new: dict[Connection, None] = {}
        """Waiting for their first request, or on a websocket for a credential; the longest waiting first."""
        self._kept_alive: dict[Connection, None] = {}
        """Waiting for another request, likewise."""

    @property
    def is_full(self) -> bool:
        return len(self.open) > self.most

    def accept(self, transport: asyncio.Transport, address: str) -> Connection | Reason:
        """The connection, or why it must be closed at once."""
        if self._addresses[address] >= self.limits.address_connections:
            self.refusals[Reason.ADDRESS] += 1
            return Reason.ADDRESS
        is_surplus = len(self.open) >= self.most and not self._evict()
        if is_surplus and len(self.open) >= self.most + RESERVE:
            self.refusals[Reason.FULL] += 1
            return Reason.FULL
        connection = self.open[transport] = Connection(self, transport, address)
        connection.is_surplus = is_surplus
        self._addresses[address] += 1
        self._new[connection] = None
        return connection

    def remove(self, connection: Connection) -> None:
        """To be called when a connection is lost; another time does nothing."""
        if self.open.pop(connection.transport, None) is None:
            return
        connection.stop_expecting()
        self.set_busy(connection)
        self._closed += 1
        if self._closed % CLOSED_BEFORE_TRIM == 0:
            self.return_memory_soon()
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]

    def set_busy(self, connection: Connection) -> None:
        """The connection carries a request, or an authenticated websocket: it is not closed to make room."""
        self._new.pop(connection, None)
        self._kept_alive.pop(connection, None)

    def set_kept_alive(self, connection: Connection) -> None:
        if connection.transport in self.open:
            self._kept_alive.setdefault(connection)

    def bound_unread(self) -> None:
        """Abort those that have not read for longest until what waits for slow clients fits into memory."""
        total = sum(connection.unread_bytes for connection in self.stalled)
        latest = time.monotonic() - PRESSED_SECONDS
        while total > self.limits.unread_bytes:
            slowest, since = next(iter(self.stalled.items()))
            if since > latest:
                break
            total -= slowest.unread_bytes
            slowest.abort(Reason.UNREAD_BYTES)

    def return_memory_soon(self) -> None:
        """The C library keeps some of the memory of discarded replies (17 of 65 MB, measured) unless it is asked."""
        if self._trim is None:
            self._trim = asyncio.get_running_loop().call_later(TRIM_AFTER_SECONDS, self._return_memory)

    def _return_memory(self) -> None:
        self._trim = None
        asyncio.get_running_loop().run_in_executor(None, _trim_malloc)

    def _evict(self) -> bool:
        """Close the connection that has waited longest, among new or kept-alive ones, whichever are more."""
        waiting = max(self._new, self._kept_alive, key=len)
        for connection in waiting:
            connection.abort(Reason.EVICTED)
            return True
        return False


class PingRate:
    """How many pings a client has sent in this minute."""

    __slots__ = ("_count", "_ends_at", "per_minute")

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._count = 0
        self._ends_at = 0.0

    def is_exceeded(self) -> bool:
        """Count one more."""
        now = time.monotonic()
        if now >= self._ends_at:
            self._ends_at, self._count = now + 60, 0
        self._count += 1
        return self._count > self.per_minute
