"""Random verbs in random order: what must hold, holds after every one of them, whether it was done or refused."""

import random
import shutil
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tessera_gql.diff import Change, Mode
from tessera_gql.errors import Refusal
from tessera_gql.policy import proposal_status as rules
from tessera_gql.policy.enums import ContractStatus, Outcome, ProposalStatus, RegistrationStatus, Response
from tessera_gql.policy.version import parse_version
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Acknowledgment, Asset, Contract, Proposal, Registration, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import impact
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest
from tests.conftest import FixedClock
from tests.policy.test_affected import is_affected
from tests.store.test_events import assert_chained
from tests.world import World

COLUMNS = "abcde"
PROMISE: dict[str, Any] = {"freshness": {"error_after": {"count": 24, "period": "hour"}}}


def schema(dice: random.Random) -> dict[str, Any]:
    """Few columns and few types, so that schemas come back and changes are of every kind."""
    chosen = [name for name in COLUMNS if dice.random() < 0.7]
    return {
        "type": "object",
        "properties": {name: {"type": dice.choice(["string", "integer"])} for name in chosen},
        "required": [name for name in chosen if dice.random() < 0.3],
    }


class Walk:
    """Two assets, three consumers, an owner; each step does one thing that somebody might do."""

    def __init__(self, world: World, clock: FixedClock, seed: int) -> None:
        self.world, self.clock, self.dice = world, clock, random.Random(seed)
        self.teams: list[Team] = []
        self.assets: list[Asset] = []
        self.done: dict[str, int] = {}

    async def begin(self) -> None:
        self.teams = [await self.world.team(f"team-{number}") for number in range(5)]
        self.assets = [await self.world.asset(f"core.t{number}", self.teams[number]) for number in range(2)]

    async def step(self) -> None:
        verb = self.dice.choices(
            [
                self.publish,
                self.register,
                self.unregister,
                self.answer,
                self.decide,
                self.wait,
                self.hand_over,
                self.retire,
            ],
            [8, 5, 2, 12, 4, 3, 1, 1],
        )[0]
        before = await self.world.size()
        try:
            await verb()
            self.done[verb.__name__] = self.done.get(verb.__name__, 0) + 1
        except Refusal:
            assert await self.world.size() == before, f"{verb.__name__} was refused and left something behind"

    async def publish(self) -> None:
        asset, dice = self.dice.choice(self.assets), self.dice
        request: dict[str, Any] = {
            "schema": schema(dice),
            "guarantees": dice.choice([None, PROMISE]),
            "mode": dice.choice([None, None, Mode.BACKWARD, Mode.FULL, Mode.NONE]),
            "force": dice.random() < 0.1,
            "reason": "because",
            "supersede": dice.random() < 0.4,
            "publish_when_approved": dice.random() < 0.4,
        }
        await self.world.apply_all()
        async with self.world.database.read() as session:
            foreseen = await impact.compute_impact(session, AssetRef(id=asset.id), PublishRequest(**request))
        done = await self.world.publish(asset, **request)
        assert done.changes == foreseen.judgement.changes
        match done.outcome:
            case Outcome.UNCHANGED:
                assert foreseen.outcome is Outcome.UNCHANGED
            case Outcome.FORCED:
                assert foreseen.outcome is Outcome.PROPOSED
            case Outcome.PROPOSED:
                assert foreseen.outcome is Outcome.PROPOSED
                assert done.proposal is not None
                if done.proposal.proposed_by == foreseen.asset.owner_team_id:
                    assert await self.world.asked(done.proposal) == foreseen.asked_teams.keys()
            case Outcome.PUBLISHED:
                assert done.contract is not None
                assert done.proposal is not None or done.contract.version == foreseen.version

    async def register(self) -> None:
        fields = self.dice.sample(COLUMNS, self.dice.randint(0, 2))
        await self.world.register(self.dice.choice(self.assets), self.dice.choice(self.teams), *fields)

    async def unregister(self) -> None:
        if live := await self.world.registrations():
            await self.world.unregister(self.dice.choice(live))

    async def answer(self) -> None:
        found = [one for one in await self.world.rows(Proposal) if one.status.is_open]
        if found:
            response = self.dice.choice([Response.APPROVED, *Response])
            deadline = self.clock.now + timedelta(days=self.dice.choice([1, 10, 50]))
            await self.world.answer(self.dice.choice(found), self.dice.choice(self.teams), response, deadline)

    async def decide(self) -> None:
        if found := await self.world.rows(Proposal):
            verb = self.dice.choice([self.world.publish_proposal, self.world.publish_proposal, self.world.withdraw])
            await verb(self.dice.choice(found[-4:]))

    async def wait(self) -> None:
        self.clock.advance(days=self.dice.choice([1, 5, 20]))
        if self.dice.random() < 0.5:
            await self.world.apply_all()

    async def hand_over(self) -> None:
        asset, owner = self.dice.choice(self.assets), self.dice.choice(self.teams)
        async with self.world.database.write() as session:
            details = AssetDetails(owner=TeamRef(id=owner.id))
            await asset_verbs.update(session, self.world.actor, AssetRef(id=asset.id), details=details)

    async def retire(self) -> None:
        if found := await self.world.rows(Contract):
            await self.world.retire(self.dice.choice(found))

    async def check(self) -> None:
        contracts, proposals = await self.world.rows(Contract), await self.world.rows(Proposal)
        live, places = await self.world.registrations(), await self.world.rows(Acknowledgment)
        for asset in self.assets:
            versions = [one for one in contracts if one.asset_id == asset.id]
            assert sum(one.status is ContractStatus.ACTIVE for one in versions) <= 1
            assert all(parse_version(one.version) < parse_version(other.version) for one, other in pairwise(versions))
            waiting = [one for one in proposals if one.asset_id == asset.id and one.status.is_open]
            assert len(waiting) <= 1
            readers = [one for one in live if one.asset_id == asset.id]
            for one in waiting:
                self.check_open(one, readers, [place for place in places if place.proposal_id == one.id])
            if not waiting:
                assert all(one.status is RegistrationStatus.ACTIVE for one in readers)
        for one in proposals:
            self.check_end(one, {contract.id: contract for contract in contracts})
        assert_chained(await self.world.events())

    def check_open(self, row: Proposal, readers: list[Registration], places: list[Acknowledgment]) -> None:
        breaking = [Change.from_json(change) for change in row.breaking_changes]
        hurt: dict[UUID, set[str]] = {}
        for one in readers:
            reasons = {change.fingerprint for change in breaking if is_affected(change, one.fields)}
            if reasons and one.consumer_team_id != row.proposed_by:
                hurt.setdefault(one.consumer_team_id, set()).update(reasons)
        asked = [place for place in places if place.released_at is None]
        assert {place.consumer_team_id: set(place.because) for place in asked} == hurt
        answers = [rules.TeamResponse(place.response, place.migration_deadline) for place in asked]
        status = rules.compute_status(answers, self.clock.now)
        # What only time has done since waits for the worker or the next verb.
        by_time = {(ProposalStatus.PENDING, ProposalStatus.APPROVED)}
        assert row.status is status or (row.status, status) in by_time

    def check_end(self, row: Proposal, contracts: dict[UUID, Contract]) -> None:
        assert (row.resolved_at is None) is row.status.is_open
        if row.contract_id is not None:
            made = contracts[row.contract_id]
            assert (made.schema_def, made.guarantees) == (row.proposed_schema, row.guarantees)
            assert (made.version, made.compatibility_mode) == (row.proposed_version, row.compatibility_mode)


@pytest.mark.parametrize("seed", range(6))
async def test_what_must_hold_holds_after_every_verb(
    seed: int, sqlite_template: Path, tmp_path: Path, clock: FixedClock
) -> None:
    database = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'walk.db')}", clock=clock)
    try:
        walk = Walk(World(database), clock, seed)
        await walk.begin()
        for _ in range(60):
            await walk.step()
            await walk.check()
        assert {"publish", "register", "answer"} <= walk.done.keys()
    finally:
        await database.dispose()
