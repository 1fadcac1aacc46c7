"""An ask opens proposals and publishes nothing; a release publishes what is approved and what breaks nobody."""

from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.diff import Mode
from tessera_gql.errors import Conflict, Invalid
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import Intent, Outcome, ProposalStatus, Response
from tessera_gql.policy.proposal_status import SEVERITY
from tessera_gql.store.tables import Registration
from tests.conftest import FixedClock
from tests.world import ORDERS, World, adding, without

ASK, YES, NO = Intent.ASK, Response.APPROVED, Response.BLOCKED


async def test_an_ask_about_a_break_opens_a_proposal_and_never_publishes_it_however_often_it_runs(world: World) -> None:
    asset = await world.published(consumers=1)
    first = await world.publish(asset, without("note"), intent=ASK)
    assert first.proposal is not None
    assert (first.outcome, first.proposal.status) == (Outcome.PROPOSED, ProposalStatus.PENDING)
    await world.answer(first.proposal, world.consumers[0], YES)
    size = await world.size()
    for _ in range(3):
        again = await world.publish(asset, without("note"), intent=ASK)
        assert again.proposal is not None
        assert (again.outcome, again.proposal.id) == (Outcome.PROPOSED, first.proposal.id)
        assert again.proposal.status is ProposalStatus.APPROVED
    assert await world.size() == size
    assert [contract.version for contract in await world.contracts(asset)] == ["1.0.0"]


async def test_an_ask_about_a_break_that_nobody_reads_leaves_an_approved_proposal_for_the_release(world: World) -> None:
    asset = await world.published()
    asked = await world.publish(asset, without("note"), intent=ASK)
    assert asked.proposal is not None
    assert (asked.outcome, asked.proposal.status) == (Outcome.PROPOSED, ProposalStatus.APPROVED)
    released = await world.publish(asset, without("note"))
    assert released.proposal is not None
    assert (released.outcome, released.proposal.id) == (Outcome.PUBLISHED, asked.proposal.id)


@pytest.mark.parametrize(
    "request_", [{"schema": adding("channel")}, {"mode": Mode.FULL}, {"version": "1.0.1"}, {"metadata": {"owner": "a"}}]
)
async def test_an_ask_about_compatible_terms_writes_nothing(world: World, request_: dict[str, Any]) -> None:
    asset = await world.published(consumers=1)
    size = await world.size()
    result = await world.publish(asset, intent=ASK, **request_)
    assert result.outcome is (Outcome.UNCHANGED if "metadata" in request_ else Outcome.COMPATIBLE)
    assert (result.contract and result.contract.version, result.proposal) == ("1.0.0", None)
    assert await world.size() == size


async def test_an_ask_about_the_first_contract_writes_nothing(world: World) -> None:
    asset = await world.asset("a.b", await world.team("owner"))
    size = await world.size()
    result = await world.publish(asset, intent=ASK)
    assert (result.outcome, result.contract) == (Outcome.COMPATIBLE, None)
    assert await world.size() == size


async def test_a_release_publishes_exactly_the_approved_terms(world: World) -> None:
    asset = await world.published(consumers=1)
    proposal = (await world.publish(asset, without("note"), intent=ASK, reason="nobody fills it")).proposal
    assert proposal is not None
    await world.answer(proposal, world.consumers[0], YES)
    released = await world.publish(asset, without("note"))
    assert released.contract is not None
    assert released.proposal is not None
    assert (released.outcome, released.contract.version) == (Outcome.PUBLISHED, "2.0.0")
    assert released.contract.schema_def == without("note")
    assert (released.proposal.status, released.proposal.contract_id) == (ProposalStatus.PUBLISHED, released.contract.id)
    again = await world.publish(asset, without("note"))
    assert (again.outcome, again.proposal) == (Outcome.UNCHANGED, None)


