"""`tessera inbox` and `tessera ack`: what waits for a team, and its answer to one proposal or a whole change set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import TeamOption, connect, resolve_proposal_id
from tessera_gql.cli.asks import AskSummary, print_ask
from tessera_gql.cli.completion import complete_fqn
from tessera_gql.cli.debts import print_debts
from tessera_gql.cli.outlook import print_deprecations, print_migrations
from tessera_gql.cli.proposals import describe_end, print_status
from tessera_gql.cli.terminal import JsonOption, fail, is_terminal, print_json, print_line, print_note, print_table
from tessera_gql.client.enums import AcknowledgmentResponse, ObligationKind

if TYPE_CHECKING:
    from tessera_gql.client import InboxGroup, TesseraClient

MAX_NAMED = 3
HEADINGS = ("due", "team", "change set", "tables", "changes", "without an answer", "asked by", "why", "answer")


def inbox(team: TeamOption = None, as_json: JsonOption = False) -> None:
    """List what waits for a team's answer, a row for each change set, earliest due date first; then its open debts.

    Each says who asks and why, what breaks, until when, and the commands that answer it. It has what the team may
    answer for others, too; then the migrations that it has promised, and the deprecations of what it reads. With
    --json only what waits; `tessera debts --json` prints debts.

    Example: tessera inbox --team finance
    """
    with connect() as client:
        groups = list(client.inbox_groups(team))
        debts = [] if as_json else list(client.debts(team))
        owing = None if as_json else team or client.viewer().team
        migrations = [item for item in client.owes(owing) if item.kind is ObligationKind.MIGRATION] if owing else []
        deprecations = list(client.team_deprecations(owing)) if owing else []
    if as_json:
        print_json(groups)
        return
    if is_terminal():
        _print_groups(groups)
    else:
        print_table(HEADINGS, map(_build_row, groups))
    if debts:
        print_debts(debts)
    if migrations:
        print_migrations(migrations)
    if deprecations:
        print_deprecations(deprecations)


def _print_groups(groups: Sequence[InboxGroup]) -> None:
    if not groups:
        print_note(("Nothing waits for an answer.", "dim"))
    for number, group in enumerate(groups):
        if number:
            print_line()
        print_ask(_build_ask(group))


def _build_ask(group: InboxGroup) -> AskSummary:
    proposals_ = [item.proposal for item in group.acknowledgments]
    change_set = group.change_set
    return AskSummary(
        subject=change_set.key if change_set else proposals_[0].asset.fqn,
        team=group.team.name,
        until=group.due_at,
        silence_means=group.silence_means,
        asked_by=", ".join(dict.fromkeys(item.proposed_by.name for item in proposals_)),
        reason=" ".join(dict.fromkeys(item.reason for item in proposals_ if item.reason)) or None,
        changes=[reason.message for item in group.acknowledgments for reason in item.reasons],
        change_count=group.change_count,
        tables=[item.asset.fqn for item in proposals_],
        table_count=group.table_count,
        is_change_set=change_set is not None,
        title=change_set.title if change_set else None,
    )


def _build_row(group: InboxGroup) -> Sequence[object]:
    """Return the cells of a group for a pipe; the first tables and changes are named, the others counted."""
    ask = _build_ask(group)
    return (
        group.due_at,
        group.team,
        group.change_set.key if group.change_set else None,
        _shorten(ask.tables, group.table_count),
        " ".join(_shorten(ask.changes, group.change_count)),
        group.silence_means,
        ask.asked_by,
        ask.reason,
        ask.answer_commands[0],
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
        typer.Argument(
            metavar="[PROPOSAL|FQN]",
            help="Its id, or the fqn of its asset; none with --change-set.",
            autocompletion=complete_fqn,
        ),
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
    if reference is not None and change_set is not None:
        raise fail(f"{reference} and --change-set {change_set} exclude each other. Leave one of them out.")
    if reference is None and change_set is None:
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
        texts = " and ".join(responses)
        problem = f"{texts} contradict each other. " if len(responses) > 1 else f"{texts} is no answer. " * bool(texts)
        choices = "--approve, --migrate-until DATE or --block, or APPROVED, MIGRATING or BLOCKED"
        raise fail(f"{problem}Give one answer: {choices}.")
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
