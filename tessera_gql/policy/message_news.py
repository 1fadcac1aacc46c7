"""Messages that inform: proposals that are opened and answered, releases, debts, deprecations, coverage, comments."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from tessera_gql.escaping import build_tessera_command
from tessera_gql.policy import events as kinds
from tessera_gql.policy.ask_events import AcknowledgmentReleased, ProposalAnswered, ReopeningLimited
from tessera_gql.policy.coverage_events import ProposalHoldEnded
from tessera_gql.policy.deprecation import name_of
from tessera_gql.policy.deprecation_events import DownstreamDeprecationDeclared
from tessera_gql.policy.enums import DebtKind, Outcome, ProposalStatus, Response
from tessera_gql.policy.message_asks import AskScope, describe_links, describe_proposals, describe_response
from tessera_gql.policy.message_facts import MessageEvent, MessageFacts, count_noun, describe_caller, format_day
from tessera_gql.policy.messages import MAX_SUBJECTS, MessageLink, Subject, TeamMessage, Tone, trim_details

DescribeEvent = Callable[[MessageEvent], list[str]]
STATUS_TEXTS = {
    ProposalStatus.PENDING: "waits for answers",
    ProposalStatus.APPROVED: "is approved",
    ProposalStatus.REJECTED: "is blocked",
    ProposalStatus.WITHDRAWN: "is withdrawn",
    ProposalStatus.PUBLISHED: "is published",
    ProposalStatus.SUPERSEDED: "is superseded",
    ProposalStatus.EXPIRED: "has expired",
}
DEBT_TEXTS = {
    DebtKind.REMOVED_FIELD: "The fields are registered, and a publish removed them.",
    DebtKind.UNKNOWN_FIELD: "The fields are registered, and no contract ever had them. The team counts as a reader of"
    " everything until the registration is corrected.",
    DebtKind.FORCED: "A change was forced without asking the team.",
}


def build_opened(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that proposals were opened, for their proposer and for teams that are informed."""
    scope = AskScope.of(facts, events)
    asked_ids = {team for event in events for team in event.payload.get("asked", ())}
    asks = (
        f" {facts.name_teams(asked_ids)} {'is' if len(asked_ids) == 1 else 'are'} asked."
        if asked_ids
        else " No team is asked."
    )
    is_informed = facts.viewer is not None and any(str(facts.viewer) in e.payload.get("informed", ()) for e in events)
    informed = " Your team is informed, because it reads the table or what is made from it." if is_informed else ""
    return TeamMessage(
        Tone.NEUTRAL,
        f"{scope.proposer_text} proposes changes of {scope.subject_text}",
        f"{describe_proposals(scope)}{asks}{informed}",
        **describe_subjects(facts, events, lambda event: [*event.payload.get("changes", ())]),
        reason=find_reason(scope),
        **describe_links(scope),
    )


