"""Every order and filter of a list has an index, or a reason in this table to have none."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from tessera_gql.diff import Mode
from tessera_gql.graphql import events, field_history, keys, listings, projects, usage, webhooks
from tessera_gql.graphql.connections import Listing
from tessera_gql.policy.enums import AssetTier, LabelOrigin, ResourceType
from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import assets, pagination
from tessera_gql.store.conditions import Condition
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import PageRequest
from tessera_gql.store.related_rows import RELATED_ROWS
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Asset, AssetColumn, AssetLabel, Team

FEW_VALUES = "few values, of which each is met by many rows: the index of the order finds a page"
TEXT = "a text that is filtered by a part of it, for which search has an index"
WITHOUT_INDEX = {
    **dict.fromkeys(("Asset.resource_type", "Asset.compatibility_mode", "Registration.evidence"), FEW_VALUES),
    **dict.fromkeys(("Registration.status", "Proposal.kind", "Team.archived_at"), FEW_VALUES),
    **dict.fromkeys(("Asset.description",), "a text that is filtered by a part of it, which is looked up by trigrams"),
    **dict.fromkeys(("Contract.version", "Event.actor"), TEXT),
    **dict.fromkeys(("Event.teams",), "a list of ids in a row; the audience of an event has no index"),
    **dict.fromkeys(("Event.occurred_at",), "events happen in the order of their sequence"),
}
PARENTS = {
    # Lists of one parent, whose rows an index finds.
    *("Acknowledgment", "Comment", "Debt", "Deprecation", "AssetDependency", "Observation", "WebhookDelivery"),
    *("InboxGroup", "FieldChange"),
}
ADMINISTRATION = {  # lists of some hundred rows
    "ApiKey",
    "Project",
    "UsageSource",
    "Principal",
    "PrincipalRule",
    "Webhook",
}


def every_listing() -> Iterator[Listing]:
    for module in (listings, events, field_history, keys, projects, usage, webhooks):
        yield from (value for value in vars(module).values() if isinstance(value, Listing))


def compared_columns(listing: Listing) -> Iterator[Any]:
    """The columns by which a list is sorted and filtered."""
    field = listing.order.__annotations__["field"]
    yield from (listing.source.c[member.value] for member in field)
    for item in listing.filter.__strawberry_definition__.fields:
        metadata = item.metadata
        if related := metadata.get("related"):
            yield RELATED_ROWS[related].key if metadata.get("is_existence") else RELATED_ROWS[related].value
        elif "column" in metadata:
            yield listing.source.c[metadata["column"]]


def is_indexed(column: Any) -> bool:
    table = column.table
    if not isinstance(table, sa.Table):
        return False
    firsts = [next(iter(index.columns)).key for index in table.indexes]
    keys_ = [item for item in table.constraints if isinstance(item, sa.UniqueConstraint | sa.PrimaryKeyConstraint)]
    firsts += [next(iter(key.columns)).key for key in keys_ if len(key.columns)]
    return column.key in firsts or f"{column.key}_key" in firsts


def test_every_order_and_filter_has_an_index_or_a_reason() -> None:
    missing = {
        f"{listing.type_name}.{column.key}"
        for listing in every_listing()
        if listing.type_name not in PARENTS | ADMINISTRATION and isinstance(listing.source, sa.Table)
        for column in compared_columns(listing)
        if not is_indexed(column)
    }
    assert missing == WITHOUT_INDEX.keys()


REQUESTS = {
    "fqn_key": PageRequest("created_at", conditions=(Condition("fqn", "starts_with", "shop."),)),
    "ix_assets_updated_at": PageRequest("updated_at", is_descending=True),
    "ix_asset_columns_name_key": PageRequest("fqn_key", conditions=(Condition("id", "eq", "coupon", "column"),)),
    "ix_asset_labels_name_key": PageRequest(
        "fqn_key", conditions=(Condition("id", "starts_with", "domain:", "label"),)
    ),
    "ix_assets_tier_fqn_key": PageRequest("fqn_key", conditions=(Condition("tier", "eq", "HIGH"),)),
}


@pytest.mark.parametrize("index", REQUESTS)
async def test_a_list_is_read_by_its_index(index: str, database: Database) -> None:
    request = REQUESTS[index]
    shape = pagination.QueryShape.of(assets.TABLE, None, request, UNRESTRICTED)
    async with database.write() as session:
        await fill(session)
        is_postgres = session.dialect == "postgresql"
        if is_postgres:
            await session.execute(text("ANALYZE core.assets, core.asset_columns, core.asset_labels"))
        query = pagination._page_query(shape)
        dialect = session._compiler.dialect
        values = pagination._bind_values(assets.TABLE, request, UNRESTRICTED)
        compiled, parameters = query.compile(dialect, values)
        prefix = "EXPLAIN" if is_postgres else "EXPLAIN QUERY PLAN"
        rows = await session._transaction.fetch(f"{prefix} {compiled.text}", parameters, None)
    plan = "\n".join(str(tuple(row)) for row in rows)
    assert index in plan, plan


async def fill(session: Session) -> None:
    """Insert enough assets, columns and labels that their indexes are worth it."""
    team = Team(name="owners", name_key="owners", meta={}, row_version=1, created_at=session.now)
    await session.insert(team)
    rows = [
        Asset(
            fqn=f"warehouse.core.t{number:04}",
            fqn_key=f"warehouse.core.t{number:04}",
            owner_team_id=team.id,
            resource_type=ResourceType.TABLE,
            compatibility_mode=Mode.BACKWARD,
            meta={},
            tier=AssetTier.HIGH if number % 500 == 0 else AssetTier.NORMAL,
            row_version=1,
            created_at=session.now,
        )
        for number in range(2_000)
    ]
    await session.insert_all(rows)
    names = [f"column_{number}" for number in range(3)]
    columns = [{"asset_id": row.id, "name_key": f"{name}_{row.fqn[-3:]}"} for row in rows for name in names]
    await session.insert_many(AssetColumn, columns)
    label = {"origin": LabelOrigin.DECLARED}
    values = [{"asset_id": row.id, "name_key": f"l{row.fqn[-3:]}", "name": "x", **label} for row in rows]
    await session.insert_many(AssetLabel, values)
