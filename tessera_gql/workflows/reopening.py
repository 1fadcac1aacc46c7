"""Limit how often a team reopens an approved proposal by its registrations: once, unless an administrator registers it.

The limit holds in whatever way the registrations come back. Reads that a usage source has observed, and what the owner
of the asset changes, are none of the team's doing and are always asked about.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tessera_gql.errors import Forbidden
from tessera_gql.policy import ask_events
from tessera_gql.policy.affected_teams import Reasons
from tessera_gql.policy.ask_policy import AskPolicy
from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.policy.proposal_status import TeamResponse
from tessera_gql.store import answers, assets, proposals, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Asset, Proposal
from tessera_gql.workflows.carried_answers import choose_answer


@dataclass(frozen=True)
class Registrants:
    """The teams whose registrations a command changes.

    Beyond the limit a command for one of them is refused. A sync for several, `is_sync`, writes the registrations, but
    lets them reopen nothing. `lifts_limit` says that the proposal itself has changed, so that all are asked.
    """

    team_ids: frozenset[UUID] = frozenset()
    is_admin: bool = False
    is_sync: bool = False
    lifts_limit: bool = False


async def find_limited(
    session: Session,
    row: Proposal,
    asked_again: Mapping[UUID, tuple[Acknowledgment, Reasons]],
    registrants: Registrants | None,
) -> frozenset[UUID]:
    """Find the teams that an approved proposal would ask again, but that have reopened it once already.

    A team that was limited stays so until the proposal is open for another reason. Raises Forbidden for a team that
    the command registers alone.
    """
    registrants = registrants or Registrants()
    if row.status is not ProposalStatus.APPROVED or registrants.lifts_limit:
        return frozenset()
    own = registrants.team_ids
    exempt = own if registrants.is_admin else frozenset[UUID]()
    candidates = [
        team
        for team, (item, _) in asked_again.items()
        if team not in exempt and (item.limited_at is not None or (team in own and item.reopened_at is not None))
    ]
    limited = await _exclude_consenting(session, row, candidates, asked_again)
    if (refused := limited & own) and not registrants.is_sync:
        raise Forbidden(
            f"{await teams.join_names(session, [*refused])} has reopened the approved proposal of this asset once"
            f" already ({encode_global_id('Proposal', row.id)}). Wait until it has ended, or let an administrator"
            " register it."
        )
    return limited


async def _exclude_consenting(
    session: Session,
    row: Proposal,
    candidates: Collection[UUID],
    asked_again: Mapping[UUID, tuple[Acknowledgment, Reasons]],
) -> frozenset[UUID]:
    """Leave out the teams whose earlier answers consent to the proposal, which they therefore don't reopen."""
    if not candidates:
        return frozenset()
    earlier = await answers.load(session, row.asset_id, candidates)
    carried = {team: choose_answer(asked_again[team][1], earlier.get(team, {}), session.now) for team in candidates}
    return frozenset(team for team in candidates if not TeamResponse(carried[team].get("response")).is_consent)


async def inform_limited(session: Session, asset: Asset, row: Proposal, limited: Collection[Acknowledgment]) -> None:
    """Inform teams once that they are not asked although they read again what an approved proposal breaks."""
    for item in limited:
        if item.limited_at is not None:
            continue
        await session.update_row(Acknowledgment, item.id, limited_at=session.now)
        event = ask_events.ReopeningLimited(
            audience_team_ids=frozenset({item.consumer_team_id, asset.owner_team_id, row.proposed_by}),
            asset_id=asset.id,
            proposal_id=row.id,
            acknowledgment_id=item.id,
            consumer_team_id=item.consumer_team_id,
        )
        session.record(event)


async def describe_limited(session: Session) -> list[str]:
    """Describe for people which teams the transaction has not asked because of the limit."""
    limited = [
        (event.consumer_team_id, event.asset_id, event.proposal_id)
        for event in session.events
        if isinstance(event, ask_events.ReopeningLimited) and event.asset_id and event.proposal_id
    ]
    names = {row.id: row.name for row in await teams.by_ids(session, [*{team for team, _, _ in limited}])}
    fqns = {row.id: row.fqn for row in await assets.by_ids(session, [*{asset for _, asset, _ in limited}])}
    return [
        f"{names[team]} reads again what the approved proposal of {fqns[asset]} breaks"
        f" ({encode_global_id('Proposal', proposal)}), but has reopened that once already, so it is not asked. An"
        " administrator who registers it lets it be asked."
        for team, asset, proposal in limited
    ]


async def mark_reopened(session: Session, row: Proposal, registrants: Registrants | None) -> None:
    """Mark the teams whose registrations have reopened a proposal that was approved before."""
    is_counted = registrants is not None and registrants.team_ids and not registrants.is_admin
    if registrants is None or not is_counted or row.status is not ProposalStatus.APPROVED:
        return
    for item in await proposals.list_acknowledgments(session, [row.id]):
        is_asked = item.consumer_team_id in registrants.team_ids and item.released_at is None
        if is_asked and item.reopened_at is None and not _is_consenting(item):
            await session.update_row(Acknowledgment, item.id, reopened_at=session.now)


def _is_consenting(item: Acknowledgment) -> bool:
    values: dict[str, Any] = {"on_silence": AskPolicy.from_json(item.policy).on_silence}
    return TeamResponse(item.response, **values).is_consent
