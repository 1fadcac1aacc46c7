"""Requests that carry a file as large as a dbt manifest: kept on disk as they come in, never whole in memory.

They come as JSON, or as the GraphQL multipart request specification has it: `operations`, then `map`, then files. A
form is what any web page may send without asking, so a header is demanded that no page can send without asking.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tessera_gql.graphql.documents import Limits
from tessera_gql.graphql.scalars import RawJson
from tessera_gql.graphql.wire import Malformed, Params, decode, params

UPLOADS = ("syncDbtManifest", "dbtImpact")
"""Those fields whose request may be as large as a dbt manifest."""

FORM = "multipart/form-data"
PREFLIGHTED = ("authorization", "graphql-require-preflight", "apollo-require-preflight", "x-apollo-operation-name")
"""A browser sends none of these for a page of another origin unless this server has allowed it before."""

MAP_BYTES = 16 * 1024
FILES = 4

_DOCUMENT_FIRST = re.compile(rb'\s*\{\s*(?:"operationName"\s*:\s*(?:"[^"\\]*"|null)\s*,\s*)?"query"\s*:')
_OTHER_FIRST = re.compile(rb'\s*\{\s*"(?:variables|operationName|extensions)"\s*:')


class TooLarge(Exception):  # noqa: N818 - a refusal, like those of tessera_gql.errors
    """More than this request may be; `limit` in bytes. `is_sending`: more of the body is to come."""

    def __init__(self, limit: int, *, is_sending: bool = False) -> None:
        super().__init__(f"larger than {limit:,} bytes")
        self.limit = limit
        self.is_sending = is_sending


@dataclass(frozen=True)
class Upload:
    """A request on disk. `body` is the request itself as JSON, or `operations`; `files` by where they belong."""

    body: Path
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    form: bool = False


@dataclass(frozen=True)
class Opened:
    """`sent` has RawJson wherever a file or a manifest stands; `shape` is the same with null there, and is small."""

    sent: Params
    shape: Params


def may_be_upload(start: bytes) -> bool:
    """Whether a body that begins like this is worth reading on: its document names an upload or is yet to come."""
    if _DOCUMENT_FIRST.match(start):
        return any(name.encode() in start for name in UPLOADS)
    return _OTHER_FIRST.match(start) is not None


async def spooled(chunks: AsyncIterator[bytes], folder: Path, limit: int) -> Upload:
    """A JSON body. Raises TooLarge."""
    path, size = folder / "body", 0
    with path.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge(limit, is_sending=True)
            file.write(chunk)
    return Upload(path)


async def received(content_type: str, chunks: AsyncIterator[bytes], folder: Path, limits: Limits) -> Upload:
    """A form. Raises Malformed and TooLarge."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise Malformed("The form names no boundary. Let a library build it: multipart/form-data; boundary=...")
    form = _Form(folder, limits)
    parser = MultipartParser(boundary, form.callbacks())
    size = 0
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > limits.upload_bytes:
                raise TooLarge(limits.upload_bytes, is_sending=True)
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise Malformed(f"The form can't be read: {error}. Send operations, map, then the files.") from error
    finally:
        form.close()
    return form.upload()


