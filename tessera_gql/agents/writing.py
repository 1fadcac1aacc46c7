"""Tools that write: propose a change, answer an ask. Without `confirm` they return what they would do.

Both are idempotent: a repeated call finds what the first one did, and does nothing more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tessera_gql.agents.arguments import AnswerAsk, AnswerKind, ProposeChange
from tessera_gql.agents.models import (
    AnswerToProposal,
    TeamAnswers,
    ViewerTeam,
    build_change_set_query,
    build_team_query,
    build_viewer_query,
)
from tessera_gql.agents.reading import Caller, describe_change
from tessera_gql.agents.results import Listing, Result, ToolError
from tessera_gql.client.enums import AcknowledgmentResponse, Intent, PublishOutcome
from tessera_gql.client.global_ids import is_global_id
from tessera_gql.client.models import CoveredProposal, JsonObject
from tessera_gql.client.operation import build_change_set_ref
from tessera_gql.client.operations import acknowledgments, proposals, publishing
from tessera_gql.client.result_models import PublishResult

CONFIRM = "Nothing was written. To do this, call again with the same arguments and confirm: true."
NOTHING = "Nothing is left to do."


async def propose_change(caller: Caller, arguments: ProposeChange) -> Result:
    """Propose a schema; asks the teams whose reads it breaks. A preview is a dry run of the same mutation."""
    result = await caller.run(
        publishing.publish_contract(
            fqn=None if is_global_id(arguments.asset, "Asset") else arguments.asset,
            asset_id=arguments.asset if is_global_id(arguments.asset, "Asset") else None,
            schema_def=arguments.definition,
            published_by=arguments.team,
            intent=Intent.RELEASE if arguments.publish else Intent.ASK,
            publish_when_approved=arguments.publish,
            reason=arguments.reason,
            change_set=arguments.change_set,
            dry_run=not arguments.confirm,
        )
    )
    return {
        "confirmed": arguments.confirm,
        "outcome": result.outcome,
        **_describe_outcome(result, is_preview=not arguments.confirm),
        "next": _describe_next_step(result, arguments),
        "warnings": Listing(result.warnings or ()),
    }


def _describe_outcome(result: PublishResult, *, is_preview: bool) -> Result:
    contract, diff = result.contract, result.diff
    proposal = result.proposal if result.outcome is PublishOutcome.PROPOSED else None
    return {
        "proposal": None if proposal is None or is_preview else proposal.id,
        "version": proposal.proposed_version if proposal else contract.version if contract else None,
        "status": proposal.status if proposal else None,
        "expires_at": proposal.expires_at if proposal else None,
        "held_for": proposal.hold.text if proposal and proposal.hold else None,
        "asks": _list_asked_teams(proposal) if proposal else Listing(()),
        "changes_total": len(diff.changes) if diff else 0,
        "breaking": Listing([*map(describe_change, diff.breaking)] if diff else ()),
    }


def _list_asked_teams(proposal: CoveredProposal) -> Listing:
    """List the teams that the proposal waits for, each with what it is asked about and what its silence means."""
    steps = {item.team.name: item for item in proposal.waits_for}
    items: list[Result] = []
    for team in proposal.awaiting:
        changes = [item.message for item in proposal.breaking_changes if team.id in {asked.id for asked in item.teams}]
        step = steps.get(team.name)
        items.append(
            {
                "team": team.name,
                "changes": Listing(changes),
                "until": step.until if step else None,
                "if_silent": step.silence_means if step else None,
            }
        )
    return Listing(items)


def _describe_next_step(result: PublishResult, arguments: ProposeChange) -> str:
    match result.outcome:
        case PublishOutcome.UNCHANGED:
            return "The schema is that of the active version. " + NOTHING
        case PublishOutcome.COMPATIBLE:
            return "No team has to be asked, so nothing is proposed. To publish it, set publish: true."
        case _ if not arguments.confirm:
            return CONFIRM
        case PublishOutcome.PROPOSED:
            return "The proposal waits for the teams in `asks`. Their answers are recorded by themselves."
        case _:
            return NOTHING


@dataclass(frozen=True)
class _Ask:
    """The ask that a call answers, as a filter of the team's acknowledgments."""

    arguments: AnswerAsk
    team: str
    filter: JsonObject
    is_proposal: bool

    def is_same_answer(self, item: AnswerToProposal) -> bool:
        """Return whether the team has given this answer."""
        arguments = self.arguments
        return (
            item.response == arguments.response
            and item.migration_deadline == arguments.migration_deadline
            and (item.notes or None) == arguments.notes
        )


