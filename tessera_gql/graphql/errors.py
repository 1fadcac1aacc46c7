"""A refused mutation as the graph tells it: a value in the payload's `errors`, never a top-level error."""

import dataclasses
from typing import Any

import strawberry
from graphql import GraphQLError

from tessera_gql.errors import Refusal, Unavailable
from tessera_gql.graphql.words import UserErrorCode
from tessera_gql.store.session import TooMuchJson


@strawberry.type(description="A reason why a mutation was refused. A refused mutation changes nothing.")
class UserError:
    code: UserErrorCode = strawberry.field(description="The kind of the error, for programs.")
    field: list[str] | None = strawberry.field(
        description="The path to the input field at fault, from the outermost name; null if no field is at fault."
    )
    message: str = strawberry.field(description="A message for people: what was refused, why, and what to do next.")

    @classmethod
    def of(cls, refusal: Refusal, renamed: dict[str, str], asked: Any) -> "UserError":
        """`renamed` maps a verb's name of an input to the graph's; what `asked` lacks is not blamed."""
        path = [camel(renamed.get(part, part)) for part in refusal.field if part != "input"]
        known = {camel(field.name) for field in dataclasses.fields(asked)}
        blamed = ["input", *path] if path and path[0] in known else None
        return cls(code=UserErrorCode(refusal.code), field=blamed, message=refusal.message)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def translate(error: Exception) -> GraphQLError | None:
    """What a resolver met that is not its own fault."""
    if isinstance(error, Unavailable):
        return GraphQLError(error.message, extensions={"code": error.code, "retryable": True})
    if isinstance(error, TooMuchJson):
        message = "The answer needs more JSON (schemas, metadata) than one request may read. Ask for smaller pages."
        return GraphQLError(message, extensions={"code": "QUERY_TOO_COMPLEX", "limit": "json"})
    return None
