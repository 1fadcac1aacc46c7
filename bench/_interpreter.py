"""Find the fastest build of this Python version on the machine.

A build without profile-guided optimisation, as version managers compile it, is a third slower, and servers don't
usually run on it.
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

PYTHON_NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
OTHER_FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
"""Folders to search besides those of PATH."""
MIN_SPEEDUP = 1.15
"""Smallest ratio of speed at which another interpreter is used."""

BENCHMARK = """
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


def find_fastest() -> Path:
    """Return a much faster interpreter of the same version, or the current one."""
    current = Path(sys.executable)
    seconds_by_path = {
        real: seconds for candidate in [current, *_find_interpreters()] for seconds, real in _measure(candidate)
    }
    best = min(seconds_by_path, key=seconds_by_path.__getitem__)
    return best if seconds_by_path[best] * MIN_SPEEDUP < seconds_by_path[current.resolve()] else current


@contextmanager
def create_environment(python: Path) -> Iterator[Path]:
    """Create a virtual environment of an interpreter with the packages of the current one."""
    with TemporaryDirectory(prefix="tessera-python-") as folder:
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
        for site in Path(folder).glob("lib/*/site-packages"):
            (site / "installed.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        yield Path(folder, "bin", "python")


def _find_interpreters() -> Iterator[Path]:
    for folder in [*os.get_exec_path(), *OTHER_FOLDERS]:
        if path := shutil.which(PYTHON_NAME, path=folder):
            yield Path(path)


def _measure(python: Path) -> Iterator[tuple[float, Path]]:
    """Yield the seconds of a fixed computation and the interpreter's real path; nothing if it doesn't run."""
    with suppress(OSError, subprocess.SubprocessError):
        command = [python, "-I", "-c", BENCHMARK]
        process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        seconds, _, real_path = process.stdout.strip().partition(" ")
        yield float(seconds), Path(real_path)
