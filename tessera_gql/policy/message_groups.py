"""Which events make a message, and which of them one message covers.

Channels for people get one message for all events of a family that happen at about the same time in a change set, or by
one actor: 500 tables that one release changes are one message. A commit status follows its change set.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from tessera_gql.policy import ask_events, catalog_events, coverage_events, deprecation_events, events
from tessera_gql.policy.enums import ProposalStatus
from tessera_gql.policy.events import Event

Kinds = Sequence[type[Event]]

FAMILIES: Mapping[str, Kinds] = {
    "ask": (
        events.ChangeSetOpened,
        events.ProposalOpened,
        events.ProposalRebased,
        ask_events.AcknowledgmentRequested,
        ask_events.ChangeSetAcknowledgmentRequested,
        ask_events.AnswerCarried,
        ask_events.ChangeSetAnswersCarried,
        ask_events.ReopeningLimited,
    ),
    "reminder": (ask_events.ReminderSent, ask_events.ChangeSetReminderSent),
    "silence": (ask_events.SilenceCounted, ask_events.ChangeSetSilenceCounted),
    "escalation": (ask_events.AcknowledgmentEscalated, ask_events.ChangeSetAsksEscalated),
    "overdue": (ask_events.MigrationOverdue, ask_events.ChangeSetMigrationsOverdue),
    "answer": (ask_events.ProposalAnswered, ask_events.AcknowledgmentReleased, events.ProposalStatusChanged),
    "end": (events.ChangeSetWithdrawn,),
    "release": (
        events.ContractPublished,
        events.ContractRetired,
        events.CompatibilityModeChanged,
        events.ChangeSetPublished,
    ),
    "debt": (events.DebtRecorded,),
    "settled": (events.DebtSettled,),
    "deprecation": (
        deprecation_events.DeprecationDeclared,
        deprecation_events.DeprecationUpdated,
        deprecation_events.DownstreamDeprecationDeclared,
    ),
    "coverage": (coverage_events.ProposalHeld, coverage_events.ProposalHoldEnded),
    "comment": (catalog_events.CommentAdded,),
}
"""Kinds of events that one message covers; a kind that is in none is a family of its own."""

FAMILY_OF_KIND: Mapping[str, str] = {event.kind: family for family, kinds in FAMILIES.items() for event in kinds}
IN_CHANGE_SET: Mapping[str, str] = {
    ask_events.AcknowledgmentRequested.kind: ask_events.ChangeSetAcknowledgmentRequested.kind,
    ask_events.AnswerCarried.kind: ask_events.ChangeSetAnswersCarried.kind,
    ask_events.SilenceCounted.kind: ask_events.ChangeSetSilenceCounted.kind,
    ask_events.AcknowledgmentEscalated.kind: ask_events.ChangeSetAsksEscalated.kind,
    ask_events.MigrationOverdue.kind: ask_events.ChangeSetMigrationsOverdue.kind,
}
"""Events of single proposals that an event of their change set sums up."""

STATUS_KINDS = frozenset(
    event.kind
    for event in (
        events.ChangeSetOpened,
        events.ChangeSetUpdated,
        events.ChangeSetWithdrawn,
        events.ChangeSetPublished,
        events.ProposalOpened,
        events.ProposalRebased,
        events.ProposalStatusChanged,
        ask_events.AcknowledgmentRequested,
        ask_events.AcknowledgmentReleased,
        ask_events.ProposalAnswered,
        ask_events.SilenceCounted,
        coverage_events.ProposalHeld,
        coverage_events.ProposalHoldEnded,
    )
)
"""Events after which the commit status of a change set may be another one."""


def is_message(
    kind: str, payload: Mapping[str, Any], team: UUID | None, selected_kinds: Collection[str] | None
) -> bool:
    """Return whether an event makes a message to a team (None: to a channel of all teams).

    What another selected event says as well makes none.
    """

    def covers(other: str) -> bool:
        return selected_kinds is None or other in selected_kinds

    if payload.get("change_set_id") and kind in IN_CHANGE_SET:
        return not covers(IN_CHANGE_SET[kind])
    if kind == events.ProposalOpened.kind and team is not None and str(team) in payload.get("asked", ()):
        covering = ask_events.ChangeSetAcknowledgmentRequested if payload.get("change_set_id") else None
        return not covers((covering or ask_events.AcknowledgmentRequested).kind)
    if kind == events.ProposalStatusChanged.kind and payload.get("after") == ProposalStatus.PUBLISHED:
        return not (covers(events.ContractPublished.kind) and covers(events.ContractRetired.kind))
    return True


def find_group(kind: str, actor: str, change_set_id: UUID | None, *, is_status: bool) -> str:
    """Return the key of the events that one delivery covers."""
    if is_status:
        return f"status {change_set_id}"
    scope = f"change set {change_set_id}" if change_set_id else f"actor {actor}"
    return f"{FAMILY_OF_KIND.get(kind, kind)} {scope}"
