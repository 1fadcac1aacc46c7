"""What an error of the library is about, in terms of a command: the setting of an address or key, or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tessera_gql.client.errors import BadRequest, Refusal, TesseraError, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tessera_gql.cli.servers import ChosenServer


def add_origin(error: TesseraError, server: ChosenServer, files: Mapping[str, Path | str]) -> None:
    """Add to the message where the rejected address, key or document comes from; `files` are by the input field."""
    match error:
        case BadRequest() if "is not the address of a server" in error.message:
            error.message = f"{server.url_origin or 'The address'}: {error.message}"
        case Unavailable() if "can't be reached" in error.message:
            error.message = f"{error.message} {_describe_address(server.url_origin)}"
        case Unauthenticated():
            error.message = f"{error.message} {_describe_key(server.key_origin)}"
        case BadRequest() if "larger than" in error.message and files:
            error.message = f"{next(iter(files.values()))}: {error.message}"
        case Refusal() if (file := files.get(next(iter(error.field[-1:]), ""))) and str(file) not in error.message:
            error.message = f"{file}: {error.message}"
        case _:
            return


def _describe_address(origin: str) -> str:
    if not origin:
        return "It is the default: set TESSERA_URL, or call `tessera login --url URL`."
    return f"The address comes from {origin}: is it right, and does the server run?"


def _describe_key(origin: str) -> str:
    if not origin:
        return "No key is set: set TESSERA_API_KEY, or call `tessera login`, which keeps one."
    return f"The key comes from {origin}; `tessera login` keeps another one."
