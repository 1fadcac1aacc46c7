"""Types that show a row: made for nothing, each field read from the row only when it is asked for."""

from collections.abc import Callable
from typing import Any, TypeVar

from strawberry.types import get_object_definition

from tessera_gql.executor import Reading, Through
from tessera_gql.graphql.ids import Node, global_id

N = TypeVar("N", bound=type[Node])


def from_row(**unlike: str | Callable[[Any], Any]) -> Callable[[N], N]:
    """A field is the column of its name, unless told here: the name of another, or what is made of the row.

    To be written above `strawberry.type`; fields with a resolver stay as they are.
    """

    def decorate(kind: N) -> N:
        setattr(kind, "id", Reading(lambda self: global_id(kind.__name__, self.row.id), "row.id"))  # noqa: B010 - typed otherwise
        for field in get_object_definition(kind, strict=True).fields:
            if field.base_resolver is None and field.python_name != "id":
                setattr(kind, field.python_name, _read(unlike.get(field.python_name, field.python_name)))
        return kind

    return decorate


def _read(how: str | Callable[[Any], Any]) -> property:
    return Through(f"row.{how}") if isinstance(how, str) else property(lambda self: how(self.row))
