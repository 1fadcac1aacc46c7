"""The nearest names of what does not exist, from the search and the lists of the server."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

from tessera_gql.client.enums import SearchType
from tessera_gql.client.errors import NotFound, TesseraError
from tessera_gql.client.global_ids import read_id_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tessera_gql.client import TesseraClient

MISSING = re.compile(
    r"There is no (?P<noun>asset|team|project|change set|usage source) "
    r"(?P<quote>['\"]?)(?P<name>.{1,500}?)(?P=quote)\. "
)
"""How messages of the API and of the library name what does not exist."""
MAX_NEAREST = 3
MAX_COMPARED = 500
"""Names of a list that are compared with a name; what is searched has no limit."""


def add_nearest_names(client: TesseraClient, error: NotFound) -> NotFound:
    """Return the error with the nearest names in its message, or with the type of an id that is of another type."""
    if (match := MISSING.match(error.message)) is None:
        return error
    noun, name = match["noun"], match["name"]
    if type_name := read_id_type(name):
        message = f"{name} is the id of a {type_name}, but a {noun} is expected. {error.message[match.end() :]}"
        return NotFound(message.replace("a asset", "an asset").replace("a usage", "a usage"), field=error.field)
    names = list_nearest_names(client, noun, name)
    return NotFound(f"{error.message} Nearest: {', '.join(names)}.", field=error.field) if names else error


def list_nearest_names(client: TesseraClient, noun: str, name: str) -> list[str]:
    """List the names of a kind of object that are most like a name; none if the server does not answer."""
    with suppress(TesseraError):
        match noun:
            case "asset" | "team":
                return _search(client, name, SearchType(noun.upper()))
            case "project":
                return _compare(name, (item.name for item in client.projects()))
            case "change set":
                return _compare(name, (item.key for item in client.change_sets()))
            case _:
                return _compare(name, (item.name for item in client.usage_sources()))
    return []


def _search(client: TesseraClient, name: str, type_: SearchType) -> list[str]:
    """Search for the words of a name, then for the last part of it alone; the search forgives a letter."""
    for text in dict.fromkeys((name, name.rpartition(".")[2])):
        if hits := client.search(text, types=[type_], first=MAX_NEAREST).edges:
            return [hit.title for hit in hits]
    return []


def _compare(name: str, names: Iterable[str]) -> list[str]:
    return get_close_matches(name, list(islice(names, MAX_COMPARED)), n=MAX_NEAREST, cutoff=0.5)