@pytest.mark.parametrize("answer", [None, NO])
async def test_a_release_of_what_is_pending_or_rejected_changes_nothing(world: World, answer: Response | None) -> None:
    asset, proposal = await world.proposed(consumers=1)
    if answer:
        await world.answer(proposal, world.consumers[0], answer)
    size = await world.size()
    result = await world.publish(asset, without("note"))
    assert result.proposal is not None
    assert (result.outcome, result.proposal.id) == (Outcome.PROPOSED, proposal.id)
    assert await world.size() == size


def without_note(**columns: str) -> dict[str, Any]:
    """The schema without the column `note`, with further columns of a type."""
    schema = without("note")
    return schema | {"properties": schema["properties"] | {name: {"type": kind} for name, kind in columns.items()}}


async def test_a_release_of_other_terms_with_the_agreed_breaks_asks_nobody_again(world: World) -> None:
    asset = await world.published(consumers=1)
    change_set = await world.change_set("github.com/shop/warehouse#17")
    asked = (await world.publish(asset, without("note"), intent=Intent.ASK, change_set_id=change_set.id)).proposal
    assert asked is not None
    await world.answer(asked, world.consumers[0], Response.APPROVED)
    before = (await world.events())[-1].sequence
    result = await world.publish(asset, without_note(channel="string"))
    assert result.outcome is Outcome.PUBLISHED
    assert result.contract is not None
    assert result.contract.schema_def == without_note(channel="string")
    assert "ACKNOWLEDGMENT_REQUESTED" not in await world.kinds(before)
    assert (await world.proposal(asked.id)).status is ProposalStatus.SUPERSEDED
    assert result.proposal is not None
    assert (result.proposal.status, result.proposal.change_set_id) == (ProposalStatus.PUBLISHED, change_set.id)
    [answer] = await world.acknowledgments(result.proposal)
    assert answer.response is Response.APPROVED


@pytest.mark.parametrize("response", SEVERITY)
async def test_an_answer_holds_for_a_new_proposal_of_the_change_set_with_the_same_break(
    world: World, clock: FixedClock, response: Response
) -> None:
    asset = await world.published(consumers=1)
    change_set = await world.change_set("github.com/shop/warehouse#17")
    first = (await world.publish(asset, without("note"), intent=Intent.ASK, change_set_id=change_set.id)).proposal
    assert first is not None
    deadline = clock.now + timedelta(days=9) if response is Response.MIGRATING else None
    await world.answer(first, world.consumers[0], response, deadline)
    answered, before = await world.proposal(first.id), (await world.events())[-1].sequence
    rebased = await world.publish(asset, without_note(channel="string"), intent=Intent.ASK, change_set_id=change_set.id)
    assert rebased.proposal is not None
    assert rebased.proposal.id != first.id
    assert rebased.proposal.status is answered.status
    assert "ACKNOWLEDGMENT_REQUESTED" not in await world.kinds(before)
    [answer] = await world.acknowledgments(rebased.proposal)
    assert (answer.response, answer.migration_deadline) == (response, deadline)


async def test_a_further_break_asks_a_team_again_and_an_overdue_migration_too(world: World, clock: FixedClock) -> None:
    asset = await world.published()
    note, total = await world.team("note"), await world.team("total")
    await world.register(asset, note, "note")
    await world.register(asset, total, "total", "note")
    change_set = await world.change_set("github.com/shop/warehouse#17")
    first = (await world.publish(asset, without("note"), intent=Intent.ASK, change_set_id=change_set.id)).proposal
    assert first is not None
    await world.answer(first, note, Response.MIGRATING, clock.now + timedelta(days=2))
    await world.answer(first, total, Response.APPROVED)
    clock.advance(days=3)
    second = (
        await world.publish(asset, without("note", "total"), intent=Intent.ASK, change_set_id=change_set.id)
    ).proposal
    assert second is not None
    assert {item.consumer_team_id: item.response for item in await world.acknowledgments(second)} == {
        note.id: None,
        total.id: None,
    }


