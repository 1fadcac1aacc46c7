"""Limit the open connections of a process: their number, idle eviction and write deadlines.

A connection is idle while it has no request in progress: its client has sent nothing yet, or an incomplete head, or
keeps it alive. When the limit is reached, the connection that has been idle longest is closed for a new one. A small
reserve above the limit serves health checks and metrics only.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from tessera_gql.server.limits import Limits

MIN_BYTES_PER_SECOND = 4096
"""A client that sends or reads at least this rate is not disconnected for slowness."""
RESERVED_CONNECTIONS = 16
"""Connections above the limit that are accepted for health checks and metrics."""
GRACE_SECONDS = 5.0
"""Time for a slow client to read the reason of the close, before its connection is aborted."""
MIN_READ_SECONDS = 1.0
"""Minimum time that every client has to read, however much memory the unread replies take."""
CLOSED_BEFORE_TRIM = 500
"""Closed connections after which freed memory is returned to the system."""
CHECK_AFTER_SECONDS = 0.01
"""Delay before the unread data of all connections is summed."""
MAX_CALLS_AT_ONCE = 25
"""Scheduled calls in one turn of the event loop."""
TRIM_AFTER_SECONDS = 1.0
"""Delay before memory is returned to the system, so that many aborted clients cost one trim."""


class RefusalReason(StrEnum):
    """The reason why a connection was refused or aborted; the label `reason` of the metric."""

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


@dataclass(eq=False, slots=True)
class ClientConnection:
    """One TCP connection of HTTP or WebSocket, with its write deadline."""

    _limiter: ConnectionLimiter
    transport: asyncio.Transport
    address: str
    is_surplus: bool
    """Whether the connection was accepted from the reserve above the limit."""
    _timer: asyncio.TimerHandle | None = None
    _unread_at_start: int = 0

    @property
    def unread_bytes(self) -> int:
        """Bytes in the write buffer that the client has not read yet."""
        return self.transport.get_write_buffer_size()

    def start_write_deadline(self) -> None:
        """Start the write deadline: abort the connection unless the client reads.

        Call it when writing is paused and when the connection is being closed, since both wait for the client.
        """
        if self._timer is None and self.transport in self._limiter.open:
            self._limiter.stalled[self] = time.monotonic()
            self._start_timer()
            self._limiter.schedule_check()

    def stop_write_deadline(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._limiter.stalled.pop(self, None)

    def abort(self, reason: RefusalReason) -> None:
        self._limiter.refusals[reason] += 1
        if self.unread_bytes:
            self._limiter.schedule_trim()
        self._limiter.remove(self)
        self.transport.abort()

    def _start_timer(self) -> None:
        seconds = self._limiter.limits.send_timeout_seconds
        self._unread_at_start = self.unread_bytes
        self._timer = asyncio.get_running_loop().call_later(seconds + min(seconds, GRACE_SECONDS), self._check_progress)

    def _check_progress(self) -> None:
        needed = int(self._limiter.limits.send_timeout_seconds * MIN_BYTES_PER_SECOND)
        unread = self.unread_bytes
        if unread and unread > self._unread_at_start - needed:
            self.abort(RefusalReason.SLOW_READER)
            return
        self.stop_write_deadline()
        if unread:
            self.start_write_deadline()


def _trim_malloc() -> None:
    """Return freed memory to the system, after collecting reply buffers that are held by reference cycles."""
    gc.collect(1)  # without the oldest generation, since a full collection holds all threads
    with suppress(OSError, AttributeError):  # only glibc has this function
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class ConnectionLimiter:
    """Counts the connections of a process and accepts, refuses or evicts them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.maximum = limits.connections
        """Maximum number of connections; lower if the process may open fewer files."""
        self.open: dict[asyncio.Transport, ClientConnection] = {}
        self.refusals: Counter[RefusalReason] = Counter()
        self.stalled: dict[ClientConnection, float] = {}
        """Connections with unread data and the time since then, longest first."""
        self._check_timer: asyncio.TimerHandle | None = None
        self._trim_timer: asyncio.TimerHandle | None = None
        self._scheduled: deque[Callable[[], None]] = deque()
        self._closed = 0
        self._addresses: Counter[str] = Counter()
        self._new: dict[ClientConnection, None] = {}
        """Connections before their first request or WebSocket authentication, longest idle first."""
        self._kept_alive: dict[ClientConnection, None] = {}
        """Connections between two requests, longest idle first."""

    @property
    def is_full(self) -> bool:
        return len(self.open) > self.maximum

    def accept(self, transport: asyncio.Transport, address: str) -> ClientConnection | RefusalReason:
        """Register a connection, or return the reason to close it at once."""
        if self._addresses[address] >= self.limits.address_connections:
            self.refusals[RefusalReason.ADDRESS] += 1
            return RefusalReason.ADDRESS
        is_surplus = len(self.open) >= self.maximum and not self._evict()
        if is_surplus and len(self.open) >= self.maximum + RESERVED_CONNECTIONS:
            self.refusals[RefusalReason.FULL] += 1
            return RefusalReason.FULL
        connection = self.open[transport] = ClientConnection(self, transport, address, is_surplus)
        self._addresses[address] += 1
        self._new[connection] = None
        return connection

    def remove(self, connection: ClientConnection) -> None:
        """Unregister a lost connection. Further calls do nothing."""
        if self.open.pop(connection.transport, None) is None:
            return
        connection.stop_write_deadline()
        self.protect(connection)
        self._closed += 1
        if self._closed % CLOSED_BEFORE_TRIM == 0:
            self.schedule_trim()
        self._addresses[connection.address] -= 1
        if not self._addresses[connection.address]:
            del self._addresses[connection.address]

    def protect(self, connection: ClientConnection) -> None:
        """Protect the connection from eviction: it carries a request or an authenticated WebSocket."""
        self._new.pop(connection, None)
        self._kept_alive.pop(connection, None)

    def set_kept_alive(self, connection: ClientConnection) -> None:
        if connection.transport in self.open:
            self._kept_alive.setdefault(connection)

    def schedule_check(self) -> None:
        """Check the unread data soon, once for all connections that stall until then."""
        if self._check_timer is None:
            self._check_timer = asyncio.get_running_loop().call_later(CHECK_AFTER_SECONDS, self.abort_slowest)

    def abort_slowest(self) -> None:
        """Abort the slowest connections until all unread data fits the limit."""
        self._check_timer = None
        total = sum(connection.unread_bytes for connection in self.stalled)
        latest = time.monotonic() - MIN_READ_SECONDS
        while total > self.limits.unread_bytes:
            slowest, since = next(iter(self.stalled.items()))
            if since > latest:
                break
            total -= slowest.unread_bytes
            slowest.abort(RefusalReason.UNREAD_BYTES)

    def schedule(self, call: Callable[[], None]) -> None:
        """Schedule a call in the order of scheduling, a few in each turn of the event loop."""
        if not self._scheduled:
            asyncio.get_running_loop().call_soon(self._run_scheduled)
        self._scheduled.append(call)

    def _run_scheduled(self) -> None:
        calls = [self._scheduled.popleft() for _ in range(min(MAX_CALLS_AT_ONCE, len(self._scheduled)))]
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._run_scheduled)
        for call in calls:
            asyncio.get_running_loop().call_soon(call)

    def schedule_trim(self) -> None:
        """Schedule a malloc trim; without one, glibc keeps a quarter of the memory (measured: 17 of 65 MB)."""
        if self._trim_timer is None:
            self._trim_timer = asyncio.get_running_loop().call_later(TRIM_AFTER_SECONDS, self._return_memory)

    def _return_memory(self) -> None:
        self._trim_timer = None
        asyncio.get_running_loop().run_in_executor(None, _trim_malloc)

    def _evict(self) -> bool:
        """Abort the connection that has been idle longest, from the larger of the two groups."""
        idle = max(self._new, self._kept_alive, key=len)
        for connection in idle:
            connection.abort(RefusalReason.EVICTED)
            return True
        return False


@dataclass(slots=True)
class PingCounter:
    """Counts the pings of one client per minute."""

    per_minute: int
    _count: int = 0
    _window_ends_at: float = 0.0

    def is_exceeded(self) -> bool:
        """Count a ping and return whether the limit is exceeded."""
        now = time.monotonic()
        if now >= self._window_ends_at:
            self._window_ends_at, self._count = now + 60, 0
        self._count += 1
        return self._count > self.per_minute
