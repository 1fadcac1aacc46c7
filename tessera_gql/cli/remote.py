"""Commands that go through the SDK: where the server is, what its refusals become, and how answers are shown.

A terminal gets tables and colour, a pipe gets tab-separated lines, and `--json` gets what the graph says.
Exit codes: 0 done, 2 bad input or refused, 4 the server is away; 1 and 3 belong to the commands that judge.
"""

import json
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tessera_gql.client import ServerFault, TesseraClient, TesseraError, Unauthenticated, Unavailable
from tessera_gql.client.exchange import DEFAULT_URL
from tessera_gql.client.model import Model
from tessera_gql.client.nouns import AssetName, TeamName
from tessera_gql.client.operation import is_id

BAD_INPUT = 2
AWAY = 4

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Team = Annotated[str | None, typer.Option("--team", "-t", help="The team that acts; the key's own if left out.")]


def fail(message: str, code: int = BAD_INPUT) -> typer.Exit:
    err.print(message, style="red", markup=False)
    return typer.Exit(code)


@contextmanager
def telling() -> Generator[None]:
    """What can go wrong, as one sentence and an exit code."""
    try:
        yield
    except (Unavailable, ServerFault) as error:
        raise fail(error.message, AWAY) from None
    except Unauthenticated as error:
        raise fail(f"{error.message} `tessera login` keeps one.") from None
    except (TesseraError, ValueError) as error:
        raise fail(str(error)) from None
    except OSError as error:
        raise fail(f"{error.filename or 'A file'} can't be read: {error.strerror or error}.") from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def connected(*, retries: int = 2) -> Generator[TesseraClient]:
    """A client for the server of the environment, else of the last login."""
    kept = stored()
    url = os.environ.get("TESSERA_URL") or kept.get("url") or DEFAULT_URL
    key = os.environ.get("TESSERA_API_KEY") or (kept.get("api_key") if url == kept.get("url") else None)

    told = ""

    def notice(reason: str) -> None:
        nonlocal told
        if reason != told:
            err.print(f"{reason}; coming back …", style="dim", markup=False)
        told = reason

    with telling(), TesseraClient(url, key, retries=retries, on_disconnect=notice) as client:
        yield client


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


def print_json(value: Any) -> None:
    typer.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    match value:
        case Model():
            return value.model_dump(mode="json", by_alias=True)
        case list() | tuple():
            return [_plain(one) for one in cast("Sequence[Any]", value)]
        case dict():
            return {key: _plain(one) for key, one in cast("dict[str, Any]", value).items()}
        case _:
            return value


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, none: str) -> None:
    """A table for people, lines for programs; `none` is what a person reads if there are no rows."""
    found = [[cell(one) for one in row] for row in rows]
    if not out.is_terminal:
        for row in found:
            typer.echo("\t".join(row))
    elif not found:
        err.print(none, style="dim", markup=False)
    else:
        table = Table(*headings, box=None, header_style="bold", pad_edge=False)
        for row in found:
            table.add_row(*(_coloured(one) for one in row))
        out.print(table)


COLOURS = {
    "APPROVED": "green",
    "PUBLISHED": "green",
    "ACTIVE": "green",
    "PENDING": "yellow",
    "MIGRATING": "yellow",
    "PROPOSED": "yellow",
    "REJECTED": "red",
    "BLOCKED": "red",
    "DEPRECATED": "dim",
    "RETIRED": "dim",
    "INACTIVE": "dim",
}


def _coloured(text: str) -> str:
    colour = COLOURS.get(text)
    return f"[{colour}]{text}[/{colour}]" if colour else escape(text)


def cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case TeamName(name=name):
            return name
        case AssetName(fqn=fqn):
            return fqn
        case list() | tuple():
            return ",".join(cell(one) for one in cast("Sequence[Any]", value)) or "-"
        case _ if hasattr(value, "isoformat"):
            return str(value.isoformat(timespec="minutes")).replace("+00:00", "Z")
        case _:
            return str(value).replace("\t", " ").replace("\n", " ")


def print_facts(**facts: Any) -> None:
    """One thing, a line for each thing known of it."""
    width = max(map(len, facts))
    for name, value in facts.items():
        label = name.replace("_", " ").ljust(width)
        if out.is_terminal:
            out.print(f"[dim]{label}[/dim]  {_coloured(cell(value))}")
        else:
            typer.echo(f"{label}  {cell(value)}")


def proposal_id(client: TesseraClient, word: str) -> str:
    """A proposal's id, or that of the open proposal of the asset that is named."""
    if is_id(word, "Proposal"):
        return word
    asset = client.get_asset(word)
    if asset.open_proposal is None:
        raise fail(f"{asset.fqn} has no open proposal. `tessera proposals --asset {asset.fqn}` lists those that ended.")
    return asset.open_proposal.id