@pytest.mark.parametrize(
    ("schema", "answer"),
    [(without("note", "total"), Response.APPROVED), (without_note(channel="string"), None)],
    ids=["a further break", "an answer is missing"],
)
async def test_a_release_of_other_terms_is_a_conflict_unless_all_its_breaks_are_agreed(
    world: World, schema: dict[str, Any], answer: Response | None
) -> None:
    asset = await world.published(consumers=1)
    asked = (await world.publish(asset, without("note"), intent=Intent.ASK)).proposal
    assert asked is not None
    if answer is not None:
        await world.answer(asked, world.consumers[0], answer)
    size = await world.size()
    with pytest.raises(Conflict, match="these terms do not match"):
        await world.publish(asset, schema)
    assert await world.size() == size


async def test_a_team_that_registered_after_the_answers_is_asked_by_the_release(world: World) -> None:
    asset = await world.published(consumers=1)
    asked = (await world.publish(asset, without("note"), intent=Intent.ASK)).proposal
    assert asked is not None
    await world.answer(asked, world.consumers[0], Response.APPROVED)
    late = await world.team("late")
    await world.register(asset, late, "note")
    with pytest.raises(Conflict, match="these terms do not match"):
        await world.publish(asset, without_note(channel="string"))


async def test_a_proposal_that_requires_an_explicit_publish_waits_for_it(world: World) -> None:
    asset = await world.published(consumers=1)
    proposal = (await world.publish(asset, without("note"), require_explicit_publish=True)).proposal
    assert proposal is not None
    await world.answer(proposal, world.consumers[0], YES)
    again = await world.publish(asset, without("note"))
    assert again.proposal is not None
    assert (again.outcome, again.proposal.status) == (Outcome.PROPOSED, ProposalStatus.APPROVED)
    assert (await world.publish_proposal(proposal)).contract is not None


async def test_an_explicit_publish_is_required_even_when_nobody_is_asked(world: World) -> None:
    asset = await world.published()
    result = await world.publish(asset, without("note"), require_explicit_publish=True)
    assert result.proposal is not None
    assert (result.outcome, result.proposal.status) == (Outcome.PROPOSED, ProposalStatus.APPROVED)


