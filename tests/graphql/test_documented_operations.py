"""Every documented operation costs a fixed number of SQL statements, whatever the size of the catalog."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from tessera_gql.client.operation import Operation
from tessera_gql.client.operations import (
    acknowledgments,
    catalog,
    manifests,
    proposals,
    publishing,
    registrations,
    teams,
)
from tessera_gql.graphql.ids import global_id
from tessera_gql.policy.enums import Response
from tessera_gql.server.transport import Transport
from tests.conformance.documented_operations import (
    MANIFEST,
    Reply,
    about,
    in_readme,
    name_operations,
    proposed,
    quickstart,
    run,
    sdk,
)
from tests.graphql.conftest import Ask
from tests.world import World, adding, without

T = TypeVar("T")

WAKING = "SELECT pg_advisory"

COSTS = {
    "CreateTeamMutation": 6,
    "CreateAssetMutation": 8,
    "PublishContractMutation": 25,
    "RegisterMutation": 11,
    "AcknowledgeProposalMutation": 18,
    "PublishProposalMutation": 28,
    "AssetQuery": 2,
    "ImpactQuery": 12,
    "CreateTeam2Mutation": 8,
    "CreateAsset2Mutation": 14,
    "PublishContract2Mutation": 15,
    "ViewerQuery": 0,
    "TeamQuery": 1,
    "UpdateAssetMutation": 11,
    "Asset2Query": 5,
    "AddDependencyMutation": 14,
    "PublishContract3Mutation": 38,
    "Register2Mutation": 14,
    "UpdateRegistrationMutation": 13,
    "DiffSchemasQuery": 0,
    "Impact2Query": 11,
    "ProposalQuery": 18,
    "Viewer2Query": 7,
    "Team2Query": 8,
    "AcknowledgeProposal2Mutation": 17,
    "PublishProposal2Mutation": 30,
    "ContractQuery": 3,
    "WithdrawProposalMutation": 17,
    "UnregisterMutation": 12,
    "SyncDbtManifestMutation": 3,
    "TeamsQuery": 1,
    "AssetsQuery": 6,  # one of them takes a sample of the texts of names
    "RegistrationsQuery": 3,
    "ContractsQuery": 3,
    "ProposalsQuery": 6,
    "EventsQuery": 6,
    "DbtImpactQuery": 2,
    "AcknowledgeProposal3Mutation": 24,
}
FAMILY_LOCKS = {"PublishContractMutation": 1, "PublishContract3Mutation": 1}
"""On PostgreSQL, the opening of a proposal locks the tables that are made from its own."""
"""The transaction's own statements left out, and those of the log: its lock, which also wakes who listens."""


async def shop(world: World, size: int) -> dict[str, str]:
    """Create `size` objects of each kind, and return the ids of those with the most related objects."""
    asset, proposal = await world.proposed(consumers=size)
    source = await world.asset("analytics.raw.orders", await world.team("sources"))
    await world.depend(asset, source)
    before = None
    for number in range(size):
        other_asset = await world.asset(f"shop.core.table_{number:02}", world.consumers[number])
        await world.publish(other_asset)
        await world.publish(other_asset, adding("more"))
        await world.depend(other_asset, asset)
        reading = await world.register(other_asset, world.consumers[number - 1], via=before)
        await world.publish(other_asset, without("note", schema=adding("more")))
        await world.answer(proposal, world.consumers[number], Response.BLOCKED)
        before = other_asset
    contract = await world.active(asset)
    assert contract is not None
    entities = {"Asset": asset, "Proposal": proposal, "Contract": contract, "Registration": reading}
    return {kind: global_id(kind, row.id) for kind, row in entities.items()}


class Meter:
    """Execute operations from another thread and record the maximum of SQL statements of each document."""

    def __init__(self, ask: Ask, counted: Callable[[], Any]) -> None:
        self._ask = ask
        self._counted = counted
        self._loop = asyncio.get_running_loop()
        self.costs: dict[str, int] = {}
        self.asked: list[tuple[str, Reply]] = []

    def __call__(self, query: str, variables: Reply) -> Reply:
        with self._counted() as statements:
            reply = asyncio.run_coroutine_threadsafe(self._ask(query, **variables), self._loop).result(30)
        self.asked.append((query, variables))
        self.costs[query] = max(
            self.costs.get(query, 0), sum(not statement.startswith(WAKING) for statement in statements)
        )
        return reply

    def run(self, operation: Operation[T]) -> T:
        return run(self, operation)

    def everything(self, ids: dict[str, str]) -> None:
        """Run the mutations on the smallest objects first, then the queries on the largest."""
        quickstart(self)
        for name in ("growth", "shop"):
            self.run(teams.create_team(name))
        self.run(catalog.create_asset(fqn="analytics.marts.orders", owner="shop"))
        publish, acknowledge, _ = in_readme()
        self(publish, {})
        self(about(proposed(self, "growth"), acknowledge), {})
        sdk(self)
        self.run(catalog.get_asset(ids["Asset"]))
        self.run(publishing.get_contract(ids["Contract"]))
        self.run(proposals.get_proposal(ids["Proposal"]))
        self.run(publishing.impact(without("total", "note"), asset=ids["Asset"]))
        self.run(acknowledgments.inbox().first_page)
        self.run(manifests.dbt_impact(MANIFEST))
        for listing in (
            registrations.registrations(asset_id=ids["Asset"]),
            publishing.contracts(asset_id=ids["Asset"]),
        ):
            self.run(listing.first_page)


@pytest.mark.parametrize("size", [2, 15])
async def test_every_documented_operation_takes_its_statements_and_no_more(
    size: int, world: World, ask: Ask, transport: Transport, counted: Callable[[], Any]
) -> None:
    ids = await shop(world, size)
    meter = Meter(ask, counted)
    await asyncio.to_thread(meter.everything, ids)
    named_costs = {
        operation.name: cost for operation, cost in zip(name_operations(meter.asked), meter.costs.values(), strict=True)
    }
    # Two loads of the same kind don't always share a turn of the event loop.
    named_costs["EventsQuery"] -= named_costs["EventsQuery"] == COSTS["EventsQuery"] + 1
    family_locks = FAMILY_LOCKS if world.database.dialect == "postgresql" else {}
    assert named_costs == {name: cost + family_locks.get(name, 0) for name, cost in COSTS.items()}
    assert transport.executor_counts.planned >= sum(name.endswith("Query") for name in COSTS)
    assert not transport.executor_counts.fallbacks, "the reference executor answered a documented query"
