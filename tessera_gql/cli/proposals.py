"""`tessera proposals`, `proposal`, `comment`, `withdraw`, `publish-proposal` and `extend-proposal`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import TeamOption, connect, resolve_proposal_id
from tessera_gql.cli.asks import AskSummary, print_ask
from tessera_gql.cli.completion import complete_fqn
from tessera_gql.cli.coverage_report import describe_coverage, list_hold_lines
from tessera_gql.cli.lineage_report import describe_paths
from tessera_gql.cli.outlook import describe_alternative, print_outlook
from tessera_gql.cli.silence import describe_wait, format_day
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_properties, print_table
from tessera_gql.client.enums import AwaitedStep, ContractStatus, ProposalStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tessera_gql.client import Acknowledgment, AwaitedTeam, Proposal
    from tessera_gql.client.models import ContractSummary, ProposalDetails, ReasonPath

ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL|FQN", help="Its id, or the fqn of its asset.", autocompletion=complete_fqn)
]
MAX_ASKS = 5
"""Teams whose question a proposal prints with what it asks of them; their table has all."""
OPEN_STATUSES = (ProposalStatus.PENDING, ProposalStatus.APPROVED, ProposalStatus.REJECTED)


def proposals(
    asset: Annotated[
        str | None, typer.Option(help="Only proposals of this asset.", autocompletion=complete_fqn)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Include resolved proposals.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List open proposals, latest first."""
    with connect() as client:
        asset_id = client.get_asset(asset).id if asset else None
        proposals_ = list(client.proposals(asset_id=asset_id, status=() if all_ or asset else OPEN_STATUSES))
    if as_json:
        print_json(proposals_)
        return
    rows = (
        (item.asset, item.proposed_version or "retirement", item.status, _list_awaited(item), item.expires_at, item.id)
        for item in proposals_
    )
    print_table(("asset", "version", "status", "waits for", "expires", "id"), rows, none="No open proposals.")


def proposal(reference: ProposalArgument, as_json: JsonOption = False) -> None:
    """Show a proposal: its breaking changes, acknowledgments and comments, who is not asked, and what comes next."""
    with connect() as client:
        details = client.get_proposal(resolve_proposal_id(client, reference))
        steps = {item.team.id: item for item in details.waits_for} if details.is_open else {}
        waiting = [item for item in details.acknowledgments if item.team.id in steps]
        asks = [(item, client.reason_paths(item.id)) for item in waiting[:MAX_ASKS]]
        outlook = None if as_json else client.proposal_outlook(details.id)
    if outlook is None:
        print_json(details)
        return
    print_properties(
        id=details.id,
        asset=details.asset,
        version=details.proposed_version or "retirement",
        change_set=details.change_set and details.change_set.key,
        url=details.change_set and details.change_set.url,
        status=details.status,
        proposed_by=details.proposed_by,
        reason=details.reason,
        expires=details.expires_at,
        stale="yes: publish the same schema again" if details.is_stale else None,
        coverage=describe_coverage(details.coverage),
    )
    for line in list_hold_lines(details.asset.fqn, details.hold) if details.hold else ():
        print_line(f"held    {line}")
    for change in details.breaking_changes:
        print_line(f"breaks  {change.message}")
    if outlook.alternative:
        print_line(f"hints   {describe_alternative(outlook.alternative)}")
    rows = (
        (
            item.team,
            _describe_answer(item),
            item.migration_deadline,
            _describe_step(steps.get(item.team.id)),
            item.notes,
        )
        for item in details.acknowledgments
    )
    print_table(("team", "response", "until", "waits for", "notes"), rows, none="Nobody is asked.")
    for item, paths in asks:
        print_ask(_build_ask(details, item, paths))
    if len(waiting) > MAX_ASKS:
        print_line(f"and {len(waiting) - MAX_ASKS} more teams")
    print_outlook(outlook)
    for remark in details.comments:
        author = remark.team.name if remark.team else "an administrator"
        print_line(f"comment  {remark.created_at:%Y-%m-%d %H:%M}  {author}: {remark.body}")


