"""Parse a schema document: its draft, its subschemas and the targets of its references. Nothing is ever fetched."""

from collections import Counter
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urldefrag, urljoin

from tessera_gql.diff.errors import SchemaError
from tessera_gql.diff.read.dialects import Dialect, check_draft
from tessera_gql.diff.read.draft_detection import dialect_of
from tessera_gql.diff.read.guard import Identities, guard
from tessera_gql.diff.read.meta_schemas import find_meta_schema
from tessera_gql.diff.read.shapes import check_shape
from tessera_gql.diff.values.json import MISSING, escape_token, json_pointer, resolve_pointer, split_pointer

MAX_REFS = 5_000
DYNAMIC = ("$dynamicRef", "$recursiveRef")


@dataclass
class Document:
    """A checked schema document, created by `read`.

    `schemas` maps pointers to subschemas. `targets` maps the pointer of a schema with a reference to the pointer of its
    target. `opaque` are schemas with a reference that depends on the dynamic scope. Pointers of a meta-schema begin
    with its URI, the `prefix`; `external` maps the pointers of references to a meta-schema to its document.
    """

    raw: object
    dialect: Dialect
    identities: Identities
    identity_numbers: dict[int, int]
    prefix: str = ""
    schemas: dict[str, object] = field(default_factory=dict[str, object])
    targets: dict[str, str] = field(default_factory=dict[str, str])
    opaque: set[str] = field(default_factory=set[str])
    resources: dict[str, str] = field(default_factory=lambda: {"": ""})
    bases: dict[str, str] = field(default_factory=lambda: {"": ""})
    anchors: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    dynamic: Counter[str] = field(default_factory=Counter[str])
    external: "dict[str, Document]" = field(default_factory=dict[str, "Document"])

    def identity_of(self, raw: object) -> int | None:
        """Return the identity number of a subschema, or None when it contains a reference."""
        number = self.identity_numbers.get(id(raw))
        return None if number is None or number in self.identities.with_references else number


def read(raw: object, identities: Identities) -> Document:
    """Check and parse a schema document. Raises `SchemaError`."""
    return read_guarded(raw, guard(raw, identities), identities)


def read_guarded(raw: object, numbers: dict[int, int], identities: Identities, *peers: object) -> Document:
    """Parse a schema that `guard` has checked. The draft may be inferred from the peers, which are guarded too."""
    document = Document(raw, dialect_of(raw, *peers), identities, numbers)
    _check_whole(document)
    return document


def _check_whole(document: Document) -> None:
    """Check all subschemas and targets of references."""
    references = _check_subschemas(document, [(document.prefix, document.raw, document.bases[document.prefix])])
    while references:
        if len(document.targets) + len(references) > MAX_REFS:
            raise SchemaError(f"it has more than {MAX_REFS:,} references; split it.", limit=MAX_REFS)
        targets = [_resolve_reference(document, *reference) for reference in references]
        references = _check_subschemas(document, [target for target in targets if target is not None])
    if document.dynamic and not document.prefix:  # a dynamic reference in the meta-schema may lead back
        document.opaque |= document.external.keys()


def _meta_schema(uri: str, identities: Identities) -> Document | None:
    """Return the official meta-schema with this URI, if there is one. The compared documents share it."""
    raw, uri = find_meta_schema(uri)
    if raw is None:
        return None
    prefix = f"{uri}#"
    document = cast("Document | None", identities.meta_schemas.get(prefix))
    if document is None:
        numbers = guard(raw, identities)
        document = Document(raw, dialect_of(raw), identities, numbers, prefix)
        document.resources, document.bases = {uri: prefix}, {prefix: uri}
        identities.meta_schemas[prefix] = document
        _check_whole(document)
    return document


Reference = tuple[str, str, str, str]


