"""Proposals are acknowledged, published and withdrawn by the right teams, and all affected teams are notified."""

from datetime import timedelta

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid, NotFound
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import ContractStatus, ProposalStatus, RegistrationStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Proposal, Team, new_id
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import proposals
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tests.conftest import FixedClock
from tests.world import World, adding, without

DAY = timedelta(days=1)
YES, NO, LATER = Response.APPROVED, Response.BLOCKED, Response.MIGRATING


def key(team: Team, *scopes: Scope) -> Actor:
    return Actor(f"{team.name}'s key", team.id, frozenset(scopes or {Scope.WRITE}))


async def hand_over(world: World, asset: Asset, owner: Team) -> None:
    async with world.database.write() as session:
        details = AssetDetails(owner=TeamRef(id=owner.id))
        await asset_verbs.update(session, world.actor, AssetRef(id=asset.id), details=details)


async def test_the_last_answer_counts_and_each_is_an_event(world: World, clock: FixedClock) -> None:
    asset, proposal = await world.proposed(consumers=1)
    team = world.consumers[0]
    before = (await world.events())[-1].sequence
    for response, status in (
        (NO, ProposalStatus.REJECTED),
        (LATER, ProposalStatus.PENDING),
        (YES, ProposalStatus.APPROVED),
        (YES, ProposalStatus.APPROVED),
        (NO, ProposalStatus.REJECTED),
    ):
        result = await world.answer(proposal, team, response, clock.now + DAY if response is LATER else None)
        assert result.proposal.status is status
        [acknowledgment] = await world.acknowledgments(proposal)
        assert (acknowledgment.response, acknowledgment.migration_deadline is None) == (response, response is not LATER)
        [registration] = await world.registrations()
        migrating = RegistrationStatus.MIGRATING if response is LATER else RegistrationStatus.ACTIVE
        assert registration.status is migrating
    events = await world.events(before)
    answers = [event for event in events if event.kind == "PROPOSAL_ANSWERED"]
    assert [event.payload["response"] for event in answers] == [NO, LATER, YES, YES, NO]
    assert set(answers[0].teams) == {str(team.id), str(asset.owner_team_id)}
    changes = [event.payload for event in events if event.kind == "PROPOSAL_STATUS_CHANGED"]
    assert [(change["before"], change["after"]) for change in changes] == [
        ("PENDING", "REJECTED"),
        ("REJECTED", "PENDING"),
        ("PENDING", "APPROVED"),
        ("APPROVED", "REJECTED"),
    ]


async def test_publishing_before_all_teams_agree_names_the_missing_teams(world: World) -> None:
    _, proposal = await world.proposed(consumers=2)
    with pytest.raises(Conflict, match=r"pending: it waits for consumer-0, consumer-1\. It can be published once"):
        await world.publish_proposal(proposal)
    await world.answer(proposal, world.consumers[0], NO)
    with pytest.raises(Conflict, match=r"rejected: consumer-0 answered BLOCKED\. Settle it with them"):
        await world.publish_proposal(proposal)


