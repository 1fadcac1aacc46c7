"""The history of fields in the schema: which contract, team and proposal added a field, or changed it last."""

from datetime import datetime

import strawberry

from tessera_gql.graphql.connections import Connection, define_listing
from tessera_gql.graphql.enums import describe_enum
from tessera_gql.graphql.filters import DateTimeFilter, EnumFilter, StringFilter, filter_by, filter_input
from tessera_gql.graphql.ids import Node
from tessera_gql.graphql.relations import relation
from tessera_gql.graphql.row_types import from_row
from tessera_gql.policy.enums import FieldChangeKind
from tessera_gql.store import field_changes, tables

describe_enum(
    FieldChangeKind,
    "What a contract did to a field, compared with the contract before it.",
    ADDED="The field is new; with an empty path, all fields of the first contract are.",
    CHANGED="The type, the description or another promise of the field changed.",
    RENAMED="The field has another name than before.",
    REMOVED="The field is no longer declared.",
)


@from_row()
@strawberry.type(description="A change of a field from one contract of an asset to the next.")
class FieldChange(Node):
    row: strawberry.Private[tables.FieldChange]
    kind: FieldChangeKind = strawberry.field(description="What happened to the field.")
    path: str = strawberry.field(
        description="The path of the field after the change; empty if the first contract added all fields."
    )
    previous_path: str | None = strawberry.field(description="The path before a rename; null for other changes.")
    message: str = strawberry.field(description="The change in one sentence, for people.")
    fingerprint: str | None = strawberry.field(
        description="The fingerprint of the difference, as `Change` has it; null for a first contract."
    )
    changed_at: datetime = strawberry.field(description="The time at which the contract was published.")

    contract = relation(
        "Contract", "row.contract_id", "The contract that made the change, with its version, publisher and proposal."
    )
    proposal = relation(
        "Proposal",
        "row.contract_id",
        "The proposal that led to the contract; null if it was published directly.",
        loader=lambda loaders: loaders.proposal_of_contract,
        nullable=True,
    )


@strawberry.type(description="One page of a list of changes of fields.")
class FieldChangeConnection(Connection[FieldChange]): ...


@filter_input("Conditions on changes of fields; a change must meet all of them.")
class FieldChangeFilter:
    path: StringFilter | None = filter_by("path", "The path of the field after the change.")
    kind: EnumFilter[FieldChangeKind] | None = filter_by("kind", "What happened to the field.")
    changed_at: DateTimeFilter | None = filter_by("changed_at", "The time at which the contract was published.")


FIELD_CHANGES = define_listing(
    "FieldChange",
    field_changes.TABLE,
    FieldChangeFilter,
    {"CHANGED_AT": ("changed_at", "The time at which the contract was published.")},
    descending=True,
)
