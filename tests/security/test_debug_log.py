"""The log at level debug holds no value, no secret and no credential, whatever is called."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import websockets

from tests.conftest import at
from tests.e2e.server import TESSERA, Running, environment, serving
from tests.e2e.test_uploads import SYNC
from tests.formats.manifests import column, manifest, table

pytestmark = pytest.mark.long

PROTOCOLS: Any = ["graphql-transport-ws"]
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
CANARIES = {
    "admin": "canary-admin-key-0123456789",
    "metrics": "canary-metrics-key-0123456789",
    "password": "canary-database-password",
    "signing": "canary-webhook-secret",
    "variable": "canary-variable",
    "literal": "canary-literal",
    "schema": "canary-schema",
    "header": "canary-header",
    "address": "canary-address",
    "secrets": KEY,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tessera.db"
        return
    server = request.getfixturevalue("postgres_url")
    name = f"debug_{os.getpid()}"
    asyncio.run(run(server, f"CREATE DATABASE {name} TEMPLATE template_tessera"))
    yield at(server, name).replace("postgres:@", f"postgres:{CANARIES['password']}@")
    asyncio.run(run(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def test_a_debug_log_of_every_feature_holds_no_value(tmp_path: Path, database_url: str) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "LOG_LEVEL": "debug",
        "LOG_SLOW_SECONDS": "0",
        "AUTH": "on",
        "ADMIN_KEY": CANARIES["admin"],
        "METRICS_KEY": CANARIES["metrics"],
        "SECRETS_KEY": KEY,
        "WEBHOOK_URL": f"http://127.0.0.1:9/{CANARIES['address']}",
        "WEBHOOK_SECRET": CANARIES["signing"],
        "WEBHOOK_ALLOW_PRIVATE": "true",
        "PROFILE": "open",
    }
    with serving(tmp_path, **settings) as server:
        secrets = use(server)
        asyncio.run(listen(server))
        time.sleep(1)  # webhooks fail meanwhile
    log = server.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {"request", "operation"} <= {line["event"] for line in lines}
    assert [value for value in (*CANARIES.values(), *secrets) if value in log] == []
    rotated = subprocess.run(
        [TESSERA, "db", "rotate-secrets"], cwd=tmp_path, env=environment(**settings), capture_output=True, check=False
    )
    assert rotated.returncode == 0
    assert [
        value for value in (*CANARIES.values(), *secrets) if value.encode() in rotated.stdout + rotated.stderr
    ] == []


def use(server: Running) -> list[str]:
    """Call every feature and return the secrets that replies showed."""
    variable, literal = CANARIES["variable"], CANARIES["literal"]
    team = f'{{name: "shop", metadata: {{a: "{literal}"}}}}'
    call(server, f"mutation {{ createTeam(input: {team}) {{ team {{ id }} }} }}")
    call(server, "mutation($i: CreateAssetInput!) { createAsset(input: $i) { asset { id } } }", i=asset(variable))
    schema = {"type": "object", "properties": {CANARIES["schema"]: {"type": "string", "enum": [variable]}}}
    publish = "mutation($i: PublishContractInput!) { publishContract(input: $i) { outcome errors { message } } }"
    for number in range(2):
        properties = {**schema["properties"], f"column_{number}": {"type": "integer"}}  # type: ignore[dict-item]
        version = {**schema, "properties": properties}
        reply = call(server, publish, i={"asset": {"fqn": "a.b.c"}, "schema": version, "reason": variable})
        assert reply["publishContract"]["errors"] == []
    call(server, publish, i={"asset": {"fqn": "a.b.c"}, "document": {"format": "DDL", "text": f"SELEC {variable}"}})
    call(server, "query($q: String!) { search(query: $q) { __typename } }", q=variable)
    call(server, f'{{ assets(filter: {{fqn: {{eq: "{literal}"}}}}) {{ nodes {{ fqn }} }} }}')
    call(server, f'{{ nothing(here: "{literal}") }}')
    key = {"name": "ci", "team": {"name": "shop"}, "scopes": ["READ"]}
    created = call(
        server, "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { token errors { code } } }", i=key
    )
    webhook = call(
        server,
        "mutation($u: URL!) { createWebhook(input: {url: $u}) { secret errors { message } } }",
        u=f"http://127.0.0.1:9/{CANARIES['address']}",
    )
    uploaded = upload(server, variable)
    assert uploaded["errors"] == [], uploaded
    for header in (f"Bearer {CANARIES['header']}", f"Basic {CANARIES['header']}", "Bearer é".encode("latin-1")):
        headers: Any = {"Authorization": header}
        body = {"query": "{ __typename }"}
        assert httpx.post(f"{server.url}/graphql", json=body, headers=headers).status_code == 401
        assert httpx.get(f"{server.url}/metrics", headers=headers).status_code == 401
    scraped = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {CANARIES['metrics']}"})
    assert scraped.status_code == 200
    httpx.get(f"{server.url}/graphql?query={{a(b:%22{literal}%22)}}")
    assert (created["createApiKey"]["errors"], webhook["createWebhook"]["errors"]) == ([], [])
    return [created["createApiKey"]["token"], webhook["createWebhook"]["secret"]]


def upload(server: Running, value: str) -> Any:
    """A manifest as a file, with SQL that can't be parsed."""
    code = f"CREATE STAGE x '{value}'; SELECT '{value}'"
    model = table("orders", column("id"), description=value, compiled_code=code)
    document = json.dumps(manifest(model)).encode()
    asked = {"query": SYNC, "variables": {"input": {"manifest": None, "createTeams": True, "owner": {"name": "shop"}}}}
    answer = httpx.post(
        f"{server.url}/graphql",
        files={
            "operations": (None, json.dumps(asked)),
            "map": (None, '{"0": ["variables.input.manifest"]}'),
            "0": ("0.json", document),
        },
        headers={"GraphQL-Require-Preflight": "1", "Authorization": f"Bearer {CANARIES['admin']}"},
        timeout=60,
    )
    return answer.json()["data"]["syncDbtManifest"]


def asset(value: str) -> dict[str, Any]:
    return {"fqn": "a.b.c", "owner": {"name": "shop"}, "metadata": {"a": value}, "description": value}


def call(server: Running, document: str, **variables: Any) -> Any:
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": document, "variables": variables},
        headers={"Authorization": f"Bearer {CANARIES['admin']}"},
        timeout=30,
    )
    reply = answer.json()
    assert "INTERNAL" not in answer.text, reply
    return reply.get("data")


async def listen(server: Running) -> None:
    address = f"{server.url.replace('http', 'ws')}/graphql"
    document = f'{{ teams(filter: {{name: {{eq: "{CANARIES["literal"]}"}}}}) {{ nodes {{ id }} }} }}'
    async with websockets.connect(address, subprotocols=PROTOCOLS) as socket:
        await socket.send(opening(Authorization=f"Bearer {CANARIES['admin']}"))
        assert "connection_ack" in str(await socket.recv())
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": document}}))
        await socket.recv()
    async with websockets.connect(address, subprotocols=PROTOCOLS) as socket:
        await socket.send(opening(authorization=f"Bearer {CANARIES['header']} é"))
        with pytest.raises(websockets.ConnectionClosed, match="4403"):
            await socket.recv()


def opening(**payload: str) -> str:
    return json.dumps({"type": "connection_init", "payload": payload})
