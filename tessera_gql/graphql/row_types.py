"""Row-backed types: each field is a property that reads a database row on demand, so creating an object is free."""

from collections.abc import Callable
from typing import Any, TypeVar

from strawberry.types import get_object_definition

from tessera_gql.executor import ComputedProperty, PathProperty
from tessera_gql.graphql.ids import Node, RowBacked, global_id

N = TypeVar("N", bound=type[RowBacked])


class GlobalIdProperty(ComputedProperty):
    """The id of a row as a global id of the type."""

    def __init__(self, type_name: str) -> None:
        super().__init__(lambda self: global_id(type_name, self.row.id), "row.id")
        self.type_name = type_name


def from_row(**overrides: str | Callable[[Any], Any]) -> Callable[[N], N]:
    """Turn the fields of a type into properties that read the column of the same name.

    `overrides` maps a field to another column, or to a function of the row. Fields with a resolver are left alone.
    Apply it above `strawberry.type`.
    """

    def decorate(cls: N) -> N:
        if issubclass(cls, Node):
            setattr(cls, "id", GlobalIdProperty(cls.__name__))  # noqa: B010 - typed otherwise
        for field in get_object_definition(cls, strict=True).fields:
            if field.base_resolver is None and field.python_name != "id":
                setattr(cls, field.python_name, _row_property(overrides.get(field.python_name, field.python_name)))
        return cls

    return decorate


def _row_property(source: str | Callable[[Any], Any]) -> property:
    return PathProperty(f"row.{source}") if isinstance(source, str) else property(lambda self: source(self.row))
