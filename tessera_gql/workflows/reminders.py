"""Remind asked teams before a proposal expires, once for each span."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.events import ReminderSent
from tessera_gql.policy.reminders import due_reminder
from tessera_gql.store import assets, proposals, reminders
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Proposal


async def find_due_reminders(session: Session, spans: Sequence[timedelta]) -> list[UUID]:
    """Proposals for which a reminder seems due; read without a lock."""
    near = await reminders.list_expiring(session, session.now, max(spans, default=timedelta()))
    sent_hours = await reminders.load_sent_hours(session, ids(near))
    return [row.id for row in near if _due_hours(session, row, spans, sent_hours[row.id]) is not None]


async def send_reminder(session: Session, identity: UUID, spans: Sequence[timedelta]) -> bool:
    """Send a reminder if one is due, under the asset's lock, so that of several workers one sends it."""
    await assets.lock(session, AssetRef(id=(await proposals.get(session, identity)).asset_id))
    row = await proposals.get(session, identity)
    hours = _due_hours(session, row, spans, (await reminders.load_sent_hours(session, [identity]))[identity])
    rows = await proposals.list_acknowledgments(session, [identity])
    awaited_teams = frozenset(
        item.consumer_team_id for item in rows if item.response is None and item.released_at is None
    )
    if hours is None or not awaited_teams or row.status is not ProposalStatus.PENDING:
        return False
    session.record(
        ReminderSent(
            audience_team_ids=awaited_teams,
            asset_id=row.asset_id,
            proposal_id=row.id,
            hours_before=hours,
            expires_at=row.expires_at,
        )
    )
    return True


def _due_hours(session: Session, row: Proposal, spans: Sequence[timedelta], sent_hours: set[int]) -> int | None:
    return due_reminder(spans, sent_hours, proposed_at=row.proposed_at, expires_at=row.expires_at, now=session.now)
