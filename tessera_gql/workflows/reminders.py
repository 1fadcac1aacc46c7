"""Before a proposal runs out, those who have not answered are reminded: once for each span, whoever looks first."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from tessera_gql.policy.delivery import due_reminder
from tessera_gql.policy.events import ReminderSent
from tessera_gql.policy.words import ProposalStatus
from tessera_gql.store import assets, proposals, reminders
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.session import Session, ids
from tessera_gql.store.tables import Proposal


async def waiting(session: Session, spans: Sequence[timedelta]) -> list[UUID]:
    """Proposals that a reminder is due for, as it looks without a lock."""
    near = await reminders.near_their_end(session, session.now, max(spans, default=timedelta()))
    sent = await reminders.sent(session, ids(near))
    return [row.id for row in near if _due(session, row, spans, sent[row.id]) is not None]


async def remind(session: Session, identity: UUID, spans: Sequence[timedelta]) -> bool:
    """Whether a reminder was sent. Under the asset's lock, so that of several workers one does it."""
    found = await proposals.get(session, identity)
    await assets.lock(session, AssetRef(id=found.asset_id))
    row = await proposals.get(session, identity)
    hours = _due(session, row, spans, (await reminders.sent(session, [identity]))[identity])
    places = await proposals.acknowledgments_of(session, [identity])
    silent = frozenset(one.consumer_team_id for one in places if one.response is None and one.released_at is None)
    if hours is None or not silent or row.status is not ProposalStatus.PENDING:
        return False
    session.record(
        ReminderSent(
            teams=silent,
            asset_id=row.asset_id,
            proposal_id=row.id,
            hours_before=hours,
            expires_at=row.expires_at,
        )
    )
    return True


def _due(session: Session, row: Proposal, spans: Sequence[timedelta], sent: set[int]) -> int | None:
    return due_reminder(spans, sent, proposed_at=row.proposed_at, expires_at=row.expires_at, now=session.now)
