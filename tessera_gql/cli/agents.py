"""`tessera mcp`: serve the tools for agents over standard input and output."""

import asyncio
import signal

from tessera_gql.agents import INSTALL_HINT, is_installed
from tessera_gql.cli.servers import find_server
from tessera_gql.cli.terminal import fail


def mcp() -> None:
    """Serve tools for an agent (MCP) over standard input and output, with the key of the environment or login."""
    if not is_installed():
        raise fail(f"`tessera mcp` needs the extra `mcp`, which is not installed. {INSTALL_HINT}.")
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a thread that waits for input would hold up the end of the process
    asyncio.run(_serve())


async def _serve() -> None:
    from tessera_gql.agents.protocol import serve_stdio  # noqa: PLC0415 - an extra, and slow to import
    from tessera_gql.client import AsyncTesseraClient  # noqa: PLC0415 - as in `connect`

    server = find_server()
    async with AsyncTesseraClient(server.url, server.key) as client:
        await serve_stdio(client)
