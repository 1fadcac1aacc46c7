"""The fastest build of this Python that the machine has: one without profile-guided optimisation, as a version manager
compiles it, takes a third longer for all that is measured here, and is not what people run a server on.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
"""Looked into beside those of PATH."""
WORTH = 1.15
"""A build less than so much faster is not worth another interpreter than the one that was asked for."""

WORK = """
import os, sys, time, venv
class Row:
    def __init__(self, number):
        self.number, self.text = number, str(number)
def seconds():
    began = time.process_time()
    for _ in range(20):
        rows = [Row(number) for number in range(2000)]
        found = {row.text: row for row in rows}
        shown = [{"number": found[row.text].number, "text": row.text} for row in rows]
    return time.process_time() - began
print(min(seconds() for _ in range(5)), os.path.realpath(sys.executable))
"""


def fastest() -> Path:
    """Another interpreter of the same version, or the one that runs."""
    own = Path(sys.executable)
    found = {real: seconds for one in [own, *_named()] for seconds, real in _tried(one)}
    best = min(found, key=found.__getitem__)
    return best if found[best] * WORTH < found[own.resolve()] else own


@contextmanager
def environment(python: Path) -> Iterator[Path]:
    """The interpreter, with all that is installed for the one that runs."""
    with TemporaryDirectory(prefix="tessera-python-") as folder:
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
        for site in Path(folder).glob("lib/*/site-packages"):
            (site / "installed.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        yield Path(folder, "bin", "python")


def _named() -> Iterator[Path]:
    for folder in [*os.get_exec_path(), *FOLDERS]:
        if found := shutil.which(NAME, path=folder):
            yield Path(found)


def _tried(python: Path) -> Iterator[tuple[float, Path]]:
    """The seconds that a fixed piece of work takes, and which interpreter it is; nothing if it can't do it."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([python, "-I", "-c", WORK], capture_output=True, text=True, check=True, timeout=60)
        seconds, _, real = done.stdout.strip().partition(" ")
        yield float(seconds), Path(real)
