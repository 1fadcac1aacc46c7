"""Operations on debts: removed fields that a team still registers, and forced changes it was not asked about."""

from tessera_gql.client.models import Debt
from tessera_gql.client.operation import Operation, PaginatedQuery, RootField, TeamRef, build_team_ref, build_variables


def debts(team: TeamRef | None = None) -> PaginatedQuery[Debt]:
    """List the open debts that concern a team; the team defaults to that of the key."""
    if team is None:
        root = RootField("viewer", Debt)
        return root.build_nested_paginated_query("debts", {}, "This key belongs to no team.")
    missing = "There is no such team. `teams()` lists them all."
    root = RootField("team", Debt, {"by": "TeamRef!"})
    return root.build_nested_paginated_query("debts", {"by": build_team_ref(team)}, missing)


def acknowledge_debt(debt_id: str, *, notes: str | None = None) -> Operation[Debt]:
    """Settle a debt of a forced publish, for the team that was not asked."""
    values = build_variables(debt=debt_id, notes=notes)
    return RootField("acknowledgeDebt", Debt).build_mutation(values, payload_field="debt")
