"""Each resolver of a mutation runs once, and the selection of its payload is executed by a plan or by graphql-core."""

from typing import Self

import pytest
import strawberry

from tessera_gql.config import Executor
from tessera_gql.executor import core_schema
from tessera_gql.server.operations import Reply, execute
from tessera_gql.server.transport import Transport
from tests.graphql.conftest import anyone


@strawberry.type
class Part:
    number: int

    @strawberry.field
    async def half(self) -> int:
        if self.number % 2:
            raise ValueError("odd")
        return self.number // 2


@strawberry.type
class Payload:
    parts: list[Part | None]

    @strawberry.field
    def calls(self) -> int:
        return len(CALLS)


CALLS: list[int] = []


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def split(self, number: int) -> Payload | None:
        CALLS.append(number)
        if number < 0:
            raise ValueError("negative")
        return Payload(parts=[Part(number=item) for item in range(number)])


class Context:
    """A context that counts how often it discards what a plan has loaded."""

    resets = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def reset(self) -> None:
        self.resets += 1


async def run(document: str, executor: Executor) -> tuple[Reply, int]:
    """Run a document. Returns its reply without the references of failures, and the number of resets."""
    context = Context()
    CALLS.clear()
    transport = Transport(
        schema=core_schema(strawberry.Schema(query=Query, mutation=Mutation)),
        authenticate=anyone,
        open_operation_context=lambda _identity: context,
        executor=executor,
    )
    reply = await execute(transport, query=document)
    return {"data": reply["data"], "errors": [error.get("path") for error in reply.get("errors", ())]}, context.resets


@pytest.mark.parametrize(
    ("document", "resets", "calls"),
    [
        ("mutation { split(number: 3) { calls parts { number } } }", 0, [3]),
        ("mutation { split(number: 1) { parts { number half: __typename } } }", 0, [1]),
        ("mutation { a: split(number: 1) { calls } b: split(number: 2) { calls parts { number } } }", 0, [1, 2]),
        ("mutation { split(number: 4) { calls parts { number half } } }", 1, [4]),
        ("mutation { a: split(number: -1) { calls } b: split(number: 2) { calls } }", 0, [-1, 2]),
        ("mutation { ...all } fragment all on Mutation { split(number: 2) { parts { number } } }", 0, [2]),
    ],
    ids=["plain", "alias", "two in their order", "an error below", "an error of a resolver", "fragments"],
)
async def test_replies_equal_those_of_graphql_core(document: str, resets: int, calls: list[int]) -> None:
    reply, reset_count = await run(document, Executor.PLANNED)
    assert (reset_count, CALLS) == (resets, calls)
    expected, _ = await run(document, Executor.REFERENCE)
    assert reply == expected
