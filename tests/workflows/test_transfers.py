"""A transfer of ownership makes the new owner the proposing team of the open change, and keeps debts and comments."""

import pytest

from tessera_gql.errors import Forbidden, Invalid
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import DebtKind, ProposalStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Comment, Debt, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets, change_sets, comments, proposals
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.change_sets import ChangeSetRef
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tests.world import World, without


def writer(team: Team) -> Actor:
    return Actor("key", team.id, frozenset({Scope.WRITE}))


async def transfer(world: World, asset: Asset, team: Team) -> Asset:
    async with world.database.write() as session:
        details = AssetDetails(owner=TeamRef(id=team.id))
        return await assets.update(session, ANONYMOUS, AssetRef(id=asset.id), details=details)


async def answer_as(world: World, actor: Team, proposal: Proposal, team: Team) -> None:
    async with world.database.write() as session:
        answer = AcknowledgmentInput(Response.APPROVED)
        await proposals.acknowledge(session, writer(actor), proposal.id, team=TeamRef(id=team.id), answer=answer)


async def owner_of(world: World, asset: Asset) -> Team:
    return next(team for team in await world.rows(Team) if team.id == asset.owner_team_id)


async def test_the_new_owner_is_no_longer_asked_and_the_former_owner_is_if_it_reads(world: World) -> None:
    asset = await world.published(consumers=2)
    heir, former = world.consumers[0], await owner_of(world, asset)
    await world.register(asset, former, "note")
    proposal = (await world.publish(asset, without("note"))).proposal
    assert proposal is not None
    assert await world.asked(proposal) == {team.id for team in world.consumers}
    await transfer(world, asset, heir)
    assert await world.asked(proposal) == {former.id, world.consumers[1].id}
    kinds = await world.kinds()
    assert kinds[-3:] == ["ASSET_UPDATED", "ACKNOWLEDGMENT_REQUESTED", "ACKNOWLEDGMENT_RELEASED"]
    with pytest.raises(Forbidden, match="Only the owning team, consumer-0, may withdraw"):
        async with world.database.write() as session:
            await proposals.withdraw(session, writer(former), proposal.id)
    with pytest.raises(Forbidden, match="consumer-0 is not asked"):
        await answer_as(world, heir, proposal, heir)
    await world.answer(proposal, former, Response.APPROVED)
    async with world.database.write() as session:
        await proposals.withdraw(session, writer(heir), proposal.id)


async def test_a_transfer_to_the_last_team_that_is_asked_publishes_what_waited_for_it(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    heir = world.consumers[0]
    await transfer(world, asset, heir)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PUBLISHED
    active = await world.active(asset)
    assert active is not None
    assert (active.version, active.published_by) == ("2.0.0", heir.id)


async def test_the_new_owner_cannot_answer_its_own_proposal_as_the_delegate_of_an_asked_team(world: World) -> None:
    asset, proposal = await world.proposed(consumers=2)
    heir, reader = world.consumers
    async with world.database.write() as session:
        await session.update_row(Team, reader.id, delegate_team_id=heir.id, delegate_until=proposal.expires_at)
    await transfer(world, asset, heir)
    with pytest.raises(Forbidden, match="can't answer for an asked team"):
        await answer_as(world, heir, proposal, reader)


async def test_the_former_owner_cannot_withdraw_the_change_set_with_a_proposal_of_the_asset(world: World) -> None:
    asset = await world.published(consumers=1)
    former, heir = await owner_of(world, asset), await world.team("heir")
    change_set = await world.change_set("shop#1", actor=writer(former))
    proposal = (await world.publish(asset, without("note"), change_set_id=change_set.id)).proposal
    assert proposal is not None
    await transfer(world, asset, heir)
    with pytest.raises(Forbidden, match="Only the owning team, heir, may"):
        async with world.database.write() as session:
            await change_sets.withdraw_change_set(session, writer(former), ChangeSetRef(key="shop#1"))
    await world.answer(proposal, world.consumers[0], Response.APPROVED)
    async with world.database.write() as session:
        await change_sets.publish_change_set(session, writer(heir), ChangeSetRef(key="shop#1"))
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PUBLISHED


async def test_a_transfer_keeps_the_debts_of_a_forced_publish(world: World) -> None:
    asset = await world.published(consumers=1)
    await world.publish(asset, without("note"), force=True, reason="the source is gone")
    await transfer(world, asset, await world.team("heir"))
    (debt,) = await world.rows(Debt)
    assert (debt.kind, debt.team_id, debt.settled_at) == (DebtKind.FORCED, world.consumers[0].id, None)


async def test_a_forced_publish_owes_nothing_to_teams_that_had_consented_to_the_same_terms(world: World) -> None:
    asset, proposal = await world.proposed(consumers=3)
    consenting, migrating, _ = world.consumers
    await world.answer(proposal, consenting, Response.APPROVED)
    await world.answer(proposal, migrating, Response.MIGRATING, proposal.expires_at)
    await world.publish(asset, without("note"), force=True, reason="the source is gone")
    assert {debt.team_id for debt in await world.rows(Debt)} == {team.id for team in world.consumers[1:]}


async def test_any_team_comments_and_the_owner_the_proposer_and_the_asked_teams_are_notified(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    stranger = await world.team("stranger")
    async with world.database.write() as session:
        row = await comments.comment(session, writer(stranger), proposal, "  which currency? ")
    assert (row.body, row.team_id) == ("which currency?", stranger.id)
    event = (await world.events())[-1]
    assert (event.kind, event.entity_id, event.proposal_id) == ("COMMENT_ADDED", row.id, proposal.id)
    assert set(event.teams) == {str(item) for item in (asset.owner_team_id, world.consumers[0].id, stranger.id)}
    assert event.payload == {"comment_id": str(row.id), "team_id": str(stranger.id), "body": "which currency?"}
    await world.withdraw(proposal)
    async with world.database.write() as session:
        await comments.comment(session, ANONYMOUS, proposal, "why?")
    assert [item.team_id for item in await world.rows(Comment)] == [stranger.id, None]


async def test_a_comment_has_a_text_of_limited_length_and_a_team_of_the_caller(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    size = await world.size()
    for body, message in ((" \n", "needs a text"), ("a" * 4_001, "4001 characters; 4000 is the limit")):
        with pytest.raises(Invalid, match=message):
            async with world.database.write() as session:
                await comments.comment(session, ANONYMOUS, proposal, body)
    reader = world.consumers[0]
    for actor, team in ((Actor("key", reader.id), None), (writer(await owner_of(world, asset)), TeamRef(id=reader.id))):
        with pytest.raises(Forbidden):
            async with world.database.write() as session:
                await comments.comment(session, actor, proposal, "why?", team)
    assert await world.size() == size
