"""`pattern`: the regular expression that a part of a text must match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tessera_gql.diff.differences import Difference, digest_sides
from tessera_gql.diff.keywords.difference_builders import MAX_TEXT, all_of, set_kind
from tessera_gql.diff.keywords.record import Keyword, read_attribute
from tessera_gql.diff.messages import describe_text_edit, format_values
from tessera_gql.diff.values.json_types import STRING
from tessera_gql.diff.values.regular_languages import Language, find_example

if TYPE_CHECKING:
    from tessera_gql.diff.budget import Budget
    from tessera_gql.diff.read.view import View


def compare_patterns(old: View, new: View) -> Iterator[Difference]:
    before = {node.pattern for node in old.schemas if node.pattern is not None}
    after = {node.pattern for node in new.schemas if node.pattern is not None}
    if before == after:
        return
    budget = new.nodes[0].cache.budget
    is_wider, is_narrower = _is_implied(before, after, budget), _is_implied(after, before, budget)
    kind, directions = set_kind(is_wider=is_wider, is_narrower=is_narrower)
    was, now = (", ".join(sorted(patterns))[:MAX_TEXT] or None for patterns in (before, after))
    pointer = (new if after else old).pointer_to("pattern")
    texts = [format_values(sorted(patterns)) if patterns else None for patterns in (before, after)]
    message = describe_text_edit("pattern", texts[0], texts[1], kind)
    digest = digest_sides([*sorted(before)], [*sorted(after)])
    yield Difference(kind, pointer, message, was, now, digest=digest, directions=directions)


def _is_implied(premises: set[str], conclusions: set[str], budget: Budget) -> bool:
    """Return whether it is proven that a string matching all `premises` matches all `conclusions`."""
    languages = (Language(frozenset(premises), frozenset({pattern})) for pattern in sorted(conclusions))
    return all(find_example(language, budget) is False for language in languages)


PATTERN = Keyword(
    {"pattern": {4: "pattern"}},
    "A regular expression that a part of a text must match.",
    constrained_types=STRING,
    has_subschemas=False,
    read=read_attribute("pattern", "pattern"),
    compare=compare_patterns,
    write=lambda view, _: all_of("pattern", [node.pattern for node in view.schemas if node.pattern is not None]),
)
