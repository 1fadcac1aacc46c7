"""Start the program as a fork of a process that has imported it: a real process, but two seconds of work sooner.

It differs from `tessera` started by a shell only in what happens before `main()`. So the program is started by its path
where a variable is for the interpreter itself, on systems other than Linux, and by a Python whose `subprocess`,
`threading` or `atexit` lacks the private names that a fork needs: no public one replaces the start of a process, and a
stand-in process in between would take the signals and the number of the program.
"""

import atexit
import ctypes
import functools
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("tessera")
INHERITED = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
READ_BEFORE_MAIN = ("PYTHON", "LD_", "LANG", "LC_", "MALLOC_", "SSL_", "TERM", "TYPER_", "TZ")
"""Prefixes of variables that the interpreter and its libraries read at their start."""
SET_CHILD_SUBREAPER = 36
STANDARD_STREAMS = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
"""Parameters of `Popen._execute_child`, by name: both ends of stdin, stdout and stderr."""


class ForkServer:
    """The process that forks, and the migrated SQLite file it makes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.variables = inherited_variables()
        self.template = Path(tempfile.mkdtemp(prefix="tessera-fork-")) / "template.db"
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.fork_server", str(theirs.fileno()), str(self.template)],
                cwd=ROOT,
                env=self.variables,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        assert self._requests.recv(16) == b"ready"
        atexit.register(self._stop)

    def _stop(self) -> None:
        self._requests.close()
        self._process.wait(20)

    def fork(self, arguments: Sequence[str], folder: str, variables: Mapping[str, str], streams: Sequence[int]) -> int:
        """Start the program as a child of this process, and return its number."""
        request = json.dumps({"arguments": arguments, "folder": folder, "environment": dict(variables)}).encode()
        with self._lock, _adopting_orphans():
            socket.send_fds(self._requests, [request], streams)
            number = int(self._requests.recv(16))
            assert self._requests.recv(16) == b"adopted"
            return number


STAND_IN = """#!{interpreter} -IS
import json, os, socket, sys
if {{name: value for name, value in os.environ.items() if name.startswith({prefixes})}} != {variables}:
    os.execv({program!r}, [{program!r}, *sys.argv[1:]])
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect({address!r})
command = {{"arguments": [{program!r}, *sys.argv[1:]], "folder": os.getcwd(), "environment": dict(os.environ)}}
socket.send_fds(connection, [json.dumps(command).encode()], [0, 1, 2])
sys.exit(int(connection.recv(16)))
"""
"""What a shell runs as `tessera`: it has the fork server start the command, and ends with its exit code."""


@functools.cache
def fork_server() -> ForkServer:
    """The fork server of this process, which starts with the first command."""
    return ForkServer()


def inherited_variables() -> dict[str, str]:
    """What commands of tests take over from the environment of the machine."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Become the parent of those processes below this one whose parents end meanwhile."""
    control = ctypes.CDLL(None).prctl
    control(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        control(SET_CHILD_SUBREAPER, 0, 0, 0, 0)


Process: TypeAlias = "subprocess.Popen[Any]"


class ForkedProgram(subprocess.Popen[Any]):
    """A process like any other, but forked: it differs from its base class in the system calls of its start."""

    def _execute_child(self, *values: Any) -> None:
        start = subprocess.Popen._execute_child  # type: ignore[attr-defined] # see `has_private_names`
        options = inspect.signature(start).bind(self, *values).arguments
        arguments, folder, variables = options["args"], options["cwd"], options["env"]
        handles = [options[name] for name in STANDARD_STREAMS]
        stdin, _, _, stdout, _, stderr = handles
        streams = [stream if stream != -1 else target for target, stream in enumerate((stdin, stdout, stderr))]
        self.pid = fork_server().fork([*map(str, arguments)], str(folder or Path.cwd()), variables, streams)
        self._child_created = True
        self._close_pipe_fds(*handles)  # type: ignore[attr-defined] # of the base class


def start_program(arguments: Sequence[object], environment: Mapping[str, str], **options: Any) -> Process:
    """Start `tessera` with this environment only; the options are those of `subprocess.Popen`."""
    if not can_fork(environment):
        return start_by_path(PROGRAM, arguments, environment, **options)
    return ForkedProgram([PROGRAM, *map(str, arguments)], env=dict(environment), **options)


def start_by_path(
    program: Path, arguments: Sequence[object], environment: Mapping[str, str], **options: Any
) -> Process:
    """Start a program as a shell does."""
    return subprocess.Popen([program, *map(str, arguments)], env=dict(environment), **options)


def can_fork(environment: Mapping[str, str]) -> bool:
    """Whether a fork would be the same as the program started with this environment."""
    is_supported = sys.platform == "linux" and has_private_names(subprocess.Popen)
    return is_supported and _before_main(environment) == _before_main(fork_server().variables)


@functools.cache
def has_private_names(process_type: type[Any]) -> bool:
    """Whether this Python has all private names that a forked process and the fork server use."""
    start = getattr(process_type, "_execute_child", None)
    parameters = inspect.signature(start).parameters if start else {}
    has_methods = hasattr(process_type, "_close_pipe_fds") and {"args", "cwd", "env", *STANDARD_STREAMS} <= {
        *parameters
    }
    return has_methods and hasattr(threading, "_shutdown") and hasattr(atexit, "_run_exitfuncs")


def _before_main(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_BEFORE_MAIN)}


def programs_folder() -> Path:
    """A folder for the PATH of scripts, with a `tessera` that forks. Scripts must not send it signals."""
    if sys.platform != "linux":
        return PROGRAM.parent
    server = fork_server()
    program = server.template.with_name("tessera")
    program.write_text(
        STAND_IN.format(
            interpreter=sys.executable,
            prefixes=READ_BEFORE_MAIN,
            variables=_before_main(server.variables),
            program=str(PROGRAM),
            address=str(server.template.with_name("scripts")),
        )
    )
    program.chmod(0o755)
    return program.parent


def run_program(
    arguments: Sequence[object], environment: Mapping[str, str], *, stdin: str = "", timeout: float = 60, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run `tessera` to its end, and return what it printed."""
    pipe = subprocess.PIPE
    options = {"stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True, **options}
    with start_program(arguments, environment, **options) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def copy_migrated_database(folder: Path) -> None:
    """Put a database where a server in this folder looks for its own, so that it need not migrate; keeps one."""
    if sys.platform == "linux" and not (folder / "tessera.db").exists():
        shutil.copy(fork_server().template, folder / "tessera.db")
