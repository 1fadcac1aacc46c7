"""Build differences that several keywords have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.changes import ChangeKind, Mode
from tessera_gql.diff.differences import BACKWARD, BOTH, FORWARD, Difference, digest_sides
from tessera_gql.diff.keywords.record import RawSchema
from tessera_gql.diff.messages import describe_edit
from tessera_gql.diff.values.json import Json

if TYPE_CHECKING:
    from tessera_gql.diff.read.view import View

K = ChangeKind
MAX_TEXT = 200
"""Characters of a value that a change holds."""


def limit_difference(pointer: str, limits: tuple[Json, Json], keyword: str, *, is_tighter: bool) -> Difference:
    message = describe_edit(keyword, *limits, constraint_kind(is_tighter=is_tighter)[0])
    return constraint_difference(pointer, limits, message, is_tighter=is_tighter)


def constraint_difference(pointer: str, values: tuple[Json, Json], message: str, *, is_tighter: bool) -> Difference:
    kind, directions = constraint_kind(is_tighter=is_tighter)
    return Difference(kind, pointer, message, *values, directions=directions)


def constraint_kind(*, is_tighter: bool) -> tuple[ChangeKind, frozenset[Mode]]:
    return (K.CONSTRAINT_TIGHTENED, BACKWARD) if is_tighter else (K.CONSTRAINT_RELAXED, FORWARD)


def set_kind(*, is_wider: bool, is_narrower: bool) -> tuple[ChangeKind, frozenset[Mode]]:
    """Return the kind of a change whose new constraint contains the old one, or is contained in it."""
    return (K.CONSTRAINT_CHANGED, BOTH) if is_wider == is_narrower else constraint_kind(is_tighter=is_narrower)


def compare_lower_limit(old: View, new: View, keyword: str, attribute: str) -> Iterator[Difference]:
    before, after = old.lower_limit(attribute), new.lower_limit(attribute)
    if before != after:
        pointer = (new if after else old).pointer_to(keyword)
        yield limit_difference(pointer, (before or None, after or None), keyword, is_tighter=after > before)


def compare_upper_limit(old: View, new: View, keyword: str, attribute: str) -> Iterator[Difference]:
    before, after = old.upper_limit(attribute), new.upper_limit(attribute)
    if before != after:
        is_tighter = before is None or (after is not None and after < before)
        pointer = (old if after is None else new).pointer_to(keyword)
        yield limit_difference(pointer, (before, after), keyword, is_tighter=is_tighter)


def compare_rule(old: View, new: View, keyword: str, noun: str) -> Iterator[Difference]:
    """Yield a difference if only one view has a keyword whose subschema applies to parts of the value."""
    before, after = old.child_view(keyword), new.child_view(keyword)
    rule = after or before
    if rule is None or (before and after):
        return
    if not rule.types:
        message = f"{noun} are {'not allowed any more' if after else 'allowed now'}"
    else:
        message = f"{noun} are restricted now" if after else f"{noun} are not restricted any more"
    yield presence_difference(old, new, keyword, message)


def presence_difference(old: View, new: View, keyword: str, message: str) -> Difference:
    """Return the difference of two views of which only one has the keyword."""
    is_new = new.child_view(keyword) is not None
    pointer = (new if is_new else old).pointer_to(keyword)
    difference = constraint_difference(pointer, (None, None), message, is_tighter=is_new)
    difference.digest = digest_sides(*(view.digests_of(keyword) for view in (old, new)))
    return difference


def all_of(keyword: str, values: Iterable[Json]) -> RawSchema | None:
    """Return a schema with the keyword once for each value."""
    listed: list[Json] = [{keyword: value} for value in values]
    return {"allOf": listed} if listed else None
