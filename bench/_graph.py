"""Generate the lineage of a large company and insert it into the tables directly. The seed is constant."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlmodel import SQLModel

from tessera_gql.diff import compare
from tessera_gql.store.database import Database
from tessera_gql.store.tables import (
    Acknowledgment,
    Asset,
    AssetDependency,
    Contract,
    Proposal,
    Registration,
    Team,
    new_id,
    table,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
TEAMS, ASSETS, COLUMNS, REGISTRATIONS, EDGES, PROPOSALS = 200, 5_000, 12, 9_000, 15_000, 400
EDGE_DISTANCE = 500
"""Each asset depends on three of so many assets before it."""
BATCH_SIZE = 2_000
TYPES = ("string", "integer", "number", "boolean")
IMPACT = """query($asset: AssetRef!, $schema: JSON!) { impact(asset: $asset, schema: $schema) {
  outcome version breaking { message path } asked { team { name } because { path } } informed { name }
  downstream(first: 20) { totalCount edges { degree node { fqn owner { name } } } } } }"""
"""The impact of a schema, as a page about a pull request asks for it."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """The names that benchmarks need of the generated graph."""

    fqns: Sequence[str]
    """All fqns, upstream first."""
    team: UUID
    """The team that all proposals await."""

    def __str__(self) -> str:
        return (
            f"{TEAMS} teams, {ASSETS:,} assets, {ASSETS * COLUMNS:,} columns, {REGISTRATIONS:,} registrations,"
            f" {EDGES:,} edges, {PROPOSALS} open proposals"
        )


async def build(url: str) -> Graph:
    """Fill an empty, migrated database with the graph."""
    generator = random.Random(7)
    teams = [_team(number) for number in range(TEAMS)]
    owners = [row["id"] for row in teams]
    assets = [_asset(number, generator.choice(owners)) for number in range(ASSETS)]
    contracts = [_contract(asset) for asset in assets]
    (change,) = (change.as_json() for change in compare(schema(), schema(removed=["column_05"])).changes)
    proposals = [_proposal(contract, change) for contract in contracts[:: ASSETS // PROPOSALS]]
    acknowledgments = [
        _acknowledgment(row["id"], owner, change)
        for row in proposals
        for owner in {owners[0], *generator.sample(owners, 3)}
    ]
    positions = generator.sample(range(ASSETS * TEAMS), REGISTRATIONS)
    registrations = [
        _registration(assets[position % ASSETS], owners[position // ASSETS], position) for position in positions
    ]
    rows_by_model: dict[type[SQLModel], list[Row]] = {
        Team: teams,
        Asset: assets,
        AssetDependency: _edges(assets, generator),
        Contract: contracts,
        Registration: registrations,
        Proposal: proposals,
        Acknowledgment: acknowledgments,
    }
    database = Database(url)
    try:
        async with database.write() as session:
            for model, rows in rows_by_model.items():
                for start in range(0, len(rows), BATCH_SIZE):
                    await session.execute(insert(table(model)), rows[start : start + BATCH_SIZE])
            await session.execute(text("ANALYZE"))  # the planner needs the sizes
    finally:
        await database.dispose()
    return Graph([row["fqn"] for row in assets], owners[0])


def schema(*, removed: Sequence[str] = ()) -> Row:
    """Return the schema of a table, without some columns."""
    columns = {f"column_{number:02d}": {"type": TYPES[number % 4]} for number in range(COLUMNS)}
    return {
        "type": "object",
        "properties": {name: shape for name, shape in columns.items() if name not in removed},
        "required": ["column_00"],
    }


def _base() -> Row:
    return {"id": new_id(), "created_at": START}


def _team(number: int) -> Row:
    name = f"team-{number:03d}"
    return {**_base(), "name": name, "name_key": name, "meta": {}, "row_version": 1}


def _asset(number: int, owner: UUID) -> Row:
    fqn = f"analytics.mart_{number // 100:03d}.table_{number:05d}"
    return {
        **_base(),
        "fqn": fqn,
        "fqn_key": fqn,
        "owner_team_id": owner,
        "resource_type": "TABLE",
        "compatibility_mode": "BACKWARD",
        "meta": {},
        "row_version": 1,
    }


def _edges(assets: Sequence[Row], generator: random.Random) -> list[Row]:
    edges: list[Row] = []
    for number, asset in enumerate(assets[3:], start=3):
        edges += [
            _edge(asset, upstream) for upstream in generator.sample(assets[max(0, number - EDGE_DISTANCE) : number], 3)
        ]
    return [*edges, *(_edge(assets[-1], upstream) for upstream in assets[: EDGES - len(edges)])]


def _edge(dependent: Row, dependency: Row) -> Row:
    ends = {"dependent_asset_id": dependent["id"], "dependency_asset_id": dependency["id"]}
    return {**_base(), **ends, "dependency_type": "TRANSFORMS", "evidence": "DECLARED"}


def _contract(asset: Row) -> Row:
    return {
        **_base(),
        "asset_id": asset["id"],
        "version": "1.0.0",
        "schema_def": schema(),
        "guarantees": None,
        "compatibility_mode": "BACKWARD",
        "status": "ACTIVE",
        "change_type": "INITIAL",
        "schema_hash": "0" * 64,
        "published_by": asset["owner_team_id"],
        "published_at": START,
        "meta": {},
    }


def _registration(asset: Row, team: UUID, position: int) -> Row:
    return {
        **_base(),
        "asset_id": asset["id"],
        "consumer_team_id": team,
        "fields": None if position % 3 else ["column_05"],
        "status": "ACTIVE",
        "evidence": "DECLARED",
        "registered_at": START,
        "meta": {},
        "row_version": 1,
    }


def _proposal(base: Row, change: Row) -> Row:
    return {
        **_base(),
        "asset_id": base["asset_id"],
        "base_contract_id": base["id"],
        "proposed_schema": schema(removed=["column_05"]),
        "proposed_version": "2.0.0",
        "compatibility_mode": "BACKWARD",
        "change_type": "MAJOR",
        "breaking_changes": [change],
        "fingerprint": "0" * 64,
        "status": "PENDING",
        "publish_when_approved": False,
        "proposed_by": base["published_by"],
        "proposed_at": START,
        "expires_at": START + timedelta(days=36_500),
        "meta": {},
        "row_version": 1,
    }


def _acknowledgment(proposal: UUID, team: UUID, change: Row) -> Row:
    return {
        **_base(),
        "proposal_id": proposal,
        "consumer_team_id": team,
        "change_fingerprints": [change["fingerprint"]],
    }
