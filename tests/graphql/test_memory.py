"""Documents and contexts are freed by reference counting, without the garbage collector."""

import gc
from weakref import ref

import pytest
from graphql.execution.values import VariableValues

from tessera_gql.config import Profile
from tessera_gql.executor import MutationExecutor, ReferenceExecutor
from tessera_gql.graphql.context import Context
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.server.documents import DocumentCache, Operation
from tessera_gql.server.http import Transport, execute
from tessera_gql.server.limits import Limits
from tessera_gql.store.session import Session
from tests.server.live_objects import find_live_types
from tests.world import World

ADMINISTRATOR = Actor("tests", scopes=frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN}))
QUERY = "{ assets(first: 5) { nodes { fqn compatibilityMode owner { name } currentContract { version schema } } } }"
CORE = schema._schema


@pytest.mark.usefixtures("no_collector")
def test_a_document_evicted_from_the_cache_is_freed_with_its_plan() -> None:
    cache = DocumentCache(CORE, Limits(cached_tokens=100), Profile.OPEN)
    cache.prepare(QUERY)
    operation = cache.prepare(QUERY)  # is cached when it is sent again
    assert isinstance(operation, Operation)
    assert operation.document.loc is not None
    plan = operation.plans.get(CORE, operation.document, operation.node, VariableValues({}, {}))
    plan.root.build([])
    references = [ref(plan), ref(plan.root), ref(plan.root.build), ref(operation.document.loc.source)]
    gc.collect()  # of what the validation has left
    del operation, plan
    assert all(reference() is not None for reference in references)
    for _ in range(2):
        cache.prepare("{ teams { nodes { id } } }" + " " * 50_000)
    assert [reference() for reference in references] == [None] * len(references)


@pytest.mark.usefixtures("no_collector")
async def test_a_closed_context_is_freed_with_its_rows(world: World, transport: Transport) -> None:
    asset = await world.published(consumers=1)
    async with transport.open_operation_context(ANONYMOUS) as context:
        assert await context.loaders.asset.load(asset.id) is not None
        references = [ref(context), ref(context.loaders), ref(context.loaders.asset)]
    del context
    assert [reference() for reference in references] == [None] * len(references)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "query",
    [
        QUERY,
        "{ __schema { types { name } } }",
        'mutation { createTeam(input: {name: "orders"}) { team { id name } errors { message } } }',
        'mutation { createTeam(input: {name: ""}) { errors { message } } }',
    ],
    ids=["query", "introspection", "mutation", "refused mutation"],
)
async def test_an_ended_operation_is_freed_with_its_context(world: World, transport: Transport, query: str) -> None:
    await world.published(consumers=1)
    reply = await execute(transport, query=query, variables={}, identity=ADMINISTRATOR)
    assert "errors" not in reply
    assert find_live_types(Context, Session, ReferenceExecutor, MutationExecutor) == set()


def test_a_document_with_many_plans_and_sizes_takes_more_of_the_cache() -> None:
    cache = DocumentCache(CORE, Limits(), Profile.OPEN)
    query = """query($n: Int, $a: Boolean!, $b: Boolean!) {
      assets(first: $n) { nodes { id @skip(if: $a) fqn @skip(if: $b) } } }"""
    for _ in range(2):
        cache.prepare(query)
    alone = cache._weight
    for number in range(4):
        variables = {"n": number + 1, "a": bool(number & 1), "b": bool(number & 2)}
        operation = cache.prepare(query, variables)
        assert isinstance(operation, Operation)
        coerced = VariableValues(dict.fromkeys(variables), variables)  # type: ignore[misc]
        operation.plans.get(CORE, operation.document, operation.node, coerced)
    cache.prepare(query)
    assert 2.5 * alone < cache._weight < 4 * alone
