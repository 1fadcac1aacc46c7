"""Multipart requests as the GraphQL multipart request specification has them: `operations`, then `map`, then files.

A form is what any web page may send without asking, so a header is demanded that no page can send without asking.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tessera_gql.graphql.http_errors import too_large
from tessera_gql.graphql.wire import Malformed

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
HEADERS = 8
HEADER_BYTES = 4096

_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PLACE = re.compile(r"variables(\.\w{1,100}){1,4}")
_ORDER = "Send operations, then map, then each file once, under the name that it has in `map`."


class MultipartReader:
    """Parses a multipart request piece by piece: `operations` is kept in memory, files are written to `folder`.

    Every method raises Malformed, and HttpError when `operations` or `map` is too large.
    """

    def __init__(self, content_type: str, folder: Path, operations_bytes: int) -> None:
        self._folder = folder
        self._limits = {"operations": operations_bytes, "map": MAP_BYTES}
        self._texts: dict[str, bytearray] = {}
        self._places: dict[str, str] = {}
        """Where each file belongs, by the name of its part."""
        self._files: dict[str, Path] = {}
        self._header = (bytearray(), bytearray())
        self._name = ""
        self._file: BinaryIO | None = None
        self._is_complete = False
        self._parser = MultipartParser(
            _boundary(content_type), self._callbacks(), max_header_count=HEADERS, max_header_size=HEADER_BYTES
        )

    def write(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Malformed(f"The form can't be read: {error}. {_ORDER}") from error

    def finish(self) -> tuple[bytes, dict[str, Path]]:
        """`operations`, and the files by their places in the variables."""
        if not self._is_complete:
            raise Malformed("The form was cut off: its closing boundary is missing. Send it again, whole.")
        if not self._places or self._files.keys() != self._places.keys():
            missing = ", ".join(sorted(self._places.keys() - self._files.keys())) or "`operations` and `map`"
            raise Malformed(f"The form lacks {missing[:200]}. {_ORDER}")
        files = {self._places[name]: path for name, path in self._files.items()}
        return bytes(self._texts["operations"]), files

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": partial(self._read_header, 0),
            "on_header_value": partial(self._read_header, 1),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": self._write_content,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._name = ""
        self._header = (bytearray(), bytearray())

    def _read_header(self, part: int, data: bytes, start: int, end: int) -> None:
        self._header[part].extend(data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._name = _options(bytes(value)).get(b"name", b"").decode("utf-8", "replace")
        self._header = (bytearray(), bytearray())

    def _begin_content(self) -> None:
        match self._name:
            case "operations" | "map" as name if len(self._texts) == ("operations", "map").index(name):
                self._texts[name] = bytearray()
            case name if name in self._places and name not in self._files:
                self._files[name] = path = self._folder / f"file{len(self._files)}"
                self._file = path.open("wb")
            case name:
                raise Malformed(f"The part {name[:40]!r} is not expected here. {_ORDER}")

    def _write_content(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(data[start:end])
            return
        text, limit = self._texts[self._name], self._limits[self._name]
        if len(text) + end - start > limit:
            raise too_large(limit, f" It counts for the part `{self._name}`.")
        text += data[start:end]

    def _end_part(self) -> None:
        self.close()
        if self._name == "map" and not self._files:
            self._places = _places(bytes(self._texts["map"]))

    def _end(self) -> None:
        self._is_complete = True


def _boundary(content_type: str) -> bytes:
    boundary = _options(content_type.encode("latin-1")).get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed(
            "The form needs a boundary of 1 to 70 letters, digits and marks in its Content-Type. Let a library build"
            " it: multipart/form-data; boundary=..."
        )
    return boundary


def _options(value: bytes) -> dict[bytes, bytes]:
    """The parameters of a header."""
    try:
        return parse_options_header(value)[1]
    except (ValueError, LookupError) as error:
        raise Malformed(f"A header of the form can't be read: {error}. {_ORDER}") from error


def _places(text: bytes) -> dict[str, str]:
    """Each file's one place in the variables."""
    try:
        found: object = orjson.loads(text)
    except ValueError as error:
        raise Malformed(f"`map` is not JSON: {error}.") from error
    if not isinstance(found, dict) or not 0 < len(cast("dict[str, Any]", found)) <= FILES:
        raise Malformed(
            f'`map` must be an object that names 1 to {FILES} files: {{"0": ["variables.input.manifest"]}}.'
        )
    places: dict[str, str] = {}
    for name, paths in cast("dict[str, Any]", found).items():
        match paths:
            case [str(path)] if _PLACE.fullmatch(path) and path not in places.values():
                places[name] = path
            case _:
                raise Malformed(
                    f'`map` must give the file {name[:40]!r} one place of its own: ["variables.input.manifest"].'
                )
    return places
