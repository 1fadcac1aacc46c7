"""Compare two documents without their annotations, keyword by keyword."""

from typing import cast

from tessera_gql.diff.keywords.groups import NON_ASSERTING
from tessera_gql.diff.read.documents import Document
from tessera_gql.diff.read.guard import identity

SILENT_KEYWORDS = NON_ASSERTING - {"$schema", "$vocabulary", "$defs", "definitions"}
SCHEMA_SHAPES = frozenset(("schema", "items", "flag or schema", "schemas"))
MAP_SHAPES = frozenset(("map", "pattern map"))
Entries = dict[str, object]


def are_equal_without_annotations(left: Document, right: Document) -> bool:
    """Return whether two documents of one dialect are the same but for annotations and the order of keys.

    All references then have the same targets, also those that depend on the dynamic scope and those into annotations.
    """
    if left.dialect is not right.dialect or _references(left) != _references(right):
        return False
    stack = [(raw, right.schemas[pointer]) for pointer, raw in left.schemas.items() if pointer in right.schemas]
    visited = set[tuple[int, int]]()
    while stack:
        old, new = stack.pop()
        if (id(old), id(new)) in visited:
            continue
        visited.add((id(old), id(new)))
        if isinstance(old, dict) and isinstance(new, dict):
            pairs = _value_pairs(left, right, cast("Entries", old), cast("Entries", new))
        elif isinstance(old, list) and isinstance(new, list) and len(cast("list[object]", old)) == len(new):
            pairs = [*zip(cast("list[object]", old), cast("list[object]", new), strict=True)]
        else:
            pairs = [] if _is_equal(left, right, old, new) else None
        if pairs is None:
            return False
        stack += pairs
    return True


def _references(document: Document) -> tuple[object, ...]:
    """Return the targets of all references, and the identifiers that these and dynamic references depend on."""
    return document.targets, document.resources, document.bases, document.anchors, document.dynamic


def _value_pairs(left: Document, right: Document, old: Entries, new: Entries) -> list[tuple[object, object]] | None:
    """Return the pairs of subschemas that remain to be compared, or None if other keywords differ."""
    keywords = [[key for key in entries if not _is_annotation(key)] for entries in (old, new)]
    if {*keywords[0]} != {*keywords[1]}:
        return None
    pairs: list[tuple[object, object]] = []
    for keyword in keywords[0]:
        was, now, shape = old[keyword], new[keyword], left.dialect.shapes.get(keyword)
        if shape in SCHEMA_SHAPES:
            pairs.append((was, now))
        elif shape in MAP_SHAPES:
            before, after = cast("Entries", was), cast("Entries", now)
            if before.keys() != after.keys():
                return None
            pairs += [(before[name], after[name]) for name in before]
        elif not _is_equal(left, right, was, now):
            return None
    return pairs


def _is_annotation(keyword: str) -> bool:
    return keyword in SILENT_KEYWORDS or keyword.startswith("x-")


def _is_equal(left: Document, right: Document, old: object, new: object) -> bool:
    return identity(old, left.identity_numbers) == identity(new, right.identity_numbers)