def build_change_set_opened(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that a change set was opened, before anything is known of its proposals."""
    scope = AskScope.of(facts, events)
    again = " again" if events[0].payload.get("is_reopened") else ""
    name = scope.change_set.key if scope.change_set else "A change set"
    return TeamMessage(
        Tone.NEUTRAL,
        f"{name} was opened{again}",
        f"{name} was opened{again} by {describe_caller(events[0].actor)}. Its proposals are decided together.",
        **describe_links(scope),
    )


def build_change_set_end(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that a change set was withdrawn, or that all of it is published."""
    scope = AskScope.of(facts, events)
    name = scope.change_set.key if scope.change_set else str(events[0].payload["key"])
    is_published = events[0].kind == kinds.ChangeSetPublished.kind
    end = "is published" if is_published else "was withdrawn"
    detail = "None of its proposals is open any more." if is_published else "Its proposals ask no team any more."
    return TeamMessage(
        Tone.GOOD if is_published else Tone.NEUTRAL, f"{name} {end}", f"{name} {end}. {detail}", **describe_links(scope)
    )


def build_answered(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message about answers of teams, and about proposals that changed their status."""
    scope = AskScope.of(facts, events)
    answers = [event for event in events if event.kind == ProposalAnswered.kind]
    changes = [event for event in events if event.kind == kinds.ProposalStatusChanged.kind]
    statuses = {ProposalStatus(event.payload["after"]) for event in changes}
    is_blocked = any(event.payload["response"] == Response.BLOCKED for event in answers)
    is_bad = is_blocked or bool(statuses & {ProposalStatus.REJECTED, ProposalStatus.EXPIRED})
    tone = Tone.BAD if is_bad else Tone.GOOD if statuses == {ProposalStatus.APPROVED} else Tone.NEUTRAL
    ends = "; ".join(f"the proposal {STATUS_TEXTS[status]}" for status in sorted(statuses))
    if answers:
        title = _describe_answers(facts, answers, scope.subject_text)
        summary = f"{title}{scope.origin_text}.{f' {ends[0].upper()}{ends[1:]}.' if ends else ''}"
    elif statuses:
        end = STATUS_TEXTS[min(statuses)] if len(statuses) == 1 else "has a new status"
        title = f"The proposal for {scope.subject_text} {end}"
        reasons = sorted({str(event.payload["reason"]) for event in changes})
        summary = f"{describe_proposals(scope)} {title}: {'; '.join(reasons[:3])}."
    else:
        title = f"{scope.team_text} is no longer asked about {scope.subject_text}"
        summary = f"{title}, because it no longer reads what changes."
    return TeamMessage(
        tone,
        title,
        summary,
        **describe_subjects(facts, events, lambda event: _describe_step(facts, event)),
        reason=find_reason(scope),
        **describe_links(scope),
    )


def _describe_answers(facts: MessageFacts, answers: Sequence[MessageEvent], subject: str) -> str:
    """Say who answered what, if it is the same for all proposals."""
    teams = facts.name_teams(event.payload["consumer_team_id"] for event in answers)
    texts = {
        Response.APPROVED: f"{teams} agreed to the change of {subject}",
        Response.MIGRATING: f"{teams} will migrate off {subject}",
        Response.BLOCKED: f"{teams} blocked the change of {subject}",
    }
    responses = {Response(event.payload["response"]) for event in answers}
    return texts.get(responses.pop(), "") if len(responses) == 1 else f"{teams} answered about {subject}"


def _describe_step(facts: MessageFacts, event: MessageEvent) -> list[str]:
    if event.kind == ProposalAnswered.kind:
        return [describe_response(facts, event)]
    if event.kind == AcknowledgmentReleased.kind:
        team = facts.name_team(event.payload["consumer_team_id"])
        reference = event.payload.get("reference")
        return [f"{team} is no longer asked{f', proven by {reference}' if reference else ''}"]
    return [f"The proposal {STATUS_TEXTS[ProposalStatus(event.payload['after'])]}: {event.payload['reason']}"]


def build_asked_again(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that a proposal breaks more than before, or that a team is not asked once more."""
    scope = AskScope.of(facts, events)
    if events[0].kind == ReopeningLimited.kind:
        summary = f"{scope.team_text} was registered again for {scope.subject_text}, and has reopened the proposal"
        summary += " once. It is informed, and not asked again."
        return TeamMessage(Tone.NEUTRAL, f"{scope.team_text} is informed, not asked", summary, **describe_links(scope))
    asked_ids = {team for event in events for team in event.payload.get("asked", ())}
    is_stale = events[0].kind == kinds.ProposalStale.kind
    next_step = (
        " It must be proposed again before it is published."
        if is_stale
        else f" {facts.name_teams(asked_ids)} {'is' if len(asked_ids) == 1 else 'are'} asked about that."
        if asked_ids
        else " No team reads that, so none is asked."
    )
    return TeamMessage(
        Tone.BAD if is_stale else Tone.NEUTRAL,
        f"The proposal for {scope.subject_text} breaks more than before",
        f"The contract of {scope.subject_text} has changed since, so the proposal breaks more.{next_step}",
        **describe_subjects(facts, events, lambda event: [*event.payload.get("changes", ())]),
        reason=find_reason(scope),
        **describe_links(scope),
    )


def build_release(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message about contracts that were published or retired."""
    contracts = [event for event in events if event.kind != kinds.ChangeSetPublished.kind]
    if not contracts:
        return build_change_set_end(facts, events)
    scope = AskScope.of(facts, contracts)
    published = [event for event in contracts if event.kind == kinds.ContractPublished.kind]
    forced = [event for event in published if event.payload["outcome"] == Outcome.FORCED]
    assets = {event.asset_id for event in contracts}
    count = max(len(assets), facts.count_subjects(published or contracts) if len(assets) > 1 else 1)
    name = facts.name_asset(next(iter(assets))) if len(assets) == 1 else count_noun(count, "table")
    version = f" {published[0].payload['version']}" if len(assets) == 1 and published else ""
    is_retired = not published and any(event.kind == kinds.ContractRetired.kind for event in contracts)
    verb = "was forced on its readers" if forced else "was retired" if is_retired else "was published"
    if not published and not is_retired:
        verb = "has another compatibility mode"
    not_asked = {team for event in forced for team in event.payload.get("not_asked", ())}
    skipped = f" {facts.name_teams(not_asked)} was not asked." if not_asked else ""
    reasons = [str(event.payload["reason"]) for event in contracts if event.payload.get("reason")]
    return TeamMessage(
        Tone.BAD if forced else Tone.NEUTRAL,
        f"{name}{version} {verb}" if len(assets) == 1 else f"New contracts of {name}",
        f"{name}{version} {verb} by {describe_caller(contracts[0].actor)}{scope.origin_text}.{skipped}"
        if len(assets) == 1
        else f"{describe_caller(contracts[0].actor)} published new contracts of {name}{scope.origin_text}.{skipped}",
        **describe_subjects(facts, contracts, _describe_contract),
        reason=reasons[0] if len(set(reasons)) == 1 else find_reason(scope),
        **_choose_links(facts, scope, contracts),
    )


def _describe_contract(event: MessageEvent) -> list[str]:
    payload = event.payload
    if event.kind == kinds.CompatibilityModeChanged.kind:
        return [f"The compatibility mode is {payload['after']} now, and was {payload['before']}."]
    if event.kind == kinds.ContractRetired.kind:
        return [f"Version {payload['version']} is retired."]
    before = f", after {payload['previous_version']}" if payload.get("previous_version") else ""
    return [f"Version {payload['version']}{before}", *payload.get("changes", ())]


def build_debts(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message about debts that a publish left for a team, or about debts that ended."""
    is_settled = events[0].kind == kinds.DebtSettled.kind
    teams = facts.name_teams(event.payload["team_id"] for event in events)
    count = sum(int(event.payload["count"]) for event in events)
    texts = dict.fromkeys(DEBT_TEXTS[DebtKind(event.payload["debt_kind"])] for event in events)
    reasons = sorted({str(event.payload["reason"]) for event in events if event.payload.get("reason")})
    links = _link_asset(facts, events)
    if is_settled:
        title = f"{count_noun(count, 'debt')} of {teams} ended"
        summary = f"{title}."
    else:
        title = f"{teams} has {count_noun(count, 'new debt')}"
        summary = f"A publish left something undone. {' '.join(texts)}"
        links["command"] = build_tessera_command("debts")
    lines: DescribeEvent = lambda event: [*(event.payload.get("changes") or event.payload.get("paths", ()))]  # noqa: E731
    return TeamMessage(
        Tone.GOOD if is_settled else Tone.BAD,
        title,
        summary,
        **describe_subjects(facts, events, lines),
        reason="; ".join(reasons[:3]) or None,
        deadline=None if is_settled else "A debt stays until the team acknowledges it or corrects its registration.",
        **links,
    )


def build_deprecation(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message about fields and assets that go away."""
    names = [_name_deprecated(facts, event) for event in events]
    count = sum(int(event.payload.get("count", 1)) for event in events)
    sunsets = {event.payload.get("sunset_at") for event in events if event.payload.get("sunset_at")}
    days = [int(event.payload["days_before"]) for event in events if "days_before" in event.payload]
    subject = names[0] if count == 1 else count_noun(count, "field")
    when = f" in {count_noun(min(days), 'day')}" if days else ""
    owners = facts.name_teams(facts.find_owners(event.asset_id for event in events))
    is_downstream = any(event.kind == DownstreamDeprecationDeclared.kind for event in events)
    downstream = " What your team reads is made from it." if is_downstream else ""
    replacements = {event.payload.get("replacement") for event in events} - {None}
    instead = f" Use {replacements.pop()} instead." if len(replacements) == 1 else ""
    reasons = sorted({str(event.payload["reason"]) for event in events if event.payload.get("reason")})
    day = f"It goes away on {format_day(min(map(str, sunsets)))}. " if sunsets else ""
    return TeamMessage(
        Tone.NEUTRAL,
        f"{subject} goes away{when}" if count == 1 else f"{subject} go away{when}",
        f"{owners} announced that {subject} {'goes' if count == 1 else 'go'} away.{downstream}{instead}",
        **describe_subjects(facts, events, lambda event: _describe_deprecation(facts, event)),
        reason="; ".join(reasons[:3]) or None,
        deadline=f"{day}After the sunset, silence consents to the removal." if sunsets else None,
        **_link_asset(facts, events),
    )


def build_deprecation_end(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that deprecations no longer hold."""
    names = [_name_deprecated(facts, event) for event in events]
    subject = names[0] if len(names) == 1 else count_noun(facts.count_events(events), "field")
    verb = "is" if len(names) == 1 else "are"
    return TeamMessage(
        Tone.NEUTRAL,
        f"{subject} {verb} no longer deprecated",
        f"The deprecation of {subject} ended: {events[0].payload['reason']}.",
        **describe_subjects(facts, events, lambda event: [_name_deprecated(facts, event)]),
        **_link_asset(facts, events),
    )


def _name_deprecated(facts: MessageFacts, event: MessageEvent) -> str:
    return name_of(facts.name_asset(event.asset_id), event.payload.get("path") or "")


def _describe_deprecation(facts: MessageFacts, event: MessageEvent) -> list[str]:
    payload = event.payload
    if event.kind == DownstreamDeprecationDeclared.kind:
        fqn = facts.name_asset(event.asset_id)
        return [
            *(name_of(fqn, path) for path in payload["paths"]),
            *(f"Reached by {item}" for item in payload["routes"]),
        ]
    replacement = f", use {payload['replacement']} instead" if payload.get("replacement") else ""
    sunset = f" goes on {format_day(payload['sunset_at'])}" if payload.get("sunset_at") else ""
    return [f"{_name_deprecated(facts, event)}{sunset}{replacement}"]


def build_coverage(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message that a proposal waits for coverage, or no longer does."""
    scope = AskScope.of(facts, events)
    is_ended = events[-1].kind == ProposalHoldEnded.kind
    verb = "no longer waits" if is_ended else "waits"
    missing = "is no longer missing" if is_ended else "no team is asked about it, and its policy demands observed reads"
    return TeamMessage(
        Tone.GOOD if is_ended else Tone.NEUTRAL,
        f"The proposal for {scope.subject_text} {verb} for coverage",
        f"The proposal for {scope.subject_text} {verb} for coverage: {events[-1].payload.get('reason') or missing}.",
        **describe_subjects(facts, events, lambda event: [*event.payload.get("after", event.payload["before"])]),
        **describe_links(scope),
    )


def build_comment(facts: MessageFacts, events: Sequence[MessageEvent]) -> TeamMessage:
    """Build the message about comments on proposals."""
    scope = AskScope.of(facts, events)
    authors = facts.name_teams(event.payload["team_id"] or "" for event in events if event.payload["team_id"])
    author = authors if any(event.payload["team_id"] for event in events) else "An administrator"
    return TeamMessage(
        Tone.NEUTRAL,
        f"{author} commented on the proposal for {scope.subject_text}",
        f"{author} commented on the proposal for {scope.subject_text}{scope.origin_text}.",
        **describe_subjects(facts, events, lambda event: [str(event.payload["body"])]),
        **describe_links(scope),
    )


def find_reason(scope: AskScope) -> str | None:
    """Return the reason that all proposals share, if there is one."""
    reasons = {proposal.reason for proposal in scope.proposals}
    return next(iter(reasons)) if len(reasons) == 1 else None


def describe_subjects(facts: MessageFacts, events: Sequence[MessageEvent], describe: DescribeEvent) -> dict[str, Any]:
    """Describe the assets of events, each with the lines of its events, and the number of all."""
    lines: dict[UUID | None, list[str]] = {}
    for event in events:
        lines.setdefault(event.asset_id, []).extend(describe(event))
    subjects: tuple[Subject, ...] = tuple(
        trim_details(facts.name_asset(asset), texts) for asset, texts in [*lines.items()][:MAX_SUBJECTS]
    )
    count = max(len(lines), facts.count_subjects(events) if len(lines) > 1 else 1)
    return {"subjects": subjects, "subject_count": count}


def _choose_links(facts: MessageFacts, scope: AskScope, events: Sequence[MessageEvent]) -> dict[str, Any]:
    return describe_links(scope) if scope.change_set or scope.proposals else _link_asset(facts, events)


def _link_asset(facts: MessageFacts, events: Sequence[MessageEvent]) -> dict[str, Any]:
    assets = {event.asset_id for event in events if event.asset_id}
    team = facts.pages.team(facts.viewer) if facts.viewer else None
    links: dict[str, MessageLink | str | None] = {"team_link": team.url if team else None}
    if len(assets) != 1:
        return links | {"link": facts.pages.audit(), "command": build_tessera_command("inbox")}
    fqn = facts.name_asset(next(iter(assets)))
    return links | {"link": facts.pages.asset(fqn), "command": build_tessera_command("asset", "show", fqn)}
