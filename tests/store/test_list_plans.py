"""A page of a list of 100,000 objects reads few rows, whatever its order and filter: an index finds them."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import text

from tessera_gql.graphql import listings
from tessera_gql.graphql.connections import Listing
from tessera_gql.policy.enums import AssetTier, ChangeSetStatus, ContractStatus, LabelOrigin, ProposalStatus
from tessera_gql.policy.visibility import UNRESTRICTED
from tessera_gql.store import pagination
from tessera_gql.store.conditions import Condition
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import DEFAULT_SIZE, PageRequest
from tessera_gql.store.session import Session
from tessera_gql.store.sql_functions import encode_position
from tessera_gql.store.tables import (
    Asset,
    AssetColumn,
    AssetLabel,
    ChangeSet,
    Contract,
    Deprecation,
    Proposal,
    Registration,
    Team,
    new_id,
)
from tessera_gql.store.tables import table as table_of
from tests.conftest import START
from tests.store.test_list_indexes import TEXT, WITHOUT_INDEX
from tests.world import World

ASSETS = 100_000
COUNT = 20_000
"""Objects of each other kind."""
TEAMS = 200
RARE = 1_000
"""One in so many rows has the rare values."""
MAX_SHARE = 0.5
"""The share of the rows of a list that a page may read on PostgreSQL, which may follow an order to fill a page."""
MAX_STEPS = 60_000
"""Steps of SQLite's virtual machine for a page; to read 20,000 rows takes at least five steps for each."""
LISTINGS = (
    listings.TEAMS,
    listings.ASSETS,
    listings.CONTRACTS,
    listings.REGISTRATIONS,
    listings.PROPOSALS,
    listings.CHANGE_SETS,
)

STATUSES = {
    "Contract": ("ACTIVE", "RETIRED"),
    "Registration": ("ACTIVE",),
    "Proposal": ("PENDING", "WITHDRAWN", "PUBLISHED"),
    "ChangeSet": ("OPEN", "WITHDRAWN", "PUBLISHED"),
}
"""Statuses that few rows have, most rows, and none; those of registrations have many each."""
Row = dict[str, Any]


class Sample(NamedTuple):
    """Ids to filter by, each of few rows."""

    team: UUID
    asset: UUID
    change_set: UUID


def time_of(number: int) -> datetime:
    return START + timedelta(seconds=number)


async def template(world: World, model: Any) -> Row:
    """The values of a row that a workflow wrote, to multiply."""
    row = (await world.rows(model))[0]
    values = {column.key: getattr(row, column.key) for column in table_of(model).c}
    return values | {name: type(value)() for name, value in values.items() if isinstance(value, dict | list)}


async def insert(session: Session, model: Any, rows: list[Row]) -> None:
    """Insert rows beside the workflows, without documents of the search."""
    for start in range(0, len(rows), 5_000):
        await session.append(table_of(model), rows[start : start + 5_000])


async def fill(world: World) -> Sample:
    """Insert many objects of each kind; the order of their changes is another one than that of their start."""
    change_set = await world.change_set("org/shop#0")
    await world.proposed(consumers=1, change_set_id=change_set.id)
    models = (Team, Asset, Contract, Registration, Proposal, ChangeSet)
    base = {model: await template(world, model) for model in models}
    teams, assets = ([new_id() for _ in range(count)] for count in (TEAMS, ASSETS))
    async with world.database.write() as session:
        await insert(session, Team, [name_row(base[Team], teams[n], "name", f"team-{n:03}") for n in range(TEAMS)])
        await insert(session, Asset, [asset_row(base[Asset], n, assets, teams) for n in range(ASSETS)])
        rows = [related_rows(base, n, assets, teams) for n in range(COUNT)]
        for model in (Contract, Registration, ChangeSet, Proposal):
            await insert(session, model, [by_model[model] for by_model in rows])
        await insert_names(session, assets, teams[0])
    await analyze(world.database)
    return Sample(teams[3], assets[50], rows[50][ChangeSet]["id"])


def asset_row(base: Row, number: int, assets: list[UUID], teams: list[UUID]) -> Row:
    changed = time_of(number * 7_919 % ASSETS)
    return name_row(base, assets[number], "fqn", f"prod.schema{number % 500:03}.t{number:06}") | {
        "owner_team_id": teams[number % TEAMS],
        "tier": AssetTier.HIGH if number % RARE == 0 else AssetTier.NORMAL,
        "created_at": time_of(number),
        "updated_at": changed,
        "archived_at": changed if number % RARE == 1 else None,
    }


