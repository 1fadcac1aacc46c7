"""The GraphQL schema. It is sorted only for printing: a sorted schema breaks enums and unions at run time."""

import strawberry
from graphql import build_schema, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig

from tessera_gql.graphql import (
    archiving,
    ask_policies,
    assets,
    change_set_answers,
    change_sets,
    changes,
    comments,
    contracts,
    dbt,
    dbt_impact,
    debts,
    deprecations,
    event_log,
    events,
    git,
    impact,
    keys,
    lineage,
    nodes,
    observed_readers,
    projects,
    proposal_mutations,
    proposals,
    registrations,
    search,
    teams,
    usage,
    usage_import,
    viewer,
    webhooks,
)
from tessera_gql.graphql.scalars import SCALARS
from tessera_gql.graphql.subscriptions import Subscription


@strawberry.type(description="The queries of the API.")
class Query(
    ask_policies.Queries,
    assets.Queries,
    impact.Queries,
    search.Queries,
    viewer.Queries,
    change_sets.Queries,
    changes.Queries,
    contracts.Queries,
    event_log.Queries,
    events.Queries,
    dbt_impact.Queries,
    debts.Queries,
    deprecations.Queries,
    keys.Queries,
    nodes.Queries,
    projects.Queries,
    proposals.Queries,
    registrations.Queries,
    teams.Queries,
    usage.Queries,
    webhooks.Queries,
):
    pass


@strawberry.type(description="The mutations of the API. Each mutation field is one transaction.")
class Mutation(
    ask_policies.Mutations,
    assets.Mutations,
    change_sets.Mutations,
    change_set_answers.Mutations,
    archiving.Mutations,
    comments.Mutations,
    proposal_mutations.Mutations,
    git.Mutations,
    keys.Mutations,
    projects.Mutations,
    lineage.Mutations,
    contracts.Mutations,
    registrations.Mutations,
    dbt.Mutations,
    debts.Mutations,
    deprecations.Mutations,
    teams.Mutations,
    usage.Mutations,
    observed_readers.Mutations,
    usage_import.Mutations,
    webhooks.Mutations,
):
    pass


schema = strawberry.Schema(
    query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
)


def print_sdl() -> str:
    """Print the schema as SDL, sorted: the content of `schema.graphql`."""
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"
