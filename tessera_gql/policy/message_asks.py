"""Messages that ask a team, remind it, or say what became of its ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera_gql.escaping import build_tessera_command
from tessera_gql.policy.ask_policy import AskPolicy, describe_silence
from tessera_gql.policy.enums import OnSilence, ProposalKind, Response
from tessera_gql.policy.message_facts import (
    ChangeFacts,
    ChangeSetFacts,
    MessageEvent,
    MessageFacts,
    ProposalFacts,
    count_noun,
    format_day,
    format_moment,
)
from tessera_gql.policy.messages import (
    MAX_SUBJECTS,
    MessageAnswer,
    MessageLink,
    Subject,
    TeamMessage,
    Tone,
    trim_details,
)

DATE_PLACEHOLDER = "YYYY-MM-DD"
NOTES_PLACEHOLDER = "why"
RESPONSES = {
    Response.APPROVED: "agrees",
    Response.MIGRATING: "migrates",
    Response.BLOCKED: "blocks",
    Response.SILENT: "has not answered in time",
}


@dataclass(frozen=True)
class AskScope:
    """What events ask: the teams, the proposals that are known, and the number of all."""

    facts: MessageFacts
    events: Sequence[MessageEvent]
    teams: tuple[UUID, ...]
    proposals: tuple[ProposalFacts, ...]
    count: int
    change_set: ChangeSetFacts | None

    @classmethod
    def of(cls, facts: MessageFacts, events: Sequence[MessageEvent]) -> "AskScope":
        teams = {UUID(event.payload["consumer_team_id"]) for event in events if "consumer_team_id" in event.payload}
        identities = dict.fromkeys(identity for event in events for identity in list_proposal_ids(event))
        proposals = tuple(facts.proposals[identity] for identity in identities if identity in facts.proposals)
        counts = [int(event.payload.get("proposal_count", 0)) for event in events]
        single_events = [event for event in events if event.proposal_id]
        count = max([len(identities), facts.count_subjects(single_events), *counts])
        return cls(facts, events, tuple(sorted(teams)), proposals, count, facts.find_change_set())

    @property
    def is_own(self) -> bool:
        """Whether the team that is addressed is asked itself."""
        return self.facts.viewer in self.teams

    @property
    def subject_text(self) -> str:
        """Name the table, or count the tables."""
        if self.count == 1 and self.proposals:
            return self.facts.name_asset(self.proposals[0].asset_id)
        return count_noun(self.count, "table")

    @property
    def proposer_text(self) -> str:
        proposers = [proposal.proposed_by for proposal in self.proposals]
        return self.facts.name_teams(proposers) if proposers else "A team"

    @property
    def team_text(self) -> str:
        return self.facts.name_teams(self.teams) if self.teams else "a team"

    @property
    def origin_text(self) -> str:
        """Name the change set, with its title."""
        if self.change_set is None:
            return ""
        title = f" ({self.change_set.title})" if self.change_set.title else ""
        return f" in {self.change_set.key}{title}"


def list_proposal_ids(event: MessageEvent) -> list[UUID]:
    """List the proposals that an event names."""
    listed = [UUID(identity) for identity in event.payload.get("proposals", ())]
    return listed or ([event.proposal_id] if event.proposal_id else [])


def build_ask(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that asks teams for answers."""
    scope = AskScope.of(facts, events)
    return TeamMessage(
        Tone.ASK,
        f"{scope.proposer_text} asks {scope.team_text} about {scope.subject_text}",
        f"{describe_proposals(scope)}{_describe_substitute(scope)}",
        deadline=describe_deadline(scope),
        answers=list_answers(scope),
        **_describe(scope),
    )


