"""The commands of the naive model: what a producer, a consumer, an administrator and the clock can do."""

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tessera_gql.policy.enums import ChangeSetStatus, DebtKind, Intent, ProposalStatus, ReleaseKind, Response
from tests.workflows.ask_lineage import Link, read_paths
from tests.workflows.ask_model import World
from tests.workflows.ask_records import (
    MODE,
    RETIRED,
    YEAR,
    Answer,
    Policy,
    Proposal,
    RefusedError,
    Registration,
    Schema,
    breaks,
    declared,
    mode_of,
)


class Model(World):
    """The model with its commands; each either happens whole or raises RefusedError and changes nothing."""

    def attempt(self, command: Callable[[], None]) -> bool:
        """Run a command; return whether it was allowed."""
        before = copy.deepcopy(self.__dict__)
        self.events = []
        try:
            command()
        except RefusedError:
            self.__dict__.update(before, events=[])
            return False
        return True

    # Producers

    def publish(
        self,
        asset: str,
        schema: Schema,
        intent: Intent,
        *,
        supersede: bool = False,
        force: bool = False,
        automatic: bool = False,
        explicit: bool = False,
        change_set: str | None = None,
        expires_at: datetime | None = None,
    ) -> None:
        if change_set is not None:
            self.change_sets[change_set] = ChangeSetStatus.OPEN
        row = self.touch(asset, may_publish=False)
        active, is_release = self.active[asset], intent is Intent.RELEASE
        schema = {MODE: mode_of(active or {}), **schema}
        atoms = frozenset() if active is None else breaks(active, schema)
        if active == schema:
            row = self.withdraw_unneeded(row, change_set)
            if is_release and row is not None:
                row.is_automatic = False
        elif not atoms:
            self.publish_compatible(row, asset, schema, change_set, is_release=is_release)
        elif force:
            self.publish_by_force(row, asset, schema, atoms)
        else:
            options = {"automatic": automatic, "explicit": explicit, "change_set": change_set}
            row = self.propose(row, asset, schema, supersede, options, expires_at, is_release=is_release)
            if is_release:
                self.release_approved(row)

    def withdraw_unneeded(self, row: Proposal | None, change_set: str | None) -> Proposal | None:
        """Withdraw the proposal of a change set that no longer breaks the asset."""
        if row is None or row.change_set is None or row.change_set != change_set:
            return row
        self.end(row, ProposalStatus.WITHDRAWN)
        return None

    def publish_compatible(
        self, row: Proposal | None, asset: str, schema: Schema, change_set: str | None, *, is_release: bool
    ) -> None:
        reached = row is not None and row.schema == schema and is_release
        if not reached:
            row = self.withdraw_unneeded(row, change_set)
        if is_release:
            self.activate(asset, schema)
            self.end_reached(row, schema)
            self.update_open({asset})

    def end_reached(self, row: Proposal | None, schema: Schema) -> bool:
        """End the proposal whose terms were published in another way."""
        if row is None or row.schema != schema:
            return False
        is_approved = row.status is ProposalStatus.APPROVED
        if is_approved:
            self.forget(row.asset, row.atoms)
        self.end(row, ProposalStatus.PUBLISHED if is_approved else ProposalStatus.SUPERSEDED)
        return True

    def publish_by_force(self, row: Proposal | None, asset: str, schema: Schema, atoms: frozenset[Any]) -> None:
        """Publish, and owe the teams an answer that have not consented to these terms."""
        asks = row.asks if row is not None and row.schema == schema else {}
        skipped: dict[str, frozenset[Any]] = {}
        for team, reads in self.find_hurt(asset, atoms).items():
            consented = asks[team].atoms if team in asks and asks[team].agrees() else frozenset()
            skipped[team] = (atoms if reads is None else frozenset(atom for atom, _ in reads)) - consented
        if not self.end_reached(row, schema) and row is not None:
            self.end(row, ProposalStatus.SUPERSEDED)
        self.activate(asset, schema, skipped)

    def propose(
        self,
        row: Proposal | None,
        asset: str,
        schema: Schema,
        supersede: bool,
        options: dict[str, Any],
        expires_at: datetime | None,
        *,
        is_release: bool,
    ) -> Proposal:
        active = self.active[asset]
        atoms = breaks(active or {}, schema)
        if row is not None and row.schema == schema:
            self.update_options(row, options, expires_at)
            self.rebase(row, atoms)
            return row
        if row is not None:
            agreed = is_release and row.status is ProposalStatus.APPROVED and not row.is_explicit and atoms <= row.atoms
            agreed = agreed and row.schema != RETIRED
            same = row.change_set is not None and row.change_set == options["change_set"]
            if not (same or supersede or agreed):
                raise RefusedError("another proposal is open")
            options["explicit"] = options["explicit"] or (row.is_explicit and not options["automatic"])
            if agreed:
                options["change_set"] = row.change_set
            self.end(row, ProposalStatus.SUPERSEDED)
        return self.open(asset, schema, atoms, options, expires_at)

    def update_options(self, row: Proposal, options: dict[str, Any], expires_at: datetime | None) -> None:
        if options["automatic"] or options["explicit"]:
            row.is_automatic, row.is_explicit = options["automatic"], options["explicit"]
        row.change_set = row.change_set or options["change_set"]
        if expires_at is not None and expires_at != row.expires_at:
            self.move_expiry(row, max([expires_at, *self.find_needed(row)]))

    def rebase(self, row: Proposal, atoms: frozenset[Any]) -> None:
        """Compare the same terms with a newer contract; only the readers of what is new are asked."""
        if row.base == self.contracts[row.asset]:
            return
        if self.find_hurt(row.asset, atoms - row.atoms):
            self.extend(row, self.find_end(row.asset))
        row.base, row.atoms = self.contracts[row.asset], atoms
        self.revise(row, is_rebase=True)
        self.settle(row, may_publish=False)

    def open(
        self, asset: str, schema: Schema, atoms: frozenset[Any], options: dict[str, Any], expires_at: datetime | None
    ) -> Proposal:
        row = Proposal(
            asset,
            schema,
            self.contracts[asset],
            atoms,
            proposer=self.owners[asset],
            opened_at=self.now,
            expires_at=expires_at or self.find_end(asset),
            is_automatic=options["automatic"],
            is_explicit=options["explicit"],
            change_set=options["change_set"],
        )
        self.proposals.append(row)
        hurt = self.find_hurt(asset, atoms)
        self.emit("OPENED", asset, *sorted(hurt))
        for team, reads in hurt.items():
            self.ask(row, team, reads)
        self.settle(row)
        return row

    def release_approved(self, row: Proposal) -> None:
        if row.status is ProposalStatus.APPROVED and not row.is_explicit and not self.is_stale(row):
            self.publish_row(row)

    def require_open(self, asset: str) -> Proposal:
        row = self.open_of(asset)
        if row is None or self.touch(asset) is None:
            raise RefusedError("the proposal has ended")
        return row

    def withdraw(self, asset: str) -> None:
        self.end(self.require_open(asset), ProposalStatus.WITHDRAWN)

    def publish_proposal(self, asset: str) -> None:
        row = self.open_of(asset)
        if row is None:
            raise RefusedError("the proposal has ended")
        self.settle(row)
        if row.status is ProposalStatus.PUBLISHED:
            return
        if row.status is not ProposalStatus.APPROVED or self.is_stale(row):
            raise RefusedError("the proposal waits for answers")
        self.publish_row(row)

    def extend_proposal(self, asset: str, until: datetime) -> None:
        row = self.require_open(asset)
        if not self.now < until <= self.now + YEAR or until < row.expires_at:
            raise RefusedError("an extension ends later")
        self.extend(row, until)
        self.settle(row)

    def transfer(self, asset: str, owner: str) -> None:
        """The present owner is the proposing team: it is not asked, and the former owner is, if it reads."""
        if self.owners[asset] != owner:
            self.owners[asset] = owner
            self.update_readers(asset)

    def link(self, source: str, target: str, links: frozenset[Link]) -> None:
        """Say which columns of a table are made from which of another one; without links nobody knows."""
        if (source, target) in self.edges:
            raise RefusedError("the tables are linked already")
        self.edges[source, target] = links
        self.update_readers(source)

    def unlink(self, source: str, target: str) -> None:
        del self.edges[source, target]
        self.update_readers(source)

    # Consumers

    def register(self, key: int, asset: str, team: str, via: str | None, fields: frozenset[str] | None) -> None:
        if any((row.asset, row.team, row.via) == (asset, team, via) for row in self.registrations.values()):
            raise RefusedError("registered already")
        self.require_fields(asset, fields, frozenset())
        self.registrations[key] = Registration(asset, team, via, fields)
        self.update_readers(asset, ReleaseKind.REGISTRATION, team)

    def require_fields(self, asset: str, fields: frozenset[str] | None, known: frozenset[str]) -> None:
        active = self.active[asset]
        if active is not None and not (fields or frozenset()) <= declared(active) | known:
            raise RefusedError("the schema has no such field")

    def change_registration(self, key: int, team: str, fields: frozenset[str] | None) -> None:
        row = self.registrations[key]
        assert row.team == team
        self.require_fields(row.asset, fields, row.fields or frozenset())
        if fields != row.fields:
            row.fields = fields
            self.correct_debts(row.asset)
            self.update_readers(row.asset, ReleaseKind.REGISTRATION, row.team)

    def unregister(self, key: int, team: str) -> None:
        row = self.registrations.pop(key)
        assert row.team == team
        self.correct_debts(row.asset)
        self.update_readers(row.asset, ReleaseKind.REGISTRATION, row.team)

    def sync_manifest(self, asset: str, team: str, columns: frozenset[str]) -> None:
        """The manifest of a team says what its report reads, which is the proof of a migration if it reads less."""
        row = self.registrations.get(team)
        if columns == (row.fields if row is not None else frozenset()):
            return
        report = f"{asset}_{team}"
        if columns:
            self.registrations[team] = Registration(asset, team, report, columns)
            self.owners[report] = self.owners.get(report, team)
            self.edges[asset, report] = frozenset(Link(name, name, "COPIED") for name in columns)
        else:
            del self.registrations[team], self.edges[asset, report]
        self.correct_debts(asset)
        self.update_readers(asset, ReleaseKind.MANIFEST, team, is_sync=True)

    def observe(self, asset: str, team: str, path: str) -> None:
        """A principal of the team is seen to read a field now, or the whole table."""
        if self.observed.get((asset, team, path)) != self.now:
            self.observed[asset, team, path] = self.now
            self.update_readers(asset)

    def correct_debts(self, asset: str) -> None:
        """A debt of a path ends when the team no longer names the path."""
        registered = {
            (row.team, path) for row in self.registrations.values() if row.asset == asset for path in row.fields or ()
        }
        for debt in list(self.debts):
            if debt[2] == asset and debt[0] is not DebtKind.FORCED and (debt[1], debt[3]) not in registered:
                self.settle_debt(debt)

    def acknowledge_debts(self, team: str, asset: str) -> None:
        """The team answers for the forced publishes that it was not asked about."""
        for debt in [debt for debt in self.debts if debt[:3] == (DebtKind.FORCED, team, asset)]:
            self.settle_debt(debt)
            self.update_readers(asset)

    def answer(
        self, asset: str, team: str, response: Response, deadline: datetime | None, notes: str | None, *, actor: str
    ) -> None:
        row = self.require_open(asset)
        ask = row.asks.get(team)
        if ask is None or ask.is_released:
            raise RefusedError("the team is not asked")
        self.require_substitute(row, team, actor)
        if response is Response.SILENT or (response is Response.BLOCKED and notes is None):
            raise RefusedError("an answer is given, and a block has a reason")
        if (response is Response.MIGRATING) is (deadline is None):
            raise RefusedError("a migration has a deadline, and nothing else has one")
        if deadline is not None and not self.now < deadline <= self.now + timedelta(days=359):
            raise RefusedError("a deadline is in the future, and within a year")
        ask.response, ask.deadline, ask.answered_at = response, deadline, self.now
        ask.is_overdue, ask.is_own = False, actor == team
        for atom in ask.atoms:
            paths = None if ask.reads is None else read_paths(ask.reads, atom)
            self.answers[team, asset, atom] = Answer(response, deadline, paths, self.now, ask.is_own)
        self.emit("ANSWERED", team, asset, response)
        self.settle(row)

    def require_substitute(self, row: Proposal, team: str, actor: str) -> None:
        """A delegate until its date, and the escalation team: one hop, and never who proposes the change."""
        if actor == team:
            return
        delegate, until = self.delegates.get(team, ("", self.now))
        substitutes = {row.asks[team].escalated_to} | ({delegate} if self.now < until else set())
        if actor not in substitutes or actor in (self.owners[row.asset], row.proposer):
            raise RefusedError("this team can't answer for the other one")
        if row.asks[team].is_own and not row.asks[team].is_overdue:
            raise RefusedError("the team has answered itself")

    # Administrators

    def set_delegate(self, team: str, delegate: str, until: datetime) -> None:
        self.delegates[team] = delegate, until

    def set_escalation(self, team: str, other: str) -> None:
        self.escalation[team] = other

    def set_policy(self, tier: str, policy: Policy) -> None:
        self.policies[tier] = policy

    def set_tier(self, asset: str, tier: str) -> None:
        self.tiers[asset] = tier

    # The clock

    def work(self, assets: list[str]) -> None:
        """What the worker does for the proposals of some assets: time first, then reminders."""
        for asset in assets:
            self.touch(asset)

    def work_partly(self, asset: str) -> None:
        self.touch(asset)

    def send_reminders(self) -> None:
        for row in self.proposals:
            if row.status.is_open:
                self.remind(row)
