"""Validators that share no code with the diff engine, each in a process that answers one batch.

`jsonschema-rs` is installed into an environment and `ajv` into a folder of its own, in the cache of the user;
`jsonschema` is a dependency of the project. A validator that can't be installed is left out.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance import tools

HERE = Path(__file__).parent
JSONSCHEMA_RS = "jsonschema-rs==0.60.3"
AJV = ("ajv@8.20.0", "ajv-draft-04@1.0.0")
PYTHON_ARGUMENTS = ("-P", str(HERE / "_validate.py"))
TIMEOUT_SECONDS = 1_200


@dataclass(frozen=True)
class ValidationRequest:
    """Two schemas of one draft, and documents to validate against both."""

    draft: int
    schemas: tuple[Any, Any]
    documents: Sequence[Any]

    def as_json(self) -> str:
        return json.dumps({"draft": self.draft, "schemas": self.schemas, "documents": self.documents})


Validity = list[list[bool]] | None
"""Whether each document is valid, for each of both schemas; None if the validator refuses a schema or fails."""


@dataclass(frozen=True)
class ExternalValidator:
    """A program that reads a request per line from its input and writes a `Validity` per line."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict[str, str])
    is_fast: bool = True

    def validate(self, requests: Sequence[ValidationRequest]) -> list[Validity]:
        lines = "".join(f"{request.as_json()}\n" for request in requests)
        completed = subprocess.run(
            self.command,
            input=lines,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, **self.environment},
        )
        if completed.returncode:
            raise RuntimeError(f"{self.name} failed:\n{completed.stderr[-2_000:]}")
        return [json.loads(line) for line in completed.stdout.splitlines()]


def find_jsonschema() -> ExternalValidator:
    return ExternalValidator("jsonschema", (sys.executable, *PYTHON_ARGUMENTS), is_fast=False)


def find_validators() -> tuple[list[ExternalValidator], list[str]]:
    """Return the validators that are or can be installed, and a line for each that is missing."""
    validators, missing = [find_jsonschema()], []
    try:
        validators.append(ExternalValidator("jsonschema-rs", (tools.python(JSONSCHEMA_RS), *PYTHON_ARGUMENTS)))
    except tools.Missing as error:
        missing.append(f"jsonschema-rs is missing: {error}")
    try:
        folder = _install_ajv()
        validators.append(ExternalValidator("ajv", ("node", str(HERE / "_validate.cjs")), {"NODE_PATH": str(folder)}))
    except (OSError, subprocess.SubprocessError) as error:
        missing.append(f"ajv is missing: {error}")
    return validators, missing


def _install_ajv() -> Path:
    """Install ajv into a folder of the user's cache, once."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise OSError("it needs node and npm on the PATH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tessera-gql-conformance" / "-".join(package.replace("@", "-") for package in AJV)
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        command = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *AJV)
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
        (folder / "complete").touch()
    return folder / "node_modules"
