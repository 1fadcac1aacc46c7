"""The gate of `tessera dbt impact`: the verdict of the server about each table of a manifest, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tessera_gql.cli.api_terms import to_command_terms
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.model_files import FileLine
from tessera_gql.client.enums import TableState
from tessera_gql.escaping import build_tessera_command

if TYPE_CHECKING:
    from tessera_gql.client import TesseraClient
    from tessera_gql.client.manifest_models import DeprecatedRead, ManifestImpact, ModelImpact, ModelReader
    from tessera_gql.client.models import ProposalDetails

BREAKING_STATES = (
    TableState.UNREAD,
    TableState.ASK,
    TableState.WAITING,
    TableState.HELD,
    TableState.APPROVED,
    TableState.BLOCKED,
)
BLOCKING_STATES = (TableState.BLOCKED, TableState.CONFLICT, TableState.REFUSED, TableState.ASK)
"""States that fail a pull request until a team acts."""

WAITING_STATES = (TableState.WAITING, TableState.HELD)

ASK_COMMAND = "tessera dbt impact --ask"


class FailOn(StrEnum):
    """Condition for exit code 1: a breaking change with consumers, any breaking change, or never."""

    CONSUMERS = "consumers"
    BREAKING = "breaking"
    NEVER = "never"


@dataclass(frozen=True)
class TeamAnswer:
    """The response of an asked team to the open proposal."""

    response: str
    notes: str | None = None
    migration_deadline: datetime | None = None


@dataclass(frozen=True)
class TableVerdict:
    """The verdict about one table: the impact, with answers that may have come since.

    `unapproved_teams` are the asked teams whose response is not APPROVED, or is awaited. `location` is the line of the
    model's source that an annotation points to.
    """

    impact: ModelImpact
    state: TableState
    answers: Mapping[str, TeamAnswer] = field(default_factory=dict[str, TeamAnswer])
    location: FileLine | None = None

    @property
    def fqn(self) -> str:
        return self.impact.fqn

    @property
    def breaks(self) -> bool:
        return self.state in BREAKING_STATES

    @property
    def proposal(self) -> str | None:
        """The id of the proposal that has these terms."""
        is_proposed = self.state in {TableState.WAITING, TableState.HELD, TableState.APPROVED, TableState.BLOCKED}
        return self.impact.open_proposal.id if is_proposed and self.impact.open_proposal else None

    @property
    def unapproved_teams(self) -> list[str]:
        if self.state is TableState.APPROVED:  # also by the silence of a team
            return []
        asked = [asked.team.name for asked in self.impact.asked]
        return [team for team in asked if team not in self.answers or self.answers[team].response != "APPROVED"]

    def is_silent(self, asked: ModelReader) -> bool:
        """Return whether a team was asked and has not answered."""
        return bool(self.proposal) and asked.until is not None and asked.team.name not in self.answers

    @property
    def change_set(self) -> str | None:
        """The key of the change set of `proposal`; None if it has none."""
        open_proposal = self.impact.open_proposal if self.proposal else None
        return open_proposal.change_set.key if open_proposal and open_proposal.change_set else None

    def acknowledge_commands(self) -> Iterator[str]:
        """Yield the command by which each team of `unapproved_teams` approves, once there is a proposal to answer."""
        for team in self.unapproved_teams if self.proposal else ():
            yield build_tessera_command("ack", self.fqn, "APPROVED", team=team)

    def as_json(self) -> dict[str, Any]:
        impact = self.impact
        return {
            "fqn": self.fqn,
            "state": self.state,
            "version": impact.version,
            "changes": [change.model_dump() for change in impact.changes],
            "breaking": [change.model_dump() for change in impact.breaking],
            "asked": [
                {
                    "team": asked.team.name,
                    "because": [reason.model_dump() for reason in asked.reasons],
                    "reads": [read.model_dump() for read in asked.reads],
                }
                for asked in impact.asked
            ],
            "informed": [team.name for team in impact.informed],
            "awaiting": self.unapproved_teams,
            "answers": {team: answer.response for team, answer in self.answers.items()},
            "notes": {team: answer.notes for team, answer in self.answers.items() if answer.notes},
            "proposal": self.proposal,
            "answerBy": impact.answer_by if self.proposal else None,
            "silence": {
                asked.team.name: {"until": asked.until, "means": asked.silence_means}
                for asked in impact.asked
                if self.is_silent(asked)
            },
            "commands": list(self.acknowledge_commands()),
            "changeSet": self.change_set,
            "reason": impact.refused,
            "missingCoverage": [item.model_dump() for item in impact.missing_coverage],
            "coverage": impact.coverage.text if impact.coverage else None,
            "removed": impact.removed,
            "successor": impact.successor,
            "file": self.location.path if self.location else None,
            "line": self.location.line if self.location else None,
        }


@dataclass(frozen=True)
class ChangeSetAsk:
    """What a change set asks a team, once for all of these tables."""

    change_set: str
    team: str
    tables: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command by which the team approves all of them."""
        return build_tessera_command("ack", "APPROVED", **{"change-set": self.change_set, "team": self.team})

    def as_json(self) -> dict[str, Any]:
        return {"changeSet": self.change_set, "team": self.team, "tables": list(self.tables), "command": self.command}


