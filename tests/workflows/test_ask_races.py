"""Answers, silence and registrations of several processes at once leave nobody unasked and count nothing twice.

They run on PostgreSQL, where transactions wait for each other; an error of a deadlock would fail a test.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tessera_gql.errors import Refusal
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import AssetTier, ContractStatus, OnSilence, ProposalStatus, Response
from tessera_gql.store import answers, ask_policies
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Acknowledgment, Asset, Contract, Proposal, Registration, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows.assets import AssetDetails
from tests.conftest import FixedClock
from tests.store.test_events import assert_chained
from tests.workflows.test_concurrency import run_concurrently
from tests.world import World, adding, without

pytestmark = pytest.mark.long

TRIALS = 30 if os.environ.get("TESSERA_FUZZ") else 5


@dataclass
class Race:
    """Three processes on one database, each with a clock, and the teams of all trials."""

    worlds: list[World]
    clocks: list[FixedClock]
    owner: Team
    consumer: Team
    second_consumer: Team

    async def ask(self, trial: int, *fields: str, **request: Any) -> tuple[Asset, Proposal]:
        """An asset of which the consumer reads some fields, and the other team everything, and a dropped `note`."""
        world = self.worlds[0]
        asset = await world.asset(f"core.t{trial}", self.owner)
        await world.publish(asset)
        await world.register(asset, self.consumer, *fields)
        return asset, await self.propose(asset, without("note"), **request)

    async def propose(self, asset: Asset, schema: Any, **request: Any) -> Proposal:
        row = (await self.worlds[0].publish(asset, schema, **request)).proposal
        assert row is not None
        return row

    async def set_policy(self, on_silence: OnSilence) -> None:
        """Set the policy of all assets of these trials: an answer is due in ten days."""
        async with self.worlds[0].database.write() as session:
            values = {
                "tier": AssetTier.NORMAL,
                "due_days": 10,
                "remind_days_before": [3, 1],
                "escalate_after_days": None,
                "on_silence": on_silence,
                "row_version": 1,
                "updated_at": session.now,
            }
            await session.execute(ask_policies.TABLE.insert().values(values))

    async def confirm_tier(self, asset: Asset) -> None:
        async with self.worlds[0].database.write() as session:
            await session.update_row(Asset, asset.id, is_tier_confirmed=True)

    def advance(self, **units: float) -> None:
        for clock in self.clocks:
            clock.advance(**units)

    async def work(self, *numbers: int) -> list[int]:
        """Run the workers of some processes at once."""
        return await asyncio.gather(*(apply_due_deadlines(self.worlds[number].database) for number in numbers))

    async def asked(self, row: Proposal, team: Team) -> Acknowledgment:
        rows = await self.worlds[0].acknowledgments(row)
        return next(item for item in rows if item.consumer_team_id == team.id)


@pytest.fixture
async def race(postgres_database_url: str) -> AsyncIterator[Race]:
    clocks = [FixedClock() for _ in range(3)]
    worlds = [World(Database(postgres_database_url, clock=clock)) for clock in clocks]
    teams = [await worlds[0].team(name) for name in ("owner", "consumer", "other")]
    race = Race(worlds, clocks, *teams)
    yield race
    try:
        await assert_sound(race.worlds[0])
    finally:
        for world in worlds:
            await world.database.dispose()


async def assert_sound(world: World) -> None:
    """What holds whatever came first: one open proposal, the status of its answers, and a reason for each answer."""
    proposals, asks = await world.rows(Proposal), await world.rows(Acknowledgment)
    open_assets = Counter(row.asset_id for row in proposals if row.status.is_open)
    active = Counter(row.asset_id for row in await world.rows(Contract) if row.status is ContractStatus.ACTIVE)
    assert max([0, *open_assets.values(), *(count for count in active.values())]) <= 1
    readers = {(row.asset_id, row.consumer_team_id) for row in await world.rows(Registration) if row.fields is None}
    owners = {row.id: row.owner_team_id for row in await world.rows(Asset)}
    for row in proposals:
        counting = [item for item in asks if item.proposal_id == row.id and item.released_at is None]
        if row.status in (ProposalStatus.APPROVED, ProposalStatus.PUBLISHED):
            assert all(item.response in (Response.APPROVED, Response.SILENT) for item in counting)
        if row.status is ProposalStatus.REJECTED:
            assert any(item.response in (Response.BLOCKED, Response.SILENT) for item in counting)
        if row.status.is_open:
            teams = {team for asset, team in readers if asset == row.asset_id} - {owners[row.asset_id]}
            assert teams <= {item.consumer_team_id for item in counting}
    events = await world.events()
    assert_chained(events)
    silent = Counter(event.entity_id for event in events if event.kind == "SILENCE_COUNTED")
    assert max(silent.values(), default=0) <= 1
    ended = Counter(
        (event.proposal_id, event.payload["after"]) for event in events if event.kind.endswith("US_CHANGED")
    )
    assert all(count == 1 for (_, status), count in ended.items() if not ProposalStatus(status).is_open)


async def test_an_answer_is_carried_over_exactly_if_it_came_before_the_proposal_was_superseded(race: Race) -> None:
    carried = 0
    for trial in range(TRIALS):
        asset, row = await race.ask(trial, "note")
        calls = [
            race.worlds[0].answer(row, race.consumer, Response.APPROVED),
            race.worlds[1].publish(asset, without("note", "total"), supersede=True),
        ]
        _, refused = await run_concurrently(*(calls if trial % 2 else calls[::-1]))
        successor = (await race.worlds[0].proposals_of(asset))[-1]
        ask = await race.asked(successor, race.consumer)
        assert successor.id != row.id
        assert (ask.response is Response.APPROVED) is not bool(refused)
        carried += not refused
    assert carried < TRIALS


async def test_an_answer_beside_a_rebase_holds_for_what_the_team_was_asked_and_for_nothing_else(race: Race) -> None:
    for trial in range(TRIALS):
        asset, row = await race.ask(trial, "note")
        await race.worlds[0].register(asset, race.second_consumer)
        await race.worlds[0].publish(asset, adding("more"))
        calls = [
            race.worlds[0].answer(row, race.consumer, Response.APPROVED),
            race.worlds[1].answer(row, race.second_consumer, Response.APPROVED),
            race.worlds[2].publish(asset, without("note")),
        ]
        await run_concurrently(*calls[trial % 3 :], *calls[: trial % 3])
        first, second = await race.asked(row, race.consumer), await race.asked(row, race.second_consumer)
        assert (first.response, len(first.change_fingerprints)) == (Response.APPROVED, 1)
        async with race.worlds[0].database.read() as session:
            answered = (await answers.load(session, asset.id, [race.second_consumer.id]))[
                race.second_consumer.id
            ].keys()
        is_covered = set(second.change_fingerprints) <= answered
        assert len(second.change_fingerprints) == 2
        assert (second.response is Response.APPROVED) is is_covered


async def test_a_team_that_answers_while_it_becomes_the_owner_is_no_longer_asked(race: Race) -> None:
    async def transfer(world: World, asset: Asset) -> None:
        async with world.database.write() as session:
            details = AssetDetails(owner=TeamRef(id=race.consumer.id))
            await asset_verbs.update(session, ANONYMOUS, AssetRef(id=asset.id), details=details)

    for trial in range(TRIALS):
        asset, row = await race.ask(trial)
        await race.worlds[0].register(asset, race.owner)
        answer = race.worlds[0].answer(row, race.consumer, Response.BLOCKED)
        await run_concurrently(*(answer, transfer(race.worlds[1], asset))[:: 1 if trial % 2 else -1])
        assert await race.worlds[0].asked(row) == {race.owner.id}
        assert (await race.worlds[0].proposal(row.id)).status is ProposalStatus.PENDING


async def test_an_answer_beside_the_expiry_either_counts_or_is_refused(race: Race) -> None:
    outcomes: Counter[ProposalStatus] = Counter()
    for trial in range(TRIALS):
        _, row = await race.ask(trial)
        race.clocks[1].now = race.clocks[2].now = row.expires_at
        race.clocks[0].now = row.expires_at - timedelta(seconds=1)
        calls: list[Callable[[], Any]] = [
            lambda row=row: race.worlds[0].answer(row, race.consumer, Response.APPROVED),
            lambda: race.work(1, 2),
        ]
        _, refused = await run_concurrently(*(call() for call in (calls if trial % 2 else calls[::-1])))
        status = (await race.worlds[0].proposal(row.id)).status
        assert status is (ProposalStatus.EXPIRED if refused else ProposalStatus.APPROVED)
        outcomes[status] += 1
        race.clocks[0].now = row.expires_at
    assert outcomes.keys() <= {ProposalStatus.EXPIRED, ProposalStatus.APPROVED}


@pytest.mark.parametrize("on_silence", [OnSilence.APPROVE, OnSilence.BLOCK, OnSilence.EXTEND])
async def test_silence_is_counted_once_by_three_workers_beside_answers_and_readers(
    race: Race, on_silence: OnSilence
) -> None:
    await race.set_policy(on_silence)
    rows: list[tuple[Asset, Proposal]] = []
    for trial in range(TRIALS):
        asset, _ = await race.ask(trial)
        await race.confirm_tier(asset)
        rows.append((asset, await race.propose(asset, without("total"), supersede=True, publish_when_approved=True)))
    race.advance(days=10)
    blocks = [race.worlds[0].answer(row, race.consumer, Response.BLOCKED) for _, row in rows[::2]]
    readers = [race.worlds[1].register(asset, race.second_consumer) for asset, _ in rows[1::2]]
    ended = await asyncio.gather(race.work(0, 1, 2), *blocks, *readers, return_exceptions=True)
    assert [item for item in ended if isinstance(item, BaseException) and not isinstance(item, Refusal)] == []
    await race.work(0, 1, 2)
    counted = [event for event in await race.worlds[0].events() if event.kind == "SILENCE_COUNTED"]
    assert len(counted) == TRIALS
    if on_silence is OnSilence.APPROVE:
        for _, row in rows[::2]:
            assert (await race.worlds[0].proposal(row.id)).status is ProposalStatus.PUBLISHED


async def test_a_reminder_is_sent_once_by_three_workers(race: Race) -> None:
    for trial in range(TRIALS):
        await race.ask(trial)
    race.advance(days=27)
    await race.work(0, 1, 2)
    await race.work(0, 1, 2)
    reminders = [event for event in await race.worlds[0].events() if event.kind == "REMINDER_SENT"]
    assert len(reminders) == TRIALS