def related_rows(base: Mapping[Any, Row], number: int, assets: list[UUID], teams: list[UUID]) -> dict[Any, Row]:
    """A contract, a registration, a change set and a proposal of an asset; one in RARE is open."""
    started, changed, is_open = time_of(number), time_of(number * 7_919 % COUNT), number % RARE == 0
    owner, contract_id, set_id = teams[number % TEAMS], new_id(), new_id()
    common = {"asset_id": assets[number], "created_at": started, "updated_at": changed}
    rows: dict[Any, Row] = {
        Contract: {"id": contract_id, "published_by": owner, "published_at": changed, "status": ContractStatus.ACTIVE},
        Registration: {
            "consumer_team_id": teams[(number + 7) % TEAMS],
            "consumer_asset_id": assets[number],
            "registered_at": started,
        },
        ChangeSet: {
            "id": set_id,
            "key": f"org/shop#{number + 1}",
            "opened_by": owner,
            "opened_at": started,
            "status": ChangeSetStatus.OPEN if is_open else ChangeSetStatus.WITHDRAWN,
            "closed_at": None if is_open else changed,
        },
        Proposal: {
            "base_contract_id": contract_id,
            "status": ProposalStatus.PENDING if is_open else ProposalStatus.WITHDRAWN,
            "proposed_by": owner,
            "change_set_id": set_id,
            "proposed_at": started,
            "expires_at": changed,
            "resolved_at": None if is_open else changed,
        },
    }
    for model, values in rows.items():
        names = base[model].keys()
        all_values = base[model] | {"id": new_id()} | common | values
        rows[model] = {name: all_values[name] for name in names}
    return rows


def name_row(row: Row, row_id: UUID, column: str, name: str) -> Row:
    return row | {"id": row_id, column: name, f"{column}_key": name}


async def insert_names(session: Session, assets: list[UUID], team: UUID) -> None:
    """Insert columns and labels that few assets share, and some deprecations."""
    names = [(f"column_{index * 7_919 % 5_003}", asset) for index, asset in enumerate(assets)]
    await insert(session, AssetColumn, [{"asset_id": asset, "name_key": name} for name, asset in names])
    label = {"origin": LabelOrigin.DECLARED, "name": "x"}
    await insert(session, AssetLabel, [{"asset_id": asset, "name_key": f"l{name}", **label} for name, asset in names])
    deprecated = {"path": "", "sunset_at": START, "declared_at": START, "created_at": START, "row_version": 1}
    columns = {column.key: None for column in table_of(Deprecation).c} | deprecated
    columns |= {"reminded_days": [], "origin": "DECLARED", "declared_by": team}
    rows = [columns | {"id": new_id(), "asset_id": asset} for asset in assets[::RARE]]
    await insert(session, Deprecation, rows)


async def analyze(database: Database) -> None:
    """Let PostgreSQL's planner know the sizes, as autovacuum does; nothing does so for SQLite."""
    if database.dialect == "postgresql":
        async with database.write() as session:
            await session.execute(text("ANALYZE"))


def requests(listing: Listing, sample: Sample) -> Iterator[tuple[str, PageRequest]]:
    """Each order in both directions, alone and with each filter."""
    orders = [member.value for member in listing.order.__annotations__["field"]]
    default = (Condition("archived_at", "is_set", value=False),) if "archived_at" in listing.source.c else ()
    for order in orders:
        for is_descending in (False, True):
            yield f"by {order}", PageRequest(order, is_descending, conditions=default)
        for condition in conditions(listing, sample):
            always = () if condition.column == "archived_at" else default
            name = f"by {order}, {condition.related or condition.column} {condition.operator} {condition.value}"
            yield name, PageRequest(order, listing.descending, conditions=(condition, *always))


def conditions(listing: Listing, sample: Sample) -> Iterator[Condition]:
    for item in listing.filter.__strawberry_definition__.fields:
        metadata: Mapping[str, Any] = item.metadata
        if "column" not in metadata:
            continue
        column, related = metadata["column"], metadata.get("related") or ""
        if WITHOUT_INDEX.get(f"{listing.type_name}.{column}") == TEXT:
            continue
        yield from conditions_on(listing, column, related, sample)


