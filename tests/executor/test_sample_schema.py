"""The planned executor and graphql-core return the same data and errors on the sample schema."""

import asyncio
import json
from functools import lru_cache, partial
from typing import Any

import pytest
from graphql import DocumentNode, ExecutionResult, GraphQLArgument, OperationDefinitionNode, execute, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.dataloader import DataLoader
from strawberry.execution import optimized_is_awaitable

from tessera_gql.executor import ExecutorCounts, Fallback, PlanCache, PlannedQuery, execute_query
from tests.executor.operations import THOROUGH, Asked, examples, operations
from tests.executor.sample_schema import context as sample_context
from tests.executor.sample_schema import schema as sample_schema

CORE = sample_schema._schema

SECRETS = {"secret", "secretLater", "plainSecret", "secretFriend", "guardedBoss", "vault"}


async def referred(asked: Asked, context: Any) -> ExecutionResult:
    result = execute(
        CORE,
        parse(asked.text),
        context_value=context,
        variable_values=asked.variables,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
    )
    return result if isinstance(result, ExecutionResult) else await result


@lru_cache(maxsize=10)
def _parse(text: str) -> DocumentNode:
    """Parse a document once, since plans and variables are kept for its nodes."""
    return parse(text)


async def planned(
    asked: Asked, context: Any, counts: ExecutorCounts, plans: PlanCache | None = None
) -> ExecutionResult:
    document = _parse(asked.text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    query = PlannedQuery(CORE, document, operation, asked.variables, PlanCache() if plans is None else plans)
    return await execute_query(query, context, partial(referred, asked, context), counts)


def printable(result: ExecutionResult) -> str:
    errors = sorted((error.formatted for error in result.errors or ()), key=lambda one: str(one.get("path")))
    return json.dumps({"data": result.data, "errors": errors}, default=str)


async def compare(asked: Asked, *, admin: bool = True) -> ExecutorCounts:
    counts = ExecutorCounts()
    plans = PlanCache()
    ours = await planned(asked, sample_context(admin=admin), counts, plans)
    again = await planned(asked, sample_context(admin=admin), ExecutorCounts(), plans)
    theirs = await referred(asked, sample_context(admin=admin))
    assert_alike(ours, theirs, asked)
    assert_alike(again, theirs, asked)
    return counts


def assert_alike(ours: ExecutionResult, theirs: ExecutionResult, asked: Asked) -> None:
    """Assert equal data, and equal errors but for those that the specification leaves open.

    Once an error has made a field null, an executor may leave the other fields below it alone, or report their errors
    as well: graphql-core does the one or the other, depending on which values are loaded already.
    """
    assert json.dumps(ours.data, default=str) == json.dumps(theirs.data, default=str), asked
    ours_by_path, theirs_by_path = errors_by_path(ours), errors_by_path(theirs)
    assert ours_by_path.keys() == theirs_by_path.keys(), asked
    for null_path, errors in ours_by_path.items():
        assert errors & theirs_by_path[null_path], asked


def errors_by_path(result: ExecutionResult) -> dict[tuple[str | int, ...], set[str]]:
    """The errors of a result, by the path of the null that each has led to."""
    null_paths: dict[tuple[str | int, ...], set[str]] = {}
    for error in result.errors or ():
        value, path = result.data, [*(error.path or ())]
        depth = 0
        while value is not None and depth < len(path):
            value, depth = value[path[depth]], depth + 1
        null_paths.setdefault(tuple(path[:depth]), set()).add(json.dumps(error.formatted, default=str))
    return null_paths


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "start": st.integers(0, 3),
        "mood": st.sampled_from(["GOOD", "AWFUL", None]),
        "deep": st.lists(st.just({"start": 2}), max_size=2),
    },
)


def arguments(_path: str, _argument: GraphQLArgument, name: str) -> st.SearchStrategy[Any] | None:
    match name:
        case "wish":
            return WISHES | st.none()
        case "numbers":
            return st.lists(st.integers(0, 24), max_size=4)
        case "word":
            return st.sampled_from(["ho", ""])
        case "count":
            return st.integers(0, 9)
        case _:
            return st.integers(0, 24)


@pytest.mark.filterwarnings("ignore:.*coroutine")  # left unawaited by graphql-core, when it meets a failure
@settings(max_examples=examples(200), **THOROUGH)
@given(operations(CORE, arguments, depth=4), st.integers(0, 3))
async def test_the_planned_executor_returns_what_graphql_core_returns(asked: Asked, guests: int) -> None:
    assert validate(CORE, parse(asked.text)) == []
    counts = await compare(asked, admin=guests > 0)
    assert not counts.fallbacks[Fallback.UNSUPPORTED]


@pytest.mark.parametrize("name", sorted(SECRETS - {"vault"}))
@pytest.mark.parametrize("around", ["people {{ {} }}", "byNumbers(numbers: [3, 7]) {{ ... on Person {{ {} }} }}"])
async def test_both_executors_check_permissions(name: str, around: str) -> None:
    below = " { number }" if name in {"secretFriend", "guardedBoss"} else ""
    asked = Asked(f"{{ {around.format(name + below)} }}", {})
    for executed in (partial(planned, counts=ExecutorCounts()), referred):
        refused = await executed(asked, sample_context(admin=False))
        assert "secret " not in printable(refused).replace("plain secret", "secret ")
        assert [error.message.startswith("Admins only") for error in refused.errors or []] != []
        allowed = await executed(asked, sample_context(admin=True))
        assert allowed.errors is None
    assert (await compare(asked)).planned == 1, "a permission that is granted keeps nobody from the plan"


