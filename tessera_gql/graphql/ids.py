"""Opaque ids: base64 of `Type:uuid`. What is no id, or of another type, is told apart from what is gone."""

import base64
import binascii
from typing import Any, Self
from uuid import UUID

import strawberry

from tessera_gql.errors import Invalid


@strawberry.interface(description="Anything with an id, which `node(id:)` finds again.")
class Node:
    row: strawberry.Private[Any]
    id: strawberry.ID = strawberry.field(description="Opaque, and unique among everything.")

    @classmethod
    def of(cls, row: Any) -> Self:
        """What shows the row; see `graphql.rows`."""
        shown = cls.__new__(cls)
        shown.row = row
        return shown


def global_id(kind: str, identity: UUID) -> strawberry.ID:
    return strawberry.ID(base64.urlsafe_b64encode(f"{kind}:{identity}".encode()).decode())


def parsed(text: str) -> tuple[str, UUID] | None:
    """The type and the id in it, or None for what is no id of ours."""
    try:
        kind, _, identity = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        return kind, UUID(identity)
    except (ValueError, binascii.Error):
        return None


def local_id(text: str, kind: str, *, field: tuple[str, ...] = ("id",)) -> UUID:
    """Raises Invalid unless it is an id of that type."""
    match parsed(text):
        case (found, identity) if found == kind:
            return identity
        case (found, _):
            message = f"This id is of type {found[:100]}, but the id of {_one(kind)} is expected here."
        case None:
            message = f"{text[:100]!r} is not an id. Use the `id` of {_one(kind)} as an answer gives it."
    raise Invalid(message, field=field)


def _one(kind: str) -> str:
    return f"an {kind}" if kind.startswith("A") else f"a {kind}"
