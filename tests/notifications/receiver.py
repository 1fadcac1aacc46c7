"""A webhook receiver on a loopback port that records requests and replies as configured."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass
class ReceivedRequest:
    """A request that the receiver got."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """Replies to the n-th post with the status `answer(n)`; a text is sent as the whole response."""

    answer: Callable[[int], int | str] = lambda _number: 204
    got: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])
    url: str = ""
    open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    async def count(self, number: int, seconds: float = 10) -> list[ReceivedRequest]:
        async with asyncio.timeout(seconds):
            while len(self.got) < number:  # noqa: ASYNC110 - an event per post would tell no more
                await asyncio.sleep(0.01)
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.got.append(ReceivedRequest(headers, body, head[0].split(" ")[1]))
            reply = self.answer(len(self.got))
            text = f"HTTP/1.1 {reply} x\r\ncontent-length: 0\r\n\r\n" if isinstance(reply, int) else reply
            writer.write(text.encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await self.close(writer)

    async def close(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.open.discard(writer)


@asynccontextmanager
async def receiving(answer: Callable[[int], int | str] | None = None) -> AsyncGenerator[Receiver]:
    receiver = Receiver() if answer is None else Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()
        for writer in [*receiver.open]:
            await receiver.close(writer)