async def test_the_later_of_automatic_and_explicit_publishing_counts(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    await world.publish(asset, without("note"), require_explicit_publish=True)
    row = await world.proposal(proposal.id)
    assert (row.publish_when_approved, row.require_explicit_publish) == (False, True)
    event = (await world.events())[-1]
    assert (event.kind, event.payload["changed"]) == (
        "PROPOSAL_UPDATED",
        ["publish_when_approved", "require_explicit_publish"],
    )
    await world.publish(asset, without("note"), publish_when_approved=True)
    row = await world.proposal(proposal.id)
    assert (row.publish_when_approved, row.require_explicit_publish) == (True, False)
    assert (await world.answer(row, world.consumers[0], YES)).contract is not None


async def test_an_ask_does_not_publish_what_an_earlier_release_armed(world: World) -> None:
    asset = await world.published()
    reader, late = await world.team("reader"), await world.team("late")
    await world.register(asset, reader, "note")
    proposal = (await world.publish(asset, without("note"), publish_when_approved=True)).proposal
    assert proposal is not None
    await world.publish(asset, adding("channel"))
    registration = await world.register(asset, late, "channel")
    await world.answer(proposal, reader, YES)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    async with world.database.write() as session:
        await session.update_row(Registration, registration.id, fields=["total"])
    asked = await world.publish(asset, without("note"), intent=ASK)
    assert asked.outcome is Outcome.PROPOSED
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    released = await world.publish(asset, without("note"))
    assert released.outcome is Outcome.PUBLISHED


@pytest.mark.parametrize(
    "request_",
    [
        {"intent": ASK, "publish_when_approved": True},
        {"intent": ASK, "force": True, "reason": "hurry"},
        {"publish_when_approved": True, "require_explicit_publish": True},
    ],
)
async def test_options_that_contradict_the_intent_are_refused(world: World, request_: dict[str, Any]) -> None:
    asset = await world.published(consumers=1)
    size = await world.size()
    with pytest.raises(Invalid, match="contradict"):
        await world.publish(asset, without("note"), **request_)
    assert await world.size() == size


async def test_a_pre_release_becomes_a_release_by_a_higher_version_of_unchanged_terms(world: World) -> None:
    asset = await world.published(version="1.0.0-rc.1")
    result = await world.publish(asset, version="1.0.0", metadata={"ticket": "DW-1"})
    assert result.contract is not None
    assert (result.outcome, result.contract.version) == (Outcome.PUBLISHED, "1.0.0")
    assert (result.contract.meta, result.contract.schema_def) == ({"ticket": "DW-1"}, ORDERS)
    assert (await world.publish(asset, version="1.0.0")).outcome is Outcome.UNCHANGED


async def test_new_metadata_of_unchanged_terms_is_stored(world: World) -> None:
    asset = await world.published(metadata={"ticket": "DW-1"})
    result = await world.publish(asset, metadata={"ticket": "DW-2"})
    assert result.outcome is Outcome.UNCHANGED
    active = await world.active(asset)
    assert active is not None
    assert active.meta == {"ticket": "DW-2"}
    event = (await world.events())[-1]
    assert (event.kind, event.payload["changed"]) == ("CONTRACT_UPDATED", ["metadata"])
    size = await world.size()
    await world.publish(asset, metadata={"ticket": "DW-2"})
    await world.publish(asset)
    assert await world.size() == size


async def test_unchanged_terms_return_the_open_proposal_and_keep_it_from_publishing_itself(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1, publish_when_approved=True)
    asked = await world.publish(asset, intent=ASK)
    assert asked.proposal is not None
    assert asked.proposal.publish_when_approved
    result = await world.publish(asset)
    assert result.proposal is not None
    assert (result.outcome, result.proposal.id) == (Outcome.UNCHANGED, proposal.id)
    assert result.proposal.publish_when_approved is False
    answered = await world.answer(proposal, world.consumers[0], YES)
    assert (answered.proposal.status, answered.contract) == (ProposalStatus.APPROVED, None)


@pytest.mark.parametrize(("answer", "status"), [(None, ProposalStatus.SUPERSEDED), (YES, ProposalStatus.PUBLISHED)])
async def test_a_forced_publish_of_the_proposed_terms_ends_the_proposal(
    world: World, answer: Response | None, status: ProposalStatus
) -> None:
    asset, proposal = await world.proposed(consumers=1, require_explicit_publish=True)
    if answer:
        await world.answer(proposal, world.consumers[0], answer)
    result = await world.publish(asset, without("note"), force=True, reason="the source is gone")
    row = await world.proposal(proposal.id)
    assert (result.outcome, row.status) == (Outcome.FORCED, status)
    assert row.contract_id == (result.contract.id if result.contract and answer else None)
    assert (await world.publish(asset, without("total"))).outcome is Outcome.PROPOSED


async def test_a_publish_that_became_compatible_ends_the_proposal_of_its_terms(world: World) -> None:
    asset = await world.published(consumers=1)
    owner = Actor("owner", asset.owner_team_id, frozenset({Scope.WRITE}))
    proposal = (await world.publish(asset, mode=Mode.CONSUMER, actor=owner)).proposal
    assert proposal is not None
    moved = await world.publish(asset, mode=Mode.CONSUMER)
    assert moved.outcome is Outcome.PUBLISHED
    assert (await world.proposal(proposal.id)).status is ProposalStatus.SUPERSEDED


async def test_the_same_terms_with_another_expiry_extend_the_proposal(world: World, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1)
    later = clock.now.replace(month=6)
    await world.publish(asset, without("note"), expires_at=later)
    assert (await world.proposal(proposal.id)).expires_at == later
    with pytest.raises(Invalid, match="366 days"):
        await world.publish(asset, without("note"), expires_at=later.replace(year=2031))
