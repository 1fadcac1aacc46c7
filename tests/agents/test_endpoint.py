"""The endpoint `/mcp`: who may call, what is refused before a tool runs, and what a client may send at once."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from mcp.shared.exceptions import MCPError

from tessera_gql.config import InvalidSettings
from tessera_gql.config import load as load_settings
from tests.agents.agent_servers import agent_server
from tests.security.commands import run
from tests.world import without

FQN = "analytics.core.orders"
ISSUER, AUDIENCE = "https://login.example.com/", "tessera"
HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


async def post(client: httpx2.AsyncClient, content: Any, **headers: str) -> httpx2.Response:
    body = content if isinstance(content, str | bytes) else json.dumps(content)
    return await client.post("/mcp", content=body, headers=HEADERS | headers)


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_open_server_needs_no_key(database_url: str, mode: str) -> None:
    async with agent_server(database_url, admin_key=None) as server, server.connect(None, mode) as agent:
        await server.world.proposed()
        assert (await agent.call("find_asset", query="orders"))["assets"]["total"] == 1
        assert (await agent.call("list_asks"))["asks"]["total"] == 2


async def test_a_token_of_the_issuer_is_a_key(database_url: str, tmp_path: Path) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    settings = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_jwks": str(tmp_path / "jwks.json")}
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 600, "team": "consumer-0"}
    token = jwt.encode({"kid": "rsa", "alg": "RS256"}, claims | {"scope": "tessera:write"}, key, algorithms=["RS256"])
    async with agent_server(database_url, **settings) as server:
        await server.world.proposed()
        async with server.connect(token) as agent:
            asks = await agent.call("list_asks")
            assert (asks["team"], asks["asks"]["total"]) == ("consumer-0", 1)
            ask = asks["asks"]["items"][0]["ask"]
            await agent.call("answer_ask", ask=ask, response="BLOCKED", notes="not before June", confirm=True)
            refusal = await agent.refusal("propose_change", asset=FQN, json_schema=without("total"))
            assert refusal.startswith("FORBIDDEN: ")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_call_without_a_valid_key_is_unauthorized(database_url: str) -> None:
    async with agent_server(database_url) as server:
        for key in (None, "not-a-key", "tsr_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"):
            async with server.http_client(key) as client:
                reply = await post(client, LIST_TOOLS)
                assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
                assert reply.json()["error"]["data"] == {"code": "UNAUTHENTICATED"}
                assert reply.json()["error"]["message"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_pages_of_other_sites_are_refused(database_url: str) -> None:
    async with (
        agent_server(database_url, cors_origins="https://inspector.example.com") as server,
        server.http_client() as client,
    ):
        assert (await post(client, LIST_TOOLS)).status_code == 200
        assert (await post(client, LIST_TOOLS, Origin="https://inspector.example.com")).status_code == 200
        preflight = {
            "Origin": "https://inspector.example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,mcp-method,mcp-name,mcp-protocol-version",
        }
        assert (await client.options("/mcp", headers=preflight)).status_code == 200
        reply = await post(client, LIST_TOOLS, Origin="https://evil.example.com")
        assert (reply.status_code, "CORS_ORIGINS" in reply.text) == (403, True)
    async with agent_server(database_url, admin_key=None) as server, server.http_client(None) as client:
        assert (await post(client, LIST_TOOLS, Origin="http://localhost:6274")).status_code == 200
        assert (await post(client, LIST_TOOLS, Origin="https://evil.example.com")).status_code == 403
        assert (await post(client, LIST_TOOLS, Host="rebound.example.com:8000")).status_code == 403


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_requests_are_bounded_and_leave_no_session(database_url: str) -> None:
    async with agent_server(database_url) as server, server.http_client() as client:
        reply = await post(client, LIST_TOOLS)
        assert (reply.status_code, "mcp-session-id" in reply.headers) == (200, False)
        for method in ("GET", "DELETE", "PUT"):
            refused = await client.request(method, "/mcp", headers=HEADERS)
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        large = call("check_change", asset=FQN, json_schema={"description": "x" * 100_000})
        reply = await post(client, large)
        assert (reply.status_code, "larger than 98,304 bytes" in reply.text) == (413, True)

        async def chunks() -> Any:
            for _ in range(10):
                yield b" " * 20_000

        assert (await client.post("/mcp", content=chunks(), headers=HEADERS)).status_code == 413
        for content in (b"{", b'{"a": NaN}', b"\xff", "[" * 5000, b""):
            reply = await post(client, content)
            assert reply.status_code == 400, content
            assert "message" in reply.json()["error"]
        for content in ("[]", "7", '"x"', '{"jsonrpc": "1.0"}', '{"jsonrpc": "2.0", "id": {}, "method": 1}'):
            assert (await post(client, content)).status_code in (400, 422), content
        reply = await post(client, LIST_TOOLS, **{"Content-Encoding": "gzip"})
        assert reply.status_code == 415
        assert (await post(client, LIST_TOOLS)).status_code == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_limits_of_the_key_hold_for_tools(database_url: str) -> None:
    limits = {"rate_limit_mutations": "3/hour", "limit_cost": 400}
    async with agent_server(database_url, **limits) as server, server.connect() as agent:
        await server.world.published(consumers=1)
        arguments = {"asset": FQN, "json_schema": without("note"), "team": "producers"}
        for _ in range(3):
            await agent.call("propose_change", **arguments)
        refusal = await agent.refusal("propose_change", **arguments)
        assert refusal.startswith("RATE_LIMITED: This key has used up its mutations")
        assert (await agent.refusal("list_asks")).startswith("QUERY_TOO_COMPLEX: ")
        await agent.call("list_asks", limit=1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_unknown_tool_is_an_error_of_the_protocol(database_url: str) -> None:
    async with agent_server(database_url) as server, server.connect() as agent:
        with pytest.raises(MCPError, match=r"There is no tool 'drop_table'. There are find_asset"):
            await agent.client.call_tool("drop_table", {})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_server_without_the_setting_has_no_endpoint(database_url: str) -> None:
    async with agent_server(database_url, mcp="off") as server, server.http_client() as client:
        assert (await post(client, LIST_TOOLS)).status_code == 404


def test_without_the_extra_the_command_and_the_setting_name_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name == "mcp" or name.startswith(("mcp.", "tessera_gql.agents"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    result = run(tmp_path, ["mcp"])
    assert (result.code, result.stdout) == (2, "")
    assert "`tessera mcp` needs the extra `mcp`" in result.stderr
    assert "pip install 'tessera-gql[mcp]'" in result.stderr
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCP", "on")
    with pytest.raises(InvalidSettings, match=r"MCP: tools for agents need the extra `mcp`.*tessera-gql\[mcp\]"):
        load_settings()
