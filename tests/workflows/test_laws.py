"""Invariants hold after every step of a random sequence of workflows, successful or refused."""

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
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import (
    ChangeSetStatus,
    ContractStatus,
    DebtKind,
    Intent,
    Outcome,
    ProposalKind,
    ProposalStatus,
    RegistrationStatus,
    Response,
)
from tessera_gql.policy.version import parse_version
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import (
    Acknowledgment,
    Asset,
    ChangeSet,
    Contract,
    Debt,
    EventRow,
    Proposal,
    Registration,
    Team,
)
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import change_sets as change_set_verbs
from tessera_gql.workflows import debt_answers as debt_verbs
from tessera_gql.workflows import impact
from tessera_gql.workflows import proposals as proposal_verbs
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.impact import Impact
from tessera_gql.workflows.proposal_lifecycle import update_asked_teams
from tessera_gql.workflows.proposals import RetirementRequest
from tessera_gql.workflows.publishing import PublishRequest, PublishResult, publish_contract
from tests.conftest import FixedClock
from tests.policy.test_affected_teams import is_affected
from tests.store.test_events import assert_chained
from tests.world import World

COLUMNS = "abcde"
UNKNOWN = DebtKind.UNKNOWN_FIELD
GUARANTEE: dict[str, Any] = {"freshness": {"error_after": {"count": 24, "period": "hour"}}}


def schema(dice: random.Random) -> dict[str, Any]:
    """A random schema of few columns and types, so that schemas recur and every kind of change occurs."""
    chosen = [name for name in COLUMNS if dice.random() < 0.7]
    return {
        "type": "object",
        "properties": {name: {"type": dice.choice(["string", "integer"])} for name in chosen},
        "required": [name for name in chosen if dice.random() < 0.3],
    }


def listed(event: EventRow) -> list[str]:
    """The ids of the debts that an event is about; a walk makes too few for an event to leave any out."""
    debts: list[str] = event.payload.get("debts", [])
    return debts


