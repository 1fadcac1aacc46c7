"""Hooks that teach schemathesis our scalars and exclude fields it must not call."""

import json
from typing import Any

import schemathesis
from graphql import NameNode, ObjectFieldNode, ObjectValueNode
from hypothesis import strategies
from schemathesis.graphql import nodes

KEYS = strategies.from_regex(r"[a-z]{1,9}", fullmatch=True)
SCALARS = strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=9)
VALUES = strategies.recursive(
    SCALARS,
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TIMES = strategies.datetimes().map(lambda time: f"{time.isoformat()}Z") | strategies.text(max_size=20)


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
            return nodes.List([_node(item) for item in value])
        case _:
            fields = (ObjectFieldNode(name=NameNode(value=name), value=_node(item)) for name, item in value.items())
            return ObjectValueNode(fields=(*fields,))


schemathesis.graphql.scalar("JSON", VALUES.map(_node))
schemathesis.graphql.scalar("DateTime", TIMES.map(nodes.String))
schemathesis.graphql.scalar("URL", strategies.text(max_size=20).map(nodes.String))


@schemathesis.check
def nothing_of_ours_failed(_context: Any, response: Any, _case: Any) -> None:
    """Fail for a reply with code INTERNAL; refusals are correct."""
    assert response.status_code < 500, response.content
    reply = json.loads(response.content)
    codes = [error["extensions"]["code"] for error in reply.get("errors", ())]
    assert "INTERNAL" not in codes, reply
