"""Connection to the server for commands that use the SDK."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from tessera_gql.cli.terminal import fail, is_stderr_terminal, print_note
from tessera_gql.client import TesseraClient
from tessera_gql.client.endpoint import DEFAULT_URL
from tessera_gql.client.operation import is_global_id
from tessera_gql.escaping import build_tessera_command

TeamOption = Annotated[str | None, typer.Option("--team", "-t", help="Acting team; by default the team of the key.")]


@contextmanager
def connect() -> Generator[TesseraClient]:
    """Open a client with the URL and key of the environment, else of the last login."""
    url, key = find_endpoint()
    last_reason = ""

    def on_disconnect(reason: str) -> None:
        nonlocal last_reason
        is_repetition = "can't be reached" in reason  # without a terminal, the error at the end says it once
        if reason != last_reason and (is_stderr_terminal() or not is_repetition):
            print_note((f"{reason}; coming back …", "dim"))
        last_reason = reason

    with TesseraClient(url, key, on_disconnect=on_disconnect) as client:
        yield client


def find_endpoint() -> tuple[str, str | None]:
    """Return the URL and key of the environment, else of the last login."""
    login = read_credentials()
    url = os.environ.get("TESSERA_URL") or login.get("url") or DEFAULT_URL
    key = os.environ.get("TESSERA_API_KEY") or (login.get("api_key") if url == login.get("url") else None)
    return url, key


def credentials_path() -> Path:
    return Path(typer.get_app_dir("tessera")) / "credentials.json"


def read_credentials() -> dict[str, str]:
    """Read the URL and key of the last login; empty without one."""
    try:
        content: object = json.loads(credentials_path().read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, str]", content) if isinstance(content, dict) else {}


def read_file(path: Path, max_bytes: int | None = None) -> bytes:
    """Read a file, or stdin for `-`; one that is too large or can't be read ends the command with a message."""
    size = -1 if max_bytes is None else max_bytes + 1
    try:
        if str(path) == "-":
            content = typer.get_binary_stream("stdin").read(size)
        else:
            with path.open("rb") as file:
                content = file.read(size)
    except OSError as error:
        raise fail(f"{path} can't be read: {error.strerror or error}.") from None
    if max_bytes is not None and len(content) > max_bytes:
        raise fail(f"{path} has more than {max_bytes:,} bytes, the most that is read. Split it.")
    return content


def write_file(path: Path, text: str) -> None:
    """Write a text file; a failure ends the command with a message."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise fail(f"{path} can't be written: {error.strerror}.") from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, or from stdin for `-`; anything else ends the command with a message."""
    try:
        content: object = json.loads(read_file(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise fail(f"{path} is not JSON that can be read: {error}.") from None
    if not isinstance(content, dict):
        raise fail(f"{path} must hold a JSON object.")
    return cast("dict[str, Any]", content)


def resolve_proposal_id(client: TesseraClient, reference: str) -> str:
    """Return the id of a proposal that is given by its id or by the fqn of its asset."""
    if is_global_id(reference, "Proposal"):
        return reference
    asset = client.get_asset(reference)
    if asset.open_proposal is None:
        command = build_tessera_command("proposals", asset=asset.fqn)
        raise fail(f"{asset.fqn} has no open proposal. `{command}` lists those that ended.")
    return asset.open_proposal.id
