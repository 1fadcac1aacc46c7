"""Bundle a JSON Schema that is split over files: what it refers to in other files becomes a part of it.

Each file becomes a definition of the document, and references to it become JSON Pointers. A reference that leads
nowhere, or to a file of another draft, stays as it is, so that the reader of the schema refuses it by name.
"""

import posixpath
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from tessera_gql.formats.parsed_schema import DocumentError

LoadFile: TypeAlias = Callable[[str], object]
"""Returns the value of a file by its path relative to the document's folder; None if there is none."""
JsonObject: TypeAlias = dict[str, Any]

MAX_FILES = 500
MAX_DEPTH = 200
MAPS_OF_SCHEMAS = frozenset(
    {"properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies"}
)
DATA = frozenset({"const", "enum", "default", "examples", "example"})
IDENTIFIERS = ("$id", "id")
DYNAMIC = frozenset({"$dynamicRef", "$recursiveRef"})


def bundle_schema(document: object, load: LoadFile) -> object:
    """Return the document with all files that it refers to, directly or not; itself if there are none.

    Raises DocumentError for too many files, and for a document that is nested too deep.
    """
    if not isinstance(document, dict):
        return document
    bundle = _Bundle(cast("JsonObject", document), load)
    result = bundle.rewrite(bundle.root, "", bundle.root_uri)
    if not bundle.definitions:
        return document
    result = cast("JsonObject", result)
    result[bundle.container] = {**result.get(bundle.container, {}), **bundle.definitions}
    return result


