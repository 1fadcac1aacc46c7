"""Commands that go through the SDK: where the server is, and how its answers are shown."""

import json
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from tessera_gql.cli.terminal import fail, print_facts, print_json, print_note, print_table
from tessera_gql.client import TesseraClient
from tessera_gql.client.exchange import DEFAULT_URL
from tessera_gql.client.model import Model
from tessera_gql.client.nouns import AssetName, TeamName
from tessera_gql.client.operation import is_id
from tessera_gql.client.stream import Notice
from tessera_gql.escaping import tessera_command

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Team = Annotated[str | None, typer.Option("--team", "-t", help="The team that acts; the key's own if left out.")]


@contextmanager
def connected(*, retries: int = 2) -> Generator[TesseraClient]:
    """A client for the server of the environment, else of the last login."""
    login = stored()
    url = os.environ.get("TESSERA_URL") or login.get("url") or DEFAULT_URL
    key = os.environ.get("TESSERA_API_KEY") or (login.get("api_key") if url == login.get("url") else None)
    last_reason = ""

    def notice(reason: str) -> None:
        nonlocal last_reason
        if reason != last_reason:
            print_note((f"{reason}; coming back …", "dim"))
        last_reason = reason

    with open_client(url, key, retries, notice) as client:
        yield client


@contextmanager
def open_client(url: str, key: str | None, retries: int, notice: Notice | None = None) -> Generator[TesseraClient]:
    """A client; what JSON can't hold and proxies that can't be used end the command in words."""
    try:
        with TesseraClient(url, key, retries=retries, on_disconnect=notice) as client:
            yield client
    except (ValueError, ImportError) as error:
        raise fail(f"The request can't be sent: {str(error).removesuffix('.')}.") from None


def credentials() -> Path:
    return Path(typer.get_app_dir("tessera")) / "credentials.json"


def stored() -> dict[str, str]:
    """Where the last login was, and its key."""
    try:
        found: object = json.loads(credentials().read_text())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, str]", found) if isinstance(found, dict) else {}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file, `-` for stdin; ends the program in words for what is none."""
    try:
        text = typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text("utf-8-sig")
        found: object = json.loads(text)
    except OSError as error:
        raise fail(f"{path} can't be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise fail(f"{path} is not JSON that can be read: {error}.") from None
    if not isinstance(found, dict):
        raise fail(f"{path} must hold a JSON object.")
    return cast("dict[str, Any]", found)


def print_answer(value: Any) -> None:
    """As the graph says it, in JSON."""
    print_json(_plain(value))


def _plain(value: Any) -> Any:
    match value:
        case Model():
            return value.model_dump(mode="json", by_alias=True)
        case list() | tuple():
            return [_plain(item) for item in cast("Sequence[Any]", value)]
        case dict():
            return {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
        case _:
            return value


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, none: str) -> None:
    print_table(headings, [[cell(value) for value in row] for row in rows], none=none)


def print_properties(**properties: Any) -> None:
    print_facts({name.replace("_", " "): cell(value) for name, value in properties.items()})


def cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case TeamName(name=name):
            return name
        case AssetName(fqn=fqn):
            return fqn
        case list() | tuple():
            return ",".join(cell(item) for item in cast("Sequence[Any]", value)) or "-"
        case _ if hasattr(value, "isoformat"):
            return str(value.isoformat(timespec="minutes")).replace("+00:00", "Z")
        case _:
            return str(value)


def proposal_id(client: TesseraClient, word: str) -> str:
    """A proposal's id, or that of the open proposal of the asset that is named."""
    if is_id(word, "Proposal"):
        return word
    asset = client.get_asset(word)
    if asset.open_proposal is None:
        command = tessera_command("proposals", asset=asset.fqn)
        raise fail(f"{asset.fqn} has no open proposal. `{command}` lists those that ended.")
    return asset.open_proposal.id
