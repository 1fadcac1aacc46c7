"""The labels of an asset in the schema."""

import strawberry

from tessera_gql.graphql.enums import describe_enum
from tessera_gql.policy.enums import LabelOrigin
from tessera_gql.store import tables

describe_enum(
    LabelOrigin,
    "The origin of a label.",
    DECLARED="The owner team set it.",
    DBT_MANIFEST="A dbt model has it as a tag, or in `meta.tessera.labels`.",
)


@strawberry.type(description="A label of an asset, by which assets are found.")
class AssetLabel:
    name: str = strawberry.field(description="The label, such as `pii` or `domain:sales`; unique, ignoring case.")
    origin: LabelOrigin = strawberry.field(description="The origin of the label.")

    @classmethod
    def of(cls, row: tables.AssetLabel) -> "AssetLabel":
        """Make it from the row of a label."""
        return cls(name=row.name, origin=row.origin)