async def test_only_asked_teams_may_answer_and_other_teams_get_the_reason(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    stranger = await world.team("other")
    await world.register(asset, stranger, "total")
    with pytest.raises(Forbidden, match=r"other is not asked by this proposal: .* Asked are: consumer-0"):
        await world.answer(proposal, stranger, NO)
    with pytest.raises(NotFound):
        await world.answer(Proposal(id=new_id()), stranger, NO)


async def test_a_key_answers_for_its_own_team_and_an_administrator_for_the_team_it_names(world: World) -> None:
    _, proposal = await world.proposed(consumers=2)
    first, second = world.consumers

    async def answer(actor: Actor, team: Team | None = None) -> None:
        async with world.database.write() as session:
            ref = TeamRef(id=team.id) if team else None
            await proposals.acknowledge(session, actor, proposal.id, team=ref, answer=AcknowledgmentInput(YES))

    await answer(key(first))
    with pytest.raises(Forbidden, match="own team only"):
        await answer(key(first), second)
    with pytest.raises(Forbidden, match="lacks the scope WRITE"):
        await answer(key(second, Scope.READ))
    await answer(key(first, Scope.ADMIN), second)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED


async def test_a_consumer_that_leaves_is_released_and_no_longer_counts(world: World) -> None:
    _, proposal = await world.proposed(consumers=2)
    blocker, approver = world.consumers
    await world.answer(proposal, blocker, NO)
    await world.answer(proposal, approver, YES)
    leaving = next(
        registration for registration in await world.registrations() if registration.consumer_team_id == blocker.id
    )
    before = (await world.events())[-1].sequence
    await world.unregister(leaving)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    assert await world.kinds(before) == ["REGISTRATION_ENDED", "ACKNOWLEDGMENT_RELEASED", "PROPOSAL_STATUS_CHANGED"]
    with pytest.raises(Forbidden, match="is not asked"):
        await world.answer(proposal, blocker, NO)
    with pytest.raises(Conflict, match="ended already"):
        await world.unregister(leaving)


async def test_the_answer_of_a_consumer_that_returns_with_the_same_reads_holds_again(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    team = world.consumers[0]
    await world.answer(proposal, team, YES)
    [answered] = await world.acknowledgments(proposal)
    await world.unregister((await world.registrations())[0])
    before = (await world.events())[-1].sequence
    await world.register(asset, team, "note")
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (acknowledgment.response, acknowledgment.released_at, acknowledgment.carried_from) == (YES, None, None)
    assert acknowledgment.responded_at == answered.responded_at
    assert await world.kinds(before) == ["REGISTRATION_CREATED", "ANSWER_CARRIED"]


async def test_a_migration_ends_with_its_proof_and_a_consumer_that_returns_is_asked_again(
    world: World, clock: FixedClock
) -> None:
    asset, proposal = await world.proposed(consumers=1)
    team = world.consumers[0]
    await world.answer(proposal, team, LATER, clock.now + DAY)
    await world.unregister((await world.registrations())[0])
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    await world.register(asset, team, "note")
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (acknowledgment.response, acknowledgment.responded_at, acknowledgment.released_at) == (None, None, None)
    assert acknowledgment.released_by is None
    assert [row.status for row in await world.registrations()] == [RegistrationStatus.ACTIVE]


async def test_a_team_reopens_an_approved_proposal_by_registering_only_once_without_an_administrator(
    world: World,
) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], YES)
    late = await world.team("late")
    own = World(world.database, key(late))
    registration = await own.register(asset, late, "note")
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING
    await own.unregister(registration)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    size = await world.size()
    with pytest.raises(Forbidden, match=r"late has reopened .* once already .* let an administrator register it"):
        await own.register(asset, late, "note")
    assert await world.size() == size
    await own.register(asset, late, "total")  # what does not concern the proposal
    await World(world.database, key(late, Scope.ADMIN)).register(asset, late, via=await own.asset("late.own", late))
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PENDING


async def test_ending_one_of_several_registrations_releases_no_team(world: World) -> None:
    asset = await world.published()
    team = await world.team("two ways")
    own = await world.asset("marts.own", team)
    await world.register(asset, team, "note")
    second = await world.register(asset, team, via=own)
    proposal = (await world.publish(asset, without("note", "total"))).proposal
    assert proposal is not None
    [acknowledgment] = await world.acknowledgments(proposal)
    assert len(acknowledgment.change_fingerprints) == 2
    await world.answer(proposal, team, YES)
    await world.unregister(second)
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (len(acknowledgment.change_fingerprints), acknowledgment.response) == (1, YES)
    await world.register(asset, team, via=own)
    [acknowledgment] = await world.acknowledgments(proposal)
    assert (len(acknowledgment.change_fingerprints), acknowledgment.response) == (2, YES)


