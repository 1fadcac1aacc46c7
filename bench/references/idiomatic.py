"""Reference server with idiomatic Strawberry: types with resolvers, ORM entities, DataLoaders and its ASGI view.

It reads DATABASE_URL, and has no authentication and no limits.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

import strawberry
from sqlalchemy import func
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from tessera_gql.policy.enums import OPEN_STATUSES, ContractStatus, ProposalStatus, RegistrationStatus
from tessera_gql.store import tables
from tessera_gql.store.engine import create_engine

sessions = async_sessionmaker(create_engine(os.environ["DATABASE_URL"]), expire_on_commit=False)

for status in (ProposalStatus, RegistrationStatus):
    strawberry.enum(cast("Any", status))


async def entities(statement: Any) -> Sequence[Any]:
    """Load entities in a new session, because concurrent resolvers must not share one."""
    async with sessions() as session:
        return (await session.scalars(statement)).all()


def loader(model: type[SQLModel], key: str, *conditions: Any) -> Callable[[], DataLoader[UUID, Any]]:
    async def load(keys: list[UUID]) -> list[Any]:
        statement = select(model).where(getattr(model, key).in_(keys), *conditions)
        entities_by_key = {getattr(entity, key): entity for entity in await entities(statement)}
        return [entities_by_key.get(entity_key) for entity_key in keys]

    return lambda: DataLoader(load_fn=load)


async def load_registrations(keys: list[tuple[UUID, int]]) -> list[list[tables.Registration]]:
    """Load the first registrations of each asset."""
    model = tables.Registration
    position = func.row_number().over(
        partition_by=cast("Any", model.asset_id), order_by=(cast("Any", model.registered_at), cast("Any", model.id))
    )
    numbered = (
        select(model, position.label("place"))
        .where(cast("Any", model.asset_id).in_({asset for asset, _ in keys}))
        .subquery()
    )
    registration = aliased(model, numbered)
    largest_page = max(first for _, first in keys)
    statement = select(registration).where(numbered.c.place <= largest_page).order_by(numbered.c.place)
    by_asset: dict[UUID, list[tables.Registration]] = defaultdict(list)
    for entity in await entities(statement):
        by_asset[entity.asset_id].append(entity)
    return [by_asset[asset][:first] for asset, first in keys]


LOADERS = {
    "team": loader(tables.Team, "id"),
    "contract": loader(tables.Contract, "asset_id", tables.Contract.status == ContractStatus.ACTIVE),
    "proposal": loader(tables.Proposal, "asset_id", cast("Any", tables.Proposal.status).in_(OPEN_STATUSES)),
    "registrations": lambda: DataLoader(load_fn=load_registrations),
}

Info = strawberry.Info[dict[str, Any], None]


@strawberry.type
class Team:
    id: strawberry.ID
    name: str

    @classmethod
    def from_model(cls, model: tables.Team) -> "Team":
        return cls(id=strawberry.ID(str(model.id)), name=model.name)


@strawberry.type
class Registration:
    id: strawberry.ID
    status: RegistrationStatus
    consumer_team_id: strawberry.Private[UUID]

    @strawberry.field
    async def consumer_team(self, info: Info) -> Team:
        return Team.from_model(await info.context["team"].load(self.consumer_team_id))

    @classmethod
    def from_model(cls, model: tables.Registration) -> "Registration":
        return cls(id=strawberry.ID(str(model.id)), status=model.status, consumer_team_id=model.consumer_team_id)


@strawberry.type
class RegistrationConnection:
    nodes: list[Registration]


@strawberry.type
class Proposal:
    id: strawberry.ID
    status: ProposalStatus
    proposed_version: str

    @classmethod
    def from_model(cls, model: tables.Proposal) -> "Proposal":
        return cls(id=strawberry.ID(str(model.id)), status=model.status, proposed_version=model.proposed_version)


@strawberry.type
class Contract:
    id: strawberry.ID
    version: str
    asset_id: strawberry.Private[UUID]

    @strawberry.field
    async def registrations(self, info: Info, first: int = 20) -> RegistrationConnection:
        found = await info.context["registrations"].load((self.asset_id, first))
        return RegistrationConnection(nodes=[Registration.from_model(model) for model in found])

    @classmethod
    def from_model(cls, model: tables.Contract) -> "Contract":
        return cls(id=strawberry.ID(str(model.id)), version=model.version, asset_id=model.asset_id)


@strawberry.type
class Asset:
    id: strawberry.ID
    fqn: str
    description: str | None
    asset_id: strawberry.Private[UUID]
    owner_team_id: strawberry.Private[UUID]

    @strawberry.field
    async def owner(self, info: Info) -> Team:
        return Team.from_model(await info.context["team"].load(self.owner_team_id))

    @strawberry.field
    async def current_contract(self, info: Info) -> Contract | None:
        found = await info.context["contract"].load(self.asset_id)
        return Contract.from_model(found) if found else None

    @strawberry.field
    async def open_proposal(self, info: Info) -> Proposal | None:
        found = await info.context["proposal"].load(self.asset_id)
        return Proposal.from_model(found) if found else None

    @classmethod
    def from_model(cls, model: tables.Asset) -> "Asset":
        return cls(
            id=strawberry.ID(str(model.id)),
            fqn=model.fqn,
            description=model.description,
            asset_id=model.id,
            owner_team_id=model.owner_team_id,
        )


@strawberry.type
class AssetConnection:
    nodes: list[Asset]


@strawberry.input(one_of=True)
class AssetRef:
    id: strawberry.ID | None = strawberry.UNSET
    fqn: str | None = strawberry.UNSET


@strawberry.type
class Query:
    @strawberry.field
    async def assets(self, first: int = 20) -> AssetConnection:
        order = (cast("Any", tables.Asset.fqn_key), cast("Any", tables.Asset.id))
        found = await entities(select(tables.Asset).order_by(*order).limit(first))
        return AssetConnection(nodes=[Asset.from_model(model) for model in found])

    @strawberry.field
    async def asset(self, by: AssetRef) -> Asset | None:
        same = tables.Asset.fqn_key == by.fqn if by.fqn else cast("Any", tables.Asset.id == UUID(str(by.id)))
        found = await entities(select(tables.Asset).where(same))
        return Asset.from_model(found[0]) if found else None


class View(GraphQL[dict[str, Any], None]):
    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> dict[str, Any]:
        del request, response
        return {name: make() for name, make in LOADERS.items()}


app = View(strawberry.Schema(query=Query))
