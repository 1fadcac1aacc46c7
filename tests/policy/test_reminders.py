"""A reminder is due once for each span before the expiry."""

from datetime import UTC, datetime, timedelta

import pytest

from tessera_gql.policy.proposal_status import REMINDER_SPANS, due_reminder

EXPIRY = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("hours_left", "sent_hours", "expected"),
    [(73, [], None), (72, [], 72), (71, [72], None), (24, [72], 24), (23, [], 24), (23, [24], None), (0, [72], None)],
)
def test_the_last_span_that_has_begun_is_due_unless_its_reminder_was_sent(
    hours_left: int, sent_hours: list[int], expected: int | None
) -> None:
    now = EXPIRY - hours_left * HOUR
    proposed_at = EXPIRY - timedelta(days=30)
    assert due_reminder(REMINDER_SPANS, sent_hours, proposed_at=proposed_at, expires_at=EXPIRY, now=now) == expected


def test_a_span_that_began_before_the_proposal_was_opened_is_not_due() -> None:
    opened = EXPIRY - 30 * HOUR
    assert due_reminder(REMINDER_SPANS, [], proposed_at=opened, expires_at=EXPIRY, now=opened + HOUR) is None
