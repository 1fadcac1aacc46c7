"""Requests of a proposal to its asked teams: asked, revised and released. The caller holds the lock of the asset.

An answer belongs to the team, the asset and the change, not to a proposal: a team that has answered all that a request
is about is not asked again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera_gql.policy import ask_events, proposal_status
from tessera_gql.policy.affected_teams import LineagePath, Reasons
from tessera_gql.policy.ask_policy import AskPolicy, choose_policy, find_next_reminder
from tessera_gql.policy.delegation import Delegation
from tessera_gql.policy.deprecation import is_after_sunset
from tessera_gql.policy.enums import OnSilence, RegistrationStatus, ReleaseKind, Response
from tessera_gql.policy.proposal_status import EarlierRequest, Revision
from tessera_gql.store import answers, ask_policies, deprecations, proposals, registrations, teams
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Acknowledgment, Answer, Asset, Proposal, new_id
from tessera_gql.workflows.ask_clock import extend
from tessera_gql.workflows.carried_answers import choose_answer, describe_proven, take_over
from tessera_gql.workflows.change_set_notifications import notify_at_commit
from tessera_gql.workflows.reopening import Registrants, find_limited, inform_limited, mark_reopened

ReasonsByTeam = Mapping[UUID, Reasons]
"""Why each team is asked."""
MAX_PATHS = 100
"""Lineage paths that an acknowledgment keeps."""
UNANSWERED = dict.fromkeys(
    (
        *("response", "responded_at", "responded_by", "migration_deadline", "notes"),
        *("released_at", "released_by", "carried_from", "escalated_to", "overdue_at", "limited_at"),
    )
)


@dataclass(frozen=True)
class ReleaseEvidence:
    """The proof by which a team is released: its kind, and what it rests on, such as a manifest or a registration.

    Observations prove something `until` the end of the span in which there was no read.
    """

    kind: ReleaseKind
    reference: str
    until: datetime | None = None

    def as_json(self, at: datetime) -> dict[str, Any]:
        until = {"until": self.until.isoformat()} if self.until else {}
        return {"kind": self.kind.value, "reference": self.reference, "at": at.isoformat(), **until}


async def load_policy(session: Session, asset: Asset) -> AskPolicy:
    """Load the policy of an ask about the asset that is made now."""
    policies = await ask_policies.load(session)
    return choose_policy(asset.tier, policies, is_tier_confirmed=asset.is_tier_confirmed)


async def load_policies(session: Session, asset: Asset, row: Proposal) -> Callable[[Reasons], AskPolicy]:
    """Load the policies of asks about the asset that are made now: after a sunset, silence approves what it was for.

    Only direct readers were informed of that. A team that lineage alone leads to has had no notice.
    """
    policies = await ask_policies.load(session)
    announced = await deprecations.list_live(session, [asset.id])
    paths = {change["fingerprint"]: change["fields"] for change in row.breaking_changes}

    def choose(reasons: Reasons) -> AskPolicy:
        touched = [path for item in reasons.fingerprints for path in paths.get(item, ("",))]
        is_after = reasons.is_direct and is_after_sunset(announced, touched, session.now)
        return choose_policy(asset.tier, policies, is_tier_confirmed=asset.is_tier_confirmed, is_after_sunset=is_after)

    return choose


async def ask_teams(session: Session, asset: Asset, row: Proposal, asked: ReasonsByTeam) -> None:
    """Ask teams that the proposal has not asked before. A team that has answered all of its changes is not asked."""
    if not asked:
        return
    choose = await load_policies(session, asset, row)
    earlier = await answers.load(session, asset.id, list(asked))
    acknowledgments = [
        Acknowledgment(
            id=new_id(),
            proposal_id=row.id,
            consumer_team_id=team,
            created_at=session.now,
            **_describe_reasons(reasons),
            **_start_request(session, row, choose(reasons)),
            **choose_answer(reasons, earlier.get(team, {}), session.now),
        )
        for team, reasons in asked.items()
    ]
    await session.insert_all(acknowledgments)
    delegations = await teams.load_delegations(session, list(asked))
    for item in acknowledgments:
        record_request(session, row, item, delegations.get(item.consumer_team_id))
        if item.response is Response.MIGRATING:
            await _mark_registrations(session, asset, item.consumer_team_id, item.response, item.responded_at)


async def record_released(
    session: Session, asset: Asset, row: Proposal, asked: ReasonsByTeam, released: Mapping[UUID, Answer]
) -> None:
    """Keep in a new proposal that observed reads have released teams from all of it before, with the evidence."""
    if not released:
        return
    choose = await load_policies(session, asset, row)
    acknowledgments = [
        Acknowledgment(
            id=new_id(),
            proposal_id=row.id,
            consumer_team_id=team,
            created_at=session.now,
            **_describe_reasons(asked[team]),
            **_start_request(session, row, choose(asked[team])) | {"notified_at": session.now},
            **take_over(answer),
            released_at=answer.released_at,
            released_by=answer.released_by,
        )
        for team, answer in released.items()
    ]
    await session.insert_all(acknowledgments)
    for item in acknowledgments:
        _record_release(session, row, item, item.released_by)


async def _mark_registrations(
    session: Session, asset: Asset, team: UUID, response: Response | None, at: datetime | None
) -> None:
    """Let the registrations of a team follow an answer that was carried over, or has ended."""
    status = proposal_status.registration_status(response) if response else RegistrationStatus.ACTIVE
    await registrations.mark_response(session, asset.id, team, status, at)


def record_request(
    session: Session, row: Proposal, acknowledgment: Acknowledgment, delegation: Delegation | None
) -> None:
    """Record that a team and its delegate are asked, or that an earlier answer of the team was carried over.

    For a proposal of a change set they are notified once, at the commit.
    """
    delegate = delegation.find_delegate(session.now) if delegation else None
    audience = frozenset({acknowledgment.consumer_team_id, *filter(None, [delegate])})
    if row.change_set_id is not None:
        audience = frozenset()
        notify_at_commit(session, acknowledgment.id, is_carried=acknowledgment.response is not None)
    messages = _list_messages(row, acknowledgment.change_fingerprints)
    subject: dict[str, Any] = {
        "asset_id": row.asset_id,
        "proposal_id": row.id,
        "acknowledgment_id": acknowledgment.id,
        "consumer_team_id": acknowledgment.consumer_team_id,
        "changes": messages,
        "change_set_id": row.change_set_id,
    }
    if acknowledgment.response is not None:
        event = ask_events.AnswerCarried(
            audience_team_ids=audience,
            **subject,
            response=acknowledgment.response,
            carried_from=acknowledgment.carried_from,
        )
        session.record(event)
        return
    policy = AskPolicy.from_json(acknowledgment.policy)
    session.record(
        ask_events.AcknowledgmentRequested(
            audience_team_ids=audience,
            **subject,
            expires_at=row.expires_at,
            due_at=acknowledgment.due_at,
            on_silence=policy.on_silence,
        )
    )


def _list_messages(row: Proposal, fingerprints: Sequence[str]) -> tuple[str, ...]:
    touching = set(fingerprints)
    return tuple(change["message"] for change in row.breaking_changes if change["fingerprint"] in touching)


def _describe_reasons(reasons: Reasons) -> dict[str, Any]:
    return {
        "change_fingerprints": list(reasons.fingerprints),
        "reads": None if reasons.reads is None else {item: list(paths) for item, paths in reasons.reads.items()},
        "paths": [_path_to_json(path) for path in reasons.paths[:MAX_PATHS]] or None,
    }


def _path_to_json(path: LineagePath) -> dict[str, Any]:
    steps = [[str(asset), column] for asset, column in path.steps]
    return {"fingerprint": path.fingerprint, "steps": steps, "isKnown": path.is_known}


def path_from_json(value: Mapping[str, Any]) -> LineagePath:
    """Read a lineage path as an acknowledgment stores it."""
    steps = tuple((UUID(asset), column) for asset, column in value["steps"])
    return LineagePath(value["fingerprint"], steps, value["isKnown"])


def reasons_from_row(acknowledgment: Acknowledgment) -> Reasons:
    """Read the reasons of a request as its acknowledgment stores them."""
    paths = tuple(map(path_from_json, acknowledgment.paths or ()))
    return Reasons(tuple(acknowledgment.change_fingerprints), _read_reads(acknowledgment), paths)


def _start_request(session: Session, row: Proposal, policy: AskPolicy) -> dict[str, Any]:
    """Return the dates of a request: if silence lets the proposal expire, the answer is due when it does."""
    due_at = row.expires_at if policy.on_silence is OnSilence.EXPIRE else session.now + policy.span
    days = policy.escalate_after_days
    return {
        "policy": policy.as_json(),
        "asked_at": session.now,
        "notified_at": session.now if row.change_set_id is None else None,
        "due_at": due_at,
        "remind_at": find_next_reminder(policy, due_at, session.now),
        "escalate_at": None if days is None else session.now + timedelta(days=days),
    }


async def revise_requests(
    session: Session,
    asset: Asset,
    row: Proposal,
    asked: ReasonsByTeam,
    evidence: ReleaseEvidence | None = None,
    registrants: Registrants | None = None,
) -> Proposal:
    """Ask newly affected teams, and those that more changes affect than before; release teams that none affects.

    A team that is asked after an approved proposal's time has passed gets as long for its answer as any other.
    The `evidence` is what has changed the readers. If that are registrations of the `registrants`, a team reopens an
    approved proposal once, see `workflows.reopening`.
    """
    existing = {item.consumer_team_id: item for item in await proposals.list_acknowledgments(session, [row.id])}
    revisions = {team: _choose_revision(item, asked.get(team)) for team, item in existing.items()}
    added = {team: reasons for team, reasons in asked.items() if team not in existing}
    asked_again = {
        team: (existing[team], asked[team]) for team, item in revisions.items() if item is Revision.ASK_AGAIN
    }
    limited = await find_limited(session, row, asked_again, registrants)
    revisions |= dict.fromkeys(limited, Revision.KEEP)
    if row.expires_at <= session.now and (added or Revision.ASK_AGAIN in revisions.values()):
        end = session.now + (await load_policy(session, asset)).open_span
        row = await extend(session, asset, row, end, "a team is asked after its time had passed")
    await ask_teams(session, asset, row, added)
    for team, acknowledgment in existing.items():
        match revisions[team]:
            case Revision.RELEASE:
                await release_request(session, asset, row, acknowledgment, evidence)
            case Revision.NARROW:
                await session.update_row(Acknowledgment, acknowledgment.id, **_describe_reasons(asked[team]))
            case Revision.ASK_AGAIN:
                await _ask_again(session, asset, row, acknowledgment, asked[team])
            case _:
                pass
    await inform_limited(session, asset, row, [existing[team] for team in limited])
    await mark_reopened(session, row, registrants)
    return row


def _choose_revision(acknowledgment: Acknowledgment, reasons: Reasons | None) -> Revision:
    before = EarlierRequest(
        acknowledgment.change_fingerprints,
        _read_reads(acknowledgment),
        tuple(map(path_from_json, acknowledgment.paths or ())),
        is_released=acknowledgment.released_at is not None,
    )
    return proposal_status.revise_request(before, reasons)


def _read_reads(acknowledgment: Acknowledgment) -> dict[str, tuple[str, ...]] | None:
    if acknowledgment.reads is None:
        return None
    return {fingerprint: tuple(paths) for fingerprint, paths in acknowledgment.reads.items()}


async def _ask_again(
    session: Session, asset: Asset, row: Proposal, acknowledgment: Acknowledgment, reasons: Reasons
) -> None:
    earlier = await answers.load(session, asset.id, [acknowledgment.consumer_team_id])
    choose = await load_policies(session, asset, row)
    team = acknowledgment.consumer_team_id
    answer = choose_answer(reasons, earlier.get(team, {}), session.now)
    if answer.get("carried_from") == acknowledgment.id:  # its own answer, which holds again
        answer["carried_from"] = acknowledgment.carried_from
    if answer.get("previous_id") == acknowledgment.id:
        answer["previous_id"] = acknowledgment.previous_id
    values = {**UNANSWERED, **_describe_reasons(reasons), **_start_request(session, row, choose(reasons)), **answer}
    await session.update_row(Acknowledgment, acknowledgment.id, **values)
    (updated,) = await proposals.acknowledgments_by_ids(session, [acknowledgment.id])
    record_request(session, row, updated, (await teams.load_delegations(session, [team]))[team])
    if Response.MIGRATING in (acknowledgment.response, updated.response):
        await _mark_registrations(session, asset, team, updated.response, updated.responded_at)


async def release_request(
    session: Session, asset: Asset, row: Proposal, acknowledgment: Acknowledgment, evidence: ReleaseEvidence | None
) -> None:
    """Release a team that no longer reads what breaks, and keep the evidence for it.

    A migration has ended with that: if the team reads it again, it is asked again. Until then, observed reads release
    it from later proposals with the same changes as well.
    """
    proof = evidence.as_json(session.now) if evidence else None
    if acknowledgment.response is Response.MIGRATING:
        team = acknowledgment.consumer_team_id
        if evidence is not None and evidence.until is not None:
            await answers.replace(session, describe_proven(row.asset_id, acknowledgment, session.now, proof))
        else:
            await answers.remove(session, row.asset_id, acknowledgment.change_fingerprints, team=team)
        await _mark_registrations(session, asset, team, None, acknowledgment.responded_at)
    await session.update_row(Acknowledgment, acknowledgment.id, released_at=session.now, released_by=proof)
    _record_release(session, row, acknowledgment, proof)


def _record_release(
    session: Session, row: Proposal, acknowledgment: Acknowledgment, proof: Mapping[str, Any] | None
) -> None:
    event = ask_events.AcknowledgmentReleased(
        audience_team_ids=frozenset({acknowledgment.consumer_team_id, row.proposed_by}),
        asset_id=row.asset_id,
        proposal_id=row.id,
        acknowledgment_id=acknowledgment.id,
        consumer_team_id=acknowledgment.consumer_team_id,
        evidence=ReleaseKind(proof["kind"]) if proof else None,
        reference=proof["reference"] if proof else None,
    )
    session.record(event)
