"""The values that need no further query: one generated function makes the objects of a level, keys in their order.

Each value is what graphql-core would have made of it, to the letter; whatever could be otherwise raises.
"""

import keyword
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from types import CodeType
from typing import Any, TypeAlias, cast

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    is_leaf_type,
)
from graphql.pyutils import is_iterable

Finish: TypeAlias = Callable[[Any], Any]
Build: TypeAlias = Callable[[Sequence[Any]], list[dict[str, Any]]]


class Unplanned(Exception):  # noqa: N818 - no failure: the reference executor takes the query
    """The plan can't give this answer; the message says what it met."""


@lru_cache(maxsize=2_000)
def finisher(kind: GraphQLOutputType) -> Finish:
    """What completes one value of a type without selections; fields of all documents share it."""
    match kind:
        case GraphQLNonNull():
            return _present(finisher(kind.of_type))
        case GraphQLList():
            each = finisher(cast("GraphQLOutputType", kind.of_type))
            return lambda value: None if value is None else [each(one) for one in items(value)]
        case _:
            return _coerced(cast("Any", kind).coerce_output_value)


def _present(inner: Finish) -> Finish:
    def present(value: Any) -> Any:
        if (found := inner(value)) is None:
            raise Unplanned("null where none may be")
        return found

    return present


def _coerced(coerce: Finish) -> Finish:

    def finish(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception) or hasattr(value, "__await__") or value is Undefined:
            raise Unplanned(f"{type(value).__name__} as a value")
        if (found := coerce(value)) is None or found is Undefined:
            raise Unplanned("a value that is serialised to nothing")
        return found

    return finish


def items(value: Any) -> Iterable[Any]:
    """The items of a list; an iterator isn't begun, because it could not be read again."""
    if type(value) is list:
        return value
    if not is_iterable(value) or hasattr(value, "__next__") or hasattr(value, "__aiter__"):
        raise Unplanned(f"{type(value).__name__} as a list")
    return value


@dataclass
class Builder:
    """Collects the fields of one object type; `made` compiles them."""

    constants: dict[str, Any] = field(default_factory=dict[str, Any])
    holders: dict[str, str] = field(default_factory=dict[str, str])
    """What is read once for several attributes of it, and the variable it is kept in."""
    reads: list[str] = field(default_factory=list[str])
    members: list[str] = field(default_factory=list[str])

    def constant(self, key: str, value: str | None) -> None:
        """Always this; None also keeps the place of what comes later."""
        self.members.append(f"{key!r}: {value!r}")

    def attribute(self, key: str, path: str, kind: GraphQLOutputType) -> None:
        """`path` is a name, or two with a dot between them."""
        number = len(self.reads)
        value = f"v{number}"
        holder, _, name = path.rpartition(".")
        held = self.holders.setdefault(holder, f"h{len(self.holders)}") if holder else "o"
        self.reads.append(f"{value} = {_read(held, name)}")
        self.reads.append(self._finished(value, number, kind))
        self.members.append(f"{key!r}: {value}")

    def _finished(self, value: str, number: int, kind: GraphQLOutputType) -> str:
        """Values of exactly the expected class are taken without a call."""
        self.constants[f"f{number}"] = finisher(kind)
        named, absent = kind, f" and {value} is not None"
        if isinstance(kind, GraphQLNonNull):
            named, absent = kind.of_type, ""
        otherwise = f"{value} = f{number}({value})"
        if named in (GraphQLString, GraphQLID):
            return f"if type({value}) is not str{absent}: {otherwise}"
        if named is GraphQLBoolean:
            return f"if type({value}) is not bool{absent}: {otherwise}"
        if named is GraphQLInt:
            return f"if (type({value}) is not int or not -2147483648 <= {value} <= 2147483647){absent}: {otherwise}"
        if isinstance(named, GraphQLEnumType) and (names := _names(named)):
            self.constants[f"e{number}"], self.constants[f"n{number}"] = names
            return f"if type({value}) is e{number}: {value} = n{number}[{value}]\n        else: {otherwise}"
        return f"if {value} is not None: {otherwise}" if absent else otherwise

    def made(self) -> Build:
        held = [f"{variable} = {_read('o', name)}" for name, variable in self.holders.items()]
        reads = "".join(f"        {line}\n" for line in [*held, *self.reads])
        text = (
            f"def build(parents):\n    built = []\n    for o in parents:\n{reads}"
            f"        built.append({{{', '.join(self.members)}}})\n    return built\n"
        )
        space = dict(self.constants)
        exec(_compiled(text), space)  # noqa: S102 - of names that GraphQL and Python have checked, or quoted
        return cast("Build", space.pop("build"))  # a function within its own globals would be a cycle


def _read(holder: str, name: str) -> str:
    plain = name.isidentifier() and not keyword.iskeyword(name)
    return f"{holder}.{name}" if plain else f"getattr({holder}, {name!r})"


@lru_cache(maxsize=512)
def _compiled(text: str) -> CodeType:
    return compile(text, "<selection>", "exec")


def _names(kind: GraphQLEnumType) -> tuple[type[Enum], dict[Enum, str]] | None:
    """The Python enum behind it and the name of each member, if that is all there is to it."""
    enum = getattr(kind, "wrapped_cls", None)
    if not isinstance(enum, type) or not issubclass(enum, Enum):
        return None
    return enum, {member: kind.coerce_output_value(member) for member in enum}


def is_leaf(kind: GraphQLOutputType) -> bool:
    """Whether it takes no selections, however it is wrapped."""
    while isinstance(kind, GraphQLNonNull | GraphQLList):
        kind = kind.of_type
    return is_leaf_type(kind)
