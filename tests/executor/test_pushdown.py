"""What is pushed down is the same to the byte, reads no more than it must, and never what depends on the caller."""

from typing import Any

from graphql import get_named_type
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.config import Executor
from tessera_gql.executor.fields import AttributeRead, BatchLoad, ResolverCall, find_source
from tessera_gql.graphql.connections import ConnectionDeclaration
from tessera_gql.graphql.relations import RelationDeclaration, RootDeclaration
from tessera_gql.store.json_trees import NotPushable, check_source
from tests.executor.comparison import CORE, RARELY, Comparison, actors_of, arguments
from tests.executor.operations import THOROUGH, Asked, examples, operations

LIST_FIELDS = {"edges", "pageInfo", "totalCount", "isTotalCountExact"}
WITHOUT_OBJECTS = {"debt", "deprecation", "usageSource", "usageSources", "principals", "principalRules", "projects"}
"""Root fields of which the test data has no objects."""


def is_declared(kind: Any, name: str) -> bool:
    """Whether a field can be pushed down as far as its own declaration says."""
    if kind.name == "Query" and name in WITHOUT_OBJECTS:
        return False
    field = kind.fields[name]
    match find_source(field):
        case BatchLoad(batch=batch):
            match batch.declaration:
                case ConnectionDeclaration(listing=listing):
                    return _is_public(listing.source)
                case RelationDeclaration(lookup=lookup) | RootDeclaration(lookup=lookup):
                    return lookup is not None and lookup.is_unique and _is_public(lookup.table)
                case _:
                    return False
        case AttributeRead():
            return str(get_named_type(field.type)) != "JSON" and "[String" not in str(field.type)
        case ResolverCall():
            return name in LIST_FIELDS
        case _:
            return False


def _is_public(source: Any) -> bool:
    try:
        check_source(source)
    except NotPushable:
        return False
    return True


@settings(max_examples=examples(150), **THOROUGH)
@given(operations(CORE, arguments, depth=6, rarely=RARELY, allows=is_declared), st.data())
def test_what_is_pushed_down_is_the_same_to_the_byte(comparison: Comparison, asked: Asked, data: st.DataObject) -> None:
    comparison.compare(asked, data.draw(actors_of(comparison)))


def test_many_of_these_operations_were_pushed_down(comparison: Comparison) -> None:
    """Runs after the test above. Generated lists of which nothing is read are not pushed down."""
    counts = comparison.transports[Executor.PUSHDOWN].executor_counts
    assert counts.pushed_down > counts.planned / 3, counts
