"""Install what the suites run on: npm packages in this folder, and Python packages in separate environments."""

# ruff: noqa: T201 - a program for a terminal

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLIENTS = ("gql[httpx,websockets]==4.0.0", "ariadne-codegen==0.19.0")  # want graphql-core 3.2, the server 3.3
CHECKERS = ("check-jsonschema==0.39.0",)
HOOKS = ("pre-commit==4.7.0",)
FUZZER = ("schemathesis==4.32.5",)


class Missing(Exception):  # noqa: N818 - said to the one who runs it
    """A tool is missing; the message names it and how to install it."""


def node() -> None:
    """Install the npm packages of the suites unless they are installed."""
    packages(HERE)


def packages(folder: Path) -> None:
    """Install the npm packages of the lock file in a folder unless they are installed."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Missing(f"The suites need {program}, which is not on the PATH. Install Node.js 20 or newer.")
    installed, required = folder / "node_modules/.package-lock.json", folder / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= required.stat().st_mtime:
        return
    print("Installing npm packages (once) ...", file=sys.stderr)
    _do("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)
    installed.touch()


def python(*packages: str) -> str:
    """The interpreter of an environment with these packages, created once in the user's cache."""
    return _create_environment(" ".join(packages), "--quiet", *packages)


def locked_python(lock: Path) -> str:
    """The interpreter of an environment with the packages of a lock file, created once in the user's cache."""
    return _create_environment(lock.read_text(), "--quiet", "--require-hashes", "--requirement", str(lock.resolve()))


def find_locked_python(lock: Path) -> str | None:
    """The interpreter that `locked_python` returns, or None where it has not been created yet."""
    folder = _environment_folder(lock.read_text())
    return str(folder / "bin/python") if (folder / "complete").exists() else None


def _environment_folder(content: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tessera-gql-conformance"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache / hashlib.sha256(f"{version} {content}".encode()).hexdigest()[:12]


def _create_environment(content: str, *options: str) -> str:
    folder = _environment_folder(content)
    if not (folder / "complete").exists():
        print(f"Installing {options[-1]} into {folder} (once) ...", file=sys.stderr)
        _do(sys.executable, "-m", "venv", "--clear", str(folder))
        _do(str(folder / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", *options)
        (folder / "complete").touch()
    return str(folder / "bin/python")


def _do(*command: str, folder: Path = HERE) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise Missing(f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
