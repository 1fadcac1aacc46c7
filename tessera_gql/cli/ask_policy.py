"""`tessera policy`: what an ask about an asset of a tier gives, and what silence means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.terminal import JsonOption, fail, print_json, print_table
from tessera_gql.client.enums import AssetTier, OnSilence

if TYPE_CHECKING:
    from tessera_gql.client import AskPolicy
    from tessera_gql.client.operations.ask_policies import AskPolicyChanges

HEADINGS = ("tier", "days to answer", "reminders before", "escalation after", "no answer means", "demands coverage")

app = typer.Typer(help="List and set the policies of asks, one for each tier of assets.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the policies of asks, the default ones included."""
    with connect() as client:
        policies = client.ask_policies()
    print_json(policies) if as_json else _print(policies)


@app.command("set")
def set_(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    tier: Annotated[AssetTier, typer.Argument(case_sensitive=False, help="Tier of the assets.")],
    due: Annotated[int | None, typer.Option(help="Days to answer, 1 to 366.")] = None,
    remind: Annotated[
        list[int] | None, typer.Option(help="Days before the due date on which teams are reminded; repeatable.")
    ] = None,
    no_reminders: Annotated[bool, typer.Option("--no-reminders", help="Remind no team.")] = False,
    escalate: Annotated[
        int | None, typer.Option(help="Days after which the escalation team may answer, too; 0 for never.")
    ] = None,
    on_silence: Annotated[
        OnSilence | None, typer.Option(case_sensitive=False, help="What happens without an answer.")
    ] = None,
    require_coverage_days: Annotated[
        int | None,
        typer.Option(
            "--require-coverage-days",
            metavar="N",
            help="Days that observed reads must cover of what nobody is asked about, 1 to 366; 0 to demand none.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Set the policy of the asks about assets of a tier that are made from now on. Needs an administrator's key.

    APPROVE counts only for assets whose tier an administrator has set.

    Example: tessera policy set critical --due 14 --remind 7 --remind 1 --escalate 7 --on-silence block
    """
    if remind and no_reminders:
        raise fail("--remind and --no-reminders exclude each other. Give one of them.")
    changes: AskPolicyChanges = {}
    if due is not None:
        changes["due_days"] = due
    if remind or no_reminders:
        changes["remind_days_before"] = remind or []
    if escalate is not None:
        changes["escalate_after_days"] = escalate or None
    if on_silence is not None:
        changes["on_silence"] = on_silence
    if require_coverage_days is not None:
        changes["require_coverage_days"] = require_coverage_days or None
    if not changes:
        raise fail(
            "Nothing to change. Give --due, --remind, --no-reminders, --escalate, --on-silence or"
            " --require-coverage-days."
        )
    with connect() as client:
        policy = client.set_ask_policy(tier, **changes)
    print_json(policy) if as_json else _print((policy,))


def _print(policies: tuple[AskPolicy, ...]) -> None:
    rows = (
        (
            item.tier,
            str(item.due_days),
            ", ".join(map(str, item.remind_days_before)) or "none",
            str(item.escalate_after_days or "never"),
            item.silence_means,
            f"{item.require_coverage_days} days" if item.require_coverage_days else "none",
        )
        for item in policies
    )
    print_table(HEADINGS, rows, none="No policies.")
