"""`tessera inbox` and `tessera ack`: what waits for a team, and its answer to one proposal or a whole change set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer

from tessera_gql.cli.api import TeamOption, connect, resolve_proposal_id
from tessera_gql.cli.debts import print_debts
from tessera_gql.cli.proposals import describe_end, print_status
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_line, print_table
from tessera_gql.client import AcknowledgmentResponse, InboxGroup, TesseraClient

MAX_NAMED = 3
HEADINGS = ("due", "team", "change set", "tables", "changes", "without an answer")


def inbox(team: TeamOption = None, as_json: JsonOption = False) -> None:
    """List what waits for a team's answer, a row for each change set, earliest due date first; then its open debts.

    It has what the team may answer for others, too. With --json only what waits; `tessera debts --json` prints debts.

    Example: tessera inbox --team finance
    """
    with connect() as client:
        groups = list(client.inbox_groups(team))
        debts = [] if as_json else list(client.debts(team))
    if as_json:
        print_json(groups)
        return
    print_table(HEADINGS, map(_build_row, groups), none="Nothing waits for an answer.")
    if debts:
        print_debts(debts)


def _build_row(group: InboxGroup) -> Sequence[object]:
    """Return the cells of a group; the first tables and changes are named, the others counted."""
    tables = [item.proposal.asset.fqn for item in group.acknowledgments]
    changes = [reason.message for item in group.acknowledgments for reason in item.reasons]
    return (
        group.due_at,
        group.team,
        group.change_set.key if group.change_set else None,
        _shorten(tables, group.table_count),
        " ".join(_shorten(changes, group.change_count)),
        group.silence_means,
    )


def _shorten(names: Sequence[str], count: int) -> list[str]:
    named = [*names[:MAX_NAMED]]
    return [*named, f"and {count - len(named)} more"] if count > len(named) else named


@dataclass(frozen=True)
class _Answer:
    """The answer that the options give, with its deadline if it is MIGRATING, and the team that gives it."""

    response: AcknowledgmentResponse
    migration_deadline: datetime | None
    team: str | None
    notes: str | None


def ack(  # noqa: PLR0913, PLR0917 - the options of a command
    reference: Annotated[
        str | None,
        typer.Argument(metavar="[PROPOSAL|FQN]", help="Its id, or the fqn of its asset; none with --change-set."),
    ] = None,
    response: Annotated[
        str | None, typer.Argument(metavar="[RESPONSE]", help="APPROVED, MIGRATING or BLOCKED; or give an option.")
    ] = None,
    change_set: Annotated[
        str | None, typer.Option(metavar="KEY", help="Answer all that waits for the team in this change set.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Consent; as APPROVED.")] = False,
    migrate_until: Annotated[
        datetime | None, typer.Option(help="Migrate until this date; as MIGRATING with --until.")
    ] = None,
    block: Annotated[bool, typer.Option("--block", help="Object; as BLOCKED. Needs --notes.")] = False,
    except_: Annotated[
        list[str] | None,
        typer.Option("--except", metavar="PROPOSAL|FQN", help="Leave this one of the change set out; repeatable."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the answers that the team has given in the change set.")
    ] = False,
    team: TeamOption = None,
    until: Annotated[datetime | None, typer.Option(help="Deadline of the migration; required for MIGRATING.")] = None,
    notes: Annotated[str | None, typer.Option(help="Notes for the owner of the asset.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge a proposal, or a whole change set, for an asked team.

    Example: tessera ack analytics.marts.orders MIGRATING --team finance --until 2031-01-01

    Example: tessera ack --change-set github.com/org/repo#17 --approve --except analytics.marts.orders
    """
    if change_set is not None and response is None:
        reference, response = None, reference
    _require_subject(reference, change_set, except_, replaces=replace)
    chosen, deadline = _read_answer(response, until, migrate_until, approve=approve, block=block)
    answer = _Answer(chosen, deadline, team, notes)
    with connect() as client:
        if change_set is None:
            _acknowledge_proposal(client, reference or "", answer, as_json=as_json)
        else:
            _acknowledge_change_set(client, change_set, answer, except_ or (), replaces=replace, as_json=as_json)


def _require_subject(
    reference: str | None, change_set: str | None, excluded: Sequence[str] | None, *, replaces: bool
) -> None:
    if (reference is None) == (change_set is None):
        raise fail(
            "Say what is answered, one of them: a proposal (its id, or the fqn of its asset), or --change-set KEY."
        )
    if excluded and change_set is None:
        raise fail("--except leaves proposals of a change set out: give --change-set KEY as well.")
    if replaces and change_set is None:
        raise fail("An answer to one proposal replaces the earlier one anyway: --replace needs --change-set KEY.")


def _read_answer(
    response: str | None, until: datetime | None, migrate_until: datetime | None, *, approve: bool, block: bool
) -> tuple[AcknowledgmentResponse, datetime | None]:
    """Read the one answer that argument or options give; end the command unless there is exactly one."""
    values = AcknowledgmentResponse
    responses = [
        *([response.upper()] if response else []),
        *([values.APPROVED] if approve else []),
        *([values.MIGRATING] if migrate_until else []),
        *([values.BLOCKED] if block else []),
    ]
    if len(responses) != 1 or responses[0] not in {item.value for item in values}:
        raise fail("Give one answer: --approve, --migrate-until DATE or --block, or APPROVED, MIGRATING or BLOCKED.")
    answer, deadline = values(responses[0]), migrate_until or until
    if answer is not values.MIGRATING and deadline is not None:
        raise fail(f"--until is the deadline of MIGRATING, and {answer} has none. Leave it out, or answer MIGRATING.")
    if answer is values.MIGRATING and deadline is None:
        raise fail("MIGRATING needs a deadline within a year: --until DATE, such as --until 2031-01-01.")
    return answer, deadline.astimezone(UTC) if deadline else None


def _acknowledge_proposal(client: TesseraClient, reference: str, answer: _Answer, *, as_json: bool) -> None:
    result = client.acknowledge(resolve_proposal_id(client, reference), **vars(answer))
    if as_json:
        print_json(result)
        return
    print_status(result.proposal)
    if contract := result.contract:
        print_line(f"{result.proposal.asset.fqn} {contract.version} is {describe_end(contract)}.")


def _acknowledge_change_set(
    client: TesseraClient, key: str, answer: _Answer, excluded: Sequence[str], *, replaces: bool, as_json: bool
) -> None:
    proposals = [resolve_proposal_id(client, item) for item in excluded]
    result = client.acknowledge_change_set(key, except_proposals=proposals, replace_answers=replaces, **vars(answer))
    if as_json:
        print_json(result)
        return
    rows = (
        (item.proposal.asset, item.team, item.response, item.proposal.status, item.proposal.awaiting)
        for item in result.acknowledgments
    )
    print_table(("asset", "team", "response", "status", "waits for"), rows)
    for contract in result.contracts:
        print_line(f"{contract.asset.fqn} {contract.version} is {describe_end(contract)}.")
