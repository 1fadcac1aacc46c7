"""A database of the first revision, full of open questions, keeps each proposal and each answer."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tessera_gql.policy.enums import ProposalStatus, Response
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tests.world import World, without

FIRST_REVISION = "0001"
ANSWERS = (None, Response.APPROVED, Response.MIGRATING, Response.BLOCKED)
ASSETS = 6
KEPT = ("consumer_team_id", "response", "notes", "migration_deadline", "responded_at", "change_fingerprints")


@pytest.fixture
async def old_world(bare_url: str) -> AsyncIterator[World]:
    await migration.upgrade(bare_url)
    database = Database(bare_url)
    yield World(database)
    await database.dispose()


async def test_open_proposals_and_answers_of_the_first_revision_are_kept_and_still_hold(old_world: World) -> None:
    world = old_world
    owner = await world.team("producers")
    teams = [await world.team(f"reader {number}") for number in range(len(ANSWERS))]
    questions = []
    for number in range(ASSETS):
        asset = await world.asset(f"shop.core.orders_{number}", owner)
        await world.publish(asset)
        asked = teams[: number % len(ANSWERS) + 1]
        for team in asked:
            await world.register(asset, team, "note")
        proposal = (await world.publish(asset, without("note"))).proposal
        assert proposal is not None
        deadline = proposal.proposed_at + timedelta(days=10)
        for team, response in zip(asked, ANSWERS, strict=False):
            if response is not None:
                await world.answer(proposal, team, response, deadline if response is Response.MIGRATING else None)
        questions.append((asset, await world.proposal(proposal.id), await world.acknowledgments(proposal)))
    await migration.downgrade(world.database.url, FIRST_REVISION)
    await migration.upgrade(world.database.url)
    for asset, before, asked_before in questions:
        after = await world.proposal(before.id)
        assert (after.status, after.breaking_changes) == (before.status, before.breaking_changes)
        asked_after = await world.acknowledgments(after)
        for old, new in zip(asked_before, asked_after, strict=True):
            names = (
                "consumer_team_id",
                "response",
                "notes",
                "migration_deadline",
                "responded_at",
                "change_fingerprints",
            )
            assert [getattr(old, name) for name in names] == [getattr(new, name) for name in names]
        again = (await world.publish(asset, without("note", "total"), supersede=True)).proposal
        assert again is not None
        assert (await world.proposal(before.id)).status is ProposalStatus.SUPERSEDED
        carried = {item.consumer_team_id: item.response for item in await world.acknowledgments(again)}
        assert carried == {item.consumer_team_id: item.response for item in asked_before}
