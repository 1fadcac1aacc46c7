"""The twelve core rules of the product hold on both databases."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import ContractStatus, Outcome, ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tests.conftest import FixedClock
from tests.world import ORDERS, World, adding, without

TRIALS = 25


async def test_1_a_break_asks_both_consumers_although_a_compatible_version_was_published_before(world: World) -> None:
    asset = await world.published(consumers=2)
    compatible = await world.publish(asset, adding("channel"))
    assert (compatible.outcome, compatible.contract and compatible.contract.version) == (Outcome.PUBLISHED, "1.1.0")
    breaking = await world.publish(asset, without("note", schema=adding("channel")))
    assert breaking.outcome is Outcome.PROPOSED
    assert breaking.proposal is not None
    assert await world.asked(breaking.proposal) == {team.id for team in world.consumers}
    for team in world.consumers:
        progress = await world.answer(breaking.proposal, team, Response.APPROVED)
    assert progress.proposal.status is ProposalStatus.APPROVED


async def test_2_a_consumer_that_registers_later_cannot_approve_for_earlier_consumers(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    late = await world.team("late")
    await world.register(asset, late)
    assert await world.asked(proposal) == {world.consumers[0].id, late.id}
    assert (await world.answer(proposal, late, Response.APPROVED)).proposal.status is ProposalStatus.PENDING
    result = await world.answer(proposal, world.consumers[0], Response.APPROVED)
    assert result.proposal.status is ProposalStatus.APPROVED


async def test_3_a_breaking_pre_release_opens_a_proposal_like_any_other(world: World) -> None:
    asset = await world.published(consumers=1)
    outcome = await world.publish(asset, without("note"), version="2.0.0-rc.1")
    assert outcome.outcome is Outcome.PROPOSED
    active = await world.active(asset)
    assert active is not None
    assert active.version == "1.0.0"


async def test_4_two_migrations_leave_the_proposal_pending_before_and_after_their_deadline_until_there_is_proof(
    world: World, clock: FixedClock
) -> None:
    _, proposal = await world.proposed(consumers=2)
    for team in world.consumers:
        progress = await world.answer(proposal, team, Response.MIGRATING, clock.now + timedelta(days=40))
    for _ in range(4):
        assert progress.proposal.status is ProposalStatus.PENDING
        clock.advance(days=11)
        progress = await world.apply_time(proposal)
    assert all(item.overdue_at for item in await world.acknowledgments(proposal))
    for registration in await world.registrations():
        await world.unregister(registration)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    evidence = [item.released_by or {} for item in await world.acknowledgments(proposal)]
    assert [item["kind"] for item in evidence] == ["REGISTRATION", "REGISTRATION"]


async def test_5_a_blocked_answer_keeps_the_answers_of_other_teams_and_they_may_still_answer(world: World) -> None:
    _, proposal = await world.proposed(consumers=3)
    first, second, third = world.consumers
    await world.answer(proposal, first, Response.APPROVED)
    assert (await world.answer(proposal, second, Response.BLOCKED)).proposal.status is ProposalStatus.REJECTED
    assert (await world.answer(proposal, third, Response.APPROVED)).proposal.status is ProposalStatus.REJECTED
    responses = {
        acknowledgment.consumer_team_id: acknowledgment.response
        for acknowledgment in await world.acknowledgments(proposal)
    }
    assert responses == {first.id: Response.APPROVED, second.id: Response.BLOCKED, third.id: Response.APPROVED}
    changed = await world.answer(proposal, second, Response.APPROVED)
    assert changed.proposal.status is ProposalStatus.APPROVED


async def test_6_a_published_proposal_carries_its_own_guarantees(world: World) -> None:
    old: dict[str, Any] = {"freshness": {"error_after": {"count": 24, "period": "hour"}}}
    new: dict[str, Any] = {"freshness": {"error_after": {"count": 12, "period": "hour"}}}
    asset = await world.published(consumers=1, guarantees=old)
    outcome = await world.publish(asset, without("note"), guarantees=new)
    assert outcome.proposal is not None
    await world.answer(outcome.proposal, world.consumers[0], Response.APPROVED)
    progress = await world.publish_proposal(outcome.proposal)
    assert progress.contract is not None
    assert progress.contract.guarantees == new
    assert (await world.active(asset)).guarantees == new  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        ({"schema": {"type": "objekt"}}, Invalid),
        ({"schema": [1, 2]}, Invalid),
        ({"version": "one"}, Invalid),
        ({"version": "1.0.1"}, Invalid),
        ({"force": True}, Invalid),
    ],
)
async def test_7_unknown_input_is_refused_not_swallowed(
    world: World, request_: dict[str, Any], refusal: type[Refusal]
) -> None:
    asset = await world.published(consumers=1)
    before = await world.size()
    with pytest.raises(refusal):
        await world.publish(asset, **{"schema": without("note"), **request_})
    assert await world.size() == before


async def test_8_dropping_a_column_asks_exactly_the_teams_that_read_it_or_declared_no_fields(world: World) -> None:
    asset = await world.published()
    everything, reads_it, reads_other = [await world.team(name) for name in ("all", "note", "total")]
    await world.register(asset, everything)
    await world.register(asset, reads_it, "note", "order_id")
    await world.register(asset, reads_other, "total")
    outcome = await world.publish(asset, without("note"))
    assert outcome.proposal is not None
    assert await world.asked(outcome.proposal) == {everything.id, reads_it.id}


async def outcomes(*calls: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_9_the_second_of_two_concurrent_publishes_sees_the_result_of_the_first(world: World) -> None:
    owner = await world.team("producers")
    for trial in range(TRIALS):
        asset = await world.asset(f"analytics.core.orders_{trial}", owner)
        await world.publish(asset)
        pair = await outcomes(world.publish(asset, adding("one")), world.publish(asset, adding("two")))
        # The second schema lacks the column of the first one, which nobody reads.
        assert [result.outcome for result in pair] == [Outcome.PUBLISHED, Outcome.PUBLISHED], pair
        assert sorted(result.proposal is not None for result in pair) == [False, True]
        published = await world.contracts(asset)
        active = [contract for contract in published if contract.status is ContractStatus.ACTIVE]
        assert len(active) == 1
        assert [contract.version for contract in published] == ["1.0.0", "1.1.0", "2.0.0"]


async def test_9_two_concurrent_breaking_publishes_open_one_proposal(world: World) -> None:
    owner, consumer = await world.team("producers"), await world.team("consumer")
    for trial in range(TRIALS):
        asset = await world.asset(f"analytics.core.orders_{trial}", owner)
        await world.publish(asset)
        await world.register(asset, consumer)
        pair = await outcomes(world.publish(asset, without("note")), world.publish(asset, without("total")))
        refused = [result for result in pair if isinstance(result, Conflict)]
        succeeded = [result for result in pair if not isinstance(result, BaseException)]
        assert (len(refused), len(succeeded)) == (1, 1), pair
        assert encode_global_id("Proposal", succeeded[0].proposal.id) in refused[0].message


async def test_10_two_concurrent_last_answers_approve_once_and_publish_once(world: World) -> None:
    owner = await world.team("producers")
    pair_of_teams = [await world.team("one"), await world.team("two")]
    for trial in range(TRIALS):
        asset = await world.asset(f"analytics.core.orders_{trial}", owner)
        await world.publish(asset)
        for team in pair_of_teams:
            await world.register(asset, team)
        proposed = await world.publish(asset, without("note"), publish_when_approved=True)
        assert proposed.proposal is not None
        before = (await world.events())[-1].sequence
        answers = await outcomes(*(world.answer(proposed.proposal, team, Response.APPROVED) for team in pair_of_teams))
        assert not [result for result in answers if isinstance(result, BaseException)], answers
        kinds = await world.kinds(before)
        assert kinds.count("PROPOSAL_ANSWERED") == 2
        assert kinds.count("CONTRACT_PUBLISHED") == 1
        changes = [
            event.payload["after"] for event in await world.events(before) if event.kind == "PROPOSAL_STATUS_CHANGED"
        ]
        assert changes == ["APPROVED", "PUBLISHED"]
        assert [contract.version for contract in await world.contracts(asset)] == ["1.0.0", "2.0.0"]


async def test_11_a_refused_workflow_leaves_no_row_and_no_event(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    stranger = await world.team("stranger")
    before = await world.size()
    for refused, refusal in (
        (world.team("PRODUCERS"), Conflict),
        (world.asset("Analytics.Core.ORDERS", stranger), Conflict),
        (world.asset("nodots", stranger), Invalid),
        (world.register(asset, world.consumers[0]), Conflict),
        (world.register(asset, stranger, "no_such_column"), Invalid),
        (world.answer(proposal, stranger, Response.APPROVED), Forbidden),
        (world.answer(proposal, world.consumers[0], Response.MIGRATING), Invalid),
        (world.publish(asset, without("total")), Conflict),
        (world.publish_proposal(proposal), Conflict),
    ):
        with pytest.raises(refusal):
            await refused
    assert await world.size() == before


async def test_11_a_workflow_that_fails_half_way_leaves_no_row_and_no_event(world: World, database: Database) -> None:
    asset = await world.published(consumers=1)
    before = await world.size()

    async def fail() -> None:
        async with database.write() as session:
            await publish_contract(session, ANONYMOUS, AssetRef(id=asset.id), PublishRequest(schema=without("note")))
            raise NotFound("the floor")

    with pytest.raises(NotFound):
        await fail()
    assert await world.size() == before


async def test_11_a_committed_workflow_leaves_exactly_its_events(world: World) -> None:
    asset = await world.published(consumers=1)
    before = (await world.events())[-1].sequence
    outcome = await world.publish(asset, without("note"), publish_when_approved=True)
    assert outcome.proposal is not None
    await world.answer(outcome.proposal, world.consumers[0], Response.APPROVED)
    events = await world.events(before)
    assert [event.kind for event in events] == [
        "PROPOSAL_OPENED",
        "ACKNOWLEDGMENT_REQUESTED",
        "PROPOSAL_ANSWERED",
        "PROPOSAL_STATUS_CHANGED",
        "CONTRACT_PUBLISHED",
        "PROPOSAL_STATUS_CHANGED",
    ]
    assert [event.sequence for event in events] == list(range(before + 1, before + 7))


async def test_an_unchanged_publish_writes_nothing(world: World) -> None:
    asset = await world.published(consumers=1)
    before = await world.size()
    shuffled = {key: ORDERS[key] for key in reversed(ORDERS)}
    assert (await world.publish(asset, shuffled)).outcome is Outcome.UNCHANGED
    assert await world.size() == before
