"""The fastest build of this Python that the machine has: one without profile-guided optimisation, as a version manager
compiles it, takes a third longer for all that is measured here, and is not what people run a server on.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
"""Looked into beside those of PATH."""
WORTH = 1.15
"""A build less than so much faster is not worth another interpreter than the one that was asked for."""

WORK = """
import time
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
print(min(seconds() for _ in range(5)))
"""


def fastest() -> Path:
    """Another interpreter of the same version, or the one that runs."""
    own = Path(sys.executable)
    seconds = {one: _seconds(one) for one in [own, *_others()]}
    best = min(seconds, key=seconds.__getitem__)
    return best if seconds[best] * WORTH < seconds[own] else own


@contextmanager
def environment(python: Path) -> Iterator[Path]:
    """The interpreter, with all that is installed for the one that runs."""
    with TemporaryDirectory(prefix="tessera-python-") as folder:
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
        for site in Path(folder).glob("lib/*/site-packages"):
            (site / "installed.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
        yield Path(folder, "bin", "python")


def _others() -> Iterator[Path]:
    seen = {Path(sys.executable).resolve()}
    for folder in [*os.get_exec_path(), *FOLDERS]:
        found = shutil.which(NAME, path=folder)
        if found and (real := Path(found).resolve()) not in seen:
            seen.add(real)
            yield real


def _seconds(python: Path) -> float:
    """Of a fixed piece of work; endless where it can't be run."""
    try:
        done = subprocess.run([python, "-I", "-c", WORK], capture_output=True, text=True, check=True, timeout=60)
        subprocess.run([python, "-I", "-c", "import venv"], capture_output=True, check=True, timeout=60)
        return float(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return float("inf")
