"""`tessera proposals`, `proposal`, `inbox`, `ack`: what waits for an answer, and the answers."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from tessera_gql.cli.remote import Json, Team, connected, print_answer, print_properties, print_rows, proposal_id
from tessera_gql.cli.terminal import fail, print_line
from tessera_gql.client import AcknowledgmentResponse, Proposal, ProposalStatus

Which = Annotated[str, typer.Argument(metavar="PROPOSAL|FQN", help="Its id, or the asset that has it open.")]
OPEN = (ProposalStatus.PENDING, ProposalStatus.APPROVED, ProposalStatus.REJECTED)


def proposals(
    asset: Annotated[str | None, typer.Option(help="Only of this asset.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended as well.")] = False,
    as_json: Json = False,
) -> None:
    """List the open proposals, the latest first."""
    with connected() as client:
        asset_id = client.get_asset(asset).id if asset else None
        found = list(client.proposals(asset_id=asset_id, status=() if all_ or asset else OPEN))
    if as_json:
        print_answer(found)
        return
    rows = ((one.asset, one.proposed_version, one.status, one.awaiting, one.expires_at, one.id) for one in found)
    print_rows(("asset", "version", "status", "waits for", "expires", "id"), rows, none="No open proposals.")


def proposal(which: Which, as_json: Json = False) -> None:
    """Show a proposal: what breaks, whom it hurts, and what they say."""
    with connected() as client:
        found = client.get_proposal(proposal_id(client, which))
    if as_json:
        print_answer(found)
        return
    print_properties(
        id=found.id,
        asset=found.asset,
        version=found.proposed_version,
        status=found.status,
        proposed_by=found.proposed_by,
        reason=found.reason,
        expires=found.expires_at,
    )
    for change in found.breaking_changes:
        print_line(f"breaks  {change.message}")
    rows = ((one.team, one.response, one.migration_deadline, one.notes) for one in found.acknowledgments)
    print_rows(("team", "says", "until", "notes"), rows, none="Nobody is asked.")


def inbox(team: Team = None, as_json: Json = False) -> None:
    """List what waits for a team's answer.

    Example: tessera inbox --team finance
    """
    with connected() as client:
        found = list(client.inbox(team))
    if as_json:
        print_answer(found)
        return
    rows = (
        (one.team, one.proposal.asset, [reason.message for reason in one.because], one.proposal.expires_at)
        for one in found
    )
    print_rows(("team", "asset", "because", "expires"), rows, none="Nothing waits for an answer.")


def ack(
    which: Which,
    response: Annotated[AcknowledgmentResponse, typer.Argument(case_sensitive=False)],
    team: Team = None,
    until: Annotated[datetime | None, typer.Option(help="MIGRATING needs it: when it will be done.")] = None,
    notes: Annotated[str | None, typer.Option(help="What else there is to say.")] = None,
    as_json: Json = False,
) -> None:
    """Answer for a team that is asked.

    Example: tessera ack analytics.marts.orders MIGRATING --team finance --until 2031-01-01
    """
    if response is AcknowledgmentResponse.MIGRATING and until is None:
        raise fail("MIGRATING needs a deadline: --until 2031-01-01.")
    deadline = until.astimezone(UTC) if until else None
    with connected() as client:
        identity = proposal_id(client, which)
        done = client.acknowledge(identity, response, team=team, migration_deadline=deadline, notes=notes)
    if as_json:
        print_answer(done)
        return
    _status(done.proposal)
    if done.contract:
        print_line(f"{done.proposal.asset.fqn} {done.contract.version} is published.")


def withdraw(which: Which, as_json: Json = False) -> None:
    """Take a proposal back."""
    with connected() as client:
        done = client.withdraw_proposal(proposal_id(client, which))
    print_answer(done) if as_json else _status(done)


def publish_proposal(which: Which, team: Team = None, as_json: Json = False) -> None:
    """Publish what was approved, exactly."""
    with connected() as client:
        done = client.publish_proposal(proposal_id(client, which), published_by=team)
    if as_json:
        print_answer(done)
    else:
        print_line(f"{done.asset.fqn} {done.version} is published.")


def _status(found: Proposal) -> None:
    waits = f"; it waits for {', '.join(team.name for team in found.awaiting)}" if found.awaiting else ""
    print_line(f"The proposal for {found.asset.fqn} {found.proposed_version} is {found.status}{waits}.")
