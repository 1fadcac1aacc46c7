"""`tessera login`: keeps where the server is and a key for it, in a file that only its owner can read."""

import json
import os
import sys
from typing import Annotated

import typer

from tessera_gql.cli.remote import Json, connected, credentials, open_client, print_answer, print_properties
from tessera_gql.cli.terminal import fail, print_line, print_note
from tessera_gql.client.exchange import DEFAULT_URL, Target
from tessera_gql.escaping import escape_terminal


def login(
    url: Annotated[str | None, typer.Option(help="The server.", envvar="TESSERA_URL")] = None,
    as_json: Json = False,
) -> None:
    """Keep a server and a key for the other commands. The key is asked for, or read from a pipe.

    Example: echo "$KEY" | tessera login --url https://tessera.example.com
    """
    where = url or DEFAULT_URL
    key = _key(where)
    with open_client(where, key, retries=1) as client:
        viewer = client.viewer()
        address = client.target.address
    _keep(where, key)
    if as_json:
        print_answer(viewer)
        return
    team = f", team {viewer.team.name}" if viewer.team else ""
    print_line(f"You are {viewer.actor} at {address}{team}: {', '.join(viewer.scopes)}.")
    print_note((f"Kept in {credentials()}", "dim"))


def logout() -> None:
    """Forget the server and the key."""
    credentials().unlink(missing_ok=True)


def whoami(as_json: Json = False) -> None:
    """Say who the key is, and what it may do."""
    with connected() as client:
        viewer = client.viewer()
        if as_json:
            print_answer(viewer)
        else:
            print_properties(server=client.target.address, actor=viewer.actor, team=viewer.team, scopes=viewer.scopes)


def _key(where: str) -> str | None:
    if sys.stdin.isatty():
        asked = f"API key for {escape_terminal(Target(where).address)} (empty if it needs none)"
        text: str = typer.prompt(asked, default="", hide_input=True, err=True)
    else:
        text = sys.stdin.read()
    if len(text.split()) > 1:
        raise fail("A key has no blanks. Send the key alone.")
    return text.strip() or None


def _keep(url: str, key: str | None) -> None:
    """Written beside and renamed: never half a file, and never readable by others."""
    path = credentials()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"url": url} | ({"api_key": key} if key else {}), file)
    beside.replace(path)
