"""Keywords that describe a value and constrain nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.changes import ChangeKind
from tessera_gql.diff.differences import Difference, Rule, digest_sides
from tessera_gql.diff.keywords.difference_builders import MAX_TEXT
from tessera_gql.diff.keywords.record import MIXED_YEAR, Keyword, Shapes
from tessera_gql.diff.messages import describe_edit
from tessera_gql.diff.values.json import Json, escape_token, is_equal

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View


def compare_annotations(old: View, new: View, keywords: Iterable[str]) -> Iterator[Difference]:
    for keyword in keywords:
        if keyword == "deprecated":
            yield from _compare_deprecation(old, new)
        elif keyword in REPORTED or not _is_known(keyword, old, new):
            was, now = old.value_of(keyword), new.value_of(keyword)
            if not is_equal(was, now):
                pointer = _annotation_pointer(old if now is None else new, keyword)
                message, values = describe_edit(keyword, was, now), (_abbreviate(was), _abbreviate(now))
                kind = ChangeKind.ANNOTATION_CHANGED
                yield Difference(kind, pointer, message, *values, digest=digest_sides(was, now), rule=Rule.NEVER)


def _is_known(keyword: str, *views: View) -> bool:
    """Return whether the draft defines the keyword. Every other one is an annotation, and none is ignored silently."""
    dialects = {id(node.document.dialect): node.document.dialect for view in views for node in view.schemas}.values()
    return not keyword or any(
        keyword in dialect.shapes or (keyword == "nullable" and dialect.knows_nullable) for dialect in dialects
    )


def _compare_deprecation(old: View, new: View) -> Iterator[Difference]:
    before, after = (any(node.entries.get("deprecated") is True for node in view.schemas) for view in (old, new))
    if before != after:
        message = "is deprecated now" if after else "is not deprecated any more"
        pointer = _annotation_pointer((new if after else old), "deprecated")
        yield Difference(ChangeKind.DEPRECATED_CHANGED, pointer, message, before, after, rule=Rule.NEVER)


def _annotation_pointer(view: View, keyword: str) -> str:
    pointers = (f"{node.pointer}/{escape_token(keyword)}" for node in view.schemas if keyword in node.entries)
    return next(pointers, view.pointer)


def _abbreviate(value: Json) -> Json:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    return None if isinstance(value, list | dict) else value


def _annotation(keyword: str, shapes: Shapes, description: str) -> Keyword:
    return Keyword({keyword: shapes}, description, constrained_types=0, is_asserting=False, has_subschemas=False)


REPORTED_ANNOTATIONS = (
    _annotation("title", {4: "text"}, "A short name."),
    _annotation("description", {4: "text"}, "An explanation."),
    _annotation("examples", {6: "values"}, "Values as examples."),
    _annotation("$comment", {7: "text"}, "A note for who reads the schema."),
    _annotation("readOnly", {7: "flag"}, "Whether clients can't change the value."),
    _annotation("writeOnly", {2019: "flag"}, "Whether clients can't read the value."),
    _annotation("contentMediaType", {7: "text"}, "The media type of a text."),
    _annotation("contentEncoding", {7: "text"}, "How a text encodes binary data."),
)
REPORTED = frozenset(name for record in REPORTED_ANNOTATIONS for name in record.names)
ANNOTATIONS = (
    *REPORTED_ANNOTATIONS,
    _annotation("deprecated", {2019: "flag"}, "Whether the value should no longer be used."),
    _annotation("contentSchema", {2019: "schema"}, "The schema of the data in a text. It is not applied."),
    _annotation("$schema", {4: "text"}, "The draft of JSON Schema."),
    _annotation("$vocabulary", {2019: "flags"}, "The vocabularies of a meta-schema."),
    _annotation("$defs", {2019: "map"}, "Schemas that references lead to."),
    _annotation("definitions", {4: "map"}, "Schemas that references lead to."),
)
IDENTIFIERS = (
    Keyword(
        {
            "$id": {6: "text"},
            "id": {4: "text", 6: None},
            "$anchor": {2019: "text"},
            "$dynamicAnchor": {2020: "text"},
            "$recursiveAnchor": {2019: "flag", 2020: None, MIXED_YEAR: "flag"},
        },
        "Names of a schema, to which references lead.",
        constrained_types=0,
        has_subschemas=False,
    ),
)