def build_carried(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that earlier answers of a team hold again."""
    scope = AskScope.of(facts, events)
    return TeamMessage(
        Tone.NEUTRAL,
        f"The earlier answer of {scope.team_text} holds for {scope.subject_text}",
        f"{describe_proposals(scope)} {scope.team_text} has answered the same changes before, and that answer holds."
        " It may be changed until the release.",
        answers=list_answers(scope),
        **_describe(scope),
    )


def build_reminder(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the reminder of an answer that is due."""
    scope = AskScope.of(facts, events)
    days = min(int(event.payload["days_before"]) for event in events)
    team = scope.team_text if scope.teams else "your team"
    return TeamMessage(
        Tone.ASK,
        f"An answer about {scope.subject_text} is due in {count_noun(days, 'day')}",
        f"{scope.proposer_text} waits for the answer of {team}{scope.origin_text}.",
        deadline=describe_deadline(scope),
        answers=list_answers(scope),
        **_describe(scope),
    )


def build_silence(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that the silence of a team was counted."""
    scope = AskScope.of(facts, events)
    meaning = OnSilence(events[0].payload["on_silence"])
    is_extended = meaning is OnSilence.EXTEND
    results = {
        OnSilence.APPROVE: "Its silence counts as consent.",
        OnSilence.BLOCK: "Its silence counts as a block, which it may still change.",
        OnSilence.EXTEND: f"It has until {format_moment(_find_due(scope))} now.",
        OnSilence.EXPIRE: "The proposal expires.",
    }
    return TeamMessage(
        Tone.ASK if is_extended else Tone.BAD if meaning is OnSilence.BLOCK else Tone.NEUTRAL,
        f"{scope.team_text} has not answered about {scope.subject_text} in time",
        f"{describe_proposals(scope)} {scope.team_text} did not answer before the date. {results[meaning]}",
        deadline=describe_deadline(scope) if is_extended else None,
        answers=list_answers(scope) if meaning in {OnSilence.EXTEND, OnSilence.BLOCK} else (),
        **_describe(scope),
    )


def build_escalation(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that the escalation team may answer as well."""
    scope = AskScope.of(facts, events)
    escalated = facts.name_teams(event.payload["escalated_to"] for event in events)
    return TeamMessage(
        Tone.ASK,
        f"{escalated} may answer for {scope.team_text} about {scope.subject_text}",
        f"{describe_proposals(scope)} {scope.team_text} has not answered yet, so the ask was escalated to {escalated}.",
        deadline=describe_deadline(scope),
        answers=list_answers(scope),
        **_describe(scope),
    )


def build_overdue(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that a promised migration is overdue."""
    scope = AskScope.of(facts, events)
    deadline = min(str(event.payload["migration_deadline"]) for event in events)
    return TeamMessage(
        Tone.BAD,
        f"The migration of {scope.team_text} off {scope.subject_text} is overdue",
        f"{scope.team_text} had until {format_day(deadline)} to migrate{scope.origin_text}, and there is no proof that"
        " it no longer reads what changes.",
        deadline="The proposal stays open. It ends by a consent, by another deadline, or by proof: a synced manifest,"
        " a changed registration, or reads that have stopped.",
        answers=list_answers(scope),
        **_describe(scope),
    )


def _describe(scope: AskScope) -> dict[str, Any]:
    """Describe what is asked about: subjects, reason and links."""
    reasons = {proposal.reason for proposal in scope.proposals}
    shared = next(iter(reasons)) if len(reasons) == 1 else None
    is_shared = len(reasons) == 1
    listed = scope.proposals[:MAX_SUBJECTS]
    return {
        "subjects": tuple(describe_proposal(scope, proposal, with_reason=not is_shared) for proposal in listed),
        "subject_count": scope.count,
        "reason": shared or ("No reason was given." if is_shared else None),
        **describe_links(scope),
    }


def describe_links(scope: AskScope) -> dict[str, Any]:
    """Describe the link, or the command in its place, and the thread."""
    facts, change_set = scope.facts, scope.change_set
    team = facts.pages.team(facts.viewer) if facts.viewer else None
    links: dict[str, Any] = {"team_link": team.url if team else None}
    if change_set is not None:
        source = MessageLink(f"Open {change_set.key}"[:60], change_set.url) if change_set.url else None
        return links | {
            "link": facts.pages.change_set(change_set.id),
            "command": build_tessera_command("change-set", "show", change_set.key),
            "source": source,
            "thread": f"change set {change_set.id}",
        }
    if len(scope.proposals) == 1:
        (proposal,) = scope.proposals
        return links | {
            "link": facts.pages.proposal(proposal.id),
            "command": build_tessera_command("proposal", facts.name_asset(proposal.asset_id)),
            "thread": f"proposal {proposal.id}",
        }
    return links | {"link": facts.pages.inbox(), "command": build_tessera_command("inbox")}


def describe_proposals(scope: AskScope) -> str:
    """Say in a sentence who proposes what."""
    is_retirement = bool(scope.proposals) and all(item.kind is ProposalKind.RETIREMENT for item in scope.proposals)
    if is_retirement:
        return f"{scope.proposer_text} proposes to retire {scope.subject_text}{scope.origin_text}."
    if scope.count == 1 and scope.proposals and (version := scope.proposals[0].version):
        return f"{scope.proposer_text} proposes version {version} of {scope.subject_text}{scope.origin_text}."
    return f"{scope.proposer_text} proposes changes of {scope.subject_text}{scope.origin_text}."


def describe_proposal(scope: AskScope, proposal: ProposalFacts, *, with_reason: bool = False) -> Subject:
    """Describe what of the addressed team's a proposal breaks, and through which path."""
    ask = proposal.asks.get(scope.facts.viewer or (scope.teams[0] if len(scope.teams) == 1 else UUID(int=0)))
    if ask is None and len(scope.teams) == 1:
        ask = proposal.asks.get(scope.teams[0])
    lines = [describe_change(change) for change in (ask.changes if ask else proposal.changes)]
    if with_reason and proposal.reason:
        lines.append(f"Reason: {proposal.reason}")
    return trim_details(scope.facts.name_asset(proposal.asset_id), lines)


def describe_change(change: ChangeFacts) -> str:
    """Describe a change in a line, with the first way on which it reaches the reader."""
    if not change.routes:
        return change.message
    number = len(change.routes) - 1
    further = f" and {number} more way{'' if number == 1 else 's'}" if number else ""
    return f"{change.message} (by {change.routes[0]}{further})"


def _describe_substitute(scope: AskScope) -> str:
    if scope.facts.viewer is None or scope.is_own or not scope.teams:
        return ""
    return f" You may answer for {scope.team_text}."


def _find_due(scope: AskScope) -> datetime | str | None:
    return min((str(event.payload["due_at"]) for event in scope.events if event.payload.get("due_at")), default=None)


def describe_deadline(scope: AskScope) -> str | None:
    """Say until when an answer is awaited, and what none means."""
    if (due_at := _find_due(scope)) is None:
        return None
    team = scope.teams[0] if len(scope.teams) == 1 else None
    asks = [item.asks[team] for item in scope.proposals if team is not None and team in item.asks]
    meanings = [OnSilence(event.payload["on_silence"]) for event in scope.events if event.payload.get("on_silence")]
    policies = [ask.policy for ask in asks] or [AskPolicy(on_silence=meaning) for meaning in dict.fromkeys(meanings)]
    is_same_day = len({ask.due_at for ask in asks}) <= 1
    first = "" if is_same_day else ", the earliest date"
    meaning = f" Without an answer, {describe_silence(policies)}." if policies else ""
    return f"Answer before {format_moment(due_at)}{first}.{meaning}"


def list_answers(scope: AskScope) -> tuple[MessageAnswer, ...]:
    """List the answers there are, each with its command."""
    if len(scope.teams) != 1:
        return ()
    options = {"team": scope.team_text}
    if scope.change_set is not None:
        head: tuple[str, ...] = ("ack", "--change-set", scope.change_set.key)
        approve, migrate, block = ("--approve",), ("--migrate-until", DATE_PLACEHOLDER), ("--block",)
        return (
            MessageAnswer("Approve", _join(head, approve, options)),
            MessageAnswer("Migrate until a date", _join(head, migrate, options)),
            MessageAnswer("Block, with the reason", _join(head, block, options | {"notes": NOTES_PLACEHOLDER})),
        )
    if len(scope.proposals) != 1:
        return ()
    name = scope.facts.name_asset(scope.proposals[0].asset_id)
    return (
        MessageAnswer("Approve", build_tessera_command("ack", name, "APPROVED", **options)),
        MessageAnswer(
            "Migrate until a date", build_tessera_command("ack", name, "MIGRATING", **options, until=DATE_PLACEHOLDER)
        ),
        MessageAnswer(
            "Block, with the reason", build_tessera_command("ack", name, "BLOCKED", **options, notes=NOTES_PLACEHOLDER)
        ),
    )


def _join(head: Sequence[str], flags: Sequence[str], options: dict[str, str]) -> str:
    """Build a command whose options have no value, or stand in a fixed order."""
    command, _, key = head
    values = {"change-set": key}
    if len(flags) > 1:
        return build_tessera_command(command, **values, **{flags[0].removeprefix("--"): flags[1]}, **options)
    return f"{build_tessera_command(command, **values, **options)} {flags[0]}"


def describe_response(facts: MessageFacts, event: MessageEvent) -> str:
    """Describe the answer of a team in a line."""
    payload = event.payload
    response = Response(payload["response"])
    team = facts.name_team(payload["consumer_team_id"])
    deadline = f" until {format_day(payload.get('migration_deadline'))}" if response is Response.MIGRATING else ""
    by = payload.get("responded_by")
    substitute = f", answered by {facts.name_team(by)}" if by else ""
    notes = f": {payload['notes']}" if payload.get("notes") else ""
    return f"{team} {RESPONSES[response]}{deadline}{substitute}{notes}"
