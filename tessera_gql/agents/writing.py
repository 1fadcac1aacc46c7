"""Tools that write: propose a change, answer an ask. Without `confirm` they return what they would do.

Both are idempotent: a repeated call finds what the first one did, and does nothing more.
"""

from collections.abc import Sequence

from tessera_gql.agents.arguments import AnswerAsk, ProposeChange
from tessera_gql.agents.models import (
    TeamAnswer,
    TeamAnswers,
    ViewerTeam,
    build_change_set_query,
    build_team_query,
    build_viewer_query,
)
from tessera_gql.agents.reading import Caller, describe_change
from tessera_gql.agents.results import Listing, Result, ToolError
from tessera_gql.client.enums import AcknowledgmentResponse, Intent, PublishOutcome
from tessera_gql.client.models import CoveredProposal
from tessera_gql.client.operation import build_change_set_ref, is_global_id
from tessera_gql.client.operations import acknowledgments, publishing
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
    proposal, contract, diff = result.proposal, result.contract, result.diff
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


async def answer_ask(caller: Caller, arguments: AnswerAsk) -> Result:
    """Answer all that waits for a team in an ask; a preview shows what it would answer."""
    team = arguments.team or await _find_own_team(caller)
    is_proposal = is_global_id(arguments.ask, "Proposal")
    if is_proposal:
        filter_ = {"proposal": {"eq": arguments.ask}}
    else:
        change_set = await caller.run(build_change_set_query(build_change_set_ref(arguments.ask)))
        filter_ = {"changeSet": {"eq": change_set.id}}
    query = build_team_query(TeamAnswers, team, filter=("TeamAcknowledgmentFilter", filter_))
    answers = await caller.run(query)
    asked = [item for item in answers.acknowledgments.nodes if item.proposal.is_open and item.released_at is None]
    waiting = _select_unanswered(asked, arguments, is_proposal=is_proposal)
    if asked and not waiting and all(_is_same_answer(item, arguments) for item in asked):
        return _describe_answers(answers, asked, arguments, f"{answers.name} has given this answer. {NOTHING}")
    if not arguments.confirm:
        _check_answerable(answers, waiting, arguments)
        return _describe_answers(answers, waiting, arguments, CONFIRM)
    await _send_answer(caller, arguments, team, is_proposal=is_proposal)
    answers = await caller.run(query)
    ids = {item.proposal.id for item in waiting}
    given = [item for item in answers.acknowledgments.nodes if item.proposal.id in ids]
    return _describe_answers(answers, given, arguments, NOTHING)


async def _find_own_team(caller: Caller) -> str:
    viewer = await caller.run(build_viewer_query(ViewerTeam))
    if viewer.team is None:
        raise ToolError("INVALID", "`team` is missing; expected the name of the asked team, as this key has no team.")
    return viewer.team.name


def _select_unanswered(
    asked: Sequence[TeamAnswer], arguments: AnswerAsk, *, is_proposal: bool
) -> list[TeamAnswer]:
    """Select what the answer would change: of a change set, only what has no answer yet."""
    if is_proposal:
        return [item for item in asked if not _is_same_answer(item, arguments)]
    return [item for item in asked if item.response is None]


def _is_same_answer(item: TeamAnswer, arguments: AnswerAsk) -> bool:
    return (
        item.response == arguments.response
        and item.migration_deadline == arguments.migration_deadline
        and (item.notes or None) == arguments.notes
    )


def _check_answerable(answers: TeamAnswers, waiting: Sequence[TeamAnswer], arguments: AnswerAsk) -> None:
    """Raise ToolError if the confirmed call would be refused, as far as the state shows that."""
    if not waiting:
        message = f"Nothing in this ask waits for {answers.name}. list_asks lists what does; a proposal's id as"
        raise ToolError("CONFLICT", f"{message} `ask` replaces an answer.")
    if not all(item.proposal.viewer_can_acknowledge for item in waiting):
        message = f"This key may not answer for {answers.name}. It takes a key of that team with the scope WRITE."
        raise ToolError("FORBIDDEN", message)
    if arguments.response == AcknowledgmentResponse.MIGRATING and arguments.migration_deadline is None:
        raise ToolError("INVALID", "`migration_deadline` is missing; expected a time with its zone for MIGRATING.")


async def _send_answer(caller: Caller, arguments: AnswerAsk, team: str, *, is_proposal: bool) -> None:
    response = AcknowledgmentResponse(arguments.response)
    deadline, notes = arguments.migration_deadline, arguments.notes
    if is_proposal:
        await caller.run(
            publishing.acknowledge(arguments.ask, response, team=team, migration_deadline=deadline, notes=notes)
        )
        return
    await caller.run(
        acknowledgments.acknowledge_change_set(
            arguments.ask, response, team=team, migration_deadline=deadline, notes=notes
        )
    )


def _describe_answers(
    answers: TeamAnswers, items: Sequence[TeamAnswer], arguments: AnswerAsk, next_step: str
) -> Result:
    tables = [
        {
            "proposal": item.proposal.id,
            "asset": item.proposal.asset.fqn,
            "version": item.proposal.proposed_version,
            "status": item.proposal.status,
            "answer": item.response,
            "due_at": item.due_at,
            "if_silent": item.silence_means,
            "publishes_when_approved": item.proposal.publish_when_approved,
            "also_waits_for": Listing([team.name for team in item.proposal.awaiting if team.name != answers.name]),
        }
        for item in items
    ]
    return {
        "confirmed": arguments.confirm,
        "team": answers.name,
        "response": arguments.response,
        "tables": Listing(tables),
        "next": next_step,
    }
