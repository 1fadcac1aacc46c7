"""What a team owes: answers, promised migrations and debts, in one list by date."""

from datetime import datetime
from typing import Any

import strawberry

from tessera_gql.graphql.connections import Connection
from tessera_gql.graphql.context import Info
from tessera_gql.graphql.ids import RowBacked
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.graphql.type_registry import computed_field
from tessera_gql.policy.ask_policy import AskPolicy, describe_silence
from tessera_gql.policy.enums import ObligationKind


@from_row()
@strawberry.type(description="Something that a team owes: an answer, a promised migration, or a debt.")
class Obligation(RowBacked):
    row: strawberry.Private[Any]
    kind: ObligationKind = strawberry.field(description="The kind of what is owed.")
    due_at: datetime = strawberry.field(
        description="The due date of the answer, the deadline of the migration, or the time since which a debt is owed."
    )

    acknowledgment = relation(
        "Acknowledgment",
        "row.acknowledgment_id",
        "The acknowledgment that is awaited, or that promises a migration; null for a debt.",
        nullable=True,
    )
    debt = relation("Debt", "row.debt_id", "The debt; null for an answer or a migration.", nullable=True)

    @computed_field("Whether the date has passed; always true for a debt.")
    def is_overdue(self, info: Info) -> bool:
        return self.due_at <= info.context.database.clock()

    @computed_field("What happens if the team does nothing, as a clause for people: `the proposal expires`.")
    async def consequence(self, info: Info) -> str:
        if self.row.kind is ObligationKind.DEBT:
            return "it stays on the asset until it is settled"
        if self.row.kind is ObligationKind.MIGRATION:
            return "the migration is overdue, and counts as no consent"
        item = await info.context.loaders.acknowledgment.load(self.row.acknowledgment_id)
        return describe_silence([AskPolicy.from_json(item.policy)] if item else [])


@strawberry.type(description="One page of a list of what a team owes.")
class ObligationConnection(Connection[Obligation]): ...