async def answer_ask(caller: Caller, arguments: AnswerAsk) -> Result:
    """Answer all that waits for a team in an ask; a preview returns what the answer applies to.

    An answer to a proposal replaces an earlier one; an answer to a change set leaves what is answered.
    """
    ask = await _find_ask(caller, arguments)
    states = ["AWAITED", "ANSWERED"] if ask.is_proposal else ["AWAITED"]
    unanswered = await _load_answers(caller, ask, state={"in": states})
    total = unanswered.acknowledgments.total_count
    waiting = [item for item in unanswered.acknowledgments.nodes if not ask.is_same_answer(item)]
    if not waiting:
        answered = await _load_answers(caller, ask, state={"in": ["ANSWERED", "ENDED"]})
        same = [item for item in answered.acknowledgments.nodes if ask.is_same_answer(item)]
        if same:
            return _describe_answers(ask, answered.name, Listing(same), f"This answer is recorded already. {NOTHING}")
    if not arguments.confirm:
        _check_answerable(unanswered.name, waiting, arguments)
        return _describe_answers(ask, unanswered.name, Listing(waiting, total), CONFIRM)
    await _send_answer(caller, ask)
    answered = await _load_answers(caller, ask, proposal={"in": [item.proposal.id for item in waiting]})
    return _describe_answers(ask, answered.name, Listing(answered.acknowledgments.nodes, total), NOTHING)


async def _find_ask(caller: Caller, arguments: AnswerAsk) -> _Ask:
    team = arguments.team or await _find_own_team(caller)
    if is_global_id(arguments.ask, "Proposal"):
        return _Ask(arguments, team, {"proposal": {"eq": arguments.ask}}, is_proposal=True)
    change_set = await caller.run(build_change_set_query(build_change_set_ref(arguments.ask)))
    return _Ask(arguments, team, {"changeSet": {"eq": change_set.id}}, is_proposal=False)


async def _load_answers(caller: Caller, ask: _Ask, **conditions: JsonObject) -> TeamAnswers:
    filter_ = {**ask.filter, **conditions}
    return await caller.run(build_team_query(TeamAnswers, ask.team, filter=("TeamAcknowledgmentFilter", filter_)))


async def _find_own_team(caller: Caller) -> str:
    viewer = await caller.run(build_viewer_query(ViewerTeam))
    if viewer.team is None:
        raise ToolError("INVALID", "`team` is missing; expected the name of the asked team, as this key has no team.")
    return viewer.team.name


def _check_answerable(team: str, waiting: Sequence[AnswerToProposal], arguments: AnswerAsk) -> None:
    """Raise ToolError if the confirmed call would be refused, as far as the state has that."""
    if not waiting:
        message = f"Nothing in this ask waits for {team}. list_asks lists what does; the id of a proposal as `ask`"
        raise ToolError("CONFLICT", f"{message} replaces an answer.")
    if not all(item.proposal.permits_answer_of(team) for item in waiting):
        message = f"This key may not answer for {team}. It takes a key of that team with the scope WRITE."
        raise ToolError("FORBIDDEN", message)
    if arguments.response is AnswerKind.MIGRATING and arguments.migration_deadline is None:
        raise ToolError("INVALID", "`migration_deadline` is missing; expected a time with its zone for MIGRATING.")
    if arguments.response is AnswerKind.BLOCKED and arguments.notes is None:
        raise ToolError("INVALID", "`notes` is missing; expected the reason of BLOCKED, as a text.")


async def _send_answer(caller: Caller, ask: _Ask) -> None:
    arguments = ask.arguments
    response, deadline = AcknowledgmentResponse(arguments.response), arguments.migration_deadline
    if ask.is_proposal:
        operation = proposals.acknowledge(
            arguments.ask, response, team=ask.team, migration_deadline=deadline, notes=arguments.notes
        )
        await caller.run(operation)
        return
    await caller.run(
        acknowledgments.acknowledge_change_set(
            arguments.ask, response, team=ask.team, migration_deadline=deadline, notes=arguments.notes
        )
    )


def _describe_answers(ask: _Ask, team: str, answers: Listing, next_step: str) -> Result:
    return {
        "confirmed": ask.arguments.confirm,
        "team": team,
        "response": ask.arguments.response,
        "tables": Listing([_describe_answer(item, team) for item in answers.items], answers.total),
        "next": next_step,
    }


def _describe_answer(item: AnswerToProposal, team: str) -> Result:
    proposal = item.proposal
    return {
        "proposal": proposal.id,
        "asset": proposal.asset.fqn,
        "version": proposal.proposed_version,
        "status": proposal.status,
        "answer": item.response,
        "due_at": item.due_at,
        "if_silent": item.silence_means,
        "publishes_when_approved": proposal.publish_when_approved,
        "also_waits_for": Listing([awaited.name for awaited in proposal.awaiting if awaited.name != team]),
    }
