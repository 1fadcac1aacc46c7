"""The process that has imported the program once, and forks for each command that a test starts.

It reads requests from a socket, each the arguments, folder and environment of a command as JSON, with the file
descriptors of its standard streams. A fork takes these over, and then is the program. It forks twice, and the process
in between ends at once: so the process of the tests becomes the parent, which can wait for the command and learn its
exit code (see `forking.py`).
"""

import asyncio
import gc
import json
import multiprocessing.process
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import TypedDict

from tessera_gql.cli import build_app, main
from tessera_gql.store import migration

LONGEST_REQUEST = 1 << 17


class Command(TypedDict):
    """A command as a test starts it."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]


def serve(requests: socket.socket, template: Path) -> None:
    """Fork for each request. Returns in the fork only; the process itself ends with the process of the tests."""
    build_app()
    asyncio.run(migration.upgrade(f"sqlite:///{template}"))
    gc.collect()
    gc.freeze()
    requests.send(b"ready")
    while True:
        text, streams, *_ = socket.recv_fds(requests, LONGEST_REQUEST, 3)
        if not text:
            shutil.rmtree(template.parent)
            os._exit(0)
        if (between := os.fork()) == 0:
            _leave_parent(requests)
            _become(json.loads(text), streams)
            return
        os.waitpid(between, 0)
        requests.send(b"adopted")
        for stream in streams:
            os.close(stream)


def _leave_parent(requests: socket.socket) -> None:
    """Fork once more, send the number of that process, and go on in it."""
    if (number := os.fork()) != 0:
        requests.send(str(number).encode())
        os._exit(0)
    requests.close()


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
    script.__file__, script.__spec__ = sys.argv[0], None
    multiprocessing.process.ORIGINAL_DIR = command["folder"]  # type: ignore[attr-defined] # where its children start


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
    main()
