"""Decide when asked teams are reminded of a proposal that expires soon."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

REMINDER_SPANS = (timedelta(days=3), timedelta(days=1))
"""Times before the expiry at which a reminder is sent."""


def due_reminder(
    spans: Sequence[timedelta],
    sent_hours: Collection[int],
    *,
    proposed_at: datetime,
    expires_at: datetime,
    now: datetime,
) -> int | None:
    """The reminder that is due, in hours before expiry; None if none is due or it was sent already.

    Of several missed reminders only the last is sent, and none that fell due before the proposal was opened.
    """
    due_spans = [span for span in spans if proposed_at < expires_at - span <= now < expires_at]
    if not due_spans:
        return None
    hours = int(min(due_spans).total_seconds() // 3600)
    return None if any(earlier <= hours for earlier in sent_hours) else hours
