"""Generate a client of operations with `ariadne-codegen` and call it: generate.py WORK SCHEMA URL [AUTHORIZATION]."""

# ruff: noqa: T201 - a program for a terminal

import asyncio
import functools
import importlib
import inspect
import json
import operator
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

CONFIG = """
[tool.ariadne-codegen]
schema_path = {schema!r}
queries_path = "operations"
target_package_path = "."
target_package_name = "made"
include_comments = "none"
[tool.ariadne-codegen.scalars.DateTime]
type = "datetime.datetime"
[tool.ariadne-codegen.scalars.JSON]
type = "typing.Any"
[tool.ariadne-codegen.scalars.URL]
type = "str"
"""


async def call(client: Any, operation: dict[str, Any]) -> None:
    """Call the generated method of an operation, with variables converted to the generated types."""
    method = getattr(client, re.sub(r"(?<!^)(?=[A-Z])|(?=\d)", "_", operation["name"]).lower())
    types = typing.get_type_hints(method)
    names = inspect.signature(method).parameters
    variables = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value for name, value in operation["variables"].items()}
    arguments = {
        name: TypeAdapter(_argument_type(types[name])).validate_python(variables[name.rstrip("_")])
        for name in names
        if name.rstrip("_") in variables
    }
    if operation["kind"] != "subscription":
        await method(**arguments)
        return
    if "after" in names:
        async for _message in method(**arguments):
            break


def _argument_type(annotation: Any) -> Any:
    """The annotation without the type of an omitted value."""
    kinds = [member for member in typing.get_args(annotation) if getattr(member, "__name__", "") != "UnsetType"]
    return functools.reduce(operator.or_, kinds) if typing.get_origin(annotation) is typing.Union else annotation


async def calls(operations: list[dict[str, Any]], url: str, headers: dict[str, str]) -> int:
    generated = importlib.import_module("made")
    failed = 0
    socket = url.replace("http", "ws", 1)
    client = generated.Client(url=url, headers=headers, ws_url=socket, ws_connection_init_payload=headers)
    for operation in operations:
        try:
            await asyncio.wait_for(call(client, operation), 30)
        except Exception as error:  # noqa: BLE001 - counted and told
            failed += 1
            print(f"FAILED {operation['name']}: {error!r}"[:500])
    return failed


def main() -> int:
    work, schema, url, *authorization = sys.argv[1:]
    folder = Path(work)
    (folder / "pyproject.toml").write_text(CONFIG.format(schema=schema))
    command = Path(sys.executable).with_name("ariadne-codegen")
    completed = subprocess.run([command], cwd=folder, capture_output=True, text=True, check=False)
    if completed.returncode:
        print(completed.stdout, completed.stderr)
        return 1
    sys.path.insert(0, work)
    operations = json.loads((folder / "operations.json").read_text())
    headers = {"Authorization": authorization[0]} if authorization else {}
    failed = asyncio.run(calls(operations, url, headers))
    print(f"{len(operations) - failed} of {len(operations)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
