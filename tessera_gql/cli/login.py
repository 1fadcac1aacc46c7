"""`tessera login`, `logout` and `whoami`: the stored URL and key of a server."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.error_origins import add_origin
from tessera_gql.cli.servers import ChosenServer, credentials_path
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_note, print_properties
from tessera_gql.client.endpoint import DEFAULT_URL, Endpoint
from tessera_gql.client.errors import TesseraError
from tessera_gql.escaping import escape_terminal


def login(
    url: Annotated[str | None, typer.Option(help="URL of the server.", envvar="TESSERA_URL")] = None,
    as_json: JsonOption = False,
) -> None:
    """Store the URL and key of a server for the other commands. Prompts for the key, or reads it from stdin.

    Example: echo "$KEY" | tessera login --url https://tessera.example.com
    """
    server_url = url or DEFAULT_URL
    key = _read_key(server_url)
    from tessera_gql.client import TesseraClient  # noqa: PLC0415 - as in `connect`

    try:
        with TesseraClient(server_url, key, retry_seconds=0) as client:
            viewer = client.viewer()
            address = client.endpoint.display_url
    except TesseraError as error:
        url_origin = "--url" if url != os.environ.get("TESSERA_URL") else "TESSERA_URL"
        add_origin(error, ChosenServer(server_url, key, url_origin if url else "", "what was entered"), {})
        raise
    _write_credentials(server_url, key)
    if as_json:
        print_json(viewer)
        return
    team = f", team {viewer.team.name}" if viewer.team else ""
    project = f", project {viewer.project.name}" if viewer.project else ""
    print_line(f"You are {viewer.actor} at {address}{team}{project}: {', '.join(viewer.scopes)}.")
    print_note((f"Kept in {credentials_path()}", "dim"))


def logout() -> None:
    """Delete the stored URL and key."""
    credentials_path().unlink(missing_ok=True)


def whoami(as_json: JsonOption = False) -> None:
    """Show the server, team or project, and scopes of the current key."""
    with connect() as client:
        viewer = client.viewer()
        if as_json:
            print_json(viewer)
        else:
            server = client.endpoint.display_url
            holder = {"project": viewer.project} if viewer.project else {"team": viewer.team}
            print_properties(server=server, actor=viewer.actor, **holder, scopes=viewer.scopes)


def _read_key(server_url: str) -> str | None:
    if sys.stdin.isatty():
        prompt = f"API key for {escape_terminal(Endpoint(server_url).display_url)} (empty if it needs none)"
        text: str = typer.prompt(prompt, default="", hide_input=True, err=True)
    else:
        text = sys.stdin.read()
    if len(text.split()) > 1:
        raise fail("A key has no blanks. Send the key alone.")
    return text.strip() or None


def _write_credentials(url: str, key: str | None) -> None:
    """Write a temporary file and rename it: the file is never incomplete or readable by other users."""
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary_path = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"url": url} | ({"api_key": key} if key else {}), file)
    temporary_path.replace(path)
