"""A scenario builder for tests: `await world.published(consumers=2)` creates an asset and two teams that read it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlmodel import SQLModel

from tessera_gql.policy.access import ANONYMOUS, Actor
from tessera_gql.policy.enums import DependencyType, Response
from tessera_gql.store import contracts, events, proposals, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import (
    Acknowledgment,
    Asset,
    AssetDependency,
    ChangeSet,
    Contract,
    Debt,
    EventRow,
    Project,
    Proposal,
    Registration,
    Team,
    table,
)
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import change_sets as change_set_verbs
from tessera_gql.workflows import contracts as contract_verbs
from tessera_gql.workflows import dependencies as dependency_verbs
from tessera_gql.workflows import projects as project_verbs
from tessera_gql.workflows import proposals as proposal_verbs
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.change_sets import ChangeSetRef, ChangeSetRequest, ChangeSetResult
from tessera_gql.workflows.projects import ProjectDetails
from tessera_gql.workflows.proposal_lifecycle import ProposalResult
from tessera_gql.workflows.proposals import AcknowledgmentInput, RetirementRequest
from tessera_gql.workflows.publishing import PublishRequest, PublishResult, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails

M = TypeVar("M", bound=SQLModel)

ORDERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer"},
        "customer_id": {"type": "integer"},
        "total": {"type": "number"},
        "note": {"type": ["string", "null"]},
    },
    "required": ["order_id", "customer_id"],
}


def without(*columns: str, schema: dict[str, Any] = ORDERS) -> dict[str, Any]:
    """The schema without some columns: a breaking change for teams that read them."""
    kept = {name: sub for name, sub in schema["properties"].items() if name not in columns}
    return {**schema, "properties": kept, "required": [name for name in schema["required"] if name in kept]}


def adding(column: str, shape: Any = None, *, schema: dict[str, Any] = ORDERS) -> dict[str, Any]:
    """The schema with an additional optional column: a compatible change."""
    return {**schema, "properties": {**schema["properties"], column: shape or {"type": "string"}}}


@dataclass
class World:
    """A scenario in a database: each method runs one workflow in its own transaction, as a mutation does."""

    database: Database
    actor: Actor = ANONYMOUS
    consumers: list[Team] = field(default_factory=list[Team])

    async def team(self, name: str) -> Team:
        async with self.database.write() as session:
            return await team_verbs.create(session, self.actor, name=name)

    async def project(self, name: str, *owners: Team, schemas: Sequence[str] = ()) -> Project:
        async with self.database.write() as session:
            details = ProjectDetails(name, [TeamRef(id=owner.id) for owner in owners], schemas)
            return await project_verbs.create(session, self.actor, details)

    async def asset(self, fqn: str, owner: Team, **details: Any) -> Asset:
        async with self.database.write() as session:
            described = AssetDetails(owner=TeamRef(id=owner.id), **details)
            return await asset_verbs.create(session, self.actor, fqn=fqn, details=described)

    async def publish(
        self, asset: Asset, schema: Any = None, *, actor: Actor | None = None, **request: Any
    ) -> PublishResult:
        async with self.database.write() as session:
            wanted = PublishRequest(schema=ORDERS if schema is None else schema, **request)
            return await publish_contract(session, actor or self.actor, AssetRef(id=asset.id), wanted)

    async def register(self, asset: Asset, team: Team, *fields: str, via: Asset | None = None) -> Registration:
        async with self.database.write() as session:
            return await registration_verbs.register(
                session,
                self.actor,
                AssetRef(id=asset.id),
                team=TeamRef(id=team.id),
                consumer_asset=AssetRef(id=via.id) if via else None,
                details=RegistrationDetails(fields=fields or None),
            )

    async def depend(self, dependent: Asset, dependency: Asset) -> AssetDependency:
        async with self.database.write() as session:
            return await dependency_verbs.add(
                session,
                self.actor,
                dependent=AssetRef(id=dependent.id),
                dependency=AssetRef(id=dependency.id),
                type_=DependencyType.CONSUMES,
            )

    async def unregister(self, registration: Registration) -> Registration:
        async with self.database.write() as session:
            return await registration_verbs.unregister(session, self.actor, registration.id)

    async def answer(
        self, proposal: Proposal, team: Team, response: Response, deadline: datetime | None = None
    ) -> ProposalResult:
        async with self.database.write() as session:
            notes = "not before the migration" if response is Response.BLOCKED else None
            acknowledgment = AcknowledgmentInput(response, deadline, notes)
            return await proposal_verbs.acknowledge(
                session, self.actor, proposal.id, team=TeamRef(id=team.id), answer=acknowledgment
            )

    async def publish_proposal(self, proposal: Proposal) -> ProposalResult:
        async with self.database.write() as session:
            return await proposal_verbs.publish(session, self.actor, proposal.id)

    async def propose_retirement(
        self, asset: Asset, *, actor: Actor | None = None, reason: str = "nobody fills it", **request: Any
    ) -> ProposalResult:
        async with self.database.write() as session:
            return await proposal_verbs.propose_retirement(
                session, actor or self.actor, AssetRef(id=asset.id), RetirementRequest(reason, **request)
            )

    async def change_set(self, key: str, *, actor: Actor | None = None, **details: Any) -> ChangeSet:
        async with self.database.write() as session:
            request = ChangeSetRequest(key, **details)
            return await change_set_verbs.open_change_set(session, actor or self.actor, request)

    async def withdraw_change_set(self, key: str) -> ChangeSetResult:
        async with self.database.write() as session:
            return await change_set_verbs.withdraw_change_set(session, self.actor, ChangeSetRef(key=key))

    async def publish_change_set(self, key: str) -> ChangeSetResult:
        async with self.database.write() as session:
            return await change_set_verbs.publish_change_set(session, self.actor, ChangeSetRef(key=key))

    async def withdraw(self, proposal: Proposal) -> ProposalResult:
        async with self.database.write() as session:
            return await proposal_verbs.withdraw(session, self.actor, proposal.id)

    async def retire(self, contract: Contract) -> Contract:
        async with self.database.write() as session:
            return await contract_verbs.retire(session, self.actor, contract.id)

    async def apply_time(self, proposal: Proposal) -> ProposalResult:
        async with self.database.write() as session:
            return await proposal_verbs.apply_deadlines(session, proposal.id)

    async def published(self, *, consumers: int = 0, schema: Any = None, **request: Any) -> Asset:
        """Create `analytics.core.orders` of the team `producers` at 1.0.0, read in full by `consumers` teams."""
        owner = await self.team("producers")
        asset = await self.asset("analytics.core.orders", owner)
        await self.publish(asset, schema, **request)
        for number in range(consumers):
            team = await self.team(f"consumer-{number}")
            await self.register(asset, team)
            self.consumers.append(team)
        return asset

    async def proposed(self, *, consumers: int = 2, **request: Any) -> tuple[Asset, Proposal]:
        """Create the same and a proposal to drop the column `note`, which asks all consumers."""
        asset = await self.published(consumers=consumers)
        outcome = await self.publish(asset, without("note"), **request)
        assert outcome.proposal is not None
        return asset, outcome.proposal

    async def proposal(self, identity: UUID) -> Proposal:
        async with self.database.read() as session:
            return await proposals.get(session, identity)

    async def proposals_of(self, asset: Asset) -> list[Proposal]:
        """The proposals of an asset, oldest first."""
        return [row for row in await self.rows(Proposal) if row.asset_id == asset.id]

    async def acknowledgments(self, proposal: Proposal) -> list[Acknowledgment]:
        async with self.database.read() as session:
            return await proposals.list_acknowledgments(session, [proposal.id])

    async def asked(self, proposal: Proposal) -> set[UUID]:
        return {
            acknowledgment.consumer_team_id
            for acknowledgment in await self.acknowledgments(proposal)
            if acknowledgment.released_at is None
        }

    async def active(self, asset: Asset) -> Contract | None:
        async with self.database.read() as session:
            return await contracts.find_active(session, asset.id)

    async def contracts(self, asset: Asset) -> list[Contract]:
        async with self.database.read() as session:
            rows = contracts.TABLE
            statement = select(rows).where(rows.c.asset_id == asset.id).order_by(rows.c.id)
            return await session.list(statement, Contract)

    async def registrations(self, *, live: bool = True) -> list[Registration]:
        async with self.database.read() as session:
            rows = registrations.TABLE
            statement = select(rows).where(registrations.IS_LIVE) if live else select(rows)
            return await session.list(statement.order_by(rows.c.registered_at, rows.c.id), Registration)

    async def rows(self, model: type[M]) -> list[M]:
        """All rows of a table, oldest first."""
        async with self.database.read() as session:
            return await session.list(select(table(model)).order_by(*table(model).primary_key), model)

    async def apply_all(self) -> None:
        """Apply the deadlines of every proposal, as the worker does."""
        for proposal in await self.rows(Proposal):
            await self.apply_time(proposal)

    async def events(self, after: int = 0) -> list[EventRow]:
        async with self.database.read() as session:
            return await events.load_after(session, after, limit=10_000)

    async def kinds(self, after: int = 0) -> Sequence[str]:
        return [event.kind for event in await self.events(after)]

    async def size(self) -> dict[str, int]:
        """Count the rows of each table; equal counts before and after mean that nothing was written."""
        sizes: dict[str, int] = {}
        async with self.database.read() as session:
            for model in (
                Team,
                Project,
                Asset,
                Contract,
                Registration,
                ChangeSet,
                Proposal,
                Acknowledgment,
                Debt,
                EventRow,
            ):
                rows = await session.rows(select(table(model)))
                sizes[model.__name__] = len(rows)
        return sizes
