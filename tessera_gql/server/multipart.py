"""Parse requests of the GraphQL multipart request specification: `operations`, `map` and files.

Browsers send forms to other origins without a CORS preflight, so a header that forces a preflight is required.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import orjson
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from tessera_gql.server.codec import MalformedRequest
from tessera_gql.server.http_errors import HttpError

log = logging.getLogger(__name__)

FORM_MEDIA_TYPE = "multipart/form-data"
PREFLIGHT_HEADERS = (
    "authorization",
    "graphql-require-preflight",
    "apollo-require-preflight",
    "x-apollo-operation-name",
)
"""Headers that browsers send cross-origin only after a CORS preflight."""

MAX_MAP_LENGTH = 16 * 1024
MAX_FILES = 4

_VARIABLE_PATH = re.compile(r"variables(\.\w{1,100}){1,4}")
_PARTS = "Send the text parts `operations` and `map`, and each file that `map` names, with a filename."


class _Utf8Parser(MultiPartParser):
    """A parser that refuses text that is not UTF-8 instead of decoding it as Latin-1."""

    def on_part_end(self) -> None:
        if self._current_part.file is None:
            self._current_part.data.decode()
        super().on_part_end()


async def parse_form(headers: Headers, chunks: AsyncGenerator[bytes], text_bytes: int) -> FormData:
    """Parse a form, spooling its files to disk. `text_bytes` limits each text part. The caller must close the form.

    Raises MalformedRequest for an invalid form, HttpError if a file can't be written.
    """
    parser = _Utf8Parser(headers, chunks, max_files=MAX_FILES, max_fields=2, max_part_size=text_bytes)
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise MalformedRequest(f"The form can't be read: {error.__cause__ or error.message} {_PARTS}") from error
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"The form has text that is not UTF-8 ({error.reason}). {_PARTS}") from error
    except OSError as error:
        log.exception("A file can't be written to disk")
        raise HttpError(503, "The server can't keep this file now: its disk is full. Try again later.") from error


def read_parts(form: FormData) -> tuple[bytes, dict[str, UploadFile]]:
    """Return the text of `operations` and the files by their paths in the variables. Raises MalformedRequest."""
    operations, file_map = form.get("operations"), form.get("map")
    if not isinstance(operations, str) or not isinstance(file_map, str):
        raise MalformedRequest(f"The form lacks `operations` or `map`. {_PARTS}")
    files: dict[str, UploadFile] = {}
    for name, path in _parse_map(file_map).items():
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise MalformedRequest(f"The form lacks the file {name[:40]!r}, or was cut off. {_PARTS}")
        files[path] = file
    if len(form.multi_items()) != 2 + len(files):
        raise MalformedRequest(f"The form has a part that is not expected, or one twice. {_PARTS}")
    return operations.encode(), files


def _parse_map(text: str) -> Mapping[str, str]:
    """Parse `map` into the variable path of each file."""
    if len(text) > MAX_MAP_LENGTH:
        raise MalformedRequest(f"`map` is longer than {MAX_MAP_LENGTH:,} characters, which is the limit.")
    try:
        parsed: object = orjson.loads(text)
    except ValueError as error:
        raise MalformedRequest(f"`map` is not JSON: {error}.") from error
    if not isinstance(parsed, dict) or not 0 < len(cast("dict[str, Any]", parsed)) <= MAX_FILES:
        raise MalformedRequest(
            f'`map` must be an object that names 1 to {MAX_FILES} files: {{"0": ["variables.input.manifest"]}}.'
        )
    path_by_name: dict[str, str] = {}
    for name, paths in cast("dict[str, Any]", parsed).items():
        match paths:
            case [str(path)] if _VARIABLE_PATH.fullmatch(path) and path not in path_by_name.values():
                path_by_name[name] = path
            case _:
                raise MalformedRequest(
                    f'`map` must give the file {name[:40]!r} one place of its own: ["variables.input.manifest"].'
                )
    return path_by_name
