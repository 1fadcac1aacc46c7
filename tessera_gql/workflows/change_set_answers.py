"""Answer everything that waits for a team in a change set, in one transaction.

The change set is locked before the assets of its proposals, which are locked in the order of their ids.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from tessera_gql.errors import Conflict, Forbidden, Invalid
from tessera_gql.policy import validation
from tessera_gql.policy.access import Action, Actor, acting_team, require_scope
from tessera_gql.policy.enums import ChangeSetStatus, Response
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.proposal_status import TeamResponse, choose_migration_deadline, require_answer
from tessera_gql.store import assets, change_sets, proposals, teams
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Acknowledgment, Asset, ChangeSet, Contract, Proposal, Team
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows.change_sets import ChangeSetRef, get
from tessera_gql.workflows.proposal_lifecycle import update_status
from tessera_gql.workflows.proposals import AcknowledgmentInput, find_substitute, record_answer

MAX_NAMED = 5
"""Tables that a message names; further ones are counted."""


@dataclass(frozen=True)
class ChangeSetAnswer:
    """A change set after an answer: the acknowledgments that it changed, and the contracts that it published."""

    change_set: ChangeSet
    acknowledgments: Sequence[Acknowledgment]
    contracts: Sequence[Contract]


@dataclass(frozen=True)
class _Request:
    """A request to the team, with its locked asset."""

    asset: Asset
    proposal: Proposal
    acknowledgment: Acknowledgment


async def acknowledge_change_set(  # noqa: PLR0913 - the fields of the mutation's input
    session: Session,
    actor: Actor,
    ref: ChangeSetRef,
    answer: AcknowledgmentInput,
    *,
    team: TeamRef | None = None,
    excluded: Collection[UUID] = (),
    replaces_answers: bool = False,
) -> ChangeSetAnswer:
    """Answer all that waits for the team in the change set but the `excluded` proposals.

    These are the requests without an answer, the SILENT ones and overdue migrations. With `replaces_answers`, those
    whose answer differs are answered anew, too. A delegate or escalation team answers those that it may answer. Raises
    Conflict if there is nothing to answer.
    """
    action = Action.ACKNOWLEDGE_CHANGE_SET
    require_scope(actor, action)
    row = await change_sets.lock(session, (await get(session, ref)).id)
    asked = await teams.get(session, team or TeamRef(id=acting_team(actor, action, None)))
    answer = _validate(session, answer)
    _require_open(row)
    requests = await _lock_requests(session, row, asked, excluded)
    requests, contracts = await _apply_time(session, requests)
    waits = _differs if replaces_answers else _waits
    open_requests = [request for request in requests if waits(request.acknowledgment, answer)]
    if not open_requests:
        raise Conflict(_describe_nothing(row, asked, requests, has_excluded=bool(excluded)))
    answered, published = await _answer_all(session, actor, open_requests, answer)
    return ChangeSetAnswer(
        await get(session, ChangeSetRef(id=row.id)),
        await proposals.acknowledgments_by_ids(session, answered),
        [*contracts, *published],
    )


def _validate(session: Session, answer: AcknowledgmentInput) -> AcknowledgmentInput:
    """Return the answer as it will be stored, so that it can be compared with earlier ones."""
    notes = validation.clean_text(answer.notes, "notes")
    require_answer(answer.response, notes)
    deadline = choose_migration_deadline(TeamResponse(answer.response, answer.migration_deadline), session.now)
    return AcknowledgmentInput(answer.response, deadline, notes)


def _require_open(row: ChangeSet) -> None:
    if row.status is not ChangeSetStatus.OPEN:
        raise Conflict(
            f"The change set {row.key} ended as {row.status}, so nothing in it waits for an answer.",
            field=("change_set",),
        )


async def _lock_requests(session: Session, row: ChangeSet, team: Team, excluded: Collection[UUID]) -> list[_Request]:
    """Lock the assets of the proposals that ask the team, and read the requests again."""
    await _require_members(session, row, excluded)
    before = await _load_requests(session, row, team, excluded)
    await assets.lock_by_ids(session, [proposal.asset_id for proposal, _ in before])
    locked = {asset.id: asset for asset in await assets.by_ids(session, [item.asset_id for item, _ in before])}
    after = await _load_requests(session, row, team, excluded)
    return [_Request(locked[item.asset_id], item, request) for item, request in after if item.asset_id in locked]


async def _load_requests(
    session: Session, row: ChangeSet, team: Team, excluded: Collection[UUID]
) -> list[tuple[Proposal, Acknowledgment]]:
    rows = {item.id: item for item in await proposals.list_open_by_change_sets(session, [row.id])}
    acknowledgments = await proposals.list_acknowledgments(session, [*rows.keys() - excluded])
    requests = {
        item.proposal_id: item
        for item in acknowledgments
        if item.consumer_team_id == team.id and item.released_at is None
    }
    return [(item, requests[identity]) for identity, item in rows.items() if identity in requests]


async def _require_members(session: Session, row: ChangeSet, excluded: Collection[UUID]) -> None:
    """Raise Invalid for an excluded proposal that is none of the change set."""
    rows = await proposals.by_ids(session, [*excluded]) if excluded else []
    members = {item.id for item in rows if item.change_set_id == row.id}
    for identity in excluded:
        if identity not in members:
            raise Invalid(
                f"The proposal {encode_global_id('Proposal', identity)} is none of the change set {row.key}, so it"
                " can't be left out. List the proposals of the change set.",
                field=("except_",),
            )


async def _apply_time(session: Session, requests: Sequence[_Request]) -> tuple[list[_Request], list[Contract]]:
    """Apply passed deadlines; return the requests that are open then, and the contracts that this published."""
    overdue = {*ids(await proposals.list_due(session, session.now))}
    late = [request for request in requests if request.proposal.id in overdue]
    results = {item.proposal.id: await update_status(session, item.asset, item.proposal) for item in late}
    contracts = [result.contract for result in results.values() if result.contract is not None]
    acknowledgments = await proposals.acknowledgments_by_ids(session, [item.acknowledgment.id for item in late])
    current = {item.proposal_id: item for item in acknowledgments}
    updated = [
        _Request(item.asset, results[item.proposal.id].proposal, current[item.proposal.id])
        if item.proposal.id in results
        else item
        for item in requests
    ]
    return [item for item in updated if item.proposal.status.is_open], contracts


def _waits(acknowledgment: Acknowledgment, _: AcknowledgmentInput) -> bool:
    return acknowledgment.response in (None, Response.SILENT) or acknowledgment.overdue_at is not None


def _differs(acknowledgment: Acknowledgment, answer: AcknowledgmentInput) -> bool:
    answered = (acknowledgment.response, acknowledgment.migration_deadline, acknowledgment.notes)
    return answered != (answer.response, answer.migration_deadline, answer.notes)


def _describe_nothing(row: ChangeSet, team: Team, requests: Sequence[_Request], *, has_excluded: bool) -> str:
    """Describe why there is nothing to answer: what was answered already, or that nothing was asked."""
    if not requests:
        suffix = " but what `except` leaves out" if has_excluded else ""
        return f"The change set {row.key} asks {team.name} nothing{suffix}. List `inboxGroups` to see what waits."
    names = sorted(request.asset.fqn for request in requests)
    suffix = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    responses = sorted({request.acknowledgment.response or Response.SILENT for request in requests})
    return (
        f"Nothing in the change set {row.key} waits for this answer of {team.name}: it has answered"
        f" {' or '.join(responses)} to {', '.join(names[:MAX_NAMED])}{suffix} already. Answer a single proposal to"
        " change that, or set `replaceAnswers` to give all of them another answer."
    )


async def _answer_all(
    session: Session, actor: Actor, requests: Sequence[_Request], answer: AcknowledgmentInput
) -> tuple[list[UUID], list[Contract]]:
    """Record the answer to each request that the actor may answer; raise Forbidden if there is none."""
    contracts: list[Contract] = []
    answered: list[Acknowledgment] = []
    refusal: Forbidden | None = None
    for item in requests:
        try:
            substitute = await find_substitute(session, actor, item.asset, item.proposal, item.acknowledgment)
        except Forbidden as error:
            refusal = refusal or error
            continue
        result = await record_answer(session, item.asset, item.proposal, item.acknowledgment, answer, substitute)
        answered.append(item.acknowledgment)
        contracts += [result.contract] if result.contract is not None else []
    if refusal is not None and not answered:
        raise refusal
    return ids(answered), contracts
