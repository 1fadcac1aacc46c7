"""Fixtures that execute an operation as a client would send it, without a network."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from tessera_gql.config import Profile
from tessera_gql.executor import core_schema
from tessera_gql.graphql import context
from tessera_gql.graphql.pushdown import plan_pushdown
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import ANONYMOUS, Actor
from tessera_gql.server.documents import DocumentCache
from tessera_gql.server.http import Transport, execute
from tessera_gql.server.limits import Limits
from tessera_gql.store.database import Database
from tests.conftest import statements


class Ask(Protocol):
    def __call__(self, query: str, *, actor: Actor = ..., **variables: Any) -> Awaitable[dict[str, Any]]: ...


async def anyone(_credential: str | None) -> Actor:
    return ANONYMOUS


@pytest.fixture
def transport(database: Database) -> Transport:
    documents = DocumentCache(core_schema(schema), Limits(), Profile.LOCKED)
    resources = context.Resources(find_operation=documents.find_operation)
    return Transport(
        schema=core_schema(schema),
        authenticate=anyone,
        open_operation_context=lambda identity: context.Context(database, identity, resources),
        profile=Profile.OPEN,
        plan_pushdown=plan_pushdown,
    )


@pytest.fixture
def answer(transport: Transport) -> Ask:
    """The whole reply."""

    async def run(query: str, *, actor: Actor = ANONYMOUS, **variables: Any) -> dict[str, Any]:
        return await execute(transport, query=query, variables=variables, identity=actor)

    return run


@pytest.fixture
def ask(answer: Ask) -> Ask:
    """The data of an operation that must not fail."""

    async def run(query: str, *, actor: Actor = ANONYMOUS, **variables: Any) -> dict[str, Any]:
        reply = await answer(query, actor=actor, **variables)
        assert "errors" not in reply, reply["errors"]
        return reply["data"]

    return run


@pytest.fixture
def counted(database: Database) -> Callable[[], AbstractContextManager[list[str]]]:
    """`with counted() as statements:` collects the SQL that is executed meanwhile."""
    return lambda: statements(database)
