"""An upgrade keeps policies and open proposals, which demand no coverage until a policy says so."""

from collections.abc import AsyncIterator

import pytest

from tessera_gql.policy.enums import AssetTier, ProposalStatus
from tessera_gql.store import ask_policies, migration
from tessera_gql.store.database import Database
from tests.workflows.test_coverage import demand
from tests.world import World, without

RELEASE_BEFORE = "0013"


@pytest.fixture
async def bare_world(bare_url: str) -> AsyncIterator[World]:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    yield World(database)
    await database.dispose()


async def test_policies_and_proposals_are_kept_and_demand_nothing(bare_world: World) -> None:
    world = bare_world
    asset = await world.published()
    await demand(world, 30)
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert proposal.hold is not None
    await world.database.dispose()
    await migration.downgrade(world.database.url, RELEASE_BEFORE)
    await migration.upgrade(world.database.url)
    async with world.database.read() as session:
        policies = await ask_policies.load(session)
    assert policies[AssetTier.NORMAL].require_coverage_days is None
    row = await world.proposal(proposal.id)
    assert (row.status, row.hold, row.required_coverage_days) == (ProposalStatus.PENDING, None, None)
    assert (row.breaking_changes, row.expires_at) == (proposal.breaking_changes, proposal.expires_at)
    assert (await world.apply_time(proposal)).proposal.status is ProposalStatus.APPROVED
