"""List the ways to violate a schema. The list may contain impossible ways, but must not omit one."""

from collections.abc import Iterator, Sequence

from tessera_gql.diff.keywords.registry import KEYWORDS
from tessera_gql.diff.prove.constraints import Alternative
from tessera_gql.diff.read.schema import Schema

RANKS = {name: rank for rank, record in enumerate(KEYWORDS) if record.violations for name in record.names}
"""The position in the list of records, by keyword: violations are tried in this order, whatever that of the keys."""


def list_violations(node: Schema, json_type: int, premises: Sequence[Schema]) -> Iterator[Alternative]:
    """Yield every way in which a value of the type that is valid under the premises can violate the node."""
    for rank in sorted({RANKS[keyword] for keyword in node.keywords if keyword in RANKS}):
        record = KEYWORDS[rank]
        if record.violations is not None and record.constrained_types & json_type:
            yield from record.violations(node, premises)
    if node.is_opaque:
        yield []
