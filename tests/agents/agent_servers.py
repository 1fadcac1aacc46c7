"""A server with tools for agents, in the process of the test, and the official client of the protocol, unmodified."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from tessera_gql.agents.endpoint import LocalCaller
from tessera_gql.app import create_app
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.server.body import wait_for_disconnect
from tessera_gql.store.tables import Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import keys
from tessera_gql.workflows.keys import KeyRequest
from tests.world import World

ADMIN_KEY = "an-administrators-key-for-this-test"
ADDRESS = "http://127.0.0.1:8000"


@dataclass
class AgentServer:
    """A server within its lifespan, and what is in its database."""

    app: Starlette
    components: Components
    world: World

    def http_client(self, key: str | None = ADMIN_KEY, **headers: str) -> httpx2.AsyncClient:
        authorization = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url=ADDRESS, headers=authorization | headers)

    @asynccontextmanager
    async def connect(self, key: str | None = ADMIN_KEY, mode: str = "auto") -> AsyncIterator["Agent"]:
        async with (
            self.http_client(key) as http_client,
            Client(streamable_http_client(f"{ADDRESS}/mcp", http_client=http_client), mode=mode) as client,
        ):
            yield Agent(client)

    async def create_key(self, team: Team, *scopes: Scope) -> str:
        async with self.components.database.write("tester") as session:
            request = KeyRequest("agent", scopes or (Scope.WRITE,), TeamRef(id=team.id))
            return (await keys.create(session, ANONYMOUS, request)).token

    async def caller(self, key: str = ADMIN_KEY) -> LocalCaller:
        """The caller of a key, as the graph knows it."""
        transport = self.components.transport

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        identity = await transport.authenticate(f"Bearer {key}")
        return LocalCaller(transport, identity, lambda: wait_for_disconnect(receive))


@dataclass
class Agent:
    """An agent that calls tools over a connection of the official client, which checks results by their schemas."""

    client: Client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        text: str = getattr(result.content[0], "text")  # noqa: B009 - of a union of contents
        assert not result.is_error, text
        assert json.loads(text) == result.structured_content
        assert len(text.encode()) <= 20_000
        return dict(result.structured_content or {})

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """The text of a refused call: code and message."""
        result = await self.client.call_tool(tool, arguments)
        text: str = getattr(result.content[0], "text")  # noqa: B009
        assert result.is_error, text
        assert result.structured_content is None
        return text


@asynccontextmanager
async def agent_server(database_url: str, **settings: Any) -> AsyncIterator[AgentServer]:
    """Serve `/mcp` in this process; settings as in the environment."""
    values = {"admin_key": ADMIN_KEY, "mcp": "on", "metrics": "off", "database_url": database_url} | settings
    components = create_components(Settings(**values))
    app = create_app(components)
    async with app.router.lifespan_context(app):
        yield AgentServer(app, components, World(components.database))