@dataclass
class _Form:
    """What the parser finds, as it finds it."""

    folder: Path
    limits: Limits
    done: bool = False
    places: dict[str, str] = field(default_factory=dict[str, str])
    """Where each file belongs, by the name of its part."""
    kept: dict[str, Path] = field(default_factory=dict[str, Path])
    _header: list[bytes] = field(default_factory=lambda: [b"", b""])
    _name: str = ""
    _size: int = 0
    _file: BinaryIO | None = None

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": partial(self._collect, 0),
            "on_header_value": partial(self._collect, 1),
            "on_header_end": self._header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._write,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def upload(self) -> Upload:
        if not self.done:
            raise Malformed("The form was cut off: its closing boundary is missing. Send it again, whole.")
        if not self.places or self.kept.keys() != self.places.keys():
            missing = ", ".join(sorted(self.places.keys() - self.kept.keys())) or "`operations` and `map`"
            raise Malformed(f"The form lacks {missing}. Send operations, map, then every file that `map` names.")
        files = {self.places[name]: path for name, path in self.kept.items()}
        return Upload(self.folder / "operations", files, form=True)

    def _begin(self) -> None:
        self._name, self._size, self._header = "", 0, [b"", b""]

    def _collect(self, which: int, data: bytes, start: int, end: int) -> None:
        self._header[which] += data[start:end]

    def _header_end(self) -> None:
        field_, value = self._header
        if field_.lower() == b"content-disposition":
            _, options = parse_options_header(value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._header = [b"", b""]

    def _open(self) -> None:
        match self._name:
            case "operations" if not (self.folder / "operations").exists():
                path = self.folder / "operations"
            case "map" if (self.folder / "operations").exists() and not (self.folder / "map").exists():
                path = self.folder / "map"
            case name if name in self.places and name not in self.kept:
                path = self.kept[name] = self.folder / f"file{len(self.kept)}"
            case name:
                raise Malformed(
                    f"The part {name[:40]!r} is not expected here. Send operations, then map, then each file once,"
                    " under the name that it has in `map`."
                )
        self._file = path.open("wb")

    def _write(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        limit = {"operations": self.limits.body_bytes, "map": MAP_BYTES}.get(self._name, self.limits.upload_bytes)
        if self._size > limit:
            raise TooLarge(limit, is_sending=True)
        if self._file is not None:
            self._file.write(data[start:end])

    def _end(self) -> None:
        self.close()
        if self._name == "map":
            self.places = _places((self.folder / "map").read_bytes())

    def _finish(self) -> None:
        self.done = True


def _places(text: bytes) -> dict[str, str]:
    """Each file's one place in the variables; raises Malformed."""
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
            case [str(path)] if re.fullmatch(r"variables(\.\w+){1,4}", path) and path not in places.values():
                places[name] = path
            case _:
                raise Malformed(
                    f'`map` must give the file {name[:40]!r} one place of its own: ["variables.input.manifest"].'
                )
    return places


def opened(upload: Upload, limits: Limits) -> Opened:
    """Reads it, which takes a while: away from the event loop. Raises Malformed and TooLarge."""
    sent = params(decode(upload.body.read_bytes()))
    for place, path in upload.files.items():
        _put(sent, place, RawJson(path.read_bytes()))
    if not upload.form:
        sent = replace(sent, variables={name: _lifted(value) for name, value in sent.variables.items()})
    shape = replace(sent, variables=_emptied(sent.variables))
    if len(orjson.dumps([shape.query, shape.variables])) > limits.body_bytes:
        raise TooLarge(limits.body_bytes)
    return Opened(sent, shape)


def _put(sent: Params, place: str, file: RawJson) -> None:
    """Only in the place of a null, as the specification asks."""
    holder: Any = sent.variables
    *way, last = place.split(".")[1:]
    for name in way:
        holder = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or last not in holder or holder[last] is not None:
        raise Malformed(f"`map` names {place}, where `operations` has no null. Put null where the file belongs.")
    holder[last] = file


def _lifted(value: Any) -> Any:
    """With the manifest in it, if there is one, as text: nothing but its own reader looks at it."""
    match value:
        case {"manifest": dict() as manifest}:
            return {**value, "manifest": RawJson(orjson.dumps(manifest))}
        case {"metadata": dict(), "nodes": dict()}:
            return RawJson(orjson.dumps(value))
        case _:
            return value


def _emptied(value: Any) -> Any:
    match value:
        case RawJson():
            return None
        case dict():
            return {key: _emptied(one) for key, one in value.items()}
        case _:
            return value


def folder() -> tempfile.TemporaryDirectory[str]:
    """A place for one request, gone with it."""
    return tempfile.TemporaryDirectory(prefix="tessera-upload-", ignore_cleanup_errors=True)