async def test_a_list_behind_a_denied_permission_is_null() -> None:
    asked = Asked("{ vault { number } }", {})
    assert (await planned(asked, sample_context(admin=False), ExecutorCounts())).data == {"vault": None}
    assert (await planned(asked, sample_context(admin=True), ExecutorCounts())).data == {"vault": [{"number": 1}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ people { name mood boss { id } pets { ... on Dog { tag } ... on Stone { heavy } } } }", None),
        ("{ person(number: 12) { awaitable lateItems matrix pets { __typename } shakyLater } }", None),
        ("{ person(number: 13) { id } plain }", Fallback.FAILED),
        ("query ($n: Int!) { person(number: $n) { id } }", Fallback.FAILED),
        ("{ people { endless { id } } }", Fallback.UNPLANNED),
        ("{ person(number: 5) { path } }", Fallback.UNPLANNED),
        ("{ __schema { queryType { name } } }", Fallback.INTROSPECTION),
        ('{ plain __type(name: "Dog") { name } }', Fallback.INTROSPECTION),
    ],
)
async def test_the_executor_of_each_operation_is_counted_with_the_reason(text: str, reason: Fallback | None) -> None:
    counts = await compare(Asked(text, {}))
    assert counts.planned == (reason is None)
    assert counts.fallbacks == ({reason: 1} if reason else {})


async def test_a_document_with_too_many_selections_gets_no_plan() -> None:
    layers = [f"fragment F{n} on Person {{ a: boss {{ ...F{n + 1} }} b: boss {{ ...F{n + 1} }} }}" for n in range(8)]
    text = "{ person(number: 1) { ...F0 } }" + " ".join(layers) + " fragment F8 on Person { number }"
    counts = await compare(Asked(text, {}))
    assert counts.fallbacks == {Fallback.UNSUPPORTED: 1}


async def test_parents_with_the_same_child_load_it_once() -> None:
    asked: list[list[int]] = []

    async def people(numbers: list[int]) -> list[int]:
        asked.append(numbers)
        return numbers

    context = sample_context(admin=True) | {"people": DataLoader(people)}
    result = await planned(
        Asked("{ people(count: 10) { boss(step: 0) { number } again: boss(step: 0) { name } } }", {}),
        context,
        ExecutorCounts(),
    )
    assert result.errors is None
    assert asked == [[0, 1, 2, 3, 5, 6]]


async def test_a_failure_stops_its_siblings_and_leaves_the_loaders_usable() -> None:
    loaded: list[int] = []

    async def people(numbers: list[int]) -> list[int]:
        loaded.extend(numbers)
        await asyncio.sleep(0.01)
        return numbers

    context = sample_context(admin=True) | {"people": DataLoader(people)}
    text = "{ people { boss(step: 1) { boss(step: 2) { number } } } person(number: 13) { id } }"
    result = await planned(Asked(text, {}), context, ExecutorCounts())
    assert [error.message for error in result.errors or []] == ["trouble with 13"]
    assert result.data is not None
    assert result.data["people"][2]["boss"]["boss"]["number"] == 5
    assert len(loaded) == len(set(loaded)), "what was loaded once is not loaded again"


async def test_a_plan_serves_every_outcome_of_its_conditions() -> None:
    text = "query ($a: Boolean!, $n: Int!) { person(number: $n) { id @include(if: $a) name @skip(if: $a) } }"
    document, plans = parse(text), PlanCache()
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    for yes, number in [(True, 1), (False, 2), (True, 3), (False, 4)]:
        variables = {"a": yes, "n": number}
        query, counts = PlannedQuery(CORE, document, operation, variables, plans), ExecutorCounts()
        result = await execute_query(
            query, sample_context(admin=True), partial(referred, Asked(text, variables), {}), counts
        )
        assert result.data == {"person": {"id": str(number)} if yes else {"name": f"n{number}"}}
        assert counts.planned == 1


async def test_a_huge_level_yields_to_other_tasks() -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    result = await planned(
        Asked("{ people(count: 150000) { number name } }", {}), sample_context(admin=True), ExecutorCounts()
    )
    counting.cancel()
    assert result.data is not None
    assert len(result.data["people"]) == 150_000
    assert turns >= 3


async def test_a_cancelled_operation_leaves_no_task_running() -> None:
    before = asyncio.all_tasks()
    started = asyncio.Event()

    async def people(_numbers: list[int]) -> list[int]:
        started.set()
        await asyncio.Event().wait()
        return []

    context = sample_context(admin=True) | {"people": DataLoader(people)}
    text = "{ people { boss { id } report { id } } more: people { boss { id } } }"
    waiting = asyncio.create_task(planned(Asked(text, {}), context, ExecutorCounts()))
    await started.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    loading = asyncio.all_tasks() - before
    assert {task.get_coro().__qualname__ for task in loading} <= {"dispatch_batch"}, "the loader's own statement"  # type: ignore[union-attr]
    for element in loading:
        element.cancel()