@dataclass(frozen=True)
class ReadVerdict:
    """Something deprecated that the manifest starts to read, with the line of the reading model's source."""

    read: DeprecatedRead
    location: FileLine | None = None

    @property
    def text(self) -> str:
        return f"{self.read.fqn} {self.read.message}"

    def as_json(self) -> dict[str, Any]:
        return {
            **self.read.model_dump(by_alias=True),
            "file": self.location.path if self.location else None,
            "line": self.location.line if self.location else None,
        }


@dataclass(frozen=True)
class GateResult:
    """The verdicts about all tables of a manifest, ordered by fqn, and what it starts to read that is deprecated."""

    tables: tuple[TableVerdict, ...]
    warnings: tuple[str, ...] = ()
    compared_as: tuple[str, ...] = ()
    declared_only: int = 0
    deprecated_reads: tuple[ReadVerdict, ...] = ()
    ask_command: str = ASK_COMMAND
    """The command that asks the teams about the same manifest, to be pasted where this one ran."""

    def in_state(self, *states: TableState) -> list[TableVerdict]:
        return [table for table in self.tables if table.state in states]

    @property
    def change_set_asks(self) -> list[ChangeSetAsk]:
        """What waits for each team in a change set, in the order of the tables."""
        tables: dict[tuple[str, str], list[str]] = {}
        for table in self.tables:
            for team in table.unapproved_teams if table.change_set else ():
                tables.setdefault((table.change_set or "", team), []).append(table.fqn)
        return [ChangeSetAsk(change_set, team, tuple(fqns)) for (change_set, team), fqns in tables.items()]

    @property
    def open_proposals(self) -> list[str]:
        return [table.proposal for table in self.in_state(*WAITING_STATES) if table.proposal]

    def exit_code(self, fail_on: FailOn) -> ExitCode:
        """Return 0 if the gate passes, 3 while waiting for teams or coverage, 1 for what is to ask, blocked or refused.

        It is 1 as well if the manifest starts to read something deprecated.
        """
        if fail_on is FailOn.NEVER:
            return ExitCode.DONE
        blocking = [*BLOCKING_STATES, *([TableState.UNREAD] if fail_on is FailOn.BREAKING else [])]
        if self.deprecated_reads or self.in_state(*blocking):
            return ExitCode.NEGATIVE
        return ExitCode.WAITING if self.in_state(*WAITING_STATES) else ExitCode.DONE


def evaluate(impact: ManifestImpact) -> GateResult:
    """Turn the impact of a manifest into verdicts."""
    return GateResult(
        tuple(_evaluate_table(_reword(model)) for model in impact.models),
        impact.warnings,
        impact.compared_as,
        impact.declared_only,
        tuple(map(ReadVerdict, impact.deprecated_reads)),
    )


def is_same_key(key: str, other: str) -> bool:
    """Whether two keys name the same change set."""
    return key.strip() == other.strip()


def describe_other_change_set(fqn: str, current: str, requested: str) -> str:
    """Describe that a proposal belongs to the change set that asked first, and not to the requested one."""
    return f"The proposal for {fqn} stays in the change set {current}, which asked first; {requested} does not have it."


def note_other_change_sets(result: GateResult, requested: str) -> GateResult:
    """Add a note for each proposal of these terms that another change set has asked about."""
    asked = [(table.fqn, table.change_set) for table in result.tables if table.change_set]
    notes = [describe_other_change_set(fqn, key, requested) for fqn, key in asked if not is_same_key(key, requested)]
    return replace(result, warnings=(*result.warnings, *notes))


def _reword(impact: ModelImpact) -> ModelImpact:
    """Word the reason of a refusal in the terms of the command line."""
    return impact.model_copy(update={"refused": to_command_terms(impact.refused)}) if impact.refused else impact


def _evaluate_table(impact: ModelImpact) -> TableVerdict:
    """Turn the impact of a table into a verdict. Answers to a proposal of other terms do not count."""
    answers = {
        asked.team.name: TeamAnswer(asked.response, asked.notes, asked.migration_deadline)
        for asked in impact.asked
        if asked.response is not None
    }
    table = TableVerdict(impact, impact.state, answers)
    return table if table.proposal else replace(table, answers={})


STATE_BY_PROPOSAL_STATUS = {
    "PENDING": TableState.WAITING,
    "REJECTED": TableState.BLOCKED,
    "APPROVED": TableState.APPROVED,
    "PUBLISHED": TableState.APPROVED,
}


def refresh(client: TesseraClient, result: GateResult) -> GateResult:
    """Update waiting tables with the current acknowledgments."""

    def refresh_table(table: TableVerdict) -> TableVerdict:
        if table.state not in WAITING_STATES or table.proposal is None:
            return table
        return _apply_proposal(table, client.get_proposal(table.proposal))

    return replace(result, tables=tuple(refresh_table(table) for table in result.tables))


def _apply_proposal(table: TableVerdict, proposal: ProposalDetails) -> TableVerdict:
    """Combine a verdict with a proposal. A withdrawn, superseded or expired proposal must be opened again."""
    answers = {
        item.team.name: TeamAnswer(item.response, item.notes, item.migration_deadline)
        for item in proposal.acknowledgments
        if item.released_at is None and item.response is not None
    }
    state = STATE_BY_PROPOSAL_STATUS.get(proposal.status, TableState.ASK)
    if state is TableState.WAITING and proposal.hold is not None and not proposal.waits_for:
        state = TableState.HELD
    return replace(table, state=state, answers=answers)
