"""The whole graph. Sort it when printing only: a sorted schema breaks enums and unions at run time."""

import strawberry
from graphql import build_schema, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from tessera_gql.graphql import assets, changes, contracts, events, nodes, proposals, publishing, registrations, teams
from tessera_gql.graphql.scalars import SCALARS


@strawberry.type(description="Everything that can be asked.")
class Query(
    assets.Queries,
    changes.Queries,
    contracts.Queries,
    events.Queries,
    nodes.Queries,
    proposals.Queries,
    registrations.Queries,
    teams.Queries,
):
    pass


@strawberry.type(description="Everything that can be done; each call is one transaction.")
class Mutation(assets.Mutations, publishing.Mutations, teams.Mutations):
    pass


schema = strawberry.Schema(query=Query, mutation=Mutation, config=StrawberryConfig(scalar_map=SCALARS))


def printed() -> str:
    """What `schema.graphql` holds."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"
