"""Reference server with plain graphql-core: a schema in SDL, default resolvers over rows, and the project's loaders.

Documents are parsed and validated once, and orjson serializes responses, so that only the executor differs.
"""

import os
from functools import lru_cache
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionResult, GraphQLResolveInfo, build_schema, execute, parse, validate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessera_gql.graphql import context
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store import assets, registrations
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import PageRequest

schema = build_schema(
    """
    enum ProposalStatus { PENDING APPROVED REJECTED WITHDRAWN PUBLISHED SUPERSEDED EXPIRED }
    enum RegistrationStatus { ACTIVE MIGRATING INACTIVE }
    type Team { name: String! }
    type Registration { status: RegistrationStatus! consumerTeam: Team! }
    type RegistrationConnection { nodes: [Registration!]! }
    type Proposal { status: ProposalStatus! proposedVersion: String! }
    type Contract { version: String! registrations(first: Int = 20): RegistrationConnection! }
    type Asset { fqn: String! description: String owner: Team! currentContract: Contract openProposal: Proposal }
    type AssetConnection { nodes: [Asset!]! }
    input AssetRef @oneOf { id: ID fqn: String }
    type Query { assets(first: Int = 20): AssetConnection asset(by: AssetRef!): Asset }
    """
)

Info = GraphQLResolveInfo


async def resolve_assets(_root: Any, info: Info, first: int) -> Any:
    page_request = PageRequest(order_by="fqn_key", first=first)
    return {"nodes": (await info.context.loaders.pages(assets.TABLE, None, page_request).load(None)).rows}


async def resolve_registrations(row: Any, info: Info, first: int) -> Any:
    page_request = PageRequest(order_by="registered_at", first=first)
    page = await info.context.loaders.pages(registrations.TABLE, "asset_id", page_request).load(row.asset_id)
    return {"nodes": page.rows}


def resolve_asset(_root: Any, info: Info, by: dict[str, str]) -> Any:
    return info.context.loaders.asset_by_fqn.load(assets.key(by["fqn"]))


RESOLVERS: dict[str, dict[str, Any]] = {
    "Query": {"assets": resolve_assets, "asset": resolve_asset},
    "Asset": {
        "owner": lambda row, info: info.context.loaders.team.load(row.owner_team_id),
        "currentContract": lambda row, info: info.context.loaders.active_contract.load(row.id),
        "openProposal": lambda row, info: info.context.loaders.open_proposal.load(row.id),
    },
    "Contract": {"registrations": resolve_registrations},
    "Registration": {"consumerTeam": lambda row, info: info.context.loaders.team.load(row.consumer_team_id)},
    "Proposal": {"proposedVersion": lambda row, _info: row.proposed_version},
}
for kind, fields in RESOLVERS.items():
    for field, resolver in fields.items():
        schema.type_map[kind].fields[field].resolve = resolver  # type: ignore[attr-defined] # object types, all of them

database = Database(os.environ["DATABASE_URL"])


@lru_cache
def prepared(query: str) -> DocumentNode:
    document = parse(query)
    if errors := validate(schema, document):
        raise errors[0]
    return document


async def graphql(request: Request) -> Response:
    body = orjson.loads(await request.body())
    async with context.Context(database, ANONYMOUS) as request_context:
        result = execute(
            schema, prepared(body["query"]), context_value=request_context, variable_values=body.get("variables") or {}
        )
        execution = result if isinstance(result, ExecutionResult) else await result
    assert not execution.errors, execution.errors
    return Response(orjson.dumps({"data": execution.data}), media_type="application/json")


app = Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])
