"""Calls bridge a server that is away for some seconds, and one that restarts again and again."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.client.conftest import Open
from tests.client.test_sync_and_async import fresh
from tests.e2e.server import serving

pytestmark = pytest.mark.long


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def running(folder: Path, port: int) -> AsyncIterator[None]:
    """Run a server on this port without blocking the event loop."""
    server = serving(folder, API_PORT=str(port))
    await asyncio.to_thread(server.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def test_a_call_waits_for_a_server_that_is_away_for_some_seconds(connect: Open, tmp_path: Path) -> None:
    port = free_port()
    reasons: list[str] = []
    client = await connect(f"http://127.0.0.1:{port}", on_disconnect=reasons.append)
    start = time.monotonic()
    call = asyncio.ensure_future(client.create_team("patient"))
    await asyncio.sleep(4)
    assert not call.done()
    async with running(tmp_path, port):
        assert (await call).name == "patient"
    assert time.monotonic() - start >= 4
    assert "can't be reached" in reasons[0]


async def test_no_call_fails_and_none_is_done_twice_while_a_server_restarts(connect: Open, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    prefix = fresh("rolling")
    created: list[str] = []
    is_over = asyncio.Event()

    async def write(number: int) -> None:
        client = await connect(url)
        while not is_over.is_set():
            name = f"{prefix}-{number}-{len(created)}"
            created.append((await client.create_team(name)).name)

    async with asyncio.timeout(120), AsyncExitStack() as stack:
        writers = [asyncio.create_task(write(number)) for number in range(3)]
        async with running(tmp_path, port):
            await asyncio.sleep(1)
        await stack.enter_async_context(running(tmp_path, port))
        await asyncio.sleep(1)
        is_over.set()
        await asyncio.gather(*writers)
        reader = await connect(url)
        names = [team.name async for team in reader.teams(name_contains=prefix)]
    assert len(names) >= 3
    assert sorted(names) == sorted(created)
