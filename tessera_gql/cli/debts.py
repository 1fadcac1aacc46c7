"""`tessera debts` and `acknowledge-debt`: what publishes left undone for a team."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import TeamOption, connect
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_table

if TYPE_CHECKING:
    from tessera_gql.client import Debt

HEADINGS = ("team", "asset", "debt", "because", "since", "id")


def debts(team: TeamOption = None, as_json: JsonOption = False) -> None:
    """List the open debts of a team: forced changes that it was not asked about, and fields that an asset lacks.

    Example: tessera debts --team finance
    """
    with connect() as client:
        rows = list(client.debts(team))
    print_json(rows) if as_json else print_debts(rows)


def acknowledge_debt(
    debt: Annotated[str, typer.Argument(metavar="DEBT", help="Its id, as `tessera debts` prints it.")],
    notes: Annotated[str | None, typer.Option(help="Notes for the owner of the asset.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge a change that was published by force. Other debts end when the registration is corrected."""
    with connect() as client:
        settled = client.acknowledge_debt(debt, notes=notes)
    print_json(settled) if as_json else print_line(f"{settled.team.name} acknowledged: {settled.message}.")


def print_debts(rows: Sequence[Debt], none: str = "No open debts.") -> None:
    """Print debts as a table."""
    cells = ((item.team, item.asset, item.kind, item.message, item.since, item.id) for item in rows)
    print_table(HEADINGS, cells, none=none)
