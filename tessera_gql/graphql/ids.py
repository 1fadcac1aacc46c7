"""Global ids: base64 of `Type:uuid`. A malformed id and one of another type are errors; an unknown one is not."""

import base64
import binascii
from typing import Any, Self
from uuid import UUID

import strawberry

from tessera_gql.errors import Invalid


class RowBacked:
    """Base of the types whose fields `from_row` makes read a row of the database or a result of a workflow."""

    row: Any

    @classmethod
    def of(cls, row: Any) -> Self:
        """Wrap a row without running `__init__`."""
        value = cls.__new__(cls)
        value.row = row
        return value


@strawberry.interface(description="An object with a global id, which `node(id:)` returns.")
class Node(RowBacked):
    row: strawberry.Private[Any]
    id: strawberry.ID = strawberry.field(description="The global id of the object: opaque, unique across types.")


def global_id(type_name: str, row_id: UUID) -> strawberry.ID:
    """Encode a type name and a UUID as a global id."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{type_name}:{row_id}".encode()).decode())


def parse_global_id(text: str) -> tuple[str, UUID] | None:
    """Decode a global id into type name and UUID; None if it is malformed."""
    try:
        type_name, _, row_id = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        return type_name, UUID(row_id)
    except (ValueError, binascii.Error):
        return None


def local_id(text: str, type_name: str, *, field: tuple[str, ...] = ("id",)) -> UUID:
    """Decode a global id of the type. Raise Invalid if it is malformed or of another type."""
    match parse_global_id(text):
        case (actual, identity) if actual == type_name:
            return identity
        case (actual, _):
            message = f"This id is of type {actual[:100]}, but the id of {_with_article(type_name)} is expected here."
        case None:
            message = f"{text[:100]!r} is not an id. Use the `id` of {_with_article(type_name)} as an answer gives it."
    raise Invalid(message, field=field)


def _with_article(type_name: str) -> str:
    return f"an {type_name}" if type_name.startswith("A") else f"a {type_name}"
