"""A sample backend, and a real server on a loopback port for each test."""

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from tessera_gql.server.http import Transport
from tests.graphql.conftest import no_collector

from .loopback_server import served
from .sample_schema import SampleBackend


@pytest.fixture
def backend() -> SampleBackend:
    return SampleBackend()


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