class _Bundle:
    """The files of a bundle, by their URI, and the definitions that they become."""

    def __init__(self, root: JsonObject, load: LoadFile) -> None:
        self.root = root
        self.root_uri = _identifier_of(root)
        self.own_uris = {uri for uri, _ in _iterate_resources(root, self.root_uri)} | {self.root_uri}
        self.container = "$defs" if "$defs" in root or not _is_early_draft(root) else "definitions"
        self.definitions: JsonObject = {}
        self._load = load
        self._documents: dict[str, tuple[str, JsonObject] | None] = {}

    def rewrite(self, value: Any, prefix: str, base: str, depth: int = 0) -> Any:
        """Return a schema with references to other files replaced; its file is at the pointer `prefix`."""
        if depth > MAX_DEPTH:
            raise DocumentError(f"This JSON Schema is nested deeper than {MAX_DEPTH} levels. Name its inner parts.")
        if isinstance(value, list):
            return [self.rewrite(item, prefix, base, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        result: JsonObject = {}
        for key, part in cast("JsonObject", value).items():
            if key in DATA:
                result[key] = part
            elif key == "$ref" and isinstance(part, str):
                result[key] = self._rewrite_reference(part, prefix, base)
            elif key in MAPS_OF_SCHEMAS and isinstance(part, dict):
                parts = cast("JsonObject", part).items()
                result[key] = {name: self.rewrite(item, prefix, base, depth + 2) for name, item in parts}
            else:
                result[key] = self.rewrite(part, prefix, base, depth + 1)
        return result

    def _rewrite_reference(self, reference: str, prefix: str, base: str) -> str:
        try:
            uri, fragment = urldefrag(urljoin(base, reference.strip()))
        except ValueError:
            return reference
        if reference.startswith("#"):
            uri = base
        is_in_root = uri in self.own_uris
        if is_in_root and not prefix:
            return reference
        if is_in_root:
            return f"#{fragment}" if uri == self.root_uri else reference
        if (entry := self._find(uri)) is None:
            return reference
        name, document = entry
        pointer = _find_pointer(document, unquote(fragment))
        return reference if pointer is None else f"#/{self.container}/{_escape(name)}{pointer}"

    def _find(self, uri: str) -> tuple[str, JsonObject] | None:
        if uri not in self._documents:
            if len(self._documents) >= MAX_FILES:
                raise DocumentError(f"This JSON Schema refers to more than {MAX_FILES} files. Compare its parts.")
            self._documents[uri] = self._load_document(uri)
        return self._documents[uri]

    def _load_document(self, uri: str) -> tuple[str, JsonObject] | None:
        path = _relative_path(uri, self.root_uri)
        document = None if path is None else self._load(path)
        if path is None or not isinstance(document, dict):
            return None
        entries = cast("JsonObject", document)
        if not _can_be_part(entries, self.root):
            return None
        name = path if path not in self.root.get(self.container, {}) else f"{path} (file)"
        self._documents[uri] = name, entries  # before its own references, which may lead back
        part = self.rewrite(entries, f"/{self.container}/{_escape(name)}", uri)
        self.definitions[name] = {key: item for key, item in part.items() if key not in (*IDENTIFIERS, "$schema")}
        return name, entries


def _identifier_of(document: JsonObject) -> str:
    identifiers = (document.get(key) for key in IDENTIFIERS)
    return next((urldefrag(item)[0] for item in identifiers if isinstance(item, str)), "")


def _is_early_draft(document: JsonObject) -> bool:
    """Return whether the draft of a document is 7 or earlier, which has `definitions`."""
    draft = str(document.get("$schema", ""))
    return any(f"draft-0{number}" in draft for number in (3, 4, 6, 7)) or "definitions" in document


def _iterate_schemas(value: Any) -> Iterator[tuple[str, JsonObject]]:
    """Yield the objects below a value that may be schemas, with their pointers."""
    stack: list[tuple[str, Any, bool]] = [("", value, True)]
    while stack:
        pointer, item, is_schema = stack.pop()
        if isinstance(item, list):
            stack += [(f"{pointer}/{number}", part, True) for number, part in enumerate(item)]
        elif isinstance(item, dict):
            entries = cast("JsonObject", item)
            if is_schema:
                yield pointer, entries
            for key, part in entries.items():
                if not is_schema or key not in DATA:
                    stack.append((f"{pointer}/{_escape(key)}", part, not (is_schema and key in MAPS_OF_SCHEMAS)))


def _iterate_resources(document: JsonObject, base: str) -> Iterator[tuple[str, str]]:
    """Yield the URIs of parts of the document that have identifiers of their own, with their pointers."""
    for pointer, entries in _iterate_schemas(document):
        if pointer and (identifier := _identifier_of(entries)):
            yield urljoin(base, identifier), pointer


def _can_be_part(document: JsonObject, root: JsonObject) -> bool:
    """Return whether a file means the same as a definition: of the same draft, and without a scope of its own."""
    drafts = {str(item["$schema"]).rstrip("#") for item in (document, root) if "$schema" in item}
    if len(drafts) > 1:
        return False
    inner = (entries for pointer, entries in _iterate_schemas(document) if pointer)
    return not any(DYNAMIC & entries.keys() or _identifier_of(entries) for entries in inner)


def _relative_path(uri: str, root_uri: str) -> str | None:
    """Return the path of a file relative to the document's folder, as far as the URIs of both say."""
    target, root = urlsplit(uri), urlsplit(root_uri)
    if (target.scheme, target.netloc) != (root.scheme, root.netloc) or target.query or not target.path:
        return None
    if target.scheme not in ("", "file", "http", "https"):
        return None
    path = unquote(target.path)
    return posixpath.relpath(path, posixpath.dirname(root.path) or ".") if root_uri else posixpath.normpath(path)


def _find_pointer(document: JsonObject, fragment: str) -> str | None:
    """Return the pointer of a fragment in its document; None for an anchor that the document does not have."""
    if not fragment or fragment.startswith("/"):
        return fragment
    for pointer, entries in _iterate_schemas(document):
        anchors = (entries.get("$anchor"), *(entries.get(key) for key in IDENTIFIERS))
        if fragment in anchors or f"#{fragment}" in anchors:
            return pointer
    return None


def _escape(text: str) -> str:
    """Escape a token of a pointer, as it is written in the fragment of a reference."""
    return text.replace("~", "~0").replace("/", "~1").replace("%", "%25")
