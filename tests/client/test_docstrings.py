"""The docstring of each method of the clients says what it raises, and its example runs, with both clients."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tessera_gql import client
from tessera_gql.client import AsyncTesseraClient, TesseraClient, enums, errors
from tessera_gql.client.methods import ClientMethod, ClientMethods
from tessera_gql.client.operation import Operation, PaginatedQuery, Subscription
from tests.e2e.server import ROOT, serving

METHODS: dict[str, Callable[..., Any]] = {
    name: getattr(TesseraClient, name)
    for name, member in vars(ClientMethods).items()
    if isinstance(member, ClientMethod)
}
EXCEPTIONS = {name for name in dir(errors) if inspect.isclass(getattr(errors, name))}
EXAMPLE = re.compile(r"^Example:\n((?:    .*\n?|\n)+)", re.MULTILINE)


def example_of(method: Callable[..., Any]) -> str:
    match = EXAMPLE.search(inspect.getdoc(method) or "")
    assert match, f"{method.__name__} has no example"
    return textwrap.dedent(match[1])


@pytest.mark.parametrize("name", METHODS)
def test_each_method_says_what_it_does_what_it_raises_and_has_an_example_that_calls_it(name: str) -> None:
    text = inspect.getdoc(METHODS[name]) or ""
    summary, *_ = text.split("\n\n")
    assert summary.endswith(".")
    assert len(summary.split()) >= 4
    raised = re.findall(
        r"(?:Raises|,|;|and) ([A-Z]\w+)", " ".join(re.findall(r"Raises .*?\.(?:\s|$)", text, re.DOTALL))
    )
    assert set(raised) & EXCEPTIONS or " as `" in text, f"{name} does not say what it raises"
    assert f"tessera.{name}(" in example_of(METHODS[name])


class ToAsync(ast.NodeTransformer):
    """Turns an example of the synchronous client into one of the asynchronous client."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(value=ast.Name(id="tessera"), attr=name) if not is_stream(METHODS[name]):
                return ast.Await(node)
            case ast.Name(id="next"):  # of a generator expression over a list, or of its iterator
                return ast.Await(ast.Call(ast.Name("anext", ast.Load()), node.args, []))
            case ast.Name(id="iter"):
                return ast.Call(ast.Name("aiter", ast.Load()), node.args, [])
            case _:
                return node

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        if self._is_call_of_stream(node.iter):
            return ast.AsyncFor(node.target, node.iter, node.body, node.orelse)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.is_async = int(self._is_call_of_stream(node.iter))
        return node

    @staticmethod
    def _is_call_of_stream(node: ast.expr) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="tessera"), attr=name)):
                return is_stream(METHODS[name])
            case _:
                return False


def is_stream(method: Callable[..., Any]) -> bool:
    result = inspect.signature(method).return_annotation
    return (getattr(result, "__origin__", result)) in {PaginatedQuery, Subscription}


def test_a_method_either_returns_a_value_or_iterates() -> None:
    for method in METHODS.values():
        result = inspect.signature(method).return_annotation
        assert getattr(result, "__origin__", result) in {Operation, PaginatedQuery, Subscription}


@pytest.fixture
def names() -> dict[str, Any]:
    members = {name: getattr(client, name) for name in client.__all__}
    members |= {name: member for name, member in vars(enums).items() if inspect.isclass(member)}
    manifest = Path(ROOT / "tessera_gql/cli/shop_manifest.json")
    return {**members, "UTC": UTC, "datetime": datetime, "timedelta": timedelta, "manifest": manifest, "print": len_of}


def len_of(*values: object) -> int:
    """Take the place of `print`, whose output no reader needs."""
    return len([str(value) for value in values])


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path, "--demo") as server:
        yield server.url


@pytest.mark.long
def test_the_examples_run_one_after_the_other_with_the_synchronous_client(url: str, names: dict[str, Any]) -> None:
    with TesseraClient(url) as tessera:
        for name, method in METHODS.items():
            code = compile(example_of(method), name, "exec")
            exec(code, {**names, "tessera": tessera})  # our own docstrings


@pytest.mark.long
async def test_the_examples_run_with_the_asynchronous_client_with_await_and_async_for(
    url: str, names: dict[str, Any]
) -> None:
    async with AsyncTesseraClient(url) as tessera:
        for name, method in METHODS.items():
            tree = ast.fix_missing_locations(ToAsync().visit(ast.parse(example_of(method))))
            code = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, {**names, "tessera": tessera})  # our own docstrings
            if inspect.isawaitable(result):
                await result
