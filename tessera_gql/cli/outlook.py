"""Print what comes next: for a proposal, and for a team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tessera_gql.cli.silence import format_day
from tessera_gql.cli.terminal import print_line, print_table
from tessera_gql.client.enums import UnaskedReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tessera_gql.client import Alternative, Obligation, ProposalOutlook, UnaskedReader
    from tessera_gql.client.outlook_models import ReadDeprecation

REASONS = {
    UnaskedReason.RELEASED: "no longer reads what breaks",
    UnaskedReason.OTHER_FIELDS: "reads other fields",
    UnaskedReason.DOWNSTREAM: "reads what is made from it",
}


def describe_alternative(alternative: Alternative) -> str:
    """Describe what following all hints would lead to."""
    teams = ", ".join(item.team.name for item in alternative.asked)
    effect = f"would still ask {teams}" if teams else "would ask no team"
    return f"with all hints followed it would be {alternative.version or 'unchanged'}, and {effect}"


def print_outlook(outlook: ProposalOutlook) -> None:
    """Print the readers who are not asked, and the steps that time will take."""
    for reader in outlook.unasked:
        print_line(f"unasked  {reader.team.name} {_describe_reader(reader)}")
    for step in outlook.upcoming:
        print_line(f"next     {format_day(step.at)}  {step.consequence}")


def _describe_reader(reader: UnaskedReader) -> str:
    fields = f": {', '.join(reader.fields)}" if reader.fields and reader.reason is UnaskedReason.OTHER_FIELDS else ""
    path = f": {' > '.join(asset.fqn for asset in reader.path)}" if len(reader.path) > 1 else ""
    return f"{REASONS[reader.reason]}{fields}{path}"


def print_migrations(rows: Sequence[Obligation]) -> None:
    """Print the migrations that a team has promised."""
    cells = (
        (
            item.due_at,
            "overdue" if item.is_overdue else "migrating",
            item.acknowledgment.proposal.asset,
            ", ".join(dict.fromkeys(reason.path or "everything" for reason in item.acknowledgment.reasons)),
            item.acknowledgment.earliest_release,
        )
        for item in rows
        if item.acknowledgment is not None
    )
    print_table(("promised for", "state", "asset", "fields", "proven at the earliest"), cells, none="")


def print_deprecations(rows: Sequence[ReadDeprecation]) -> None:
    """Print the deprecations of what a team reads."""
    cells = ((item.sunset_at, item.asset, item.path or "everything", item.replacement) for item in rows)
    print_table(("goes on", "asset", "field", "use instead"), cells, none="")
