"""Complete leaf values with one generated function per selection, which builds the objects of a level.

Values equal graphql-core's exactly. A value that could differ raises UnplannedValue.
"""

import keyword
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, reduce
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

CompleteValue: TypeAlias = Callable[[Any], Any]
BuildObjects: TypeAlias = Callable[[Sequence[Any]], list[dict[str, Any]]]


class UnplannedValue(Exception):  # noqa: N818 - not a failure: the reference executor takes over
    """A field has a value that plans do not support."""


@lru_cache(maxsize=2_000)
def create_leaf_completer(type_: GraphQLOutputType) -> CompleteValue:
    """Return the function that completes a leaf value of this type. It is cached for all documents."""
    match type_:
        case GraphQLNonNull():
            return _require_value(create_leaf_completer(type_.of_type))
        case GraphQLList():
            complete_item = create_leaf_completer(cast("GraphQLOutputType", type_.of_type))
            return lambda value: None if value is None else [complete_item(item) for item in require_list(value)]
        case _:
            return _coerce_with(cast("Any", type_).coerce_output_value)


def _require_value(inner: CompleteValue) -> CompleteValue:
    def complete(value: Any) -> Any:
        if (result := inner(value)) is None:
            raise UnplannedValue("null where none may be")
        return result

    return complete


def _coerce_with(coerce: CompleteValue) -> CompleteValue:
    def complete(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception) or hasattr(value, "__await__") or value is Undefined:
            raise UnplannedValue(f"{type(value).__name__} as a value")
        if (result := coerce(value)) is None or result is Undefined:
            raise UnplannedValue("a value that is serialised to nothing")
        return result

    return complete


def require_list(value: Any) -> Iterable[Any]:
    """Return a list value. An iterator is refused, because the reference executor could not read it again."""
    if type(value) is list:
        return value
    if not is_iterable(value) or hasattr(value, "__next__") or hasattr(value, "__aiter__"):
        raise UnplannedValue(f"{type(value).__name__} as a list")
    return value


@dataclass
class ObjectBuilder:
    """Collects the leaf fields of a selection and compiles them into a function."""

    constants: dict[str, Any] = field(default_factory=dict[str, Any])
    holders: dict[str, str] = field(default_factory=dict[str, str])
    """Attributes whose own attributes are read, and their variables in the generated code."""
    reads: list[str] = field(default_factory=list[str])
    """Lines of generated code that read and complete values."""
    members: list[str] = field(default_factory=list[str])

    def constant(self, key: str, value: str | None) -> None:
        """Add a constant member. None reserves the position of a value that is filled in later."""
        self.members.append(f"{key!r}: {value!r}")

    def attribute(self, key: str, path: str, kind: GraphQLOutputType) -> None:
        """Add a leaf value. `path` is an attribute name, or several joined by dots."""
        number = len(self.reads)
        value = f"v{number}"
        holder, _, name = path.rpartition(".")
        variable = self.holders.setdefault(holder, f"h{len(self.holders)}") if holder else "o"
        self.reads.append(f"{value} = {_format_read(variable, name)}")
        self.reads.append(self._format_completion(value, number, kind))
        self.members.append(f"{key!r}: {value}")

    def _format_completion(self, value: str, number: int, kind: GraphQLOutputType) -> str:
        """Generate the completion of a value, which is skipped for a value of exactly the expected class."""
        self.constants[f"f{number}"] = create_leaf_completer(kind)
        nullable_type, unless_null = kind, f" and {value} is not None"
        if isinstance(kind, GraphQLNonNull):
            nullable_type, unless_null = kind.of_type, ""
        call = f"{value} = f{number}({value})"
        if nullable_type in (GraphQLString, GraphQLID):
            return f"if type({value}) is not str{unless_null}: {call}"
        if nullable_type is GraphQLBoolean:
            return f"if type({value}) is not bool{unless_null}: {call}"
        if nullable_type is GraphQLInt:
            return f"if (type({value}) is not int or not -2147483648 <= {value} <= 2147483647){unless_null}: {call}"
        if isinstance(nullable_type, GraphQLEnumType) and (names := _enum_names(nullable_type)):
            self.constants[f"e{number}"], self.constants[f"n{number}"] = names
            return f"if type({value}) is e{number}: {value} = n{number}[{value}]\n        else: {call}"
        return f"if {value} is not None: {call}" if unless_null else call

    def compile(self) -> BuildObjects:
        """Compile the function that builds an object for each parent."""
        holders = [
            f"{variable} = {reduce(_format_read, path.split('.'), 'o')}" for path, variable in self.holders.items()
        ]
        reads = "".join(f"        {line}\n" for line in [*holders, *self.reads])
        text = (
            f"def build(parents):\n    built = []\n    for o in parents:\n{reads}"
            f"        built.append({{{', '.join(self.members)}}})\n    return built\n"
        )
        namespace = dict(self.constants)
        exec(_compile(text), namespace)  # noqa: S102 - all names are validated identifiers or quoted
        return cast("BuildObjects", namespace.pop("build"))  # a function in its own globals would be a reference cycle


def _format_read(holder: str, name: str) -> str:
    plain = name.isidentifier() and not keyword.iskeyword(name)
    return f"{holder}.{name}" if plain else f"getattr({holder}, {name!r})"


@lru_cache(maxsize=512)
def _compile(text: str) -> CodeType:
    return compile(text, "<selection>", "exec")


def _enum_names(enum_type: GraphQLEnumType) -> tuple[type[Enum], dict[Enum, str]] | None:
    """Return the Python enum of a GraphQL enum and the name of each member; None without a Python enum."""
    enum = getattr(enum_type, "wrapped_cls", None)
    if not isinstance(enum, type) or not issubclass(enum, Enum):
        return None
    return enum, {member: enum_type.coerce_output_value(member) for member in enum}


def is_leaf(type_: GraphQLOutputType) -> bool:
    """Return whether the named type has no selections."""
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return is_leaf_type(type_)
