"""Connection to the server for commands that use the SDK."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from tessera_gql.cli.completion import complete_fqn, complete_team
from tessera_gql.cli.error_origins import add_origin
from tessera_gql.cli.nearest_names import add_nearest_names
from tessera_gql.cli.servers import find_server
from tessera_gql.cli.terminal import fail, is_stderr_terminal, print_note
from tessera_gql.client.errors import NotFound, TesseraError
from tessera_gql.client.global_ids import is_global_id, read_id_type
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from tessera_gql.client import TesseraClient

TeamOption = Annotated[
    str | None,
    typer.Option("--team", "-t", help="Acting team; by default the team of the key.", autocompletion=complete_team),
]
FqnArgument = Annotated[
    str, typer.Argument(metavar="FQN", help="Asset, by its fully qualified name.", autocompletion=complete_fqn)
]
TeamArgument = Annotated[
    str, typer.Argument(metavar="TEAM", help="Name of the team, or its id.", autocompletion=complete_team)
]


@contextmanager
def connect(**files: Path | str) -> Generator[TesseraClient]:
    """Open a client with the URL and key of the environment, else of the last login.

    `files` are the files of a command by the input field that they are sent in, to name them in errors.
    """
    from tessera_gql.client import TesseraClient  # noqa: PLC0415 - the library takes longer than a completion may

    server = find_server()
    last_reason = ""

    def on_disconnect(reason: str) -> None:
        nonlocal last_reason
        is_repetition = "can't be reached" in reason  # without a terminal, the error at the end says it once
        if reason != last_reason and (is_stderr_terminal() or not is_repetition):
            print_note((f"{reason}; coming back …", "dim"))
        last_reason = reason

    try:
        with TesseraClient(server.url, server.key, on_disconnect=on_disconnect) as client:
            try:
                yield client
            except NotFound as error:
                raise add_nearest_names(client, error) from None
    except TesseraError as error:
        add_origin(error, server, files)
        raise


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
        raise fail(describe_unreadable(path, error)) from None
    if max_bytes is not None and len(content) > max_bytes:
        raise fail(f"{path} has more than {max_bytes:,} bytes, the most that is read. Split it.")
    return content


def write_file(path: Path, text: str) -> None:
    """Write a text file; a failure ends the command with a message."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise fail(f"{path} can't be written: {error.strerror}.") from None


def describe_unreadable(path: Path, error: OSError) -> str:
    """Describe why a file can't be read, and what to do."""
    match error:
        case FileNotFoundError():
            advice = "Check the path."
        case IsADirectoryError():
            advice = "Give the path of a file."
        case PermissionError():
            advice = "Check its permissions."
        case _:
            advice = ""
    return f"{path} can't be read: {error.strerror or error}. {advice}".rstrip()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file, or from stdin for `-`; anything else ends the command with a message."""
    try:
        content: object = json.loads(read_file(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason: object = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise fail(f"{path} is not JSON that can be read: {reason}. Correct the file.") from None
    if not isinstance(content, dict):
        raise fail(f'{path} must hold a JSON object, such as {{"freshness": {{"max_hours": 24}}}}.')
    return cast("dict[str, Any]", content)


def load_current_cursor(client: TesseraClient) -> str:
    """Load the cursor of the latest event."""
    from tessera_gql.client.websocket_exchange import CURRENT_CURSOR  # noqa: PLC0415 - few commands wait for events

    return client.run(CURRENT_CURSOR)


def resolve_proposal_id(client: TesseraClient, reference: str) -> str:
    """Return the id of a proposal that is given by its id or by the fqn of its asset."""
    if is_global_id(reference, "Proposal"):
        return reference
    if type_name := read_id_type(reference):
        raise fail(f"{reference} is the id of a {type_name}. Give that of a proposal, or the fqn of its asset.")
    asset = client.get_asset(reference)
    if asset.open_proposal is None:
        command = build_tessera_command("proposals", asset=asset.fqn)
        raise fail(f"{asset.fqn} has no open proposal. `{command}` lists those that ended.")
    return asset.open_proposal.id
