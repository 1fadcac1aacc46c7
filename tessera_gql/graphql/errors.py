"""Refusals as GraphQL errors: `UserError` values in mutation payloads, and coded top-level errors."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLError

from tessera_gql.errors import Refusal, Unavailable
from tessera_gql.graphql.enums import UserErrorCode
from tessera_gql.store.session import TooMuchJson


@strawberry.type(description="A reason why a mutation was refused. A refused mutation changes nothing.")
class UserError:
    """A refusal in the `errors` of a mutation payload."""

    code: UserErrorCode = strawberry.field(description="The kind of the error, for programs.")
    field: list[str] | None = strawberry.field(
        description="The path to the input field at fault, from the outermost name; null if no field is at fault."
    )
    message: str = strawberry.field(description="A message for people: what was refused, why, and what to do next.")

    @classmethod
    def from_refusal(cls, refusal: Refusal, input_names: Mapping[str, str], input_: Any) -> "UserError":
        """Convert a refusal. `input_names` maps input names of the command to those of the schema.

        A field that `input_` does not have is left out.
        """
        path = [to_camel_case(input_names.get(part, part)) for part in refusal.field if part != "input"]
        input_fields = {to_camel_case(field.name) for field in dataclasses.fields(input_)}
        field_path = ["input", *path] if path and path[0] in input_fields else None
        return cls(code=UserErrorCode(refusal.code), field=field_path, message=refusal.message)


def to_camel_case(name: str) -> str:
    first, *remaining = name.split("_")
    return first + "".join(part.capitalize() for part in remaining)


def to_graphql_error(error: Exception) -> GraphQLError | None:
    """Convert an exception that clients may see into a coded error; None for internal failures."""
    if isinstance(error, Unavailable):
        outcome = {"maybeDone": True} if error.maybe_done else {}
        return GraphQLError(error.message, extensions={"code": error.code, "retryable": True, **outcome})
    if isinstance(error, TooMuchJson):
        message = "The answer needs more JSON (schemas, metadata) than one request may read. Ask for smaller pages."
        return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": "json"})
    return None
