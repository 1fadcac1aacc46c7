"""`tessera asset blame` and `asset label`: which contract changed a field last, and the labels of an asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tessera_gql.cli.api import FqnArgument, connect
from tessera_gql.cli.terminal import JsonOption, print_json, print_line, print_table

if TYPE_CHECKING:
    from tessera_gql.client import AssetField, FieldChange

HEADINGS = ("field", "type", "since", "changed in", "by", "change", "proposal")


def blame(fqn: FqnArgument, as_json: JsonOption = False) -> None:
    """List the fields of an asset with the version, team and proposal that added and last changed each of them.

    Example: tessera asset blame analytics.marts.orders
    """
    with connect() as client:
        fields = list(client.fields(fqn))
    print_json(fields) if as_json else print_table(HEADINGS, map(_to_row, fields), none="It declares no fields.")


def _to_row(field: AssetField) -> tuple[str | None, ...]:
    added, changed = field.added_in, field.last_changed_in
    return (field.path, field.type, added.contract.version if added else "", *_describe(changed))


def _describe(change: FieldChange | None) -> tuple[str | None, ...]:
    if change is None:
        return ("", "", "", "")
    contract, proposal = change.contract, change.proposal
    return (contract.version, contract.published_by.name, change.message, proposal.id if proposal else "")


def label(
    fqn: FqnArgument,
    labels: Annotated[list[str] | None, typer.Argument(help="All labels of the team; none to remove them.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Set the labels of an asset as a whole; those of a dbt manifest stay.

    Example: tessera asset label analytics.marts.orders pii domain:sales
    """
    with connect() as client:
        asset = client.set_labels(fqn, labels or [])
    if as_json:
        print_json(asset)
    else:
        names = ", ".join(item.name for item in asset.labels)
        print_line(f"{asset.fqn} has the labels {names}." if names else f"{asset.fqn} has no labels.")
