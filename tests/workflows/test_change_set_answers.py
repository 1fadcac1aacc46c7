"""A team answers all that waits for it in a change set at once, and is notified of it once."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.policy.enums import AssetTier, Intent, OnSilence, ProposalStatus, Response
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.tables import Asset, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import change_set_answers
from tessera_gql.workflows.change_set_answers import ChangeSetAnswer
from tessera_gql.workflows.change_sets import ChangeSetRef
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tests.conftest import FixedClock, statements
from tests.workflows.test_silence import set_policy, set_tier, substitute
from tests.world import World, without

KEY, URL = "github.com/shop/warehouse#17", "https://github.com/shop/warehouse/pull/17"
YES, LATER, NO = Response.APPROVED, Response.MIGRATING, Response.BLOCKED
REQUESTED, REMINDED = "CHANGE_SET_ACKNOWLEDGMENT_REQUESTED", "CHANGE_SET_REMINDER_SENT"


async def read_tables(world: World, count: int = 3, *readers: Team) -> tuple[Team, list[Asset], Team]:
    """Tables of one owner, and a reader of all."""
    owner, reader = await world.team("producers"), await world.team("reader")
    assets = [await world.asset(f"analytics.core.t{number}", owner) for number in range(count)]
    for asset in assets:
        await world.publish(asset)
        for team in (reader, *readers):
            await world.register(asset, team)
    return owner, assets, reader


async def ask(world: World, assets: Sequence[Asset], *columns: str, **request: Any) -> list[Proposal]:
    change_set = await world.change_set(KEY, title="Drop notes", url=URL)
    proposals: list[Proposal] = []
    for asset in assets:
        schema = without(*(columns or ("note",)))
        result = await world.publish(asset, schema, intent=Intent.ASK, change_set_id=change_set.id, **request)
        assert result.proposal is not None
        proposals.append(result.proposal)
    return proposals


async def answer(
    world: World,
    team: Team,
    response: Response = YES,
    *,
    excluded: Sequence[UUID] = (),
    actor: Actor | None = None,
    replaces_answers: bool = False,
    **values: Any,
) -> ChangeSetAnswer:
    async with world.database.write() as session:
        return await change_set_answers.acknowledge_change_set(
            session,
            actor or world.actor,
            ChangeSetRef(key=KEY),
            AcknowledgmentInput(response, **values),
            team=TeamRef(id=team.id),
            excluded=excluded,
            replaces_answers=replaces_answers,
        )


async def statuses(world: World, rows: Sequence[Proposal]) -> list[ProposalStatus]:
    return [(await world.proposal(row.id)).status for row in rows]


async def notifications(world: World, team: Team, after: int = 0) -> list[str]:
    """The kinds of the events that have the team as audience."""
    return [event.kind for event in await world.events(after) if str(team.id) in event.teams]


async def test_one_answer_settles_all_that_waits_for_the_team(world: World) -> None:
    second_reader = await world.team("other")
    _, assets, reader = await read_tables(world, 3, second_reader)
    rows = await ask(world, assets)
    result = await answer(world, reader)
    assert [item.response for item in result.acknowledgments] == [YES] * 3
    assert await statuses(world, rows) == [ProposalStatus.PENDING] * 3
    assert not (await answer(world, second_reader)).contracts
    assert await statuses(world, rows) == [ProposalStatus.APPROVED] * 3


async def test_what_is_left_out_keeps_waiting_and_can_be_answered_differently(world: World) -> None:
    owner, assets, reader = await read_tables(world)
    first, *remaining = await ask(world, assets)
    await answer(world, reader, excluded=[first.id])
    assert await statuses(world, [first, *remaining]) == [ProposalStatus.PENDING, *[ProposalStatus.APPROVED] * 2]
    await world.answer(first, reader, NO)
    assert await statuses(world, [first]) == [ProposalStatus.REJECTED]
    with pytest.raises(Conflict, match=r"has answered APPROVED to analytics.core.t1, analytics.core.t2 already"):
        await answer(world, reader, excluded=[first.id])
    with pytest.raises(Conflict, match=r"has answered APPROVED or BLOCKED to .* set `replaceAnswers`"):
        await answer(world, reader)
    changed = await answer(world, reader, replaces_answers=True)
    assert [item.proposal_id for item in changed.acknowledgments] == [first.id]
    foreign_asset = await world.asset("analytics.core.other", owner)
    await world.publish(foreign_asset)
    foreign = (await world.propose_retirement(foreign_asset, intent=Intent.ASK)).proposal
    with pytest.raises(Invalid, match="is none of the change set"):
        await answer(world, reader, NO, notes="no", excluded=[foreign.id])


async def test_an_answer_leaves_deliberate_ones_and_settles_an_overdue_migration(
    world: World, clock: FixedClock
) -> None:
    _, assets, reader = await read_tables(world)
    blocked, late, unanswered = await ask(world, assets, expires_at=clock.now + timedelta(days=90))
    await world.answer(blocked, reader, NO)
    await world.answer(late, reader, LATER, clock.now + timedelta(days=5))
    clock.advance(days=6)
    result = await answer(world, reader)
    assert {item.proposal_id for item in result.acknowledgments} == {late.id, unanswered.id}
    assert (await statuses(world, [blocked]))[0] is ProposalStatus.REJECTED


async def test_a_delegate_replaces_its_own_answer_but_none_of_the_team(world: World, clock: FixedClock) -> None:
    _, assets, reader = await read_tables(world, 2)
    delegate = await world.team("delegate")
    async with world.database.write() as session:
        until = clock.now + timedelta(days=20)
        await session.update_row(Team, reader.id, delegate_team_id=delegate.id, delegate_until=until)
    rows = await ask(world, assets)
    await world.answer(rows[0], reader, NO)
    for_team = World(world.database, Actor("delegate", delegate.id, frozenset({Scope.WRITE})))
    with pytest.raises(Forbidden, match=r"reader has answered BLOCKED itself, and neither its delegate nor"):
        await for_team.answer(rows[0], reader, YES)
    await for_team.answer(rows[1], reader, NO)
    await for_team.answer(rows[1], reader, YES)
    await world.answer(rows[1], reader, NO)
    assert await statuses(world, rows) == [ProposalStatus.REJECTED] * 2


async def test_an_answer_that_completes_a_proposal_publishes_it(world: World) -> None:
    _, assets, reader = await read_tables(world, 2)
    change_set = await world.change_set(KEY)
    for asset in assets:
        await world.publish(asset, without("note"), publish_when_approved=True, change_set_id=change_set.id)
    result = await answer(world, reader)
    assert [contract.version for contract in result.contracts] == ["2.0.0", "2.0.0"]
    assert result.change_set.status == "PUBLISHED"
    with pytest.raises(Conflict, match="ended as PUBLISHED"):
        await answer(world, reader)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"response": NO}, "needs a reason"),
        ({"response": LATER}, "until when"),
        ({"response": Response.SILENT}, "given"),
    ],
)
async def test_a_bad_answer_is_refused_whole(world: World, values: dict[str, Any], message: str) -> None:
    _, assets, reader = await read_tables(world, 2)
    await ask(world, assets)
    size = await world.size()
    with pytest.raises(Invalid, match=message):
        await answer(world, reader, **values)
    assert await world.size() == size


async def test_a_team_that_is_not_asked_has_nothing_to_answer(world: World) -> None:
    owner, assets, reader = await read_tables(world, 1)
    await ask(world, assets)
    with pytest.raises(Conflict, match="asks producers nothing"):
        await answer(world, owner)
    stranger = Actor("stranger", owner.id, frozenset({Scope.WRITE}))
    with pytest.raises(Forbidden):
        await answer(world, reader, actor=stranger)
    assert (await world.kinds()).count("PROPOSAL_ANSWERED") == 0


async def test_a_delegate_answers_for_the_team_until_its_date(world: World, clock: FixedClock) -> None:
    _, assets, reader = await read_tables(world, 2)
    delegate = await world.team("delegate")
    async with world.database.write() as session:
        until = clock.now + timedelta(days=2)
        await session.update_row(Team, reader.id, delegate_team_id=delegate.id, delegate_until=until)
    rows = await ask(world, assets)
    actor = Actor("delegate", delegate.id, frozenset({Scope.WRITE}))
    result = await answer(world, reader, actor=actor, excluded=[rows[0].id])
    assert [item.responded_by for item in result.acknowledgments] == [delegate.id]
    clock.advance(days=3)
    with pytest.raises(Forbidden, match="The delegation of reader ended"):
        await answer(world, reader, actor=actor)


async def test_asks_of_one_transaction_notify_each_team_once_and_repeated_ones_nobody(world: World) -> None:
    _, assets, reader = await read_tables(world)
    change_set = await world.change_set(KEY, title="Drop notes", url=URL)
    before = len(await world.events())
    async with world.database.write() as session:
        for asset in assets:
            await ask_in(session, world, asset, change_set.id)
    assert await notifications(world, reader, before) == [REQUESTED]
    event = next(event for event in await world.events() if event.kind == REQUESTED)
    assert (event.payload["key"], event.payload["url"], event.payload["proposal_count"]) == (KEY, URL, 3)
    assert event.payload["tables"] == [asset.fqn for asset in assets]
    assert (await world.kinds()).count("ACKNOWLEDGMENT_REQUESTED") == 3
    before = len(await world.events())
    await ask(world, assets)
    await apply_due_deadlines(world.database)
    assert await world.events(before) == []


async def ask_in(session: Any, world: World, asset: Asset, change_set_id: UUID) -> None:
    request = PublishRequest(schema=without("note"), intent=Intent.ASK, change_set_id=change_set_id)
    await publish_contract(session, world.actor, AssetRef(id=asset.id), request)


async def test_reminders_of_a_change_set_reach_a_team_once(world: World, clock: FixedClock) -> None:
    _, assets, reader = await read_tables(world)
    for asset in assets:
        await ask(world, [asset])
        clock.advance(minutes=10)
    before = len(await world.events())
    for _ in range(29 * 4):
        clock.advance(hours=6)
        await apply_due_deadlines(world.database)
    events = [event for event in await world.events(before) if event.kind == REMINDED]
    assert [(event.payload["days_before"], event.payload["proposal_count"]) for event in events] == [(3, 3), (1, 3)]
    assert (await world.kinds()).count("REMINDER_SENT") == 0
    assert all(event.teams == [str(reader.id)] for event in events)


async def test_an_answer_takes_a_fixed_number_of_statements_for_each_table(world: World) -> None:
    _, assets, reader = await read_tables(world, 6)
    rows = await ask(world, assets)
    with statements(world.database) as of_few:
        await answer(world, reader, excluded=[row.id for row in rows[2:]])
    with statements(world.database) as of_many:
        await answer(world, reader)
    assert len(of_many) - len(of_few) <= 2 * 9, of_many


async def notifications_of(world: World, *kinds: str) -> list[tuple[str, int, set[str]]]:
    """The events of these kinds that have an audience: kind, number of proposals, and names of the teams."""
    names = {str(team.id): team.name for team in await world.rows(Team)}
    return [
        (event.kind, event.payload.get("proposal_count", 1), {names[team] for team in event.teams})
        for event in await world.events()
        if event.kind in kinds and event.teams
    ]


TIMED = ("SILENCE_COUNTED", "ACKNOWLEDGMENT_ESCALATED", "MIGRATION_OVERDUE")
TIMED_TOGETHER = ("CHANGE_SET_SILENCE_COUNTED", "CHANGE_SET_ASKS_ESCALATED", "CHANGE_SET_MIGRATIONS_OVERDUE")


async def test_escalation_silence_and_overdue_migrations_are_one_notification_for_each_team(
    world: World, clock: FixedClock
) -> None:
    migrant, boss = await world.team("migrant"), await world.team("boss")
    _, assets, reader = await read_tables(world, 3, migrant)
    await set_policy(world, AssetTier.HIGH, due_days=14, escalate_after_days=5, on_silence=OnSilence.BLOCK)
    for asset in assets:
        await set_tier(world, asset, AssetTier.HIGH)
    await substitute(world, reader, escalation=boss)
    rows = await ask(world, assets)
    await answer(world, migrant, LATER, migration_deadline=clock.now + timedelta(days=10))
    for days in (5, 5, 4):
        clock.advance(days=days)
        for _ in range(2):
            await apply_due_deadlines(world.database)
    assert await notifications_of(world, *TIMED, *TIMED_TOGETHER) == [
        ("CHANGE_SET_ASKS_ESCALATED", 3, {"producers", "reader", "boss"}),
        ("CHANGE_SET_MIGRATIONS_OVERDUE", 3, {"producers", "migrant"}),
        ("CHANGE_SET_SILENCE_COUNTED", 3, {"producers", "reader", "boss"}),
    ]
    kinds = await world.kinds()
    assert [kinds.count(kind) for kind in TIMED] == [3, 3, 3]
    (event,) = [event for event in await world.events() if event.kind == "CHANGE_SET_SILENCE_COUNTED"]
    assert (event.payload["on_silence"], event.payload["key"]) == ("BLOCK", KEY)
    assert {*event.payload["proposals"]} == {str(row.id) for row in rows}
    assert event.payload["tables"] == [asset.fqn for asset in assets]


async def test_asks_of_a_change_set_that_become_due_within_minutes_are_one_notification(
    world: World, clock: FixedClock
) -> None:
    _, assets, _ = await read_tables(world, 3)
    await set_policy(world, AssetTier.HIGH, due_days=14, on_silence=OnSilence.APPROVE)
    for asset in assets:
        await set_tier(world, asset, AssetTier.HIGH)
    for asset in assets:
        await ask(world, [asset])
        clock.advance(seconds=50)
    clock.advance(days=14, seconds=-150)
    statuses_seen: list[int] = []
    for _ in range(5):
        await apply_due_deadlines(world.database)
        rows = [row for asset in assets for row in await world.proposals_of(asset)]
        statuses_seen.append((await statuses(world, rows)).count(ProposalStatus.APPROVED))
        clock.advance(seconds=50)
    assert statuses_seen == [0, 0, 3, 3, 3]
    assert [event[:2] for event in await notifications_of(world, *TIMED_TOGETHER)] == [
        ("CHANGE_SET_SILENCE_COUNTED", 3)
    ]


async def test_an_answer_that_finds_silence_first_notifies_of_that(world: World, clock: FixedClock) -> None:
    late = await world.team("late")
    _, assets, _ = await read_tables(world, 2, late)
    await set_policy(world, AssetTier.HIGH, due_days=14, on_silence=OnSilence.BLOCK)
    for asset in assets:
        await set_tier(world, asset, AssetTier.HIGH)
    rows = await ask(world, assets)
    clock.advance(days=15)
    await world.answer(rows[0], late, YES)
    await apply_due_deadlines(world.database)
    notifications = await notifications_of(world, *TIMED_TOGETHER)
    assert sorted((count, sorted(names)) for _, count, names in notifications) == [
        *[(1, ["late", "producers"])] * 2,
        *[(1, ["producers", "reader"])] * 2,
    ]
