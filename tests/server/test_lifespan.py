"""The lifespan of the application ends however it is left."""

import asyncio

import pytest

from tessera_gql.app import create_app
from tessera_gql.components import create_components
from tessera_gql.config import Settings


class _FailureError(Exception):
    """What goes wrong within the lifespan."""


async def test_a_failure_within_the_lifespan_ends_it_and_its_background_tasks(database_url: str) -> None:
    app = create_app(create_components(Settings(admin_key="k" * 40, metrics="off", database_url=database_url)))
    before = asyncio.all_tasks()
    with pytest.raises(_FailureError):
        async with asyncio.timeout(20), app.router.lifespan_context(app):
            raise _FailureError
    assert {task.get_name() for task in asyncio.all_tasks() - before if not task.done()} == set()
