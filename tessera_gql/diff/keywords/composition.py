"""Keywords that apply further schemas to the same value. The walk finds their differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.prove.constraints import Alternative, Literal

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema

MAX_PAIRED_OPTIONS = 12


def _read_dynamic(node: Schema) -> None:
    node.is_opaque = node.pointer in node.document.opaque


def _list_reference(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    if (target := node.target()) is not None:
        yield [Literal(target, holds=False)]


def _list_all(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    for child in node.children("allOf"):
        yield [Literal(child, holds=False)]


def _list_any(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    yield [Literal(child, holds=False) for child in node.children("anyOf")]


def _list_one(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    options = node.children("oneOf")
    yield [Literal(option, holds=False) for option in options]
    if len(options) > MAX_PAIRED_OPTIONS:
        for option in options:
            yield [Literal(option, holds=True)]
        return
    for left, right in combinations(options, 2):
        yield [Literal(left, holds=True), Literal(right, holds=True)]


def _list_negation(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    if (negated := node.child("not")) is not None:
        yield [Literal(negated, holds=True)]


def _list_condition(node: Schema, _: Sequence[Schema]) -> Iterator[Alternative]:
    if (condition := node.child("if")) is not None:
        for keyword, holds in (("then", True), ("else", False)):
            if (then := node.child(keyword)) is not None:
                yield [Literal(condition, holds=holds), Literal(then, holds=False)]


COMPOSITION = (
    Keyword(
        ("$ref",),
        "A reference to a schema in the same document. In drafts before 2019-09 it stands alone.",
        violations=_list_reference,
    ),
    Keyword(
        ("$dynamicRef", "$recursiveRef"),
        "A reference that may depend on the dynamic scope. A schema with one that does is undecided.",
        read=_read_dynamic,
        violations=_list_reference,
    ),
    Keyword(
        ("allOf",), "Schemas of which all must hold. They are merged before they are compared.", violations=_list_all
    ),
    Keyword(
        ("anyOf",),
        "Schemas of which at least one must hold. A schema or null is read as a nullable value.",
        violations=_list_any,
    ),
    Keyword(("oneOf",), "Schemas of which exactly one must hold.", violations=_list_one),
    Keyword(("not",), "A schema that must not hold.", violations=_list_negation),
    Keyword(
        ("if", "then", "else"),
        "A condition, and the schemas that must hold where it does and where it doesn't.",
        violations=_list_condition,
    ),
)
