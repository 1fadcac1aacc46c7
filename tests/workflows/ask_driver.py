"""Run the commands of the naive model against the implementation, and read its state in the terms of the model."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from tessera_gql.diff import Mode
from tessera_gql.errors import Refusal
from tessera_gql.formats import dbt
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.access import ANONYMOUS, Actor, Scope
from tessera_gql.policy.enums import AssetTier, ContractStatus, DebtKind, Intent, Response
from tessera_gql.store import ask_policies, proposals
from tessera_gql.store import assets as asset_rows
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import (
    Acknowledgment,
    Answer,
    Asset,
    ChangeSet,
    Contract,
    Debt,
    EventRow,
    Proposal,
    Registration,
    Team,
    table,
)
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import change_sets as change_set_verbs
from tessera_gql.workflows import proposals as proposal_verbs
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.dbt.sync import sync_manifest
from tessera_gql.workflows.debt_answers import acknowledge
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.usage_import import import_batch, plan_import
from tessera_gql.workflows.usage_log import UsageDocument, collect_reads
from tessera_gql.workflows.usage_sources import map_principal
from tests.formats.manifests import manifest, source
from tests.workflows.ask_events import (
    NAMES,
    UNNOTIFIED,
    check_change_set_notifications,
    check_timed_notifications,
    count_events,
)
from tests.workflows.ask_lineage import normalize
from tests.workflows.ask_records import MODE, Atom, Policy, Schema, columns_of
from tests.workflows.dbt_syncs import of_project, team_table
from tests.workflows.usage_logs import log_of, usage_source
from tests.world import World

Snapshot = dict[str, Any]
SOURCE = "warehouse"
"""The source of observed reads."""


def to_json_schema(schema: Schema) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for path, kind in columns_of(schema).items():
        parent, _, leaf = path.rpartition(".")
        target = properties
        if parent:
            target = properties.setdefault(parent, {"type": "object", "properties": {}})["properties"]
        target[leaf] = {"type": kind}
    return {"type": "object", "properties": properties}


class Implementation:
    """The implementation with the names of the model; every command runs in its own transaction."""

    def __init__(self, connect: Callable[[], Database]) -> None:
        self.connect = connect
        self.database, self.second_database = connect(), connect()
        self.sequence = 0
        self.ids: dict[str, UUID] = {}
        self.names: dict[str, str] = {}
        self.registrations: dict[int, UUID] = {}
        self.atoms: dict[str, Atom] = {}
        self.fingerprints: dict[Atom, str] = {}

    @property
    def world(self) -> World:
        return World(self.database)

    async def create(self, owners: Mapping[str, str], teams: list[str]) -> None:
        for name in teams:
            self.remember(name, (await self.world.team(name)).id)
        await usage_source(self.world, SOURCE)
        async with self.database.write() as session:
            for name in teams:
                await map_principal(session, ANONYMOUS, pattern=name, team=TeamRef(id=self.ids[name]))
        for fqn, owner in owners.items():
            details = AssetDetails(owner=TeamRef(id=self.ids[owner]))
            async with self.database.write() as session:
                self.remember(fqn, (await asset_verbs.create(session, ANONYMOUS, fqn=fqn, details=details)).id)

    def remember(self, name: str, identity: UUID) -> None:
        self.ids[name] = identity
        self.names[str(identity)] = name

    def actor(self, team: str) -> Actor:
        """The key of a team, which is no administrator's."""
        return Actor(team, self.ids[team], frozenset({Scope.READ, Scope.WRITE}))

    async def dispose(self) -> None:
        await self.database.dispose()
        await self.second_database.dispose()

    async def restart(self) -> None:
        await self.dispose()
        self.database, self.second_database = self.connect(), self.connect()

    async def attempt(self, command: Callable[[Session], Awaitable[Any]], *, is_killed: bool = False) -> bool:
        """Run a command; return whether it was allowed. A killed process leaves nothing."""
        try:
            async with self.database.write(dry_run=is_killed) as session:
                await command(session)
        except Refusal:
            return False
        return True

    async def publish(
        self,
        session: Session,
        asset: str,
        schema: Schema,
        intent: Intent,
        *,
        change_set: str | None,
        automatic: bool,
        explicit: bool,
        **options: Any,
    ) -> None:
        change_set_id = await self.open_change_set(session, change_set)
        request = PublishRequest(
            schema=to_json_schema(schema),
            mode=Mode(schema[MODE]) if MODE in schema else None,
            intent=intent,
            reason="because",
            change_set_id=change_set_id,
            publish_when_approved=automatic,
            require_explicit_publish=explicit,
            **options,
        )
        await publish_contract(session, ANONYMOUS, AssetRef(id=self.ids[asset]), request)

    async def open_change_set(self, session: Session, key: str | None) -> UUID | None:
        if key is None:
            return None
        return (await change_set_verbs.open_change_set(session, ANONYMOUS, ChangeSetRequest(key))).id

    async def find_fqn(self, session: Session, asset: str) -> str:
        (row,) = await asset_rows.by_ids(session, [self.ids[asset]])
        return row.fqn

    async def open_id(self, session: Session, asset: str) -> UUID:
        """The latest proposal of an asset, open or not."""
        rows = await session.list(select(table(Proposal)).order_by(table(Proposal).c.id), Proposal)
        return [row.id for row in rows if row.asset_id == self.ids[asset]][-1]

    async def withdraw(self, session: Session, asset: str) -> None:
        await proposal_verbs.withdraw(session, ANONYMOUS, await self.open_id(session, asset))

    async def publish_proposal(self, session: Session, asset: str) -> None:
        await proposal_verbs.publish(session, ANONYMOUS, await self.open_id(session, asset))

    async def extend_proposal(self, session: Session, asset: str, until: datetime) -> None:
        await proposal_verbs.extend_proposal(session, ANONYMOUS, await self.open_id(session, asset), until)

    async def transfer(self, session: Session, asset: str, owner: str) -> None:
        details = AssetDetails(owner=TeamRef(id=self.ids[owner]))
        await asset_verbs.update(session, ANONYMOUS, AssetRef(id=self.ids[asset]), details=details)

    async def register(
        self, session: Session, key: int, asset: str, team: str, via: str | None, fields: frozenset[str] | None
    ) -> None:
        row = await registration_verbs.register(
            session,
            self.actor(team),
            AssetRef(id=self.ids[asset]),
            team=TeamRef(id=self.ids[team]),
            consumer_asset=AssetRef(id=self.ids[via]) if via else None,
            details=registration_verbs.RegistrationDetails(fields=None if fields is None else tuple(sorted(fields))),
        )
        self.registrations[key] = row.id

    async def change_registration(self, session: Session, key: int, team: str, fields: frozenset[str] | None) -> None:
        changes = {"fields": None if fields is None else tuple(sorted(fields))}
        await registration_verbs.update(session, self.actor(team), self.registrations[key], changes=changes)

    async def unregister(self, session: Session, key: int, team: str) -> None:
        await registration_verbs.unregister(session, self.actor(team), self.registrations[key])

    async def sync_manifest(self, session: Session, asset: str, team: str, columns: frozenset[str]) -> None:
        """Sync the manifest of a team that has one report, which reads these columns of an asset, or none."""
        fqn = await self.find_fqn(session, asset)
        name = fqn.rpartition(".")[2]
        reads = {"nodes": [f"source.shop.{name}"] if columns else []}
        query = f"select {', '.join(sorted(columns)) or '1 as id'}" + (f" from {fqn}" if columns else "")
        report = team_table(f"{asset.rpartition('.')[2]}_{team}", team, "id", depends_on=reads, compiled_code=query)
        parsed = dbt.parse_manifest(of_project(manifest(source(name), report), team))
        await sync_manifest(session, self.actor(team), parsed, SyncOptions(owner=TeamRef(id=self.ids[team])))

    async def answer(
        self,
        session: Session,
        asset: str,
        team: str,
        response: Response,
        deadline: datetime | None,
        notes: str | None,
        *,
        actor: str,
    ) -> None:
        await proposal_verbs.acknowledge(
            session,
            self.actor(actor),
            await self.open_id(session, asset),
            team=TeamRef(id=self.ids[team]),
            answer=AcknowledgmentInput(response, deadline, notes),
        )

    async def observe(self, session: Session, asset: str, team: str, path: str) -> None:
        """Import one read without an end, so that the log covers no time and quiet proves nothing."""
        text = log_of((team, path, session.now), asset=await self.find_fqn(session, asset))
        log = collect_reads(UsageDocument(text.encode()), session.now)
        plan = await plan_import(session, ANONYMOUS, UsageSourceRef(name=SOURCE), log, (None, None))
        while plan.batches:
            plan = await import_batch(session, ANONYMOUS, plan)

    async def acknowledge_debts(self, session: Session, team: str, asset: str) -> None:
        """Answer the debts of forced publishes of a team and an asset."""
        for row in await session.list(select(table(Debt)).order_by(table(Debt).c.id), Debt):
            is_forced = row.kind is DebtKind.FORCED and row.settled_at is None
            if is_forced and (row.team_id, row.asset_id) == (self.ids[team], self.ids[asset]):
                await acknowledge(session, ANONYMOUS, row.id)

    async def set_delegate(self, session: Session, team: str, delegate: str, until: datetime) -> None:
        await session.update_row(Team, self.ids[team], delegate_team_id=self.ids[delegate], delegate_until=until)

    async def set_escalation(self, session: Session, team: str, other: str) -> None:
        await session.update_row(Team, self.ids[team], escalation_team_id=self.ids[other])

    async def set_tier(self, session: Session, asset: str, tier: str) -> None:
        await session.update_row(Asset, self.ids[asset], tier=AssetTier(tier), is_tier_confirmed=True)

    async def set_policy(self, session: Session, tier: str, policy: Policy) -> None:
        values = {
            "tier": AssetTier(tier),
            "due_days": policy.due_days,
            "remind_days_before": sorted(policy.remind, reverse=True),
            "escalate_after_days": policy.escalate,
            "on_silence": policy.on_silence,
            "row_version": 1,
            "updated_at": session.now,
        }
        policies = ask_policies.TABLE
        await session.execute(policies.delete().where(policies.c.tier == AssetTier(tier)))
        await session.execute(policies.insert().values(values))

    async def work(self, *, workers: int) -> None:
        """Run one or two workers at once, as two servers do."""
        databases = (self.database, self.second_database)[:workers]
        await asyncio.gather(*(apply_due_deadlines(database) for database in databases))

    async def work_partly(self, session: Session, asset: str) -> None:
        """What a worker has done that is killed after the first proposal."""
        await proposal_verbs.apply_deadlines(session, await self.open_id(session, asset))

    # Reading

    async def read(self, model: Mapping[str, Any]) -> Snapshot:
        """The state in the terms of the model, whose proposals say which change a fingerprint is of."""
        async with self.database.read() as session:
            rows = await session.list(select(table(Proposal)).order_by(table(Proposal).c.id), Proposal)
            asks = await session.list(select(table(Acknowledgment)), Acknowledgment)
            answers = await session.list(select(table(Answer)), Answer)
            is_open = table(Debt).c.settled_at.is_(None)
            debts = await session.list(select(table(Debt)).where(is_open), Debt)
            is_active = table(Contract).c.status == ContractStatus.ACTIVE
            contracts = await session.list(select(table(Contract)).where(is_active), Contract)
            change_sets = await session.list(select(table(ChangeSet)), ChangeSet)
            live = await session.list(
                select(table(Registration)).where(table(Registration).c.status != "INACTIVE"), Registration
            )
        for row, expected in zip(rows, model["proposals"], strict=False):
            self.learn(row, expected["atoms"])
        return {
            "proposals": [self.describe(row, [ask for ask in asks if ask.proposal_id == row.id]) for row in rows],
            "answers": {self.describe_answer(row) for row in answers},
            "debts": sorted(
                (row.kind.value, self.name(row.team_id), self.name(row.asset_id), row.path) for row in debts
            ),
            "change sets": {row.key: row.status.value for row in change_sets},
            "active": {
                self.names[str(row.asset_id)]: row.schema_def for row in contracts if str(row.asset_id) in self.names
            },
            "modes": {
                self.names[str(row.asset_id)]: row.compatibility_mode.value
                for row in contracts
                if str(row.asset_id) in self.names
            },
            "readers": sorted(
                (self.name(row.asset_id), self.name(row.consumer_team_id), str(row.fields and sorted(row.fields)))
                for row in live
            ),
        }

    def name(self, identity: UUID | str | None) -> str:
        return "" if identity is None else self.names[str(identity)]

    def learn(self, row: Proposal, atoms: frozenset[Atom]) -> None:
        """Relate the changes of a proposal by their paths; one change always has one fingerprint, and no other has."""
        by_path = {atom[1]: atom for atom in atoms}
        assert {change["path"] for change in row.breaking_changes} == by_path.keys()
        for change in row.breaking_changes:
            atom, fingerprint = by_path[change["path"]], change["fingerprint"]
            assert self.atoms.setdefault(fingerprint, atom) == atom
            assert self.fingerprints.setdefault(atom, fingerprint) == fingerprint

    def describe(self, row: Proposal, asks: list[Acknowledgment]) -> Snapshot:
        return {
            "asset": self.name(row.asset_id),
            "status": row.status.value,
            "expires": row.expires_at,
            "atoms": frozenset(self.atoms[change["fingerprint"]] for change in row.breaking_changes),
            "asks": {self.name(ask.consumer_team_id): self.describe_ask(ask) for ask in asks},
        }

    def describe_ask(self, ask: Acknowledgment) -> Snapshot:
        if ask.released_at is not None:
            return {"released": ask.released_by["kind"] if ask.released_by else None}
        reads = ask.reads
        return {
            "atoms": frozenset(self.atoms[item] for item in ask.change_fingerprints),
            "reads": None
            if reads is None
            else normalize(
                frozenset((self.atoms[item], self.name_read(path)) for item, paths in reads.items() for path in paths)
            ),
            "response": ask.response and ask.response.value,
            "deadline": ask.migration_deadline,
            "due": ask.due_at if ask.response is None else None,
            "silence": ask.policy["onSilence"],
            "escalated": self.name(ask.escalated_to),
            "overdue": ask.overdue_at is not None,
        }

    def describe_answer(self, row: Answer) -> tuple[Any, ...]:
        key = (self.name(row.team_id), self.name(row.asset_id), self.atoms[row.fingerprint])
        reads = None if row.reads is None else frozenset((key[2], self.name_read(read)) for read in row.reads)
        return (*key, row.response.value, row.migration_deadline, normalize(reads), row.answered_at)

    def name_read(self, read: str) -> str:
        """Name the table of a read by its fqn."""
        table_id, colon, path = read.partition(":")
        return f"{self.names[table_id]}:{path}" if colon else read

    async def read_events(self) -> Counter[tuple[str, ...]]:
        """The notifications since the last call; of debts, one for each team and kind."""
        rows = await self.world.events(self.sequence)
        self.sequence = rows[-1].sequence if rows else self.sequence
        events = [self.describe_event(row) for row in rows if row.kind in NAMES]
        check_change_set_notifications(rows)
        check_timed_notifications(rows)
        return count_events(events + await self.describe_change_set_reminders(rows))

    async def describe_change_set_reminders(self, rows: Sequence[EventRow]) -> list[tuple[str, ...]]:
        """The reminders of change sets, one for each team, as if they were of single proposals."""
        teams: dict[tuple[str, str], set[str]] = defaultdict(set)
        reminders = [row for row in rows if row.kind == "CHANGE_SET_REMINDER_SENT"]
        async with self.database.read() as session:
            for row in reminders:
                for proposal in await proposals.by_ids(session, [UUID(item) for item in row.payload["proposals"]]):
                    key = (self.name(proposal.asset_id), str(row.payload["days_before"]))
                    teams[key] |= {self.names[item] for item in row.teams}
        return [("REMINDER", *key, *sorted(names)) for key, names in teams.items()]

    def describe_event(self, row: EventRow) -> tuple[str, ...]:
        name, fields = NAMES[row.kind]
        payload = row.payload | {"asset_id": str(row.asset_id)}
        parts = [self.names.get(str(payload[item]), str(payload[item] or "")) for item in fields]
        if row.kind == "PROPOSAL_OPENED":
            parts += sorted(self.names[item] for item in payload["asked"])
        if row.kind == "REMINDER_SENT":
            parts += sorted(self.names[item] for item in row.teams)
        is_of_change_set = row.kind in UNNOTIFIED and payload.get("change_set_id") is not None
        if "consumer_team_id" in fields:
            assert (payload["consumer_team_id"] in row.teams) is not is_of_change_set
        return (name, *parts)
