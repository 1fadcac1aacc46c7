"""A naive model of asks, made of sets and dictionaries from the rules of the domain alone.

It knows columns, teams and days, and nothing of databases, locks or the code that it is compared with. A command that
is refused leaves everything as it was.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from tessera_gql.policy.enums import ChangeSetStatus, DebtKind, OnSilence, ProposalStatus, ReleaseKind, Response
from tests.workflows.ask_lineage import covers, read_paths
from tests.workflows.ask_readers import ReaderWorld
from tests.workflows.ask_records import (
    RETIRED,
    STRICTNESS,
    YEAR,
    Answer,
    Ask,
    Atom,
    Debt,
    Policy,
    Proposal,
    Read,
    RefusedError,
    Schema,
    breaks,
    declared,
    differences,
)


class World(ReaderWorld):
    """What the rules make of it: who is asked, what time does, and what a publish leaves behind."""

    # Asking

    def choose_policy(self, asset: str) -> Policy:
        """The policy of the tier that an administrator has set; a suggested tier never consents by silence."""
        policy = self.policies.get(self.tiers.get(asset, "NORMAL"), Policy())
        if policy.on_silence is OnSilence.APPROVE and asset not in self.tiers:
            return replace(policy, on_silence=OnSilence.EXPIRE)
        return policy

    def ask(self, row: Proposal, team: str, reads: frozenset[Read] | None) -> None:
        """Ask a team, unless it has answered all of this for the same reads within 90 days."""
        policy, now = self.choose_policy(row.asset), self.now
        atoms = find_atoms(row, reads)
        due = row.expires_at if policy.on_silence is OnSilence.EXPIRE else now + policy.span
        escalate = None if policy.escalate is None else now + timedelta(days=policy.escalate)
        is_reopened = team in row.asks and row.asks[team].is_reopened
        ask = row.asks[team] = Ask(team, atoms, reads, policy, due, now, escalate, is_reopened=is_reopened)
        answers = [self.find_answer(row.asset, team, atom, reads) for atom in atoms]
        if any(answer is None for answer in answers):
            self.emit("REQUESTED", team, row.asset)
            return
        covering = [answer for answer in answers if answer is not None]
        strictest = max(covering, key=lambda answer: (STRICTNESS[answer.response], answer.at))
        same = [answer for answer in covering if answer.response is strictest.response]
        ask.response, ask.answered_at, ask.is_own = strictest.response, strictest.at, strictest.is_own
        ask.deadline = max((answer.deadline for answer in same if answer.deadline), default=None)
        self.emit("CARRIED", team, row.asset, ask.response)

    def find_answer(self, asset: str, team: str, atom: Atom, reads: frozenset[Read] | None) -> Answer | None:
        answer = self.answers.get((team, asset, atom))
        if answer is None or self.now >= answer.at + timedelta(days=90):
            return None
        if answer.deadline is not None and answer.deadline <= self.now:
            return None
        earlier = frozenset({""}) if answer.reads is None else answer.reads
        return answer if covers(earlier, read_paths(reads, atom)) else None

    def revise(
        self,
        row: Proposal,
        evidence: ReleaseKind | None = None,
        registrant: str | None = None,
        *,
        is_sync: bool = False,
        is_rebase: bool = False,
    ) -> None:
        """Ask those who are hurt by more than before, and release those who are not hurt any more."""
        hurt = self.find_hurt(row.asset, row.atoms)
        asked = [team for team, reads in hurt.items() if self.needs_request(row, team, reads)]
        limited = [team for team in asked if not is_rebase and self.is_limited(row, team, hurt[team], registrant)]
        if registrant in limited and not is_sync:
            raise RefusedError("the team has reopened it already")
        self.inform_limited(row, limited)
        asked = [team for team in asked if team not in limited]
        if asked and row.expires_at <= self.now:
            self.extend(row, self.find_end(row.asset))
        for team in asked:
            self.ask(row, team, hurt[team])
        for team in hurt.keys() - {*asked, *limited}:
            row.asks[team].atoms, row.asks[team].reads = find_atoms(row, hurt[team]), hurt[team]
        for team in row.asks.keys() - hurt.keys():
            if not row.asks[team].is_released:
                self.release(row, row.asks[team], evidence)

    def needs_request(self, row: Proposal, team: str, reads: frozenset[Read] | None) -> bool:
        """Whether a team is asked now: for the first time, after a release, or because more of what it reads breaks."""
        ask = row.asks.get(team)
        if ask is None or ask.is_released:
            return True
        if not find_atoms(row, reads) <= ask.atoms:
            return True
        return not all(covers(read_paths(ask.reads, atom), read_paths(reads, atom)) for atom in ask.atoms)

    def find_end(self, asset: str) -> datetime:
        """When a proposal that is opened now expires."""
        policy = self.choose_policy(asset)
        return policy.end_after(self.now + policy.span)

    def release(self, row: Proposal, ask: Ask, evidence: ReleaseKind | None) -> None:
        """End a question with its proof. A migration has ended with that: later reads are asked about again."""
        if ask.response is Response.MIGRATING:
            self.forget(row.asset, ask.atoms, ask.team)
        ask.is_released, ask.evidence = True, evidence
        self.emit("RELEASED", ask.team, row.asset, evidence or "")

    def forget(self, asset: str, atoms: Iterable[Atom], team: str | None = None) -> None:
        removed = set(atoms)
        self.answers = {
            key: answer
            for key, answer in self.answers.items()
            if not (key[1] == asset and key[2] in removed and team in (None, key[0]))
        }

    def inform_limited(self, row: Proposal, teams: list[str]) -> None:
        for team in teams:
            if not row.asks[team].is_limited:
                self.emit("LIMITED", team, row.asset)
            row.asks[team].is_limited = True

    def is_limited(self, row: Proposal, team: str, reads: frozenset[Read] | None, registrant: str | None) -> bool:
        """Whether a team would reopen an approved proposal by its registrations for the second time."""
        ask = row.asks.get(team)
        if ask is None or row.status is not ProposalStatus.APPROVED:
            return False
        answers = [self.find_answer(row.asset, team, atom, reads) for atom in find_atoms(row, reads)]
        agrees = all(answer is not None and answer.response is Response.APPROVED for answer in answers)
        return not agrees and (ask.is_limited or (ask.is_reopened and team == registrant))

    def update_readers(
        self, asset: str, evidence: ReleaseKind | None = None, registrant: str | None = None, *, is_sync: bool = False
    ) -> None:
        """Bring the proposals of an asset, and of those that it is made from, in line with their readers."""
        self.update_open({asset} | self.lineage.find_upstream(asset), evidence, registrant, is_sync=is_sync)

    def update_open(
        self,
        assets: Collection[str],
        evidence: ReleaseKind | None = None,
        registrant: str | None = None,
        *,
        is_sync: bool = False,
    ) -> None:
        """Update the open proposals of assets, in the order in which those were created."""
        waiting = {row.asset for row in self.proposals if row.status.is_open}
        for asset in [asset for asset in self.owners if asset in assets and asset in waiting]:
            self.update_asked(asset, evidence, registrant, is_sync=is_sync)

    def update_asked(self, asset: str, evidence: ReleaseKind | None, registrant: str | None, *, is_sync: bool) -> None:
        """Bring the open proposal of an asset in line with its readers, after what time has done to it."""
        row = self.touch(asset)
        if row is not None:
            self.revise(row, evidence, registrant, is_sync=is_sync)
            if row.status is ProposalStatus.APPROVED and registrant in row.asks:
                ask = row.asks[registrant]
                ask.is_reopened = ask.is_reopened or not (ask.is_released or ask.agrees())
            self.settle(row)

    # Status and time

    def touch(self, asset: str, *, may_publish: bool = True) -> Proposal | None:
        """Apply time; the proposal that is open then."""
        row = self.open_of(asset)
        if row is not None:
            self.settle(row, may_publish=may_publish)
        return self.open_of(asset)

    def settle(self, row: Proposal, *, may_publish: bool = True) -> None:
        self.apply_time(row)
        if any(ask.blocks() for ask in row.counting):
            status = ProposalStatus.REJECTED
        elif all(ask.agrees() for ask in row.counting):
            status = ProposalStatus.APPROVED
        else:
            status = ProposalStatus.PENDING
        if self.now >= row.expires_at and ProposalStatus.APPROVED not in (row.status, status):
            status = ProposalStatus.EXPIRED
        if status is not row.status:
            self.end(row, status)
        if status is ProposalStatus.APPROVED and row.is_automatic and may_publish and not self.is_stale(row):
            self.publish_row(row)

    def end(self, row: Proposal, status: ProposalStatus) -> None:
        self.emit("STATUS", row.asset, row.status, status)
        row.status = status
        is_last = not any(
            row_of_set.status.is_open and row_of_set.change_set == row.change_set for row_of_set in self.proposals
        )
        if row.change_set is not None and status is ProposalStatus.PUBLISHED and is_last:
            self.change_sets[row.change_set] = ChangeSetStatus.PUBLISHED

    def apply_time(self, row: Proposal) -> None:
        for ask in row.counting:
            if ask.response is Response.MIGRATING and ask.deadline is not None and ask.deadline <= self.now:
                self.mark_overdue(row, ask)
            elif ask.response is None:
                if ask.escalate_at is not None and ask.escalate_at <= self.now:
                    self.escalate(row, ask)
                if ask.policy.on_silence is not OnSilence.EXPIRE and ask.due_at <= min(self.now, row.expires_at):
                    self.count_silence(row, ask)
        if row.expires_at > self.now:
            self.extend(row, max([row.expires_at, *self.find_needed(row)]))

    def find_needed(self, row: Proposal) -> list[datetime]:
        """Until when a proposal stays open: a week after a migration, and until silence is counted."""
        weeks = [ask.deadline + timedelta(days=7) for ask in row.counting if ask.deadline is not None]
        waiting = [ask for ask in row.counting if ask.waits and not ask.waits_for_expiry and ask.due_at > self.now]
        silent = [ask.policy.end_after(ask.due_at) for ask in waiting]
        return [*weeks, *(min(end, row.opened_at + YEAR) for end in silent)]

    def extend(self, row: Proposal, until: datetime) -> None:
        if until > row.expires_at:
            self.move_expiry(row, until)

    def move_expiry(self, row: Proposal, until: datetime) -> None:
        row.expires_at = until
        for ask in row.counting:
            if ask.waits_for_expiry:
                ask.due_at, ask.checked_at = until, self.now

    def mark_overdue(self, row: Proposal, ask: Ask) -> None:
        if not ask.is_overdue:
            ask.is_overdue = True
            self.emit("OVERDUE", ask.team, row.asset)
            if ask.policy.escalate is not None and ask.escalated_to is None:
                self.escalate(row, ask)
        if ask.policy.on_silence in (OnSilence.EXTEND, OnSilence.APPROVE) and row.expires_at <= self.now:
            until = self.next_period(row.expires_at, ask.policy)
            if until <= row.opened_at + YEAR:
                self.extend(row, until)

    def next_period(self, moment: datetime, policy: Policy) -> datetime:
        while moment <= self.now:
            moment += policy.span
        return moment

    def count_silence(self, row: Proposal, ask: Ask) -> None:
        if ask.policy.on_silence is OnSilence.EXTEND:
            until = self.next_period(ask.due_at, ask.policy)
            if until > row.opened_at + YEAR:
                return
            ask.due_at, ask.checked_at = until, self.now
            self.extend(row, until)
        else:
            ask.response, ask.answered_at = Response.SILENT, self.now
        self.emit("SILENCE", ask.team, row.asset, ask.policy.on_silence)

    def escalate(self, row: Proposal, ask: Ask) -> None:
        ask.escalate_at = None
        substitute = self.escalation.get(ask.team)
        if substitute is not None and substitute not in (self.owners[row.asset], row.proposer, ask.team):
            ask.escalated_to = substitute
            self.emit("ESCALATED", ask.team, row.asset, substitute)

    def is_stale(self, row: Proposal) -> bool:
        """Whether a newer contract adds a break that some team reads."""
        active = self.active[row.asset]
        if active is None or row.schema == RETIRED or row.base == self.contracts[row.asset]:
            return False
        return bool(self.find_hurt(row.asset, breaks(active, row.schema) - row.atoms))

    def remind(self, row: Proposal) -> None:
        """Remind teams whose answer is due soon: of several missed reminders, the last one."""
        reminders: dict[tuple[int, datetime, OnSilence], set[str]] = {}
        for ask in row.counting:
            moments = {days: ask.due_at - timedelta(days=days) for days in ask.policy.remind}
            if not ask.waits or not any(ask.checked_at < moment <= self.now for moment in moments.values()):
                continue
            ask.checked_at = self.now
            passed = [days for days, moment in moments.items() if moment <= self.now < ask.due_at]
            if passed:
                audience = reminders.setdefault((min(passed), ask.due_at, ask.policy.on_silence), set())
                delegate, until = self.delegates.get(ask.team, ("", self.now))
                audience |= {ask.team, *filter(None, [ask.escalated_to, delegate if self.now < until else None])}
        for (days, _, _), audience in reminders.items():
            self.emit("REMINDER", row.asset, str(days), *sorted(audience))

    # Publishing

    def activate(self, asset: str, schema: Schema, skipped: dict[str, frozenset[Atom]] | None = None) -> None:
        """Make a schema the contract; what readers lose without an answer stays as a debt."""
        before = self.active[asset] or self.last.get(asset, {})
        if self.active[asset] is not None:
            self.forget(asset, differences(before, schema))
        self.active[asset] = self.last[asset] = schema
        self.contracts[asset] = self.contracts.get(asset, 0) + 1
        self.published.setdefault(asset, []).append(self.now)
        is_changed = self.update_path_debts(asset, before, schema)
        for team, atoms in (skipped or {}).items():
            for atom in atoms:
                self.add_debt((DebtKind.FORCED, team, asset, atom))
        if is_changed or any(debt[0] is DebtKind.FORCED and debt[2] == asset for debt in self.debts):
            self.update_open(self.lineage.find_upstream(asset) - {asset})

    def update_path_debts(self, asset: str, before: Schema, schema: Schema) -> bool:
        """Note which fields readers name in vain; whether that changes, and with it what they read of the asset."""
        paths, debts = declared(schema), {*self.debts}
        for debt in [debt for debt in self.debts if debt[2] == asset and debt[3] in paths]:
            self.settle_debt(debt)
        for row in self.registrations.values():
            for path in (row.fields or frozenset()) - paths if row.asset == asset else ():
                kinds = (DebtKind.REMOVED_FIELD, DebtKind.UNKNOWN_FIELD)
                if not any((kind, row.team, asset, path) in self.debts for kind in kinds):
                    self.add_debt((kinds[path not in declared(before)], row.team, asset, path))
        return self.debts != debts

    def add_debt(self, debt: Debt) -> None:
        if debt not in self.debts:
            self.debts.add(debt)
            self.emit("DEBT_RECORDED", *debt[:3])

    def settle_debt(self, debt: Debt) -> None:
        self.debts.discard(debt)
        self.emit("DEBT_SETTLED", *debt[:3])

    def publish_row(self, row: Proposal) -> None:
        active = self.active[row.asset]
        if row.schema == RETIRED:
            self.active[row.asset] = None
            self.answers = {key: answer for key, answer in self.answers.items() if key[1] != row.asset}
            self.end(row, ProposalStatus.PUBLISHED)
            return
        if active is not None and row.base != self.contracts[row.asset]:
            row.atoms = breaks(active, row.schema)
        self.forget(row.asset, row.atoms)
        self.activate(row.asset, row.schema)
        self.end(row, ProposalStatus.PUBLISHED)


def find_atoms(row: Proposal, reads: frozenset[Read] | None) -> frozenset[Atom]:
    """The changes of a proposal that touch what is read."""
    return row.atoms if reads is None else frozenset(atom for atom, _ in reads)
