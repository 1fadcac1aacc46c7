"""A process of the annex: reads a request, says what it asks, and runs it if it is told to. Ends with the server."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson

from tessera_gql.annex import frames
from tessera_gql.annex.frames import Kind
from tessera_gql.auth import Identity
from tessera_gql.graphql import context, uploads
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.documents import Limits, Profile
from tessera_gql.graphql.errors import translate
from tessera_gql.graphql.large import answer
from tessera_gql.graphql.operations import run
from tessera_gql.graphql.schema import schema
from tessera_gql.graphql.transport import Transport
from tessera_gql.graphql.uploads import Opened, TooLarge, Upload
from tessera_gql.graphql.wire import Malformed, Params
from tessera_gql.observe import logs
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.store.database import Database
from tessera_gql.store.engine import Options
from tessera_gql.workflows.manifest_progress import Phase

NICENESS = 5
TOO_BIG_BYTES = 1024**3
"""Who has grown beyond this is not kept for another job: Python gives memory back late or never."""
TELL_SECONDS = 0.1


@dataclass
class Worker:
    """`out` is for frames alone."""

    database: Database
    limits: Limits
    profile: Profile
    out: BinaryIO
    opened: Opened | None = None
    told_at: float = 0.0
    phase: Phase | None = None

    async def work(self, reader: asyncio.StreamReader) -> None:
        """Until there is nobody to work for, or there is too much of it."""
        frame = await frames.read(reader)
        while frame is not None:
            kind, payload = frame
            coming = asyncio.create_task(frames.read(reader))
            if kind is Kind.JOB:
                self._open(orjson.loads(payload))
            elif not await self._run_while(coming, orjson.loads(payload)):
                coming.cancel()
                return
            frame = await coming

    async def _run_while(self, coming: asyncio.Task[Any], asked: dict[str, Any]) -> bool:
        """Whether this process may take another job. What nobody waits for any more is rolled back."""
        if self.opened is None:
            return False
        sent, self.opened = self.opened.sent, None
        running = asyncio.create_task(self._run(sent, asked))
        await asyncio.wait((running, coming), return_when=asyncio.FIRST_COMPLETED)
        if running.done() or (coming.done() and coming.result() is not None):
            return await running
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return False

    def _open(self, job: dict[str, Any]) -> None:
        files = {place: Path(path) for place, path in job["files"].items()}
        try:
            self.opened = uploads.opened(Upload(Path(job["body"]), files, job["form"]), self.limits)
        except Malformed as malformed:
            self._send(Kind.MALFORMED, str(malformed).encode())
        except TooLarge as too_large:
            self._send(Kind.TOO_LARGE, orjson.dumps(too_large.limit))
        except MemoryError:
            self._send(Kind.MALFORMED, b"This takes more memory than one request may have. Split the project.")
        else:
            self._send(Kind.SHAPE, orjson.dumps(self.opened.shape))

    async def _run(self, sent: Params, asked: dict[str, Any]) -> bool:
        transport = self._transport(asked["told"])
        prepared = transport.documents.prepare(sent.query, sent.variables, sent.operation_name)
        found = answer(transport, await run(transport, prepared, Identity(_actor(asked["actor"]))))
        stays = _resident_bytes() < TOO_BIG_BYTES
        self._send(Kind.ANSWER, orjson.dumps({"why": found.why, "stays": stays}) + b"\n" + found.body)
        return stays

    def _transport(self, told: dict[str, Any]) -> Transport:
        @asynccontextmanager
        async def opened(identity: Identity) -> AsyncGenerator[Context]:
            async with context.opened(self.database, identity.actor) as found:
                found.tell = self._tell
                yield found

        async def nobody(_authorization: str | None) -> Identity:
            raise AssertionError("whoever sends a job was let in by the server")

        return Transport(
            schema=schema,
            authenticate=nobody,
            context=opened,
            translate=translate,
            admit=lambda _identity, _operation: told,
            limits=self.limits,
            profile=self.profile,
        )

    def _tell(self, phase: Phase, done: int, total: int) -> None:
        """Every phase, and within one no more than somebody can follow."""
        now = time.monotonic()
        if phase is self.phase and now - self.told_at < TELL_SECONDS:
            return
        self.phase, self.told_at = phase, now
        self._send(Kind.PROGRESS, orjson.dumps([phase, done, total]))

    def _send(self, kind: Kind, payload: bytes) -> None:
        self.out.write(frames.packed(kind, payload))
        self.out.flush()


def _actor(facts: dict[str, Any]) -> Actor:
    team, key = (UUID(facts[name]) if facts[name] else None for name in ("team_id", "key_id"))
    return Actor(facts["name"], team, frozenset(map(Scope, facts["scopes"])), key)


def _resident_bytes() -> int:
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - not everywhere

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _confine(memory_bytes: int) -> None:
    """The server goes first, and one request never takes the machine's memory."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not everywhere

    os.nice(NICENESS)
    with suppress(ValueError, OSError):  # there is a lower limit already
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


async def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what else is printed must not be taken for a frame
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    frame = await frames.read(reader)
    if frame is None:
        return
    settings = orjson.loads(frame[1])
    logs.configure(**settings["log"])
    _confine(settings["memory_bytes"])
    gc.freeze()
    gc.set_threshold(
        200_000, 50, 1000
    )  # a manifest is a million objects without a cycle: looking at them frees nothing
    limits = replace(Limits(**settings["limits"]), query_seconds=settings["job_seconds"])
    profile = Profile.OPEN if settings["is_open"] else Profile.LOCKED
    database = Database(settings["database_url"], options=Options(**settings["options"]))
    try:
        await Worker(database, limits, profile, out).work(reader)
    finally:
        await database.dispose()


if __name__ == "__main__":
    asyncio.run(main())
