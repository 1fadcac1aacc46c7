"""Simulate a company for a year: how many teams each change asks, whether all who are hurt are, and who is for nothing.

Every change runs through the workflows on SQLite: pushes of a pull request that ask, answers of teams with habits of
their own, migrations, silence by the clock, and the release. The truth comes from a brute force over columns. What the
release before this one would have asked (one table deep, anew at every push) is counted from the same history.
"""

import argparse
import asyncio
import heapq
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete

from bench._company import Company, Reader, Size, generate, insert_company, insert_policies
from bench._figures import Figure
from bench._holds import LoopHolds
from bench._results import report
from bench._servers import temporary_folder
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.errors import Refusal
from tessera_gql.notifications.deadlines import apply_due_deadlines
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import Intent, Outcome, ProposalStatus, Response
from tessera_gql.store import events, migration, proposals
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Acknowledgment, ColumnEdge, Proposal, table
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import change_sets, registrations
from tessera_gql.workflows import proposals as proposal_verbs
from tessera_gql.workflows.proposals import AcknowledgmentInput
from tessera_gql.workflows.publishing import PublishRequest, PublishResult, publish_contract

START = datetime(2026, 1, 1, 8, tzinfo=UTC)
YEAR = timedelta(days=365)
MAX_UNNEEDED = 1.0
EDGES = table(ColumnEdge)
Action = Callable[[], Awaitable[None]]


@dataclass
class Change:
    """A pull request that drops columns of a table or changes their types."""

    number: int
    asset: int
    columns: dict[str, str | None]
    before: int = 0
    before_with_other_terms: int = 0
    requests: int = 0
    carried: int = 0
    reopened: int = 0
    is_ended: bool = False

    @property
    def key(self) -> str:
        return f"github.com/company/models#{self.number}"