def _build_ask(details: ProposalDetails, item: Acknowledgment, paths: Sequence[ReasonPath]) -> AskSummary:
    """Build the question to one of the teams that a proposal waits for."""
    return AskSummary(
        subject=details.asset.fqn,
        title=f"{item.team.name} is asked",
        team=item.team.name,
        until=item.due_at,
        silence_means=None if item.response else item.silence_means,
        asked_by=None,
        reason=None,
        changes=[reason.message for reason in item.reasons],
        change_count=len(item.reasons),
        paths=[*describe_paths(paths)],
    )


def comment(
    reference: ProposalArgument,
    body: Annotated[str, typer.Argument(help="The remark, 4,000 characters at most.")],
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Comment on a proposal, for any team; `tessera proposal` shows the comments.

    Example: tessera comment analytics.marts.orders "Does the new column have the same currency?"
    """
    with connect() as client:
        added = client.comment(resolve_proposal_id(client, reference), body, team=team)
    print_json(added) if as_json else print_line("The comment is added.")


def extend_proposal(
    reference: ProposalArgument,
    until: Annotated[datetime, typer.Option(help="New expiry, later than the present one and within 366 days.")],
    as_json: JsonOption = False,
) -> None:
    """Keep an open proposal open for longer.

    Example: tessera extend-proposal analytics.marts.orders --until 2027-01-01
    """
    with connect() as client:
        extended = client.extend_proposal(resolve_proposal_id(client, reference), until.astimezone(UTC))
    if as_json:
        print_json(extended)
        return
    print_status(extended)
    print_line(f"It stays open until {format_day(extended.expires_at)}.")


def withdraw(reference: ProposalArgument, as_json: JsonOption = False) -> None:
    """Withdraw an open proposal without publishing it."""
    with connect() as client:
        withdrawn = client.withdraw_proposal(resolve_proposal_id(client, reference))
    print_json(withdrawn) if as_json else print_status(withdrawn)


def publish_proposal(
    reference: ProposalArgument,
    team: TeamOption = None,
    waive_coverage: Annotated[
        bool, typer.Option("--waive-coverage", help="Publish what is held for coverage; needs ADMIN and --reason.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Publish before all teams agree; needs ADMIN and --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Reason to waive coverage or to force, for the audit log.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Publish an approved proposal unchanged, or carry out an approved retirement."""
    with connect() as client:
        contract = client.publish_proposal(
            resolve_proposal_id(client, reference),
            published_by=team,
            waive_coverage=waive_coverage,
            force=force,
            reason=reason,
        )
    print_json(contract) if as_json else print_line(
        f"{contract.asset.fqn} {contract.version} is {describe_end(contract)}."
    )


def _list_awaited(item: Proposal) -> list[str]:
    """List what a proposal waits for: teams, and coverage if it is held."""
    return [*(team.name for team in item.awaiting), *(["coverage"] if item.hold else [])]


def _describe_answer(item: Acknowledgment) -> str | None:
    """Describe the response of a team, and which other team gave it or that it is no longer asked."""
    if item.released_at:
        return f"{item.response}, no longer asked" if item.response else "no longer asked"
    return f"{item.response} by {item.responded_by.name}" if item.response and item.responded_by else item.response


def _describe_step(item: AwaitedTeam | None) -> str | None:
    """Describe what a proposal waits for from a team."""
    if item is None:
        return None
    match item.step:
        case AwaitedStep.ANSWER:
            return f"an answer {describe_wait(item)}"
        case AwaitedStep.MIGRATION:
            return "proof that it has migrated, or APPROVED"
        case _:
            return "another answer than a block"


def describe_end(contract: ContractSummary) -> str:
    """Describe what became of the contract of a proposal that was carried out."""
    return "retired" if contract.status is ContractStatus.RETIRED else "published"


def print_status(proposal_: Proposal) -> None:
    """Print the status of a proposal, and whom it waits for."""
    suffix = f"; it waits for {', '.join(team.name for team in proposal_.awaiting)}" if proposal_.awaiting else ""
    subject = f"for {proposal_.asset.fqn} {proposal_.proposed_version}"
    if proposal_.proposed_version is None:
        subject = f"to retire {proposal_.asset.fqn}"
    print_line(f"The proposal {subject} is {proposal_.status}{suffix}.")
