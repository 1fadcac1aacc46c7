"""The executors return the same data and errors on the real schema."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.config import Executor
from tessera_gql.executor import Fallback
from tests.executor.comparison import CORE, RARELY, Comparison, actors_of, arguments
from tests.executor.operations import THOROUGH, Asked, examples, operations
from tests.executor.unreadable_tables import TABLES


@settings(max_examples=examples(100), **THOROUGH)
@given(operations(CORE, arguments, rarely=RARELY), st.data())
def test_all_executors_return_what_graphql_core_returns(
    comparison: Comparison, asked: Asked, data: st.DataObject
) -> None:
    comparison.compare(asked, data.draw(actors_of(comparison)))


def test_most_operations_were_planned(comparison: Comparison) -> None:
    """Runs after the tests above and checks that most of their operations were planned."""
    counts = comparison.transports[Executor.PLANNED].executor_counts
    assert 3 * counts.planned > counts.fallbacks[Fallback.FAILED] > 0, counts
    assert set(counts.fallbacks) == {Fallback.FAILED}, counts


def test_as_many_operations_were_planned_with_a_pushdown(comparison: Comparison) -> None:
    """But for bad arguments of lists without a parent, which a pushdown refuses: graphql-core never reads them."""
    planned, pushed = (
        comparison.transports[executor].executor_counts for executor in (Executor.PLANNED, Executor.PUSHDOWN)
    )
    assert pushed.pushed_down > 0, pushed
    assert pushed.fallbacks[Fallback.FAILED] == planned.fallbacks[Fallback.FAILED], (pushed, planned)
    assert pushed.fallbacks[Fallback.UNPLANNED] < pushed.planned / 5, pushed


@settings(max_examples=examples(100), **THOROUGH)
@given(
    operations(CORE, arguments, rarely=RARELY),
    st.data(),
    st.frozensets(st.sampled_from(TABLES), min_size=1, max_size=3),
)
def test_all_executors_return_what_graphql_core_returns_when_tables_are_unreadable(
    comparison: Comparison, asked: Asked, data: st.DataObject, tables: frozenset[str]
) -> None:
    with comparison.unreadable(tables):
        comparison.compare(asked, data.draw(actors_of(comparison)))


def test_most_of_these_operations_met_a_table_that_they_could_not_read(comparison: Comparison) -> None:
    """Runs after the test above."""
    counts = comparison.transports[Executor.PUSHDOWN].executor_counts
    assert counts.fallbacks[Fallback.FAILED] > counts.planned / 4, counts
    assert counts.pushed_down > 0, counts