class Walk:
    """A random sequence of workflows on two assets, with owners and consumers."""

    def __init__(self, world: World, clock: FixedClock, seed: int) -> None:
        self.world, self.clock, self.dice = world, clock, random.Random(seed)
        self.teams: list[Team] = []
        self.assets: list[Asset] = []
        self.succeeded: dict[str, int] = {}

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
                self.propose_retirement,
                self.end_change_set,
                self.correct,
                self.acknowledge_debt,
            ],
            [8, 5, 2, 12, 4, 3, 1, 1, 2, 2, 2, 1],
        )[0]
        before = await self.world.size()
        try:
            await verb()
            self.succeeded[verb.__name__] = self.succeeded.get(verb.__name__, 0) + 1
        except Refusal:
            assert await self.world.size() == before, f"{verb.__name__} was refused and left something behind"

    def choose_request(self) -> dict[str, Any]:
        dice = self.dice
        request: dict[str, Any] = {
            "schema": schema(dice),
            "guarantees": dice.choice([None, GUARANTEE]),
            "mode": dice.choice([None, None, None, *Mode]),
            "force": dice.random() < 0.1,
            "reason": "because",
            "supersede": dice.random() < 0.4,
            "intent": dice.choice([Intent.RELEASE, Intent.RELEASE, Intent.ASK]),
        }
        if request["intent"] is Intent.ASK:
            request["force"] = False
        else:
            request["publish_when_approved"] = dice.random() < 0.4
            request["require_explicit_publish"] = not request["publish_when_approved"] and dice.random() < 0.2
        return request

    async def publish(self) -> None:
        asset, dice = self.dice.choice(self.assets), self.dice
        request = self.choose_request()
        await self.world.apply_all()
        async with self.world.database.read() as session:
            foreseen = await impact.compute_impact(session, ANONYMOUS, AssetRef(id=asset.id), PublishRequest(**request))
        async with self.world.database.write() as session:
            if dice.random() < 0.5:
                request["change_set_id"] = (await self.open_change_set(session)).id
            ref = AssetRef(id=asset.id)
            result = await publish_contract(session, ANONYMOUS, ref, PublishRequest(**request))
        assert result.changes == foreseen.judgement.changes
        await self.check_outcome(request, foreseen, result)

    async def check_outcome(self, request: dict[str, Any], foreseen: Impact, result: PublishResult) -> None:
        match result.outcome:
            case Outcome.UNCHANGED:
                assert foreseen.outcome is Outcome.UNCHANGED
            case Outcome.FORCED:
                assert foreseen.judgement.breaking
            case Outcome.COMPATIBLE:
                assert foreseen.outcome is Outcome.PUBLISHED
                assert request["intent"] is Intent.ASK
            case Outcome.PROPOSED:
                assert foreseen.judgement.breaking
                assert result.proposal is not None
                if result.proposal.proposed_by == foreseen.asset.owner_team_id:
                    assert await self.world.asked(result.proposal) == foreseen.asked_teams.keys()
            case Outcome.PUBLISHED:
                assert request["intent"] is Intent.RELEASE
                assert result.contract is not None
                assert result.proposal is not None or result.contract.version == foreseen.version

    async def open_change_set(self, session: Session) -> ChangeSet:
        key = f"repo#{self.dice.randint(1, 2)}"
        return await change_set_verbs.open_change_set(session, ANONYMOUS, ChangeSetRequest(key))

    async def propose_retirement(self) -> None:
        intent, supersede = self.dice.choice([*Intent]), self.dice.random() < 0.4
        async with self.world.database.write() as session:
            change_set_id = (await self.open_change_set(session)).id
            request = RetirementRequest("because", change_set_id=change_set_id, intent=intent, supersede=supersede)
            ref = AssetRef(id=self.dice.choice(self.assets).id)
            await proposal_verbs.propose_retirement(session, ANONYMOUS, ref, request)

    async def end_change_set(self) -> None:
        key = f"repo#{self.dice.randint(1, 2)}"
        await self.dice.choice([self.world.publish_change_set, self.world.withdraw_change_set])(key)

    async def register(self) -> None:
        fields = self.dice.sample(COLUMNS, self.dice.randint(0, 2))
        await self.world.register(self.dice.choice(self.assets), self.dice.choice(self.teams), *fields)

    async def unregister(self) -> None:
        if live := await self.world.registrations():
            await self.world.unregister(self.dice.choice(live))

    async def correct(self) -> None:
        if live := await self.world.registrations():
            fields = tuple(self.dice.sample(COLUMNS, self.dice.randint(1, 2)))
            async with self.world.database.write() as session:
                row = self.dice.choice(live)
                await registration_verbs.update(session, self.world.actor, row.id, changes={"fields": fields})

    async def acknowledge_debt(self) -> None:
        if rows := await self.world.rows(Debt):
            async with self.world.database.write() as session:
                await debt_verbs.acknowledge(session, self.world.actor, self.dice.choice(rows).id)

    async def answer(self) -> None:
        proposals = [proposal for proposal in await self.world.rows(Proposal) if proposal.status.is_open]
        if proposals:
            response = self.dice.choice([Response.APPROVED, *Response])
            days = self.dice.choice([1, 10, 50])
            deadline = self.clock.now + timedelta(days=days) if response is Response.MIGRATING else None
            await self.world.answer(self.dice.choice(proposals), self.dice.choice(self.teams), response, deadline)

    async def decide(self) -> None:
        if proposals := await self.world.rows(Proposal):
            verb = self.dice.choice([self.world.publish_proposal, self.world.publish_proposal, self.world.withdraw])
            await verb(self.dice.choice(proposals[-4:]))

    async def wait(self) -> None:
        self.clock.advance(days=self.dice.choice([1, 5, 20]))
        if self.dice.random() < 0.5:
            await self.world.apply_all()

    async def hand_over(self) -> None:
        asset, owner = self.dice.choice(self.assets), self.dice.choice(self.teams)
        async with self.world.database.write() as session:
            details = AssetDetails(owner=TeamRef(id=owner.id))
            row = await asset_verbs.update(session, self.world.actor, AssetRef(id=asset.id), details=details)
            await update_asked_teams(session, row)

    async def retire(self) -> None:
        if contracts := await self.world.rows(Contract):
            await self.world.retire(self.dice.choice(contracts))

    async def check(self) -> None:
        contracts, proposals = await self.world.rows(Contract), await self.world.rows(Proposal)
        live, acknowledgments = await self.world.registrations(), await self.world.rows(Acknowledgment)
        open_debts = [debt for debt in await self.world.rows(Debt) if debt.settled_at is None]
        owners = {row.id: row.owner_team_id for row in await self.world.rows(Asset)}
        for asset in self.assets:
            versions = [contract for contract in contracts if contract.asset_id == asset.id]
            assert sum(contract.status is ContractStatus.ACTIVE for contract in versions) <= 1
            assert all(
                parse_version(contract.version) < parse_version(following.version)
                for contract, following in pairwise(versions)
            )
            waiting = [proposal for proposal in proposals if proposal.asset_id == asset.id and proposal.status.is_open]
            assert len(waiting) <= 1
            rows = [registration for registration in live if registration.asset_id == asset.id]
            unknown = {debt.team_id for debt in open_debts if debt.asset_id == asset.id and debt.kind is UNKNOWN}
            readers = [(row.consumer_team_id, None if row.consumer_team_id in unknown else row.fields) for row in rows]
            forced = {debt.team_id for debt in open_debts if debt.asset_id == asset.id and debt.kind is DebtKind.FORCED}
            for proposal in waiting:
                own = [item for item in acknowledgments if item.proposal_id == proposal.id]
                self.check_open(proposal, owners[asset.id], readers, forced, own)
            if not waiting:
                assert all(registration.status is RegistrationStatus.ACTIVE for registration in rows)
        for change_set in await self.world.rows(ChangeSet):
            if change_set.status is not ChangeSetStatus.OPEN:
                assert not any(item.status.is_open for item in proposals if item.change_set_id == change_set.id)
        await self.check_debts(contracts, live)
        for proposal in proposals:
            self.check_end(proposal, {contract.id: contract for contract in contracts})
        assert_chained(await self.world.events())

    async def check_debts(self, contracts: list[Contract], live: list[Registration]) -> None:
        """Each registered field that the active contract lacks is a debt, and no debt of a field outlives that."""
        debts = [debt for debt in await self.world.rows(Debt) if debt.settled_at is None]
        active_contracts = [row for row in contracts if row.status is ContractStatus.ACTIVE]
        active = {row.asset_id: row.schema_def["properties"] for row in active_contracts}
        registered = {(row.asset_id, row.consumer_team_id, path) for row in live for path in row.fields or ()}
        missing = {key for key in registered if key[0] in active and key[2] not in active[key[0]]}
        of_paths = {(debt.asset_id, debt.team_id, debt.path) for debt in debts if debt.kind is not DebtKind.FORCED}
        assert missing <= of_paths
        assert {key for key in of_paths if key[0] in active} <= missing
        assert of_paths <= registered
        last_kinds = {debt_id: event.kind for event in await self.world.events() for debt_id in listed(event)}
        assert all(last_kinds[str(debt.id)] == "DEBT_RECORDED" for debt in debts)

    def check_open(
        self,
        row: Proposal,
        owner: UUID,
        readers: list[tuple[UUID, list[str] | None]],
        forced: set[UUID],
        acknowledgments: list[Acknowledgment],
    ) -> None:
        """Check that exactly the readers are asked; open debts may make the `forced` teams readers of more."""
        breaking = [Change.from_json(change) for change in row.breaking_changes]
        hurt: dict[UUID, set[str]] = {}
        for team, fields in readers:
            reasons = {change.fingerprint for change in breaking if is_affected(change, fields)}
            if reasons and team != owner:
                hurt.setdefault(team, set()).update(reasons)
        asked = [acknowledgment for acknowledgment in acknowledgments if acknowledgment.released_at is None]
        fingerprints = {item.consumer_team_id: set(item.change_fingerprints) for item in asked}
        assert all(fingerprints.get(team, set()) >= hurt[team] for team in hurt)
        assert {team for team in fingerprints if fingerprints[team] != hurt.get(team)} <= forced - {owner}
        responses = [item.response for item in asked]
        status = ProposalStatus.PENDING
        if Response.BLOCKED in responses:
            status = ProposalStatus.REJECTED
        elif set(responses) <= {Response.APPROVED}:
            status = ProposalStatus.APPROVED
        assert row.status is status
        for item in asked:
            if item.response is Response.MIGRATING:
                assert item.migration_deadline is not None
                assert row.expires_at >= item.migration_deadline + rules.MIGRATION_GRACE

    def check_end(self, row: Proposal, contracts: dict[UUID, Contract]) -> None:
        assert (row.resolved_at is None) is row.status.is_open
        if row.kind is ProposalKind.RETIREMENT and row.status is ProposalStatus.PUBLISHED:
            assert contracts[row.base_contract_id].status is not ContractStatus.ACTIVE
        if row.contract_id is not None:
            contract = contracts[row.contract_id]
            assert (contract.schema_def, contract.guarantees) == (row.proposed_schema, row.guarantees)
            assert (contract.version, contract.compatibility_mode) == (row.proposed_version, row.compatibility_mode)


@pytest.mark.parametrize("seed", range(6))
async def test_the_invariants_hold_after_every_random_workflow(
    seed: int, sqlite_template: Path, tmp_path: Path, clock: FixedClock
) -> None:
    database = Database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'walk.db')}", clock=clock)
    try:
        walk = Walk(World(database), clock, seed)
        await walk.begin()
        for _ in range(80):
            await walk.step()
            await walk.check()
        assert {"publish", "register", "answer"} <= walk.succeeded.keys()
    finally:
        await database.dispose()
