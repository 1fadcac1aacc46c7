"""Global ids in the schema. A malformed id and one of another type are errors; an unknown one is not."""

from typing import Any, Self
from uuid import UUID

import strawberry

from tessera_gql.errors import Invalid
from tessera_gql.policy.global_ids import decode_global_id, encode_global_id


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
    return strawberry.ID(encode_global_id(type_name, row_id))


def local_id(text: str, type_name: str, *, field: tuple[str, ...] = ("id",)) -> UUID:
    """Decode a global id of the type. Raise Invalid if it is malformed or of another type."""
    match decode_global_id(text):
        case (actual, identity) if actual == type_name:
            return identity
        case (actual, _):
            message = f"This id is of type {actual[:100]}, but the id of {_with_article(type_name)} is expected here."
        case None:
            message = f"{text[:100]!r} is not an id. Use the `id` of {_with_article(type_name)} as an answer gives it."
    raise Invalid(message, field=field)


def _with_article(type_name: str) -> str:
    return f"an {type_name}" if type_name.startswith("A") else f"a {type_name}"
