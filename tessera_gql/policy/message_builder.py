"""Build the one message of a delivery from the events that it covers. Pure: a channel renders the result."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tessera_gql.escaping import build_tessera_command
from tessera_gql.policy import ask_events, catalog_events, coverage_events, deprecation_events, events
from tessera_gql.policy.global_ids import PAYLOAD_TYPES
from tessera_gql.policy.message_asks import (
    build_ask,
    build_carried,
    build_escalation,
    build_overdue,
    build_reminder,
    build_silence,
)
from tessera_gql.policy.message_facts import MessageEvent, MessageFacts, describe_caller
from tessera_gql.policy.message_news import (
    build_answered,
    build_asked_again,
    build_change_set_end,
    build_change_set_opened,
    build_comment,
    build_coverage,
    build_debts,
    build_deprecation,
    build_deprecation_end,
    build_opened,
    build_release,
    describe_subjects,
)
from tessera_gql.policy.messages import MAX_DETAILS, Pages, TeamMessage, Tone

Build = Callable[[MessageFacts, Sequence[MessageEvent]], TeamMessage]

ASKS = (ask_events.AcknowledgmentRequested.kind, ask_events.ChangeSetAcknowledgmentRequested.kind)
CARRIED = (ask_events.AnswerCarried.kind, ask_events.ChangeSetAnswersCarried.kind)
BUILDERS: Sequence[tuple[tuple[str, ...], Build]] = (
    (ASKS, build_ask),
    ((ask_events.ReminderSent.kind, ask_events.ChangeSetReminderSent.kind), build_reminder),
    ((ask_events.SilenceCounted.kind, ask_events.ChangeSetSilenceCounted.kind), build_silence),
    ((ask_events.AcknowledgmentEscalated.kind, ask_events.ChangeSetAsksEscalated.kind), build_escalation),
    ((ask_events.MigrationOverdue.kind, ask_events.ChangeSetMigrationsOverdue.kind), build_overdue),
    (CARRIED, build_carried),
    ((events.ProposalStale.kind, events.ProposalRebased.kind, ask_events.ReopeningLimited.kind), build_asked_again),
    ((events.ProposalOpened.kind,), build_opened),
    ((events.ChangeSetOpened.kind,), build_change_set_opened),
    (
        (ask_events.ProposalAnswered.kind, events.ProposalStatusChanged.kind, ask_events.AcknowledgmentReleased.kind),
        build_answered,
    ),
    ((events.ChangeSetWithdrawn.kind,), build_change_set_end),
    (
        (
            events.ContractPublished.kind,
            events.ContractRetired.kind,
            events.CompatibilityModeChanged.kind,
            events.ChangeSetPublished.kind,
        ),
        build_release,
    ),
    ((events.DebtRecorded.kind,), build_debts),
    ((events.DebtSettled.kind,), build_debts),
    (
        (
            deprecation_events.DeprecationDeclared.kind,
            deprecation_events.DownstreamDeprecationDeclared.kind,
            deprecation_events.DeprecationReminder.kind,
        ),
        build_deprecation,
    ),
    ((deprecation_events.DeprecationEnded.kind,), build_deprecation_end),
    ((coverage_events.ProposalHeld.kind, coverage_events.ProposalHoldEnded.kind), build_coverage),
    ((catalog_events.CommentAdded.kind,), build_comment),
)
"""The builders by kinds of events, the most important first: the first one with an event builds the message."""

MAX_VALUE = 200


def build_message(facts: MessageFacts) -> TeamMessage:
    """Build the message about events; there is at least one."""
    for builder_kinds, build in BUILDERS:
        if selected := facts.list_events(*builder_kinds):
            return build(facts, selected)
    return _build_other(facts)


def build_ping(pages: Pages, team: str | None) -> TeamMessage:
    """Build the message that tests a channel."""
    subject = f"what concerns {team}" if team else "what concerns all teams"
    return TeamMessage(
        Tone.NEUTRAL,
        "This channel works",
        f"This is a test. Messages of Tessera GQL about {subject} arrive here.",
        link=pages.inbox(),
        command=build_tessera_command("inbox"),
    )


def _build_other(facts: MessageFacts) -> TeamMessage:
    """Build the message about events that have no builder of their own: their kind, and the values of their payload."""
    first = facts.events[0]
    name = first.kind.replace("_", " ").capitalize()
    count = f" ({number:,} times)" if (number := facts.count_events(facts.events)) > 1 else ""
    assets = {event.asset_id for event in facts.events if event.asset_id}
    fqn = facts.name_asset(first.asset_id) if len(assets) == 1 else None
    values = [] if assets else [line for event in facts.events[:3] for line in list_values(facts, event.payload)]
    details = "".join(f" {line.removesuffix('.')}." for line in values[:MAX_DETAILS])
    team = facts.pages.team(facts.viewer) if facts.viewer else None
    return TeamMessage(
        Tone.NEUTRAL,
        f"{name}{count}{f': {fqn}' if fqn else ''}",
        f"By {describe_caller(first.actor)}.{details}",
        **(describe_subjects(facts, facts.events, lambda event: list_values(facts, event.payload)) if assets else {}),
        link=facts.pages.asset(fqn) if fqn else facts.pages.audit(),
        command=build_tessera_command("asset", "show", fqn) if fqn else build_tessera_command("inbox"),
        team_link=team.url if team else None,
    )


def list_values(facts: MessageFacts, payload: Mapping[str, Any]) -> list[str]:
    """List the values of a payload for people, with the names of teams and without other ids."""
    lines: list[str] = []
    for name, value in payload.items():
        label = name.replace("_", " ")
        match value:
            case None | "" | [] | {}:
                continue
            case str() | list() if PAYLOAD_TYPES.get(name) == "Team":
                teams = [value] if isinstance(value, str) else [str(team) for team in value]
                lines.append(f"{label.removesuffix(' id')}: {facts.name_teams(teams)}")
            case dict() if name == "changes":
                lines += [_describe_change(field, change) for field, change in value.items() if _is_public(field)]
            case list() if _is_public(name) and name != "changed":
                lines.append(f"{label}: {', '.join(map(str, value))}"[:MAX_VALUE])
            case str() | int() | float() if _is_public(name):
                lines.append(f"{label}: {value}"[:MAX_VALUE])
            case _:
                continue
    return lines


def _is_public(name: str) -> bool:
    return name not in PAYLOAD_TYPES and name not in {"sync_id", "policy_id"}


def _describe_change(field: str, change: Mapping[str, Any]) -> str:
    before, after = ("(none)" if change[side] is None else str(change[side])[:100] for side in ("before", "after"))
    return f"{field.replace('_', ' ')}: {before} → {after}"
