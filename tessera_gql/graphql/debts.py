"""Debts: removed fields that a team still registers, and forced changes that it was not asked about."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.connections import Connection
from tessera_gql.graphql.filters import optional, or_none
from tessera_gql.graphql.ids import Node, local_id
from tessera_gql.graphql.mutations import Call, Input, Payload, mutation, payload_field
from tessera_gql.graphql.relations import relation, root_by_id
from tessera_gql.graphql.row_types import from_row
from tessera_gql.policy.enums import DebtKind
from tessera_gql.store import tables
from tessera_gql.workflows.debt_answers import acknowledge


@from_row(path=lambda row: row.path or None)
@strawberry.type(
    description="What a publish left undone for a team: it was not asked about a break, or it is registered for a field"
    " that the asset does not have."
)
class Debt(Node):
    row: strawberry.Private[tables.Debt]
    kind: DebtKind = strawberry.field(description="The reason for the debt, which decides how it is settled.")
    path: str | None = strawberry.field(
        description="The path of the field; null for a forced change of the whole document."
    )
    message: str = strawberry.field(description="The change or the missing field, in a sentence for people.")
    since: datetime = strawberry.field(description="The time of the publish.")
    settled_at: datetime | None = strawberry.field(description="The time at which it ended; null while it is open.")

    asset = relation("Asset", "row.asset_id", "The asset that the team reads.")
    team = relation("Team", "row.team_id", "The team that was not asked, or that registered the field.")
    contract = relation(
        "Contract", "row.contract_id", "The contract that was published; null if it is not stored.", nullable=True
    )


@strawberry.type(description="One page of a list of debts.")
class DebtConnection(Connection[Debt]): ...


@strawberry.type
class Queries:
    debt = root_by_id("Debt", "The debt with this id; null if there is none.")


@strawberry.input(description="The debt of a forced publish that a team acknowledges.")
class AcknowledgeDebtInput(Input):
    debt: strawberry.ID = strawberry.field(description="The id of the debt.")
    notes: str | None = optional("A remark that the owner team reads.")


@strawberry.type(description="The result of `acknowledgeDebt`.")
class AcknowledgeDebtPayload(Payload):
    debt: Debt | None = payload_field("The debt, now settled; null if refused.")


async def acknowledge_debt(call: Call, arguments: AcknowledgeDebtInput) -> AcknowledgeDebtPayload:
    debt_id = local_id(arguments.debt, "Debt", field=("debt",))
    row = await acknowledge(call.session, call.actor, debt_id, notes=or_none(arguments.notes))
    return AcknowledgeDebtPayload(debt=Debt.of(row))


@strawberry.type
class Mutations:
    acknowledge_debt: Any = mutation(
        acknowledge_debt,
        "Settle a debt of a forced publish, for the team that was not asked. Other debts end when the team changes its"
        " registration, or when the field comes back.",
    )
