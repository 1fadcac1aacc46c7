"""Multipart requests as the GraphQL multipart request specification has them: `operations`, `map` and files.

A form is what any web page may send without asking, so a header is demanded that no page can send without asking.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import orjson
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from tessera_gql.graphql.http_errors import HttpError
from tessera_gql.graphql.wire import Malformed

log = logging.getLogger(__name__)

FORM = "multipart/form-data"
PREFLIGHT_HEADERS = (
    "authorization",
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
)
"""A browser sends none of these for a page of another origin unless this server has allowed it before."""

MAP_BYTES = 16 * 1024
FILES = 4

_PLACE = re.compile(r"variables(\.\w{1,100}){1,4}")
_PARTS = "Send the text parts `operations` and `map`, and each file that `map` names, with a filename."


class _Utf8Parser(MultiPartParser):
    """Refuses text that is not UTF-8, instead of reading it as Latin-1."""

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            self._current_part.data.decode()
        super().on_part_end()


async def parse_form(headers: Headers, chunks: AsyncGenerator[bytes], text_bytes: int) -> FormData:
    """Files go to disk; each text part may have so many bytes. Raises Malformed and HttpError. To be closed."""
    parser = _Utf8Parser(headers, chunks, max_files=FILES, max_fields=2, max_part_size=text_bytes)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise Malformed(f"The form can't be read: {error.__cause__ or error.message} {_PARTS}") from error
    except UnicodeDecodeError as error:
        raise Malformed(f"The form has text that is not UTF-8 ({error.reason}). {_PARTS}") from error
    except OSError as error:
        log.exception("A file can't be written to disk")
        raise HttpError(503, "The server can't keep this file now: its disk is full. Try again later.") from error


def read_parts(form: FormData) -> tuple[bytes, dict[str, UploadFile]]:
    """`operations`, and the files by their places in the variables. Raises Malformed."""
    operations, listed = form.get("operations"), form.get("map")
    if not isinstance(operations, str) or not isinstance(listed, str):
        raise Malformed(f"The form lacks `operations` or `map`. {_PARTS}")
    files: dict[str, UploadFile] = {}
    for name, place in _places(listed).items():
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise Malformed(f"The form lacks the file {name[:40]!r}, or was cut off. {_PARTS}")
        files[place] = file
    if len(form.multi_items()) != 2 + len(files):
        raise Malformed(f"The form has a part that is not expected, or one twice. {_PARTS}")
    return operations.encode(), files


def _places(text: str) -> Mapping[str, str]:
    """Each file's one place in the variables."""
    if len(text) > MAP_BYTES:
        raise Malformed(f"`map` is longer than {MAP_BYTES:,} characters, which is the limit.")
    try:
        parsed: object = orjson.loads(text)
    except ValueError as error:
        raise Malformed(f"`map` is not JSON: {error}.") from error
    if not isinstance(parsed, dict) or not 0 < len(cast("dict[str, Any]", parsed)) <= FILES:
        raise Malformed(
            f'`map` must be an object that names 1 to {FILES} files: {{"0": ["variables.input.manifest"]}}.'
        )
    places: dict[str, str] = {}
    for name, paths in cast("dict[str, Any]", parsed).items():
        match paths:
            case [str(path)] if _PLACE.fullmatch(path) and path not in places.values():
                places[name] = path
            case _:
                raise Malformed(
                    f'`map` must give the file {name[:40]!r} one place of its own: ["variables.input.manifest"].'
                )
    return places
