"""Random histories end in the same asks, notifications, answers and debts as those of the naive model, step by step."""

import asyncio
import itertools
import os
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tessera_gql.policy.enums import DebtKind, Intent, Response
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Base
from tests.conftest import FixedClock
from tests.workflows.ask_change_sets import ChangeSetModel
from tests.workflows.ask_choices import (
    CONSUMERS,
    FIRST,
    FULL,
    OWNERS,
    PATHS,
    POLICIES,
    REPORTS,
    SCHEMAS,
    SECOND,
    STAGING,
    TEAMS,
    TIERS,
    UNSAID,
)
from tests.workflows.ask_events import count_events
from tests.workflows.ask_group_driver import GroupImplementation
from tests.workflows.ask_lineage import Link
from tests.workflows.ask_records import MODE, MODES, RETIRED, Proposal, Registration, Schema, breaks, declared
from tests.workflows.ask_state import describe

pytestmark = pytest.mark.long

FUZZ = os.environ.get("TESSERA_FUZZ", "")
STEPS = 30
DICE = st.randoms(use_true_random=True)


@dataclass
class Environment:
    """What histories share: a loop, a clock, and how to reach an empty database."""

    runner: asyncio.Runner
    connect: Callable[[FixedClock], Database]
    reset: Callable[[], Coroutine[Any, Any, None]]