async def test_publishing_publishes_exactly_the_approved_terms_and_notifies_all_teams(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.answer(proposal, world.consumers[0], YES)
    before = (await world.events())[-1].sequence
    result = await world.publish_proposal(proposal)
    assert result.contract is not None
    assert (result.contract.schema_def, result.contract.version) == (without("note"), "2.0.0")
    assert (result.proposal.status, result.proposal.contract_id) == (ProposalStatus.PUBLISHED, result.contract.id)
    published, ended = await world.events(before)
    assert (published.kind, ended.kind) == ("CONTRACT_PUBLISHED", "PROPOSAL_STATUS_CHANGED")
    assert published.proposal_id == proposal.id
    assert set(published.teams) == set(ended.teams) == {str(asset.owner_team_id), str(world.consumers[0].id)}
    for late in (
        world.publish_proposal(proposal),
        world.withdraw(proposal),
        world.answer(proposal, world.consumers[0], NO),
    ):
        with pytest.raises(Conflict, match="ended on 2026-01-01 12:00 UTC as PUBLISHED"):
            await late


async def test_an_approved_proposal_that_went_stale_is_not_published_and_stays_open(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.publish(asset, adding("channel"))
    await world.answer(proposal, world.consumers[0], YES)
    with pytest.raises(
        Conflict, match=r"stale: since version 1\.1\.0 it also breaks consumer-0: channel was removed\. Publish"
    ):
        await world.publish_proposal(proposal)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    again = await world.publish(asset, without("note"), supersede=True)
    assert again.proposal is not None
    assert len(again.proposal.breaking_changes) == 2


async def test_a_proposal_takes_the_next_version_when_its_own_was_published_meanwhile(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    await world.publish(asset, {**without(), "description": "more"}, version="2.0.0")
    await world.answer(proposal, world.consumers[0], YES)
    result = await world.publish_proposal(proposal)
    assert (result.contract and result.contract.version, result.proposal.proposed_version) == ("3.0.0", "3.0.0")


async def test_only_the_owner_withdraws(world: World) -> None:
    _, proposal = await world.proposed(consumers=1)
    with pytest.raises(Forbidden, match="Only the owning team, producers, may"):
        await World(world.database, key(world.consumers[0])).withdraw(proposal)
    result = await world.withdraw(proposal)
    assert (result.proposal.status, result.contract) == (ProposalStatus.WITHDRAWN, None)


async def test_after_a_transfer_only_the_new_owner_decides(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    heir = await world.team("heir")
    await hand_over(world, asset, heir)
    await world.answer(proposal, world.consumers[0], YES)
    former = Actor("former", asset.owner_team_id, frozenset({Scope.WRITE}))
    with pytest.raises(Forbidden, match="Only the owning team, heir, may"):
        await World(world.database, former).publish_proposal(proposal)
    result = await World(world.database, key(heir)).publish_proposal(proposal)
    assert result.contract is not None
    assert result.contract.published_by == heir.id


async def test_a_reader_that_became_the_owner_is_no_longer_asked_and_may_withdraw(world: World) -> None:
    asset, proposal = await world.proposed(consumers=1)
    heir = world.consumers[0]
    await hand_over(world, asset, heir)
    assert await world.asked(proposal) == set()
    assert (await world.proposal(proposal.id)).status is ProposalStatus.APPROVED
    await World(world.database, key(heir)).withdraw(proposal)


async def test_when_approved_it_is_published_with_the_last_answer_or_with_the_last_blocker_that_leaves(
    world: World,
) -> None:
    asset, proposal = await world.proposed(consumers=2, publish_when_approved=True)
    blocker, approver = world.consumers
    await world.answer(proposal, blocker, NO)
    assert (await world.answer(proposal, approver, YES)).contract is None
    leaving = next(
        registration for registration in await world.registrations() if registration.consumer_team_id == blocker.id
    )
    await world.unregister(leaving)
    assert (await world.proposal(proposal.id)).status is ProposalStatus.PUBLISHED
    statuses = [contract.status for contract in await world.contracts(asset)]
    assert statuses == [ContractStatus.DEPRECATED, ContractStatus.ACTIVE]


async def test_notes_are_kept_and_too_long_ones_refused(world: World) -> None:
    _, proposal = await world.proposed(consumers=1)

    async def answer(notes: str) -> None:
        async with world.database.write() as session:
            team = TeamRef(id=world.consumers[0].id)
            acknowledgment = AcknowledgmentInput(NO, notes=notes)
            await proposals.acknowledge(session, world.actor, proposal.id, team=team, answer=acknowledgment)

    await answer(" not before Easter ")
    assert (await world.acknowledgments(proposal))[0].notes == "not before Easter"
    with pytest.raises(Invalid, match="20000"):
        await answer("a" * 20_001)
