"""The first process of a container ends on SIGTERM while it starts, for which the kernel has no default action."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.server import environment
from tests.ops.postgres import until

pytestmark = pytest.mark.long

NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc"]


def has_namespaces() -> bool:
    return shutil.which("unshare") is not None and not subprocess.run([*NAMESPACE, "true"], check=False).returncode


@pytest.mark.skipif(not has_namespaces(), reason="a process becomes the first of a namespace only as root, on Linux")
@pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "upgrade")], ids=" ".join)
def test_sigterm_ends_a_first_process_that_waits_for_its_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    settings = {"DATABASE_URL": "postgresql://tessera@127.0.0.1:9/d", "API_PORT": "0", "LOG_FORMAT": "console"}
    variables = environment(**settings) | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    log = tmp_path / "log"
    with log.open("w") as stderr:
        arguments = [*NAMESPACE, sys.executable, "-m", "tessera_gql", *command]
        outer = subprocess.Popen(arguments, cwd=tmp_path, env=variables, stderr=stderr)
        until(lambda: "Waiting for up to 30 seconds" in log.read_text(), seconds=60)
        os.kill(first_process(outer.pid), signal.SIGTERM)
        started = time.monotonic()
        assert outer.wait(timeout=30) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 10
    assert "Traceback" not in log.read_text()


def first_process(outer: int) -> int:
    """The child of `unshare`, as the namespace of the tests numbers it."""
    (child,) = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
    numbers = re.search(r"^NSpid:\s+(.*)$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE)
    assert numbers is not None
    assert numbers[1].split()[-1] == "1"
    return int(child)
