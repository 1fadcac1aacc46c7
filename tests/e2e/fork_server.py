"""The process that has imported the program once, and forks for each command that a test starts.

It reads requests from a socket, each the arguments, folder and environment of a command as JSON, with the file
descriptors of its standard streams. A fork takes these over, and then is the program. It forks twice, and the process
in between ends at once: so the process of the tests becomes the parent, which can wait for the command and learn its
exit code (see `forking.py`).
"""

import asyncio
import atexit
import gc
import json
import multiprocessing.process
import os
import select
import shutil
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from tessera_gql.cli import main
from tessera_gql.cli.commands import COMMANDS, load_command
from tessera_gql.store import migration

LONGEST_REQUEST = 1 << 17
SOCKET = "scripts"
"""Name of the socket on which scripts ask for commands, beside the template."""


class Command(TypedDict):
    """A command as a test starts it."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]


def serve(requests: socket.socket, template: Path) -> None:
    """Fork for each request. Returns in a fork only; the process itself ends with the process of the tests."""
    scripts = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    scripts.bind(str(template.with_name(SOCKET)))
    scripts.listen()
    _prepare(template)
    requests.send(b"ready")
    while True:
        is_script = scripts in select.select([requests, scripts], [], [])[0]
        connection = scripts.accept()[0] if is_script else requests.dup()
        text, streams, *_ = socket.recv_fds(connection, LONGEST_REQUEST, 3)
        if text and _fork(connection, is_script=is_script):
            for inherited in (connection, requests, scripts):
                inherited.close()
            _become(json.loads(text), streams)
            return
        if not (text or is_script):
            shutil.rmtree(template.parent)
            os._exit(0)
        connection.close()
        for stream in streams:
            os.close(stream)


def _prepare(template: Path) -> None:
    """Do what all commands and servers have in common."""
    for name in COMMANDS:
        load_command(name)
    asyncio.run(migration.upgrade(f"sqlite:///{template}"))
    template.chmod(0o600)  # as a server makes it
    gc.collect()
    gc.freeze()


def _fork(connection: socket.socket, *, is_script: bool) -> bool:
    """Fork twice, and return whether this is the fork. The process in between sends its number, or its exit code."""
    if (between := os.fork()) == 0:
        if (number := os.fork()) == 0:
            return True
        answer = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) % 256 if is_script else number
        connection.send(str(answer).encode())
        os._exit(0)
    if not is_script:
        os.waitpid(between, 0)
        connection.send(b"adopted")
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return False


def _become(command: Command, streams: list[int]) -> None:
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, old.mode, 1 if number == 2 else -1, old.encoding, old.errors, closefd=False)  # noqa: SIM115
        for number, old in enumerate((sys.stdin, sys.stdout, sys.stderr))
    )
    os.chdir(command["folder"])
    os.environ.clear()
    os.environ.update(command["environment"])
    sys.argv = command["arguments"]
    script = sys.modules["__main__"]
    script.__file__, script.__spec__, script.__package__ = sys.argv[0], None, None
    multiprocessing.process.ORIGINAL_DIR = command["folder"]  # type: ignore[attr-defined] # where its children start


def _run() -> None:
    """Run the program and end as the interpreter does, but without freeing the objects of all modules one by one."""
    try:
        main()
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    else:
        code = 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
    _run()