@dataclass
class Simulation:
    """The clock, what happens next, and the counts."""

    company: Company
    database: Database
    dice: random.Random
    now: datetime = START
    queue: list[tuple[datetime, int, Action]] = field(default_factory=list[tuple[datetime, int, Action]])
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    sequence: int = 0
    changes: dict[UUID, Change] = field(default_factory=dict[UUID, Change])
    counts: Counter[str] = field(default_factory=Counter[str])
    needed: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    problems: list[str] = field(default_factory=list[str])
    holds: LoopHolds = field(default_factory=LoopHolds)

    def plan(self, days: float, action: Action) -> None:
        heapq.heappush(self.queue, (self.now + timedelta(days=days), next(self.numbers), action))

    async def run(self) -> None:
        """Run everything that happens within a year, with a worker every day."""
        for day in range(1, YEAR.days + 1):
            self.plan(day, self.work)
        while self.queue and self.queue[0][0] <= START + YEAR:
            self.now, _, action = heapq.heappop(self.queue)
            await action()
            await self.read_requests()

    async def work(self) -> None:
        async with self.holds.watch():
            await apply_due_deadlines(self.database)

    # Producers

    def plan_changes(self, count: int) -> None:
        for number in range(count):
            asset = self.dice.randrange(len(self.company.owners))
            self.plan(
                self.dice.uniform(0, YEAR.days - 30), lambda number=number, asset=asset: self.begin(number, asset)
            )

    async def begin(self, number: int, asset: int) -> None:
        """Open a pull request with some pushes, unless another one of the table is open."""
        columns = self.company.columns[asset]
        names = self.dice.sample(sorted(columns.keys() - {"id"}), min(self.dice.choice([1, 1, 2]), len(columns) - 1))
        is_drop = self.dice.random() < 0.8
        retyped = {"string": "integer", "integer": "string"}
        change = Change(number, asset, {name: None if is_drop else retyped[columns[name]] for name in names})
        is_busy = any(item.asset == asset and not item.is_ended for item in self.changes.values())
        if not names or is_busy:
            return
        pushes = min(8, 1 + int(self.dice.expovariate(0.25)))
        for push in range(pushes):
            self.plan(
                push * self.dice.uniform(0.05, 1.5), lambda push=push: self.push(change, is_last=push == pushes - 1)
            )

    async def push(self, change: Change, *, is_last: bool, is_first_time: bool = True) -> None:
        """Ask for the terms of a push; a third of the later pushes change another column as well."""
        if change.is_ended:
            return
        is_other = not change.before
        if change.before and is_first_time and self.dice.random() < 0.3:
            free = sorted(self.company.columns[change.asset].keys() - change.columns.keys() - {"id"})
            is_other = bool(free)
            change.columns |= dict.fromkeys(free[:1])
        direct = len(self.company.find_registered(change.asset, change.columns))
        change.before += direct
        change.before_with_other_terms += direct if is_other or not is_first_time else 0
        result = await self.publish(change, Intent.ASK)
        if result is None or result.proposal is None:
            change.is_ended = True
            return
        self.changes[result.proposal.id] = change
        self.counts["pushes"] += 1
        await self.check_asked(change, result.proposal)
        if is_last:
            self.plan(1, lambda: self.release(change, result.proposal))

    async def publish(self, change: Change, intent: Intent) -> PublishResult | None:
        schema = self.company.schema(change.asset, change.columns)
        try:
            async with self.holds.watch(), self.database.write() as session:
                change_set_request = change_sets.ChangeSetRequest(change.key)
                change_set = await change_sets.open_change_set(session, ANONYMOUS, change_set_request)
                ref = AssetRef(id=self.company.asset_ids[change.asset])
                request = PublishRequest(schema, intent=intent, change_set_id=change_set.id)
                return await publish_contract(session, ANONYMOUS, ref, request)
        except Refusal as error:
            self.counts[f"refused: {error.message[:60]}"] += 1
            return None

    async def release(self, change: Change, row: Proposal | None) -> None:
        """Release what is approved; ask again after an expiry, and give up on what is blocked for long."""
        if change.is_ended or row is None:
            return
        current = await self.load_open(row)
        if current.status is ProposalStatus.APPROVED:
            result = await self.publish(change, Intent.RELEASE)
            if result is not None and result.outcome is Outcome.PUBLISHED:
                await self.settle(change)
                return
        if current.status is ProposalStatus.EXPIRED and change.reopened < 2:
            change.reopened += 1
            await self.push(change, is_last=True, is_first_time=False)
        elif not current.status.is_open or self.now > row.proposed_at + timedelta(days=120):
            await self.give_up(change, current)
        else:
            self.plan(2, lambda: self.release(change, row))

    async def give_up(self, change: Change, row: Proposal) -> None:
        change.is_ended = True
        self.counts["changes given up"] += 1
        if row.status.is_open:
            async with self.database.write() as session:
                await proposal_verbs.withdraw(session, ANONYMOUS, row.id)

    async def load_open(self, row: Proposal) -> Proposal:
        """The open proposal of the asset, else the row as it is now."""
        async with self.database.read() as session:
            return await proposals.find_open(session, row.asset_id) or await proposals.get(session, row.id)

    async def settle(self, change: Change) -> None:
        """After a release the columns are gone, and so are the edges from and to them."""
        change.is_ended = True
        self.counts["changes released"] += 1
        for name, kind in change.columns.items():
            if kind is not None:
                self.company.columns[change.asset][name] = kind
        dropped = [name for name, kind in change.columns.items() if kind is None]
        self.company.remove_columns(change.asset, dropped)
        asset = self.company.asset_ids[change.asset]
        async with self.database.write() as session:
            is_source = (EDGES.c.source_asset_id == asset) & session.in_values(EDGES.c.source_column, dropped)
            is_target = (EDGES.c.target_asset_id == asset) & session.in_values(EDGES.c.target_column, dropped)
            await session.execute(delete(EDGES).where(is_source | is_target))

    # Whom it asks

    async def check_asked(self, change: Change, row: Proposal) -> None:
        """Compare the asked teams with the truth: nobody is missing, and who is there for nothing is counted."""
        async with self.database.read() as session:
            asks = [
                item for item in await proposals.list_acknowledgments(session, [row.id]) if item.released_at is None
            ]
        teams = {identity: number for number, identity in enumerate(self.company.team_ids)}
        hurt = self.company.find_hurt(change.asset, change.columns)
        asked = {teams[item.consumer_team_id]: item for item in asks}
        for team in hurt - asked.keys():
            self.problems.append(
                f"change {change.number} of table {change.asset} hurts team {team}, which is not asked"
            )
        self.counts["asked teams"] += len(asked)
        self.counts["hurt teams"] += len(hurt)
        self.counts["hurt, and not registered for the table itself"] += len(
            hurt - self.company.find_registered(change.asset, change.columns)
        )
        for team in asked.keys() - hurt:
            self.counts["asked by unknown lineage only" if is_unknown(asked[team]) else "asked for nothing"] += 1

    async def read_requests(self) -> None:
        """Let the teams answer that were asked since the last action."""
        async with self.database.read() as session:
            rows = await events.load_after(session, self.sequence, limit=100_000)
        for row in rows:
            self.sequence = row.sequence
            change = self.changes.get(row.proposal_id) if row.proposal_id else None
            if change is None and row.kind == "ACKNOWLEDGMENT_REQUESTED":
                change = self.pending_change(row.asset_id)
            if change is not None and row.kind == "ACKNOWLEDGMENT_REQUESTED":
                change.requests += 1
                self.plan_answer(change, row.proposal_id, UUID(row.payload["consumer_team_id"]))
            elif change is not None and row.kind == "ANSWER_CARRIED":
                change.carried += 1
            self.counts[row.kind] += 1

    def pending_change(self, asset_id: UUID | None) -> Change | None:
        asked = (item for item in self.changes.values() if not item.is_ended)
        return next((item for item in asked if self.company.asset_ids[item.asset] == asset_id), None)

    # Consumers

    def plan_answer(self, change: Change, proposal: UUID | None, team_id: UUID) -> None:
        """Each team answers in its own time, and some never do."""
        team = self.company.team_ids.index(team_id)
        if self.dice.random() < 0.03 + 0.02 * (team % 5):
            return
        mean = 1 + team % 12
        self.plan(self.dice.expovariate(1 / mean), lambda: self.answer(change, proposal, team))

    async def answer(self, change: Change, proposal: UUID | None, team: int) -> None:
        response = self.dice.choices([Response.APPROVED, Response.MIGRATING, Response.BLOCKED], [65, 28, 7])[0]
        days = self.dice.randint(14, 60)
        deadline = self.now + timedelta(days=days) if response is Response.MIGRATING else None
        if not await self.respond(proposal, team, response, deadline):
            return
        if response is Response.MIGRATING:
            moved = self.dice.choices([days - 3, days + 5, 400], [80, 15, 5])[0]
            self.plan(moved, lambda: self.migrate(change, proposal, team))
        elif response is Response.BLOCKED:
            self.plan(self.dice.randint(5, 40), lambda: self.repeat(proposal, team, Response.APPROVED))

    async def repeat(self, proposal: UUID | None, team: int, response: Response) -> None:
        await self.respond(proposal, team, response, None)

    async def respond(self, proposal: UUID | None, team: int, response: Response, deadline: datetime | None) -> bool:
        if proposal is None:
            return False
        notes = "the board needs it" if response is Response.BLOCKED else None
        try:
            async with self.holds.watch(), self.database.write() as session:
                await proposal_verbs.acknowledge(
                    session,
                    ANONYMOUS,
                    proposal,
                    team=TeamRef(id=self.company.team_ids[team]),
                    answer=AcknowledgmentInput(response, deadline, notes),
                )
        except Refusal:
            return False
        return True

    async def migrate(self, change: Change, proposal: UUID | None, team: int) -> None:
        """The team stops reading the columns: its registration and its lineage say so, which releases it."""
        for row, read in self.company.list_affected_readers(team, change.asset, change.columns):
            await self.stop_reading(row, read)
        await self.repeat(proposal, team, Response.APPROVED)  # of unknown lineage there is no proof but its word

    async def stop_reading(self, row: Reader, read: Collection[str]) -> None:
        row.columns -= set(read)
        pairs = self.company.made_from[row.asset].get(row.table, set()) if row.table is not None else set()
        pairs -= {pair for pair in pairs if pair[0] in read}
        async with self.database.write() as session:
            if row.table is not None:
                source, target = self.company.asset_ids[row.asset], self.company.asset_ids[row.table]
                is_pair = (EDGES.c.source_asset_id == source) & (EDGES.c.target_asset_id == target)
                await session.execute(delete(EDGES).where(is_pair, session.in_values(EDGES.c.source_column, [*read])))
            if row.is_known and row.columns:
                fields = {"fields": tuple(sorted(row.columns))}
                await registrations.update(session, ANONYMOUS, row.identity, changes=fields)
            elif row.is_known:
                self.company.readers[row.asset].remove(row)
                await registrations.unregister(session, ANONYMOUS, row.identity)


