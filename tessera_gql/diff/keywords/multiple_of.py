"""`multipleOf`: the number of which a value must be a multiple."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from tessera_gql.diff.differences import Difference, digest_sides
from tessera_gql.diff.keywords.difference_builders import all_of, set_kind
from tessera_gql.diff.keywords.record import Keyword
from tessera_gql.diff.messages import describe_text_edit, format_values
from tessera_gql.diff.values.json import to_json_number
from tessera_gql.diff.values.json_types import NUMBER
from tessera_gql.diff.values.numbers import Number, exact_number

if TYPE_CHECKING:
    from tessera_gql.diff.read.schema import Schema
    from tessera_gql.diff.read.view import View


def _read_multiple(node: Schema) -> None:
    node.multiples = (exact_number(cast("float", node.keywords["multipleOf"])),)


def compare_multiples(old: View, new: View) -> Iterator[Difference]:
    before, after = old.multiples, new.multiples
    if before == after:
        return
    kind, directions = set_kind(is_wider=_all_divide(after, before), is_narrower=_all_divide(before, after))
    pointer = (new if after else old).pointer_to("multipleOf")
    limits = [to_json_number(min(steps)) if steps else None for steps in (before, after)]
    texts = [format_values([*map(to_json_number, sorted(steps))]) if steps else None for steps in (before, after)]
    message = describe_text_edit("multipleOf", texts[0], texts[1], kind)
    digest = digest_sides([*map(str, sorted(before))], [*map(str, sorted(after))])
    yield Difference(kind, pointer, message, limits[0], limits[1], digest=digest, directions=directions)


def _all_divide(steps: frozenset[Number], multiples: frozenset[Number]) -> bool:
    """Return whether a multiple of all `multiples` is a multiple of all `steps`."""
    return all(any((Fraction(multiple) / Fraction(step)).denominator == 1 for multiple in multiples) for step in steps)


MULTIPLE_OF = Keyword(
    {"multipleOf": {4: "positive"}},
    "The number of which a value must be a multiple.",
    constrained_types=NUMBER,
    has_subschemas=False,
    read=_read_multiple,
    compare=compare_multiples,
    write=lambda view, _: all_of("multipleOf", map(to_json_number, view.multiples)),
)
