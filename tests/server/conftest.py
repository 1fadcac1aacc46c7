"""A real server on a loopback port for each test that asks for one."""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from tessera_gql.server.http import Transport

from .server import served
from .toy import House


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def serve() -> Callable[[Transport], AbstractAsyncContextManager[str]]:
    return served


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Objects freed during the test are freed because nothing refers to them."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