def _check_subschemas(document: Document, stack: list[tuple[str, object, str]]) -> list[Reference]:
    """Check the shape of all subschemas; return their references as (pointer, base, keyword, text)."""
    dialect, references = document.dialect, list[Reference]()
    numbers, with_references = document.identity_numbers, document.identities.with_references
    valid_schemas = document.identities.valid_schemas.setdefault(dialect.year, set())
    checked = set[int]()
    while stack:
        pointer, raw, base = stack.pop()
        if pointer in document.schemas:
            continue
        document.schemas[pointer] = raw
        number = numbers.get(id(raw))
        if number in valid_schemas or number in checked:
            continue
        subschemas = check_shape(raw, pointer, dialect)
        check_draft(raw, pointer, dialect)
        if number in with_references:
            entries = cast("dict[str, object]", raw)
            base = _register_identifiers(document, entries, pointer, base)
            keywords = [keyword for keyword in ("$ref", *DYNAMIC) if keyword in dialect.shapes and keyword in entries]
            references += [(pointer, base, keyword, cast("str", entries[keyword])) for keyword in keywords]
            if len(keywords) > 1:  # two targets for one schema are not supported
                document.opaque.add(pointer)
        elif number is not None:
            checked.add(number)
        stack.extend((child_pointer, child, base) for child_pointer, child in reversed(subschemas))
    valid_schemas |= checked  # only now, since a schema is valid if all its parts are
    return references


def _register_identifiers(document: Document, entries: dict[str, object], pointer: str, base: str) -> str:
    """Register the identifiers and anchors of a schema; return the base URI of the references in it."""
    dialect = document.dialect
    identifier = entries.get(dialect.id_keyword)
    if isinstance(identifier, str) and not ("$ref" in entries and not dialect.knows_siblings_of_ref):
        if identifier.startswith("#"):
            document.anchors[base, identifier[1:]] = pointer
        else:
            base = _join_uri(base, identifier, pointer)[0]
            document.resources.setdefault(base, pointer)
            document.bases[pointer] = base
    for keyword in ("$anchor", "$dynamicAnchor"):
        name = entries.get(keyword)
        if keyword in dialect.shapes and isinstance(name, str):
            document.anchors[base, name] = pointer
            if keyword == "$dynamicAnchor":
                document.dynamic[name] += 1
    if entries.get("$recursiveAnchor") is True:
        document.dynamic[""] += 1
    return base


def _join_uri(base: str, reference: str, pointer: str) -> tuple[str, str]:
    try:
        is_local = reference.startswith("#")
        uri, fragment = (base, reference[1:]) if is_local else urldefrag(urljoin(base, reference.strip()))
        return uri, unquote(fragment, errors="strict")
    except ValueError:
        raise SchemaError("an identifier or reference is not a URI; correct it.", pointer=pointer) from None


def _resolve_reference(
    document: Document, pointer: str, base: str, keyword: str, text: str
) -> tuple[str, object, str] | None:
    """Register the target of a reference; return it if it is in the document."""
    uri, fragment = _join_uri(base, text, pointer)
    error_pointer = f"{pointer}/{escape_token(keyword)}"
    owner = document if uri in document.resources else _meta_schema(uri, document.identities)
    if owner is None:
        raise SchemaError(
            f"{keyword} leads outside the document ({text[:200]}), and nothing is ever fetched; put it in $defs.",
            pointer=error_pointer,
        )
    target, raw = _find_target(owner, uri, fragment)
    if raw is MISSING:
        reason = f"{keyword} leads nowhere ({text[:200]}); define what it names in $defs."
        raise SchemaError(reason, pointer=error_pointer)
    document.targets[pointer] = target
    is_foreign = owner is not document
    if keyword in DYNAMIC and (is_foreign or document.prefix or document.dynamic[fragment] > 1):
        document.opaque.add(pointer)
    if is_foreign:
        document.external[pointer] = owner
        return None
    return target, raw, _base_uri(document, target)


def _find_target(document: Document, uri: str, fragment: str) -> tuple[str, object]:
    """Return the pointer and the value that a fragment of a resource names; the value is `MISSING` if there is none."""
    is_name = fragment and not fragment.startswith("/")
    start = document.resources.get(uri, document.prefix)
    target = document.anchors.get((uri, fragment)) if is_name else start + fragment
    if target is None:
        return "", MISSING
    target = document.prefix + json_pointer(*split_pointer(target.removeprefix(document.prefix)))
    return target, resolve_pointer(document.raw, target.removeprefix(document.prefix))


def _base_uri(document: Document, pointer: str) -> str:
    """Return the base URI at a pointer: that of the nearest enclosing schema with an identifier."""
    while pointer not in document.bases:
        pointer = pointer.rpartition("/")[0]
    return document.bases[pointer]
