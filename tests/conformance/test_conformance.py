"""The reference implementations of the protocols report no violation. Needs Node, and `npm ci` in this folder."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.server.loopback_server import served
from tests.server.sample_schema import SampleBackend

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").exists(),
    reason="the reference implementations are not installed: run `npm ci` in tests/conformance",
)


async def node(script: str, *arguments: str) -> tuple[int | None, str]:
    running = await asyncio.create_subprocess_exec(
        "node", script, *arguments, cwd=HERE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(running.communicate(), 60)
    return running.returncode, output.decode()


async def test_every_audit_of_graphql_over_http_passes() -> None:
    async with served(SampleBackend().transport()) as address:
        code, output = await node("audit.mjs", f"http://{address}/graphql")
    assert code == 0, output
    assert "61 of 61 passed" in output


async def test_the_reference_clients_of_websockets_and_event_streams_work_unmodified() -> None:
    backend = SampleBackend()
    async with served(backend.transport()) as address:
        code, output = await node("clients.mjs", f"http://{address}/graphql", "Bearer key")
    assert code == 0, output
    assert {guest.name for guest in backend.guests} == {"Bearer key"}
