"""PostgreSQL tells every process that the event log has grown. Only a hint: whoever misses it finds out by looking."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg

from tessera_gql.store.engine import driver_url
from tessera_gql.store.events import CHANNEL

RETRY_SECONDS = 2.0

log = logging.getLogger(__name__)


async def listen(url: str, wake: Callable[[], None]) -> None:
    """Runs until cancelled; comes back by itself when the connection is lost."""
    dsn = driver_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    while True:
        try:
            await _listen_once(dsn, wake)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("Not listening for events of other processes (%s); they come by polling.", error)
        await asyncio.sleep(RETRY_SECONDS)


async def _listen_once(dsn: str, wake: Callable[[], None]) -> None:
    ended = asyncio.Event()
    connection: Any = await asyncpg.connect(dsn, timeout=10)
    try:
        connection.add_termination_listener(lambda *_: ended.set())
        await connection.add_listener(CHANNEL, lambda *_: wake())
        wake()
        await ended.wait()
    finally:
        await connection.close(timeout=5)
