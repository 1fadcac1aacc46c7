"""What schemathesis must know of our schema, and what it must not see; it loads this file in an environment of its own."""

from typing import Any

from hypothesis import strategies
from schemathesis.graphql import nodes

JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=9),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.from_regex(r"[a-z]{1,9}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


def _node(value: Any) -> Any:
    match value:
        case None:
            return nodes.Null
        case bool():
            return nodes.Boolean(value)
        case int():
            return nodes.Int(value)
        case str():
            return nodes.String(value)
        case list():
            return nodes.List([_node(one) for one in value])
        case _:
            return nodes.Object([(name, _node(one)) for name, one in value.items()])
