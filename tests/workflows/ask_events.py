"""The events of the implementation that the naive model of asks knows, and what holds for those of change sets."""

from collections import Counter
from collections.abc import Sequence

from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.store.tables import EventRow

NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ACKNOWLEDGMENT_REQUESTED": ("REQUESTED", ("consumer_team_id", "asset_id")),
    "ANSWER_CARRIED": ("CARRIED", ("consumer_team_id", "asset_id", "response")),
    "ACKNOWLEDGMENT_RELEASED": ("RELEASED", ("consumer_team_id", "asset_id", "evidence")),
    "REOPENING_LIMITED": ("LIMITED", ("consumer_team_id", "asset_id")),
    "PROPOSAL_STATUS_CHANGED": ("STATUS", ("asset_id", "before", "after")),
    "PROPOSAL_ANSWERED": ("ANSWERED", ("consumer_team_id", "asset_id", "response")),
    "SILENCE_COUNTED": ("SILENCE", ("consumer_team_id", "asset_id", "on_silence")),
    "MIGRATION_OVERDUE": ("OVERDUE", ("consumer_team_id", "asset_id")),
    "ACKNOWLEDGMENT_ESCALATED": ("ESCALATED", ("consumer_team_id", "asset_id", "escalated_to")),
    "DEBT_RECORDED": ("DEBT_RECORDED", ("debt_kind", "team_id", "asset_id")),
    "DEBT_SETTLED": ("DEBT_SETTLED", ("debt_kind", "team_id", "asset_id")),
    "PROPOSAL_OPENED": ("OPENED", ("asset_id",)),
    "REMINDER_SENT": ("REMINDER", ("asset_id", "days_before")),
}
"""The events that the model knows, and the fields by which they are compared."""


REQUESTS = frozenset({"ACKNOWLEDGMENT_REQUESTED", "ANSWER_CARRIED"})
TIMED = {
    "SILENCE_COUNTED": "CHANGE_SET_SILENCE_COUNTED",
    "ACKNOWLEDGMENT_ESCALATED": "CHANGE_SET_ASKS_ESCALATED",
    "MIGRATION_OVERDUE": "CHANGE_SET_MIGRATIONS_OVERDUE",
}
"""What time does to an ask, and the notification of all of it in a change set."""
UNNOTIFIED = REQUESTS | TIMED.keys()
"""Events that notify no team in a change set, which has an event of its own for each."""


def check_timed_notifications(rows: Sequence[EventRow]) -> None:
    """Each team to whose asks in a change set time does something is notified once of all of it."""
    happened = Counter(
        (TIMED[row.kind], row.payload["change_set_id"], row.payload["consumer_team_id"], row.payload.get("on_silence"))
        for row in rows
        if row.kind in TIMED and row.payload["change_set_id"]
    )
    notified = [
        (
            (row.kind, str(row.entity_id), row.payload["consumer_team_id"], row.payload.get("on_silence")),
            row.payload["proposal_count"],
        )
        for row in rows
        if row.kind in TIMED.values()
    ]
    assert sorted(notified, key=str) == sorted(happened.items(), key=str)
    assert all(row.payload["consumer_team_id"] in row.teams for row in rows if row.kind in TIMED.values())


def check_change_set_notifications(rows: Sequence[EventRow]) -> None:
    """Each team that a transaction asks in a change set is notified of it once, unless it ends the proposal as well.

    A team is notified of an answer that was carried over in any case.
    """
    ended = {
        row.asset_id: row.sequence
        for row in rows
        if row.kind == "PROPOSAL_STATUS_CHANGED" and not ProposalStatus(row.payload["after"]).is_open
    }
    asked = {
        (row.payload["change_set_id"], row.payload["consumer_team_id"])
        for row in rows
        if row.kind in REQUESTS
        and row.payload.get("change_set_id")
        and (row.kind == "ANSWER_CARRIED" or ended.get(row.asset_id, 0) < row.sequence)
    }
    notified = [
        (str(row.entity_id), row.payload["consumer_team_id"])
        for row in rows
        if row.kind in {"CHANGE_SET_ACKNOWLEDGMENT_REQUESTED", "CHANGE_SET_ANSWERS_CARRIED"}
    ]
    assert {*notified} == asked
    assert all(row.payload["consumer_team_id"] in row.teams for row in rows if row.kind.startswith("CHANGE_SET_A"))


def count_events(events: list[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    debts = {event for event in events if event[0].startswith("DEBT")}
    return Counter([event for event in events if event not in debts]) + Counter(debts)
