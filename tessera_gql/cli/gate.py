"""The gate of `tessera dbt impact`: state of each model of a manifest, and the exit code.

The server computes the impact; this module only combines it with the acknowledgments of open proposals.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tessera_gql.client import BadRequest, PublishOutcome, TesseraClient
from tessera_gql.client.models import AskedTeam, ChangeSummary, ModelImpact, ProposalDetails, TeamSummary
from tessera_gql.client.operations.publishing import PublishOptions
from tessera_gql.client.progress import ProgressCallback
from tessera_gql.escaping import build_tessera_command
from tessera_gql.formats import dbt


class ModelState(StrEnum):
    """State of a model's change; ASK, WAITING and BLOCKED fail a pull request."""

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
        return self in {ModelState.UNREAD, ModelState.ASK, ModelState.WAITING, ModelState.APPROVED, ModelState.BLOCKED}


class FailOn(StrEnum):
    """Condition for exit code 1: a breaking change with consumers, any breaking change, or never."""

    CONSUMERS = "consumers"
    BREAKING = "breaking"
    NEVER = "never"


@dataclass(frozen=True)
class ModelResult:
    """Result for one model.

    `unapproved_teams` are the asked teams whose acknowledgment is not APPROVED, or is awaited. `reason` says why the
    model is skipped.
    """

    fqn: str
    state: ModelState
    changes: tuple[ChangeSummary, ...] = ()
    breaking: tuple[ChangeSummary, ...] = ()
    asked: tuple[AskedTeam, ...] = ()
    informed: tuple[TeamSummary, ...] = ()
    unapproved_teams: tuple[str, ...] = ()
    responses: Mapping[str, str] = field(default_factory=dict[str, str])
    proposal: str | None = None
    version: str | None = None
    reason: str | None = None

    def acknowledge_commands(self) -> Iterator[str]:
        """Yield the command by which each team of `unapproved_teams` approves."""
        for team in self.unapproved_teams:
            yield build_tessera_command("ack", self.fqn, "APPROVED", team=team)

    def as_json(self) -> dict[str, Any]:
        return {
            "fqn": self.fqn,
            "state": self.state,
            "version": self.version,
            "changes": [change.model_dump() for change in self.changes],
            "breaking": [change.model_dump() for change in self.breaking],
            "asked": [
                {"team": asked.team.name, "because": [reason.model_dump() for reason in asked.reasons]}
                for asked in self.asked
            ],
            "informed": [team.name for team in self.informed],
            "awaiting": list(self.unapproved_teams),
            "answers": dict(self.responses),
            "proposal": self.proposal,
            "commands": list(self.acknowledge_commands()),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class GateResult:
    """Results for all models of a manifest, ordered by fqn."""

    models: tuple[ModelResult, ...]
    warnings: tuple[str, ...] = ()

    def in_state(self, *states: ModelState) -> list[ModelResult]:
        return [model for model in self.models if model.state in states]

    @property
    def open_proposals(self) -> list[str]:
        return [model.proposal for model in self.in_state(ModelState.WAITING) if model.proposal]

    def exit_code(self, fail_on: FailOn) -> int:
        """Return 0 if the gate passes, 1 for breaking changes to ask for or blocked ones, 3 while waiting."""
        if fail_on is FailOn.NEVER:
            return 0
        blocking = [ModelState.ASK, ModelState.BLOCKED, *([ModelState.UNREAD] if fail_on is FailOn.BREAKING else [])]
        if self.in_state(*blocking):
            return 1
        return 3 if self.in_state(ModelState.WAITING) else 0


def evaluate_manifest(
    client: TesseraClient, manifest: dbt.Manifest, content: bytes, on_progress: ProgressCallback | None = None
) -> GateResult:
    """Compute the result for a manifest without writing anything."""
    models = {model.fqn: model for model in manifest.models}
    impacts = client.dbt_impact(content, on_progress=on_progress)
    results = tuple(_evaluate_model(client, impact, models.get(impact.fqn)) for impact in impacts)
    return GateResult(results, manifest.warnings)


def propose_breaking_changes(
    client: TesseraClient, manifest: dbt.Manifest, gate: GateResult, options: PublishOptions
) -> GateResult:
    """Open a proposal for each model whose consumers must be asked."""
    models = {model.fqn: model for model in manifest.models}

    def propose(result: ModelResult) -> ModelResult:
        if result.state is not ModelState.ASK:
            return result
        model = models.get(result.fqn)
        if model is None:
            raise BadRequest(f"The server judges {result.fqn}, which is not in the manifest. Check its version.")
        terms: PublishOptions = {**options, "guarantees": model.guarantees}
        proposal = client.publish_contract(fqn=result.fqn, schema_def=model.schema, **terms).proposal
        return _apply_proposal(result, client.get_proposal(proposal.id)) if proposal else result

    return replace(gate, models=tuple(propose(result) for result in gate.models))


def refresh(client: TesseraClient, gate: GateResult) -> GateResult:
    """Update waiting models with the current acknowledgments."""

    def refresh_model(result: ModelResult) -> ModelResult:
        if result.state is not ModelState.WAITING or result.proposal is None:
            return result
        return _apply_proposal(result, client.get_proposal(result.proposal))

    return replace(gate, models=tuple(refresh_model(result) for result in gate.models))


def _evaluate_model(client: TesseraClient, impact: ModelImpact, model: dbt.Model | None) -> ModelResult:
    result = ModelResult(
        fqn=impact.fqn,
        state=_classify(impact),
        changes=impact.changes,
        breaking=impact.breaking,
        asked=impact.asked,
        informed=impact.informed,
        unapproved_teams=tuple(asked.team.name for asked in impact.asked),
        version=impact.version,
        reason=impact.refused,
    )
    if impact.open_proposal is None or model is None or result.state not in {ModelState.ASK, ModelState.UNREAD}:
        return result
    proposal = client.get_proposal(impact.open_proposal.id)
    is_same = (proposal.proposed_schema, proposal.guarantees or None) == (model.schema, model.guarantees or None)
    return _apply_proposal(result, proposal) if is_same else result


def _classify(impact: ModelImpact) -> ModelState:
    match impact.outcome:
        case PublishOutcome.PROPOSED:
            return ModelState.ASK if impact.asked else ModelState.UNREAD
        case _ if impact.refused:
            return ModelState.SKIPPED
        case _ if impact.is_new:
            return ModelState.NEW
        case PublishOutcome.UNCHANGED:
            return ModelState.UNCHANGED
        case _:
            return ModelState.COMPATIBLE


STATE_BY_PROPOSAL_STATUS = {
    "PENDING": ModelState.WAITING,
    "REJECTED": ModelState.BLOCKED,
    "APPROVED": ModelState.APPROVED,
    "PUBLISHED": ModelState.APPROVED,
}


def _apply_proposal(result: ModelResult, proposal: ProposalDetails) -> ModelResult:
    """Combine a result with a proposal. A withdrawn, superseded or expired proposal must be opened again."""
    responses = {item.team.name: item.response or "" for item in proposal.acknowledgments if item.released_at is None}
    state = STATE_BY_PROPOSAL_STATUS.get(proposal.status, ModelState.ASK)
    return replace(
        result,
        state=state,
        proposal=proposal.id if state is not ModelState.ASK else None,
        version=proposal.proposed_version,
        responses={team: response for team, response in responses.items() if response},
        unapproved_teams=tuple(team for team, response in responses.items() if response != "APPROVED"),
    )
