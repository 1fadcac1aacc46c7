"""A real server on a loopback port for each test that asks for one."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tessera_gql.server.http import Transport

from .loopback_server import served
from .sample_schema import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def serve() -> Callable[[Transport], AbstractAsyncContextManager[str]]:
    return served
