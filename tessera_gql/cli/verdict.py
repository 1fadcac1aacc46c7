"""What a dbt manifest would break, whom, and what they say to it: the facts and the exit code; nothing is printed here.

The server judges: a dry run of the very sync tells what changes, `impact` whom it hurts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tessera_gql.client import Invalid, NotFound, TesseraClient
from tessera_gql.client.nouns import AskedTeam, ManifestReport, ProposalWithAnswers, Reason, SyncedModel, TeamName
from tessera_gql.client.operations.manifests import Syncing
from tessera_gql.client.operations.publishing import Publishing
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
            yield f"tessera ack {self.fqn} APPROVED --team {team}"

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


def judge(client: TesseraClient, manifest: dbt.Manifest, content: bytes, owner: str | None) -> Judgement:
    """Nothing is written."""
    report = _dry_run(client, content, owner)
    models = {model.fqn: model for model in manifest.models}
    verdicts = tuple(_verdict(client, one, models.get(one.fqn)) for one in report.models)
    return Judgement(verdicts, report.warnings)


def ask(client: TesseraClient, manifest: dbt.Manifest, judgement: Judgement, options: Publishing) -> Judgement:
    """Opens a proposal for each table whose readers must be asked: now they know."""
    models = {model.fqn: model for model in manifest.models}

    def asked(one: Verdict) -> Verdict:
        if one.state is not State.ASK:
            return one
        model = models[one.fqn]
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


def _dry_run(client: TesseraClient, content: bytes, owner: str | None) -> ManifestReport:
    options = Syncing(dry_run=True, supersede=True)
    if owner:
        options["owner"] = owner
    try:
        return client.sync_dbt(content, **options)
    except Invalid as error:
        # Tables that are new belong to nobody yet; for a dry run anybody will do.
        if owner or "owner" not in error.field or (anybody := next(client.teams(), None)) is None:
            raise
        options["owner"] = anybody
        return client.sync_dbt(content, **options)


STATES = {"CREATED": State.NEW, "PUBLISHED": State.COMPATIBLE, "UNCHANGED": State.UNCHANGED, "SKIPPED": State.SKIPPED}


def _verdict(client: TesseraClient, synced: SyncedModel, model: dbt.Model | None) -> Verdict:
    known = STATES.get(synced.outcome)
    if known is not None or model is None:
        state = known or State.SKIPPED
        return Verdict(synced.fqn, state, synced.changes, synced.breaking, reason=synced.reason)
    impact = client.impact(model.schema, asset=synced.fqn, guarantees=model.guarantees)
    found = Verdict(
        fqn=synced.fqn,
        state=State.ASK if impact.asked else State.UNREAD,
        changes=synced.changes,
        breaking=synced.breaking,
        asked=impact.asked,
        informed=impact.informed,
        awaiting=tuple(one.team.name for one in impact.asked),
        version=impact.version,
    )
    if synced.proposal is None:
        return found
    try:
        return _with_answers(found, client.get_proposal(synced.proposal.id))
    except NotFound:  # it was opened by the dry run, and is taken back
        return found


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