def is_unknown(ask: Acknowledgment) -> bool:
    """Whether a team is asked because lineage is unknown: on the way, or because it is registered for everything."""
    reads = [path for paths in (ask.reads or {}).values() for path in paths]
    is_everything = ask.reads is None or any(path.endswith(":") for path in reads)
    return is_everything or any(not path["isKnown"] for path in ask.paths or ())


async def simulate(size: Size, changes: int, seed: int) -> Simulation:
    dice = random.Random(seed)
    company = generate(size, dice)
    with temporary_folder() as folder:
        url = f"sqlite:///{folder / 'company.db'}"
        await migration.upgrade(url)
        simulation = Simulation(company, Database(url, clock=lambda: simulation.now), dice)
        try:
            await insert_company(simulation.database, company)
            await insert_policies(simulation.database, company, dice)
            simulation.plan_changes(changes)
            tune_runtime()  # as a server does when it has started
            await simulation.run()
        finally:
            await simulation.database.dispose()
    return simulation


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench company", description=__doc__)
    parser.add_argument("--teams", type=int, default=200)
    parser.add_argument("--models", type=int, default=5_000)
    parser.add_argument("--dashboards", type=int, default=1_500)
    parser.add_argument("--changes", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    size = Size(options.teams, options.models, options.dashboards)
    simulation = asyncio.run(simulate(size, options.changes, options.seed))
    return print_results(simulation, time.monotonic() - started)


def print_results(simulation: Simulation, seconds: float) -> int:
    counts = simulation.counts
    changes = {id(item): item for item in simulation.changes.values()}.values()
    number = max(1, len(changes))
    edges = sum(map(len, simulation.company.made_from.values()))
    unneeded = 100 * counts["asked for nothing"] / max(1, counts["asked teams"])
    for problem in simulation.problems[:20]:
        print(problem, file=sys.stderr)
    for label, count in sorted(counts.items()):
        print(f"  {count:>8,}  {label}", file=sys.stderr)
    about = (
        f"{len(simulation.company.team_ids)} teams, {len(simulation.company.owners):,} models, {edges:,} edges,"
        f" {len(changes):,} changes in {counts['pushes']:,} pushes."
    )
    return report(
        "A company in a year",
        about,
        [
            Figure("asks per change before, anew at every push", [sum(item.before for item in changes) / number]),
            Figure(
                "asks per change before, anew at pushes with other terms",
                [sum(item.before_with_other_terms for item in changes) / number],
            ),
            Figure("asks per change", [sum(item.requests for item in changes) / number]),
            Figure("answers carried over per change", [sum(item.carried for item in changes) / number]),
            Figure("hurt teams per push", [counts["hurt teams"] / max(1, counts["pushes"])]),
            Figure(
                "of these not registered for the table itself",
                [counts["hurt, and not registered for the table itself"] / max(1, counts["pushes"])],
            ),
            Figure("hurt teams that were not asked", [float(len(simulation.problems))], at_most=0),
            simulation.holds.figure(),
            Figure("asks not needed", [unneeded], "%", at_most=MAX_UNNEEDED),
            Figure(
                "asks by unknown lineage only",
                [100 * counts["asked by unknown lineage only"] / max(1, counts["asked teams"])],
                "%",
            ),
            Figure("time", [seconds / 60], "min", at_most=30),
        ],
    )
