"""The executors return the same data and errors on the real schema."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera_gql.config import Executor
from tessera_gql.executor import Fallback
from tests.executor.comparison import CORE, RARELY, Comparison, actors_of, arguments
from tests.executor.operations import THOROUGH, Asked, examples, operations


@settings(max_examples=examples(120), **THOROUGH)
@given(operations(CORE, arguments, rarely=RARELY), st.data())
def test_all_executors_return_what_graphql_core_returns(
    comparison: Comparison, asked: Asked, data: st.DataObject
) -> None:
    comparison.compare(asked, data.draw(actors_of(comparison)))


def test_most_operations_were_planned(comparison: Comparison) -> None:
    """Runs after the tests above and checks that most of their operations were planned."""
    for executor in (Executor.PLANNED, Executor.PUSHDOWN):
        counts = comparison.transports[executor].executor_counts
        assert 3 * counts.planned > counts.fallbacks[Fallback.FAILED] > 0, counts
        assert set(counts.fallbacks) == {Fallback.FAILED}, counts
