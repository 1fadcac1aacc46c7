"""Coroutines that graphql-core leaves unawaited are collected here, not in another test."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def collected() -> Iterator[None]:
    """Collect garbage after each module: where it is collected inside a named tuple, its warnings can't be filtered."""
    yield
    gc.collect()