def conditions_on(listing: Listing, column: str, related: str, sample: Sample) -> Iterator[Condition]:
    if related in ("deprecation", "open proposal"):
        yield Condition(column, "exists", related=related)
    elif column == "archived_at":
        yield Condition(column, "is_set", value=True)
    elif related in ("column", "label"):
        prefix = "l" if related == "label" else ""
        yield Condition(column, "eq", f"{prefix}column_77", related)
        yield Condition(column, "starts_with", f"{prefix}column_77", related)
    elif column == "description":
        yield Condition(column, "contains", "made up for no asset")
    elif column in ("fqn", "key", "name"):
        name = {"fqn": "prod.schema007.t", "key": "org/shop#777", "name": "team-00"}[column]
        yield Condition(column, "eq", {"fqn": "prod.schema050.t000050"}.get(column, name))
        yield Condition(column, "starts_with", name)
        if column == "fqn":
            yield from (Condition(column, "contains", part) for part in ("a007.t00150", "schema", "schema00x"))
    elif column.endswith("_at"):
        yield Condition(column, "gte", time_of((ASSETS if listing is listings.ASSETS else COUNT) - 100))
        yield Condition(column, "lt", time_of(100))
    else:
        values = {"tier": AssetTier.HIGH, "asset_id": sample.asset, "consumer_asset_id": sample.asset}
        values |= {"change_set_id": sample.change_set, "resource_type": "TABLE", "compatibility_mode": "BACKWARD"}
        values |= {"evidence": "DECLARED", "kind": "CHANGE"}
        choices = STATUSES[listing.type_name] if column == "status" else [values.get(column, sample.team)]
        yield from (Condition(column, "eq", value) for value in choices)


async def measure(session: Session, listing: Listing, request: PageRequest) -> int:
    """Run the query of a page, and return the rows that it reads, or on SQLite the steps that it takes."""
    source: Any = listing.source
    request = await pagination.use_index(session, source, request)
    query = pagination._page_query(pagination.QueryShape.of(source, None, request, UNRESTRICTED))
    values = pagination._bind_values(source, request, UNRESTRICTED) | {"now": session.now}
    compiled, parameters = query.compile(session._compiler.dialect, values)
    if session.dialect == "postgresql":
        rows = await session._transaction.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled.text}", parameters, None)
        return sum(read_rows(json.loads(rows[0][0])[0]["Plan"]))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1_000
        return 0

    connection = session._transaction._driver.connection
    await connection.set_progress_handler(count, 1_000)
    await session._transaction.fetch(compiled.text, parameters, None)
    await connection.set_progress_handler(None, 0)
    return steps


def read_rows(plan: Mapping[str, Any]) -> Iterator[int]:
    if "Relation Name" in plan or "Index Name" in plan:
        removed = sum(plan.get(f"Rows Removed by {cause}", 0) for cause in ("Filter", "Index Recheck"))
        yield int((plan["Actual Rows"] + removed) * plan["Actual Loops"])
    for part in plan.get("Plans", ()):
        yield from read_rows(part)


def has_no_index(listing: Listing, request: PageRequest, dialect: str) -> bool:
    """Return whether a page is known to read many rows.

    The key of a change set has no folded form. SQLite has no statistics, so it can't know that few rows are in a range
    of times, or archived, and follows the order instead.
    """
    condition = request.conditions[0] if request.conditions else None
    if not isinstance(condition, Condition):
        return False
    if (listing, condition.column, condition.operator) == (listings.CHANGE_SETS, "key", "starts_with"):
        return True
    is_range = condition.operator in ("gte", "lt", "is_set")
    return dialect == "sqlite" and is_range and condition.column != request.order_by


def deep_requests(listing: Listing) -> Iterator[tuple[str, PageRequest]]:
    """Each order in both directions, from the middle of the list."""
    for member in listing.order.__annotations__["field"]:
        order = member.value
        middle: Any = time_of((ASSETS if listing is listings.ASSETS else COUNT) // 2)
        name = {"fqn_key": "prod.schema250.t000250", "name_key": "team-100"}.get(order)
        cursor = encode_position(order, name or middle, UUID(int=0))
        for is_descending in (False, True):
            yield f"by {order} {is_descending}", PageRequest(order, is_descending, after=cursor)


@pytest.mark.long
async def test_a_page_from_the_middle_of_a_list_reads_few_rows(world: World) -> None:
    await fill(world)
    slow: list[str] = []
    for listing in LISTINGS:
        limit = MAX_STEPS // 10 if world.database.dialect == "sqlite" else 10 * DEFAULT_SIZE
        for name, request in deep_requests(listing):
            async with world.database.read() as session:
                if (cost := await measure(session, listing, request)) > limit:
                    slow.append(f"{listing.type_name} {name}: {cost:,}")
    assert slow == [], "\n".join(slow)


@pytest.mark.long
async def test_no_order_or_filter_of_a_list_reads_all_rows(world: World) -> None:
    sample = await fill(world)
    slow: list[str] = []
    for listing in LISTINGS:
        limit = MAX_STEPS
        if world.database.dialect == "postgresql":
            limit = int((ASSETS if listing is listings.ASSETS else COUNT) * MAX_SHARE)
        assert isinstance(listing.source, sa.Table)
        for name, request in requests(listing, sample):
            if has_no_index(listing, request, world.database.dialect):
                continue
            async with world.database.read() as session:
                if (cost := await measure(session, listing, request)) > limit:
                    slow.append(f"{listing.type_name} {name}: {cost:,}")
    assert slow == [], "\n".join(slow)
