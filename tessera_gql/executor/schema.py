"""From a Strawberry schema to the schema that graphql-core and the planned executor execute."""

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as ReferenceExecutor

__all__ = ["ReferenceExecutor", "core_schema"]


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """Return the schema of graphql-core. Operations bypass Strawberry's pipeline, so schema extensions are rejected."""
    if schema.extensions or schema.directives:
        raise ValueError("The executors run neither schema extensions nor operation directives: remove them.")
    return schema._schema  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - it has no public name
