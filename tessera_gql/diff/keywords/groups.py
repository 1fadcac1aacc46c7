"""Groups of keywords, and the types that each keyword constrains."""

from tessera_gql.diff.keywords.bounds import NUMBER_BOUNDS
from tessera_gql.diff.keywords.counts import ITEM_COUNTS, LENGTHS, PROPERTY_COUNTS
from tessera_gql.diff.keywords.registry import KEYWORDS

__all__ = [
    "CONSTRAINED_TYPES",
    "ITEM_COUNTS",
    "LENGTHS",
    "NON_ASSERTING",
    "NUMBER_BOUNDS",
    "PROPERTY_COUNTS",
    "SCALAR_KEYWORDS",
]
NON_ASSERTING = frozenset(name for record in KEYWORDS if not record.is_asserting for name in record.names)
SCALAR_KEYWORDS = frozenset(name for record in KEYWORDS if not record.has_subschemas for name in record.names)
CONSTRAINED_TYPES = {name: record.constrained_types for record in KEYWORDS for name in record.names}
"""The types that a keyword constrains. A keyword that is not listed may constrain every type."""