class AskHistories(RuleBasedStateMachine):
    """A random history, run by the model and by the implementation side by side."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self.environment, self.clock, self.dice = environment, FixedClock(), Random(0)
        self.run = environment.runner.run
        self.run(environment.reset())
        self.code = GroupImplementation(lambda: environment.connect(self.clock))
        self.model = ChangeSetModel(self.clock.now, OWNERS | REPORTS, dict.fromkeys(OWNERS))
        self.numbers = itertools.count()
        self.run(self.code.create(OWNERS | REPORTS, [*TEAMS]))

    def teardown(self) -> None:
        self.run(self.code.dispose())

    def do(self, command: str, *arguments: Any, is_killed: bool = False, **options: Any) -> None:
        """Run a command on both sides, unless the process is killed before it commits: then nothing has happened."""
        note(f"{command} {arguments} {options}{' KILLED' if is_killed else ''}")
        code, model = getattr(self.code, command), getattr(self.model, command)
        allowed = self.run(self.code.attempt(lambda session: code(session, *arguments, **options), is_killed=is_killed))
        if not is_killed:
            assert self.model.attempt(lambda: model(*arguments, **options)) == allowed, "one side refuses the command"

    @initialize(dice=DICE)
    def begin(self, dice: Random) -> None:
        self.dice = dice
        self.publish_schema(FIRST, FULL)
        for asset in (SECOND, STAGING):
            if dice.random() < 0.7:
                self.publish_schema(asset, FULL)
        for _ in range(3):
            self.link()
        for command in (self.set_policy, self.choose_substitute, self.choose_substitute):
            command()
        for _ in range(8):
            self.register()

    @rule(dice=DICE)
    def step(self, dice: Random) -> None:
        self.dice = dice
        commands = {
            self.publish: 7,
            self.retire: 0.7,
            self.rename: 0.5,
            self.map_or_unmap: 1,
            self.answer: 10,
            self.wait: 6,
            self.register: 1.5,
            self.change_registration: 3,
            self.unregister: 1.5,
            self.sync_manifest: 2,
            self.observe: 1.5,
            self.end_or_extend: 3,
            self.end_change_set: 1.5,
            self.answer_change_set: 2,
            self.transfer: 0.5,
            self.link: 2,
            self.unlink: 1,
            self.acknowledge_debts: 0.5,
            self.choose_substitute: 1.5,
            self.set_policy: 1.5,
            self.set_tier: 0.5,
            self.kill_worker: 1,
        }
        dice.choices([*commands], [*commands.values()])[0]()

    @invariant()
    def both_are_equal(self) -> None:
        events = self.run(self.code.read_events())
        assert events == count_events(self.model.events)
        self.model.events = []
        state = self.run(self.code.read({"proposals": [vars(row) for row in self.model.proposals]}))
        assert state == describe(self.model)

    # Choices, most of them of something that is allowed

    def open_proposals(self) -> list[Proposal]:
        return [row for row in self.model.proposals if row.status.is_open]

    def choose_asset(self) -> str:
        """An asset, more often one with an open proposal."""
        return self.dice.choice([FIRST, *OWNERS, *(row.asset for row in self.open_proposals())])

    def choose_fields(self) -> frozenset[str] | None:
        """Fields, half of the time one that an open proposal breaks, so that readers come and go there."""
        broken = sorted({atom[1] for row in self.open_proposals() for atom in row.atoms})
        if broken and self.dice.random() < 0.5:
            return frozenset({self.dice.choice(broken)})
        count = self.dice.choice([0, 1, 1, 2])
        return frozenset(self.dice.sample(PATHS, count)) or None

    def choose_days(self, *days: int) -> datetime:
        return self.clock.now + timedelta(days=self.dice.choice(days))

    def is_rare(self) -> bool:
        return self.dice.random() < 0.1

    def publish(self) -> None:
        """Publish a new schema, or one that was asked about before."""
        asset, dice = self.choose_asset(), self.dice
        active = self.model.active[asset] or {}
        earlier = [row.schema for row in self.model.proposals if row.asset == asset and row.schema != RETIRED][-3:]
        breaking = [schema for schema in (*earlier, *earlier, *SCHEMAS) if breaks(active, schema)]
        schema = dice.choice(breaking if breaking and dice.random() < 0.8 else [FULL, FULL, *SCHEMAS])
        if dice.random() < 0.12:
            schema = {**schema, MODE: dice.choice(MODES)}
        is_release = dice.random() < 0.5
        choice = dice.choice(["automatic", "explicit", "", "", ""])
        self.publish_schema(
            asset,
            schema,
            is_release=is_release,
            supersede=dice.random() < 0.6,
            force=is_release and self.is_rare(),
            automatic=is_release and choice == "automatic",
            explicit=choice == "explicit",
            change_set=dice.choice([None, None, None, "repo#1", "repo#2"]),
            expires_at=self.choose_days(3, 60) if dice.random() < 0.2 else None,
        )

    def retire(self) -> None:
        """Propose that a table goes, or ask again; and publish another one now and then, so that some are there."""
        asset, dice, is_release = self.choose_asset(), self.dice, self.dice.random() < 0.5
        if self.model.active[asset] is None:
            self.publish_schema(asset, FULL)
            return
        self.do(
            "retire",
            asset,
            Intent.RELEASE if is_release else Intent.ASK,
            supersede=dice.random() < 0.6,
            automatic=is_release and dice.random() < 0.3,
            explicit=dice.random() < 0.2 and not is_release,
            change_set=dice.choice([None, None, "repo#1"]),
            expires_at=self.choose_days(3, 60) if dice.random() < 0.2 else None,
            is_killed=self.is_rare(),
        )

    def rename(self) -> None:
        self.do("rename", self.choose_asset(), is_killed=self.is_rare())

    def map_or_unmap(self) -> None:
        """Take a principal from its team, or give it back."""
        team = self.dice.choice([*TEAMS, *sorted(self.model.unmapped) * 2])
        self.do("map" if team in self.model.unmapped else "unmap", team, is_killed=self.is_rare())

    def publish_schema(self, asset: str, schema: Schema, *, is_release: bool = True, **options: Any) -> None:
        intent = Intent.RELEASE if is_release else Intent.ASK
        self.do("publish", asset, schema, intent, is_killed=self.is_rare(), **(UNSAID | options))

    def register(self) -> None:
        """Register a reader, a third of them of a table that may be made from the first."""
        team = self.dice.choice(CONSUMERS)
        via = self.dice.choice([None, f"mart.{team}"])
        asset = STAGING if self.dice.random() < 0.3 else self.choose_asset()
        self.do("register", next(self.numbers), asset, team, via, self.choose_fields())

    def observe(self) -> None:
        fields = self.choose_fields()
        path = "" if fields is None else min(fields)
        if teams := [team for team in TEAMS if team not in self.model.unmapped]:
            self.do("observe", self.choose_asset(), self.dice.choice(teams), path, is_killed=self.is_rare())

    def change_registration(self) -> None:
        if rows := self.declared_readers():
            key, row = self.dice.choice(rows)
            self.do("change_registration", key, row.team, self.choose_fields())

    def unregister(self) -> None:
        if rows := self.declared_readers():
            key, row = self.dice.choice(rows)
            self.do("unregister", key, row.team)

    def declared_readers(self) -> list[tuple[int, Registration]]:
        return [(key, row) for key, row in self.model.registrations.items() if isinstance(key, int)]

    def sync_manifest(self) -> None:
        """Sync what the report of a team reads of the first table, as far as that has it."""
        if self.model.active[FIRST] is None:
            self.publish_schema(FIRST, FULL)
            return
        names = sorted(declared(self.model.active[FIRST] or {}) & {"a", "b", "c", "s"})
        team = self.dice.choice([name for name in CONSUMERS if name != self.model.owners[FIRST]])
        columns = frozenset(self.dice.sample(names, self.dice.randint(0, min(2, len(names)))))
        self.do("sync_manifest", FIRST, team, columns, is_killed=self.is_rare())

    def answer(self) -> None:
        """Answer as an asked team, and now and then as another one or with a deadline that is refused."""
        dice = self.dice
        if not any(row.asks for row in self.open_proposals()):
            self.publish()
        elif asked := [(row.asset, team) for row in self.open_proposals() for team in sorted(row.asks)]:
            asset, team = dice.choice(asked)
            response = dice.choices([Response.APPROVED, Response.MIGRATING, Response.BLOCKED], [4, 4, 2])[0]
            deadline = self.choose_days(1, 5, 10, 45, 100, 360) if response is Response.MIGRATING else None
            notes = "not before the migration" if response is Response.BLOCKED else None
            delegate, _ = self.model.delegates.get(team, (team, None))
            actor = dice.choice([team, team, delegate, dice.choice(TEAMS)])
            self.do("answer", asset, team, response, deadline, notes, actor=actor)

    def end_or_extend(self) -> None:
        if self.model.proposals:
            asset = self.dice.choice(self.model.proposals).asset
            command = self.dice.choice(["withdraw", "publish_proposal", "publish_proposal", "extend_proposal"])
            until = [self.choose_days(5, 40, 90, 366)] if command == "extend_proposal" else []
            self.do(command, asset, *until, is_killed=self.is_rare())

    def end_change_set(self) -> None:
        if self.model.change_sets:
            command = self.dice.choice(["withdraw_change_set", "publish_change_set", "publish_change_set"])
            self.do(command, self.dice.choice(sorted(self.model.change_sets)), is_killed=self.is_rare())

    def answer_change_set(self) -> None:
        """Answer what a team has not answered yet, most often all of it."""
        asks = [(row.change_set, team) for row in self.open_proposals() for team, ask in row.asks.items() if ask.waits]
        if pairs := sorted((change_set, team) for change_set, team in asks if change_set is not None):
            change_set, team = self.dice.choice(pairs)
            rows = [row for row in self.open_proposals() if row.change_set == change_set]
            if all(team not in row.asks or row.asks[team].waits for row in rows):
                excluded = [row.asset for row in rows if self.is_rare()]
                is_migration = self.dice.random() < 0.3
                response = Response.MIGRATING if is_migration else Response.APPROVED
                deadline = self.choose_days(5, 45) if is_migration else None
                self.do("answer_change_set", change_set, team, response, deadline, excluded)

    def transfer(self) -> None:
        self.do("transfer", self.choose_asset(), self.dice.choice(TEAMS))

    def link(self) -> None:
        """Make a table from another one, most often staging from the first, by columns of known lineage or not."""
        tables = [FIRST, FIRST, FIRST, STAGING, STAGING, SECOND]
        source, target = self.dice.choice(tables), self.dice.choice([STAGING, STAGING, SECOND, *REPORTS, FIRST])
        if source != target:
            links = frozenset(self.choose_link() for _ in range(self.dice.choice([0, 1, 2, 3, 4])))
            self.do("link", source, target, links)

    def choose_link(self) -> Link:
        source, target = self.dice.choice(PATHS), self.dice.choice(PATHS)
        kind = self.dice.choice(["COPIED", "COPIED", "DERIVED", "FILTER", "UNKNOWN"])
        if kind == "UNKNOWN":
            return Link("", target, "DERIVED")
        return Link(source, "" if kind == "FILTER" else source if self.dice.random() < 0.5 else target, kind)

    def unlink(self) -> None:
        if pairs := sorted(pair for pair in self.model.edges if pair[1] in OWNERS | REPORTS):
            self.do("unlink", *self.dice.choice(pairs))

    def acknowledge_debts(self) -> None:
        if forced := sorted({debt[1:3] for debt in self.model.debts if debt[0] is DebtKind.FORCED}):
            self.do("acknowledge_debts", *self.dice.choice(forced))

    def choose_substitute(self) -> None:
        team, substitute = self.dice.sample(TEAMS, 2)
        if self.dice.random() < 0.5:
            self.do("set_delegate", team, substitute, self.choose_days(3, 60))
        else:
            self.do("set_escalation", team, substitute)

    def set_policy(self) -> None:
        self.do("set_policy", self.dice.choice(TIERS), self.dice.choice(POLICIES))

    def set_tier(self) -> None:
        self.do("set_tier", self.choose_asset(), self.dice.choice(TIERS))

    def wait(self) -> None:
        """Let days pass, with no worker, one, or two at once."""
        asks = [ask for row in self.open_proposals() for ask in row.counting]
        moments = [
            moment for ask in asks for moment in (ask.deadline, ask.due_at) if moment and moment > self.clock.now
        ]
        soon = [(moment - self.clock.now).days for moment in moments]
        days = self.dice.choice([1, 2, 5, 9, 28, 95, *soon])
        workers = self.dice.choice([0, 1, 1, 1, 2])
        note(f"wait {days} days, {workers} workers")
        self.clock.advance(days=days)
        self.model.now = self.clock.now
        if workers:
            self.run(self.code.work(workers=workers))
            self.model.work(list(OWNERS))
            self.model.send_reminders()

    def kill_worker(self) -> None:
        """A worker ends after the first of its proposals, and another process goes on."""
        if asked := self.open_proposals():
            self.do("work_partly", self.dice.choice(asked).asset)
            self.run(self.code.restart())


def count_histories(few: int, many: int) -> int:
    """The number of histories: `few`, `many` with TESSERA_FUZZ=long, or the number that it holds."""
    return int(FUZZ) if FUZZ.isdigit() else many if FUZZ else few


def run_histories(environment: Environment, count: int) -> None:
    run_state_machine_as_test(
        lambda: AskHistories(environment),
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not FUZZ,
            database=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            print_blob=False,
        ),
    )


def test_random_histories_on_sqlite_equal_those_of_the_model(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.db"

    async def reset() -> None:
        for name in (path, path.with_name("model.db-wal"), path.with_name("model.db-shm")):
            name.unlink(missing_ok=True)
        shutil.copy(sqlite_template, path)

    with asyncio.Runner() as runner:
        run_histories(
            Environment(runner, lambda clock: Database(f"sqlite:///{path}", clock=clock), reset),
            count_histories(100, 2_000),
        )


def test_random_histories_on_postgresql_equal_those_of_the_model(postgres_database_url: str) -> None:
    names = [table.fullname for table in reversed(Base.metadata.sorted_tables)]

    async def reset() -> None:
        connection = await asyncpg.connect(postgres_database_url)
        try:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute("; ".join(f"DELETE FROM {name}" for name in names))
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        run_histories(
            Environment(runner, lambda clock: Database(postgres_database_url, clock=clock), reset),
            count_histories(10, 300),
        )
