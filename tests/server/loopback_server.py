"""The server's own protocols on a loopback port, in the test's event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette

from tessera_gql.server.http import Transport, close_streams, create_routes
from tessera_gql.server.http_protocol import HttpProtocol, LimitedServerState
from tessera_gql.server.websocket_frames import WebSocketProtocol


@asynccontextmanager
async def served(transport: Transport, ws: Any = WebSocketProtocol) -> AsyncIterator[str]:
    """The address, as `127.0.0.1:PORT`, of a server without signal handling."""
    app = Starlette(routes=create_routes(transport))
    config = uvicorn.Config(app, log_level="warning", ws=ws, ws_per_message_deflate=False, lifespan="off")
    config.load()
    state = LimitedServerState(transport.connection_limiter)

    def protocol() -> asyncio.Protocol:
        return HttpProtocol(config, state, app_state={})

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await close_streams(transport)
        for connection in [*state.connections]:
            connection.shutdown()
        async with asyncio.timeout(5):
            while state.tasks or state.connections:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
                await asyncio.sleep(0.001)
