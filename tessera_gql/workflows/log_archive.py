"""Archive old events: plan what is archived, record the anchor, then delete the events in short transactions.

The order keeps all events whatever is interrupted. The file is written and verified first, the anchor is recorded, and
only then the database lets the events up to it be deleted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tessera_gql.errors import Conflict, Invalid
from tessera_gql.store import event_anchors, event_archive, events, log_verifications, proposals, webhooks
from tessera_gql.store.audit import LogPosition
from tessera_gql.store.session import Session
from tessera_gql.store.tables import EventAnchor
from tessera_gql.workflows.webhooks import SETTINGS_WEBHOOK_ID

BATCH_EVENTS = 5_000
"""Events that one transaction deletes: a fraction of a second."""
MIN_AGE = timedelta(days=30)
"""Age of the youngest events that may be archived: ended deliveries are kept as long, and can be repeated."""


@dataclass(frozen=True)
class ArchivePlan:
    """The events to archive, after `start` up to `end`; `held_by` is what keeps later ones, as a clause."""

    start: LogPosition
    end: LogPosition
    before: datetime
    held_by: str | None = None

    @property
    def count(self) -> int:
        return self.end.sequence - self.start.sequence

    @property
    def file(self) -> str:
        return event_archive.name_file(self.start.sequence + 1, self.end.sequence)


async def require_permission(session: Session) -> None:
    """Raise Conflict unless this process has the key and the rights to archive events."""
    if not session.keyring.keys:
        raise Conflict(
            "SECRETS_KEY is not set, and the end of an archive is signed with it."
            " Set the key of the servers, or make one with `openssl rand -base64 32` and give it to all of them."
        )
    if not await event_anchors.may_delete_events(session):
        raise Conflict(
            "The role of DATABASE_URL may not delete events, as it should be for servers."
            " Run this with the role that owns the tables."
        )


async def plan_archive(session: Session, before: datetime) -> ArchivePlan:
    """Choose the events that happened before a moment, without those that a webhook still needs, and without the last.

    Events are archived in the order of the log, so the first one that happened later ends the archive.
    """
    if before > session.now - MIN_AGE:
        latest = (session.now - MIN_AGE).date()
        raise Invalid(f"Events of the last {MIN_AGE.days} days can't be archived. Give {latest} or an earlier day.")
    start = await log_verifications.load_start(session)
    last = await events.load_last_sequence(session)
    later = await events.find_first_since(session, before, start.sequence)
    ends: list[tuple[int, str | None]] = [((last if later is None else later) - 1, None)]
    ends += await webhooks.list_holds(session, SETTINGS_WEBHOOK_ID)
    sequence, held_by = min(ends, key=lambda item: item[0])
    end = await log_verifications.load_position(session, sequence) if sequence > start.sequence else None
    return ArchivePlan(start, end or start, before, held_by)


async def record_anchor(session: Session, plan: ArchivePlan, archived_by: str) -> None:
    """Record that the planned events are in their file, unless another archive was recorded meanwhile."""
    await event_anchors.lock(session)
    if await log_verifications.load_start(session) != plan.start:
        raise Conflict("Events were archived by another command at this moment. Run this again.")
    await event_anchors.insert(
        session,
        sequence=plan.end.sequence,
        first_sequence=plan.start.sequence + 1,
        hash=plan.end.hash,
        file=plan.file,
        archived_before=plan.before,
        archived_by=archived_by,
    )


async def find_undeleted(session: Session) -> EventAnchor | None:
    """Find the anchor of an archive whose events are not all deleted; None if there is none."""
    anchor = await event_anchors.find_last(session)
    return anchor if anchor and await events.load_first_sequence(session) <= anchor.sequence else None


async def delete_batch(session: Session, anchor: EventAnchor) -> int:
    """Delete the next archived events, and return how many. Proposals keep what only these events say of them."""
    first = await events.load_first_sequence(session)
    last = min(first + BATCH_EVENTS - 1, anchor.sequence)
    if last >= first:
        await proposals.keep_informed_teams(session, last)
        await events.delete_up_to(session, last)
    return max(last - first + 1, 0)
