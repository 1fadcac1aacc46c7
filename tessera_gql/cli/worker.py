"""`tessera worker`: deadlines and webhooks in a process of their own, beside any number of servers and workers."""

import asyncio
import signal

from tessera_gql import app as application
from tessera_gql.cli.settings import configure_logging, read_settings
from tessera_gql.cli.start import prepare
from tessera_gql.cli.terminal import print_note
from tessera_gql.config import Settings


def worker() -> None:
    """Run deadlines and webhooks without serving requests. Servers do both as well; this adds hands."""
    settings = read_settings()
    configure_logging(settings)
    asyncio.run(_run(settings))


async def _run(found: Settings) -> None:
    await prepare(found)
    parts = application.assemble(found)
    stopped = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stopped.set)
    tasks = application.working(parts)
    print_note("Working: deadlines and webhooks. ", ("Stop with Ctrl-C.", "dim"))
    await stopped.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await parts.instruments.close()
    await asyncio.to_thread(parts.pool.close)
    await parts.database.dispose()
