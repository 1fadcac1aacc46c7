"""Generate valid operations for any schema: aliases, fragments, directives with variables, arguments.

Fields that merge are the same field with the same arguments: every other one gets an alias that no other has.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedOutputType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_scalar_type,
)
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

FUZZ = os.environ.get("TESSERA_FUZZ", "")
THOROUGH = dict[str, Any](
    deadline=None,
    database=None,
    derandomize=not FUZZ,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # a failure that takes minutes to shrink is sooner understood as it is
)


def examples(few: int) -> int:
    """The number of generated operations: `few`, 2,500 with TESSERA_FUZZ=long, or the number that it holds."""
    return 2500 if FUZZ == "long" else int(FUZZ or few)


Draw = Callable[[st.SearchStrategy[Any]], Any]
Arguments = Callable[[str, GraphQLArgument, str], st.SearchStrategy[Any] | None]
"""The values to give, as JSON, to an argument of a field (named `Type.field`); None leaves the argument out."""

Allows = Callable[[GraphQLNamedOutputType, str], bool]
"""Whether operations may select a field of a type."""


@dataclass(frozen=True)
class Asked:
    text: str
    variables: dict[str, Any]


@dataclass
class OperationBuilder:
    schema: GraphQLSchema
    arguments: Arguments
    draw: Draw
    depth: int
    rarely: frozenset[str]
    """Names of arguments that usually make an operation fail, so they are chosen rarely."""
    allows: Allows = lambda _kind, _name: True
    declared: list[str] = field(default_factory=list[str])
    variables: dict[str, Any] = field(default_factory=dict[str, Any])
    fragments: list[str] = field(default_factory=list[str])
    aliases: int = 0

    def operation(self) -> Asked:
        assert self.schema.query_type is not None
        body = self.selections(self.schema.query_type, self.depth, "")
        head = f"query Q({', '.join(self.declared)})" if self.declared else "query"
        return Asked("\n".join([f"{head} {body}", *self.fragments]), self.variables)

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) < percent)

    def selections(self, kind: GraphQLNamedOutputType, depth: int, prefix: str) -> str:
        """`prefix` distinguishes the aliases below a narrowed type from those of its siblings."""
        definition = [self.selection(kind, depth, prefix) for _ in range(self.draw(st.integers(1, 4)))]
        return f"{{ {' '.join(definition)} }}"

    def selection(self, kind: GraphQLNamedOutputType, depth: int, prefix: str) -> str:
        if self.chance(25) and depth > 0:
            return self.fragment(kind, depth, prefix)
        names = [] if isinstance(kind, GraphQLUnionType) else [name for name in kind.fields if self.allows(kind, name)]  # type: ignore[union-attr]
        if depth <= 0:
            names = [name for name in names if is_leaf_type(get_named_type(self.fields(kind)[name].type))]
        if not names or self.chance(8):
            return f"{self.fresh()}: __typename" if self.chance(30) else "__typename"
        name = self.draw(st.sampled_from(names))
        return self.field(kind.name, name, self.fields(kind)[name], depth, prefix)

    @staticmethod
    def fields(kind: GraphQLNamedOutputType) -> dict[str, GraphQLField]:
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        return kind.fields

    def field(self, parent: str, name: str, definition: GraphQLField, depth: int, prefix: str) -> str:
        arguments = self.arguments_of(f"{parent}.{name}", definition)
        alias = f"{self.fresh()}: " if arguments or self.chance(15) else f"{prefix}{name}: " if prefix else ""
        kind = get_named_type(definition.type)
        below = "" if is_leaf_type(kind) else self.selections(kind, depth - 1, "")
        return f"{alias}{name}{arguments}{self.condition()} {below}"

    def arguments_of(self, path: str, definition: GraphQLField) -> str:
        parts = []
        for name, argument in definition.args.items():
            values = self.arguments(path, argument, name)
            likely = 6 if name in self.rarely else 40
            if values is None or not (is_required_argument(argument) or self.chance(likely)):
                continue
            value = self.draw(values)
            literal = isinstance(value, int | str) and is_scalar_type(get_named_type(argument.type)) and self.chance(40)
            parts.append(f"{name}: {json.dumps(value) if literal else self.variable(str(argument.type), value)}")
        return f"({', '.join(parts)})" if parts else ""

    def variable(self, kind: str, value: Any) -> str:
        name = f"v{len(self.declared)}"
        self.declared.append(f"${name}: {kind}")
        self.variables[name] = value
        return f"${name}"

    def condition(self) -> str:
        if not self.chance(12):
            return ""
        directive, value = self.draw(st.sampled_from(["include", "skip"])), self.draw(st.booleans())
        return f" @{directive}(if: {self.variable('Boolean!', value) if self.chance(60) else str(value).lower()})"

    def fragment(self, kind: GraphQLNamedOutputType, depth: int, prefix: str) -> str:
        if isinstance(kind, GraphQLObjectType):
            narrowed: GraphQLNamedOutputType = self.draw(st.sampled_from([kind, *kind.interfaces]))
        else:
            narrowed = self.draw(st.sampled_from([kind, *self.schema.get_possible_types(kind)]))  # type: ignore[arg-type]
        apart = prefix if narrowed is kind else f"{narrowed.name}_"
        body = self.selections(narrowed, depth - 1, apart)
        if self.chance(50):
            typed = "" if narrowed is kind and self.chance(30) else f" on {narrowed.name}"
            return f"...{typed}{self.condition()} {body}"
        name = f"F{len(self.fragments)}"
        self.fragments.append(f"fragment {name} on {narrowed.name} {body}")
        return " ".join(f"...{name}{self.condition()}" for _ in range(self.draw(st.integers(1, 2))))

    def fresh(self) -> str:
        self.aliases += 1
        return f"a{self.aliases}"


def operations(
    schema: GraphQLSchema,
    arguments: Arguments,
    *,
    depth: int = 5,
    rarely: frozenset[str] = frozenset(),
    allows: Allows = lambda _kind, _name: True,
) -> st.SearchStrategy[Asked]:
    @st.composite
    def build(draw: Draw) -> Asked:
        return OperationBuilder(schema, arguments, draw, depth, rarely, allows).operation()

    return build()
