"""Compare two views of a value, keyword by keyword."""

from collections.abc import Iterator

from tessera_gql.diff.differences import Difference
from tessera_gql.diff.keywords.annotations import compare_annotations
from tessera_gql.diff.keywords.physical_type import report_type_once
from tessera_gql.diff.keywords.registry import KEYWORDS
from tessera_gql.diff.read.view import View

COMPARERS = [
    (record.compare, frozenset((*record.names, *record.triggers))) for record in KEYWORDS if record.compare is not None
]
"""The comparers, each with the keywords of which a difference calls it."""
COMPARED_KEYWORDS = frozenset(name for record in KEYWORDS if record.compare is not None for name in record.names)


def compare_views(old: View, new: View) -> Iterator[Difference]:
    """Yield the differences of two views from every comparer with a keyword that differs.

    The keyword `""` stands for a schema without keywords.
    """
    keywords = _differing_keywords(old, new)
    comparers = (comparer for comparer, triggers in COMPARERS if not keywords.isdisjoint(triggers))
    yield from report_type_once([difference for comparer in comparers for difference in comparer(old, new)])
    yield from compare_annotations(old, new, sorted(keywords - COMPARED_KEYWORDS))


def _differing_keywords(old: View, new: View) -> set[str]:
    """The keywords of both views; only the differing ones if each view has a single schema."""
    all_keywords = {keyword for view in (old, new) for node in view.schemas for keyword in node.entries or ("",)}
    match old.schemas, new.schemas:
        case (old_schema,), (new_schema,):
            return {keyword for keyword in all_keywords if not old_schema.has_equal_keyword(new_schema, keyword)}
        case _:
            return all_keywords
