"""Walk a schema from its roots to every object and field that one caller can reach."""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

Ask = Callable[[str], Awaitable[dict[str, Any]]]
BATCH = 50


class Enum(str):
    """An enum's value or a variable: written without quotes."""

    __slots__ = ()


def literal(value: Any) -> str:
    match value:
        case Enum():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{name}: {literal(item)}" for name, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case _:
            return json.dumps(value)


@dataclass
class Findings:
    """The objects and values that one caller reached."""

    objects: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Type and id."""
    cells: Counter[str] = field(default_factory=Counter[str])
    """How many values of each `Type.field` are not null."""
    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    """The texts found in a field."""
    totals: dict[str, int] = field(default_factory=dict[str, int])
    """`totalCount` of each list at a root."""
    text: list[str] = field(default_factory=list[str])
    """Whole replies, errors included."""

    def look(self, value: Any) -> None:
        match value:
            case list():
                for item in value:
                    self.look(item)
            case {"__typename": str(kind)}:
                if isinstance(identity := value.get("id"), str):
                    self.objects.add((kind, identity))
                for name, inner in value.items():
                    if name != "__typename":
                        self.cells[f"{kind}.{name}"] += inner is not None
                        if isinstance(inner, str):
                            self.names[f"{kind}.{name}"].add(inner)
                        self.look(inner)
            case _:
                return


@dataclass
class Crawler:
    schema: GraphQLSchema
    ask: Ask
    arguments: dict[str, list[dict[str, Any]]]
    """The arguments of fields that need some, by `Type.field`."""
    findings: Findings = field(default_factory=Findings)

    async def crawl(self, known_ids: Iterable[str]) -> Findings:
        """From every root, and from every object that is known or found, until nothing new is found.

        `known` are ids that exist, whether the caller may know them or not.
        """
        query = self.schema.query_type
        assert query is not None
        for name, root in query.fields.items():
            if name not in {"node", "nodes"}:
                for arguments in self.arguments.get(f"Query.{name}", [{}]):
                    await self.send(self.selected(query, name, root, arguments))
        waiting, visited = {*known_ids}, set[str]()
        while new := waiting - visited:
            visited |= new
            await self.expand(sorted(new))
            waiting |= {identity for _, identity in self.findings.objects}
        return self.findings

    async def expand(self, ids: list[str]) -> None:
        """Query every field of the objects, and continue with the objects they lead to."""
        nouns = self.schema.get_type("Node")
        assert isinstance(nouns, GraphQLInterfaceType)
        for kind in self.schema.get_possible_types(nouns):
            own = [identity for identity in ids if decoded(identity) == kind.name]
            for start in range(0, len(own), BATCH):
                listed = literal(own[start : start + BATCH])
                await self.send(f"nodes(ids: {listed}) {{ __typename ... on {kind.name} {self.body(kind, top=True)} }}")
                await self.send(f"node(id: {literal(own[start])}) {{ __typename id }}")

    async def send(self, selection: str) -> dict[str, Any]:
        declared = "($manifest: JSON!)" if "$manifest" in selection else ""
        reply = await self.ask(f"query{declared} {{ __typename {selection} }}")
        self.findings.text.append(json.dumps(reply))
        self.findings.look(reply.get("data"))
        for name, value in (reply.get("data") or {}).items():
            if isinstance(value, dict) and "totalCount" in value:
                self.findings.totals[name] = max(self.findings.totals.get(name, 0), value["totalCount"])
        return reply

    def body(self, kind: Any, *, top: bool = False) -> str:
        """The selection set of a type; a noun below the top is expanded later, and has its own values only."""
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            inner = [
                f"... on {possible_type.name} {self.body(possible_type)}"
                for possible_type in self.schema.get_possible_types(kind)
            ]
            return f"{{ __typename {' '.join(inner)} }}"
        assert isinstance(kind, GraphQLObjectType)
        if kind is self.schema.query_type:
            return "{ __typename " + " ".join(self.again()) + " }"
        fields = [
            self.selected(kind, name, field, arguments)
            for name, field in kind.fields.items()
            if top or not kind.interfaces or is_leaf_type(get_named_type(field.type))
            if kind.interfaces or get_named_type(field.type) is not kind  # nothing else is in a value of its own type
            for arguments in self.arguments.get(f"{kind.name}.{name}", [{}])[:1]
        ]
        return f"{{ __typename {' '.join(fields)} }}"

    def again(self) -> Iterable[str]:
        """The selection on a mutation's field `query`."""
        for name in ("events", "apiKeys", "webhooks", "viewer"):
            query = self.schema.query_type
            assert query is not None
            yield self.selected(query, name, query.fields[name], {})

    def selected(self, kind: GraphQLObjectType, name: str, field: GraphQLField, arguments: dict[str, Any]) -> str:
        missing = [
            key for key, argument in field.args.items() if is_required_argument(argument) and key not in arguments
        ]
        assert not missing, f"{kind.name}.{name} needs {missing}: give them in `arguments`"
        if "first" in field.args:
            arguments = {"first": 100} | arguments
        listed = ", ".join(f"{key}: {literal(value)}" for key, value in arguments.items())
        below = get_named_type(field.type)
        return f"{name}{f'({listed})' if listed else ''} {'' if is_leaf_type(below) else self.body(below)}"


def decoded(identity: str) -> str:
    """The type in a global id."""
    return base64.urlsafe_b64decode(identity).decode().partition(":")[0]


def filters(field: GraphQLField) -> Iterable[tuple[str, str, Any]]:
    """Each field of a list's filter, with its operator and the type of its value."""
    kind = get_named_type(field.args["filter"].type)
    assert isinstance(kind, GraphQLInputObjectType)
    for name, compared in kind.fields.items():
        if name in {"or", "not"}:  # these combine the others
            continue
        by = get_named_type(compared.type)
        assert isinstance(by, GraphQLInputObjectType)
        for operator, value in by.fields.items():
            yield name, operator, value.type
