"""A sample backend, and a real server on a loopback port for each test."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tessera_gql.server.http import Transport

from .loopback_server import served
from .sample_schema import SampleBackend


@pytest.fixture
def backend() -> SampleBackend:
    return SampleBackend()


@pytest.fixture
def serve() -> Callable[[Transport], AbstractAsyncContextManager[str]]:
    return served
