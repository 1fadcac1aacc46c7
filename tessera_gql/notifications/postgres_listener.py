"""Listen for PostgreSQL notifications of new events: only a hint, because polling finds what was missed."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import asyncpg

from tessera_gql.store.engine import to_asyncpg_url
from tessera_gql.store.events import CHANNEL

RETRY_SECONDS = 2.0
PROBE_SECONDS = 30.0

log = logging.getLogger(__name__)


async def listen_for_events(url: str, *callbacks: Callable[[], None]) -> None:
    """Call `callbacks` on each notification, until cancelled; reconnects when the connection is lost."""
    dsn = to_asyncpg_url(url)
    while True:
        try:
            await _listen_once(dsn, callbacks)
        except Exception as error:  # noqa: BLE001 - polling goes on whatever fails, and so must the attempts
            log.warning("Not listening for events of other processes (%s); they come by polling.", error)
        await asyncio.sleep(RETRY_SECONDS)


async def _listen_once(dsn: str, callbacks: tuple[Callable[[], None], ...]) -> None:
    ended = asyncio.Event()

    def wake(*_: object) -> None:
        for callback in callbacks:
            callback()

    def end(*_: object) -> None:
        ended.set()

    connection: Any = await asyncpg.connect(dsn, timeout=10, server_settings={"application_name": "tessera listen"})
    try:
        connection.add_termination_listener(end)
        await connection.add_listener(CHANNEL, wake)
        wake()
        while not ended.is_set():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await ended.wait()
            except TimeoutError:
                # A connection that a router has dropped looks open until something is sent over it.
                await connection.execute("SELECT 1", timeout=10)
    finally:
        await connection.close(timeout=5)
