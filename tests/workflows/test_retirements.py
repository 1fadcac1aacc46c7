"""A retirement asks every reader, and ends the contract when all agree."""

from typing import Any

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ContractStatus, Intent, Outcome, ProposalKind, ProposalStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store.tables import Asset
from tests.world import World, adding, without

YES, NO = Response.APPROVED, Response.BLOCKED


async def read_in_part(world: World, mode: Mode = Mode.BACKWARD) -> Asset:
    """An asset with one reader of everything and one of a single column."""
    asset = await world.published(consumers=1, mode=mode)
    column_reader = await world.team("column-reader")
    await world.register(asset, column_reader, "total")
    world.consumers.append(column_reader)
    return asset


@pytest.mark.parametrize("mode", Mode)
async def test_a_retirement_asks_every_reader_in_every_mode(world: World, mode: Mode) -> None:
    asset = await read_in_part(world, mode)
    row = (await world.propose_retirement(asset, reason="the source is gone")).proposal
    assert (row.kind, row.status, row.reason) == (ProposalKind.RETIREMENT, ProposalStatus.PENDING, "the source is gone")
    assert (row.proposed_schema, row.proposed_version, row.guarantees) == (None, None, None)
    assert await world.asked(row) == {team.id for team in world.consumers}
    event = next(event for event in await world.events() if event.kind == "PROPOSAL_OPENED")
    assert (event.payload["proposal_kind"], event.payload["version"]) == ("RETIREMENT", None)
    assert event.payload["changes"] == ["The asset is retired: its contract ends and has no successor."]


async def test_an_answered_retirement_is_published_and_retires_the_contract(world: World) -> None:
    asset = await read_in_part(world)
    row = (await world.propose_retirement(asset)).proposal
    with pytest.raises(Conflict, match="waits for column-reader, consumer-0"):
        await world.publish_proposal(row)
    for team in world.consumers:
        await world.answer(row, team, YES)
    before = (await world.events())[-1].sequence
    result = await world.publish_proposal(row)
    assert result.contract is not None
    assert (result.proposal.status, result.proposal.contract_id) == (ProposalStatus.PUBLISHED, None)
    assert result.contract.status is ContractStatus.RETIRED
    assert await world.active(asset) is None
    retired, ended = await world.events(before)
    assert (retired.kind, retired.payload["reason"]) == ("CONTRACT_RETIRED", "nobody fills it")
    assert set(retired.teams) == {str(asset.owner_team_id), *(str(team.id) for team in world.consumers)}
    assert (ended.kind, ended.payload["reason"]) == ("PROPOSAL_STATUS_CHANGED", "version 1.0.0 is retired")
    assert (await world.publish(asset)).contract.version == "2.0.0"  # type: ignore[union-attr]


async def test_a_release_retires_at_once_what_nobody_reads_and_keeps_the_proposal_as_record(world: World) -> None:
    asset = await world.published()
    asked = await world.propose_retirement(asset, intent=Intent.ASK)
    assert (asked.proposal.status, asked.contract) == (ProposalStatus.APPROVED, None)
    assert await world.active(asset) is not None
    result = await world.propose_retirement(asset)
    assert (result.proposal.id, result.proposal.status) == (asked.proposal.id, ProposalStatus.PUBLISHED)
    assert await world.active(asset) is None


async def test_a_retirement_that_is_released_again_after_its_approval_retires(world: World) -> None:
    asset = await world.published(consumers=1)
    row = (await world.propose_retirement(asset, intent=Intent.ASK)).proposal
    size = await world.size()
    again = await world.propose_retirement(asset)
    assert (again.proposal.id, again.contract) == (row.id, None)
    assert await world.size() == size
    await world.answer(row, world.consumers[0], YES)
    assert (await world.propose_retirement(asset)).contract is not None


async def test_a_retirement_is_carried_out_with_the_last_answer_when_that_was_requested(world: World) -> None:
    asset = await world.published(consumers=1)
    row = (await world.propose_retirement(asset, publish_when_approved=True)).proposal
    answered = await world.answer(row, world.consumers[0], YES)
    assert answered.contract is not None
    assert (answered.contract.status, await world.active(asset)) == (ContractStatus.RETIRED, None)


async def test_a_retirement_outlives_a_compatible_publish(world: World) -> None:
    asset = await world.published(consumers=1)
    row = (await world.propose_retirement(asset)).proposal
    await world.publish(asset, adding("channel"))
    await world.answer(row, world.consumers[0], YES)
    result = await world.publish_proposal(row)
    assert (result.contract and result.contract.version) == "1.1.0"


async def test_a_reader_that_registers_later_is_asked_about_the_retirement(world: World) -> None:
    asset = await world.published()
    row = (await world.propose_retirement(asset, intent=Intent.ASK)).proposal
    late = await world.team("late")
    await world.register(asset, late, "note")
    assert await world.asked(row) == {late.id}
    assert (await world.proposal(row.id)).status is ProposalStatus.PENDING


async def test_a_change_over_an_open_retirement_is_a_conflict_and_the_reverse(world: World) -> None:
    asset = await world.published(consumers=1)
    retirement = (await world.propose_retirement(asset)).proposal
    proposal_id = encode_global_id("Proposal", retirement.id)
    with pytest.raises(Conflict, match=rf"open proposal to retire it \({proposal_id}, pending\) that these terms"):
        await world.publish(asset, without("note"))
    change = (await world.publish(asset, without("note"), supersede=True)).proposal
    assert change is not None
    assert (await world.proposal(retirement.id)).status is ProposalStatus.SUPERSEDED
    with pytest.raises(Conflict, match=r"for version 2\.0\.0 .* that changes it instead"):
        await world.propose_retirement(asset)
    assert (await world.propose_retirement(asset, supersede=True)).proposal.status is ProposalStatus.PENDING
    assert (await world.proposal(change.id)).status is ProposalStatus.SUPERSEDED


async def test_a_forced_publish_ends_an_open_retirement(world: World) -> None:
    asset = await world.published(consumers=1)
    row = (await world.propose_retirement(asset)).proposal
    result = await world.publish(asset, without("note"), force=True, reason="it stays")
    assert result.outcome is Outcome.FORCED
    assert (await world.proposal(row.id)).status is ProposalStatus.SUPERSEDED


@pytest.mark.parametrize(
    ("request_", "message"),
    [({"reason": " "}, "needs a reason"), ({"intent": Intent.ASK, "publish_when_approved": True}, "contradict")],
)
async def test_a_retirement_without_reason_or_with_a_contradiction_is_refused(
    world: World, request_: dict[str, Any], message: str
) -> None:
    asset = await world.published(consumers=1)
    size = await world.size()
    with pytest.raises(Invalid, match=message):
        await world.propose_retirement(asset, **request_)
    assert await world.size() == size


async def test_only_the_owner_proposes_a_retirement_of_what_has_a_contract(world: World) -> None:
    asset = await world.published(consumers=1)
    reader = Actor("reader", world.consumers[0].id, frozenset({Scope.WRITE}))
    with pytest.raises(Forbidden, match=r"Only the owning team, producers, may retire analytics\.core\.orders"):
        await world.propose_retirement(asset, actor=reader)
    empty = await world.asset("a.b", await world.team("owner"))
    with pytest.raises(Conflict, match="nothing to retire"):
        await world.propose_retirement(empty)
