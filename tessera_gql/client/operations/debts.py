"""Operations on debts: removed fields that a team still registers, and forced changes it was not asked about."""

from tessera_gql.client.models import Debt
from tessera_gql.client.operation import (
    Operation,
    PaginatedQuery,
    RootField,
    TeamRef,
    build_team_ref,
    build_variables,
    describe_missing_team,
)


def debts(team: TeamRef | None = None) -> PaginatedQuery[Debt]:
    """List the open debts that concern a team; the team defaults to that of the key.

    Raises NotFound if there is no such team, or if the key belongs to none.

    Example:
        for debt in tessera.debts("finance"):
            print(debt.asset.fqn, debt.message, debt.since)
    """
    if team is None:
        root = RootField("viewer", Debt)
        return root.build_nested_paginated_query("debts", {}, "This key belongs to no team.")
    missing = describe_missing_team(team)
    root = RootField("team", Debt, {"by": "TeamRef!"})
    return root.build_nested_paginated_query("debts", {"by": build_team_ref(team)}, missing)


def acknowledge_debt(debt_id: str, *, notes: str | None = None) -> Operation[Debt]:
    """Settle a debt of a forced publish, for the team that was not asked.

    Raises NotFound for an unknown id, Conflict for a debt that ends when the registration is corrected.

    Example:
        columns = {"id": {"type": "integer"}, "rate": {"type": "number"}}
        tessera.create_asset(fqn="analytics.marts.taxes", owner="shop-platform")
        tessera.publish_contract(fqn="analytics.marts.taxes", schema_def={"properties": columns})
        tessera.register("analytics.marts.taxes", team="finance")
        forced = {"properties": {"id": columns["id"]}}
        tessera.publish_contract(fqn="analytics.marts.taxes", schema_def=forced, force=True, reason="The law.")
        debts = [debt for debt in tessera.debts("finance") if debt.kind is DebtKind.FORCED]
        assert tessera.acknowledge_debt(debts[0].id, notes="We know.").settled_at
    """
    values = build_variables(debt=debt_id, notes=notes)
    return RootField("acknowledgeDebt", Debt).build_mutation(values, payload_field="debt")
