"""`tessera worker`: process deadlines and webhooks without serving requests."""

import asyncio
import signal
import socket

from tessera_gql import app as application
from tessera_gql.cli.listener import bind_listener
from tessera_gql.cli.probes import answer_probes
from tessera_gql.cli.settings import configure_logging, read_settings
from tessera_gql.cli.startup import prepare_database
from tessera_gql.cli.terminal import print_note
from tessera_gql.components import create_components
from tessera_gql.config import Settings
from tessera_gql.config.telemetry import Switch


def worker() -> None:
    """Process deadlines and webhooks without serving requests. Servers do so too; workers add capacity.

    With WORKER_PROBES it answers /healthz and /readyz.
    """
    settings = read_settings()
    configure_logging(settings)
    listener = bind_listener(settings) if settings.worker_probes is Switch.ON else None
    asyncio.run(_run(settings, listener))


async def _run(settings: Settings, listener: socket.socket | None) -> None:
    await prepare_database(settings)
    parts = create_components(settings)
    stop_requested = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop_requested.set)
    tasks = application.start_background_tasks(parts)
    helpers: list[asyncio.Task[None]] = []
    if listener is not None:
        helpers.append(asyncio.create_task(answer_probes(parts.database, tasks, listener), name="probes"))
    print_note("Working: deadlines and webhooks. ", ("Stop with Ctrl-C.", "dim"))
    await stop_requested.wait()
    for task in (*tasks, *helpers):
        task.cancel()
    await asyncio.gather(*tasks, *helpers, return_exceptions=True)
    await parts.telemetry.close()
    await asyncio.to_thread(parts.compute_pool.close)
    await parts.database.dispose()
