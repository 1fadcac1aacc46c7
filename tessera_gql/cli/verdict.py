"""What a dbt manifest would break, whom, and what they say to it: the facts and the exit code; nothing is printed here.

The server judges; here is only where each change stands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tessera_gql.client import BadRequest, PublishOutcome, TesseraClient
from tessera_gql.client.nouns import AskedTeam, ModelImpact, ProposalWithAnswers, Reason, TeamName
from tessera_gql.client.operations.publishing import Publishing
from tessera_gql.client.progress import Hear
from tessera_gql.escaping import tessera_command
from tessera_gql.formats import dbt


class State(StrEnum):
    """Where a table's change stands; only ASK, WAITING and BLOCKED stop a pull request."""

    UNCHANGED = "UNCHANGED"
    NEW = "NEW"
    COMPATIBLE = "COMPATIBLE"
    SKIPPED = "SKIPPED"
    UNREAD = "UNREAD"
    ASK = "ASK"
    WAITING = "WAITING"
    APPROVED = "APPROVED"
    BLOCKED = "BLOCKED"

    @property
    def breaks(self) -> bool:
        return self in {State.UNREAD, State.ASK, State.WAITING, State.APPROVED, State.BLOCKED}


class FailOn(StrEnum):
    """What makes the command fail: a change that hurts somebody, any breaking change, or nothing."""

    CONSUMERS = "consumers"
    BREAKING = "breaking"
    NEVER = "never"


@dataclass(frozen=True)
class Verdict:
    """One table. `asked` have to answer, `awaiting` have not; `reason` says why it was skipped."""

    fqn: str
    state: State
    changes: tuple[Reason, ...] = ()
    breaking: tuple[Reason, ...] = ()
    asked: tuple[AskedTeam, ...] = ()
    informed: tuple[TeamName, ...] = ()
    awaiting: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    proposal: str | None = None
    version: str | None = None
    reason: str | None = None

    def commands(self) -> Iterator[str]:
        """What those who have to answer type, once they are asked."""
        for team in self.awaiting:
            yield tessera_command("ack", self.fqn, "APPROVED", team=team)

    def as_json(self) -> dict[str, Any]:
        return {
            "fqn": self.fqn,
            "state": self.state,
            "version": self.version,
            "changes": [one.model_dump() for one in self.changes],
            "breaking": [one.model_dump() for one in self.breaking],
            "asked": [
                {"team": one.team.name, "because": [reason.model_dump() for reason in one.because]}
                for one in self.asked
            ],
            "informed": [team.name for team in self.informed],
            "awaiting": list(self.awaiting),
            "answers": dict(self.answers),
            "proposal": self.proposal,
            "commands": list(self.commands()),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Judgement:
    """Every table of the manifest, in the order of fqns."""

    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...] = ()

    def of(self, *states: State) -> list[Verdict]:
        return [one for one in self.verdicts if one.state in states]

    @property
    def open_proposals(self) -> list[str]:
        return [one.proposal for one in self.of(State.WAITING) if one.proposal]

    def exit_code(self, fail_on: FailOn) -> int:
        """0 nothing breaking, 1 breaking with consumers to ask, 3 waiting for answers."""
        if fail_on is FailOn.NEVER:
            return 0
        stops = [State.ASK, State.BLOCKED, *([State.UNREAD] if fail_on is FailOn.BREAKING else [])]
        if self.of(*stops):
            return 1
        return 3 if self.of(State.WAITING) else 0


def judge(client: TesseraClient, manifest: dbt.Manifest, content: bytes, hear: Hear | None = None) -> Judgement:
    """Nothing is written."""
    models = {model.fqn: model for model in manifest.models}
    impacts = client.dbt_impact(content, on_progress=hear)
    verdicts = tuple(_verdict(client, one, models.get(one.fqn)) for one in impacts)
    return Judgement(verdicts, manifest.warnings)


def ask(client: TesseraClient, manifest: dbt.Manifest, judgement: Judgement, options: Publishing) -> Judgement:
    """Opens a proposal for each table whose readers must be asked: now they know."""
    models = {model.fqn: model for model in manifest.models}

    def asked(one: Verdict) -> Verdict:
        if one.state is not State.ASK:
            return one
        model = models.get(one.fqn)
        if model is None:
            raise BadRequest(f"The server judges {one.fqn}, which is not in the manifest. Check its version.")
        terms: Publishing = {**options, "guarantees": model.guarantees}
        done = client.publish_contract(fqn=one.fqn, schema_def=model.schema, **terms)
        return _with_answers(one, client.get_proposal(done.proposal.id)) if done.proposal else one

    return replace(judgement, verdicts=tuple(asked(one) for one in judgement.verdicts))


def again(client: TesseraClient, judgement: Judgement) -> Judgement:
    """The same changes with what has been answered meanwhile."""

    def fresh(one: Verdict) -> Verdict:
        if one.state is not State.WAITING or one.proposal is None:
            return one
        return _with_answers(one, client.get_proposal(one.proposal))

    return replace(judgement, verdicts=tuple(fresh(one) for one in judgement.verdicts))


def _verdict(client: TesseraClient, impact: ModelImpact, model: dbt.Model | None) -> Verdict:
    found = Verdict(
        fqn=impact.fqn,
        state=_state(impact),
        changes=impact.changes,
        breaking=impact.breaking,
        asked=impact.asked,
        informed=impact.informed,
        awaiting=tuple(one.team.name for one in impact.asked),
        version=impact.version,
        reason=impact.refused,
    )
    if impact.open_proposal is None or model is None or found.state not in {State.ASK, State.UNREAD}:
        return found
    proposal = client.get_proposal(impact.open_proposal.id)
    same = (proposal.proposed_schema, proposal.guarantees or None) == (model.schema, model.guarantees or None)
    return _with_answers(found, proposal) if same else found


def _state(impact: ModelImpact) -> State:
    match impact.outcome:
        case PublishOutcome.PROPOSED:
            return State.ASK if impact.asked else State.UNREAD
        case _ if impact.refused:
            return State.SKIPPED
        case _ if impact.is_new:
            return State.NEW
        case PublishOutcome.UNCHANGED:
            return State.UNCHANGED
        case _:
            return State.COMPATIBLE


STANDS = {"PENDING": State.WAITING, "REJECTED": State.BLOCKED, "APPROVED": State.APPROVED, "PUBLISHED": State.APPROVED}


def _with_answers(one: Verdict, proposal: ProposalWithAnswers) -> Verdict:
    """A proposal that ended otherwise, withdrawn or expired, has to be asked afresh."""
    answers = {place.team.name: place.response or "" for place in proposal.acknowledgments if place.released_at is None}
    state = STANDS.get(proposal.status, State.ASK)
    return replace(
        one,
        state=state,
        proposal=proposal.id if state is not State.ASK else None,
        version=proposal.proposed_version,
        answers={team: said for team, said in answers.items() if said},
        awaiting=tuple(team for team, said in answers.items() if said != "APPROVED"),
    )
