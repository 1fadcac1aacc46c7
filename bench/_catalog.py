"""Generate the catalog for the benchmarks and insert it into the tables directly, equal for every server.

Of a hundred assets ten have no registration, 22 have one to nine, 64 have ten, four up to sixty, and one in a thousand
has 2,000. One in ten has no contract, and one in twenty has an open proposal. In a catalog with change sets ten
proposals are one of them, four teams are asked about each, and three assets are made from each asset.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import insert, text
from sqlmodel import SQLModel

from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import (
    Acknowledgment,
    Asset,
    AssetDependency,
    ChangeSet,
    Contract,
    Proposal,
    Registration,
    Team,
    new_id,
    table,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
MAX_READERS = 2_000
TEAMS = 200
ASKED_TEAMS = 4
PROPOSALS_OF_CHANGE_SET = 10
DEPENDENTS = 3
CHANGE_SET_KEY = "github.com/company/warehouse#{}"
BATCH_SIZE = 5_000
FINGERPRINT = "0" * 64
TYPES = ("string", "integer", "number", "boolean")

Row = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """The numbers of rows in the catalog."""

    assets: int
    contracts: int
    registrations: int
    proposals: int
    sample_fqn: str
    """The asset of the tiny query."""
    sample_team: str
    """The team whose inbox is read."""

    def __str__(self) -> str:
        return (
            f"{self.assets:,} assets, {self.contracts:,} contracts, {self.registrations:,} registrations,"
            f" {self.proposals:,} open proposals, {TEAMS} teams"
        )


async def build(url: str, scale: float = 1.0, *, has_change_sets: bool = False) -> Catalog:
    """Fill an empty, migrated database. The seed is constant, so the catalog is always the same."""
    generator = random.Random(7)
    teams = [_team(number) for number in range(TEAMS)]
    owners = [team["id"] for team in teams]
    assets = [_asset(number, generator.choice(owners)) for number in range(max(100, int(20_000 * scale)))]
    contracts = [contract for number, asset in enumerate(assets) for contract in _versions(number, asset, generator)]
    active = {contract["asset_id"]: contract for contract in contracts if contract["status"] == "ACTIVE"}
    bases = [active[asset["id"]] for asset in assets[::20] if asset["id"] in active]
    change_sets = [
        _change_set(number, owners[number % TEAMS]) for number in range(len(bases) // PROPOSALS_OF_CHANGE_SET + 1)
    ]
    proposals = [
        _proposal(base, change_sets[number // PROPOSALS_OF_CHANGE_SET]["id"] if has_change_sets else None)
        for number, base in enumerate(bases)
    ]
    max_readers = min(MAX_READERS, len(assets))
    registrations = [
        row
        for number, asset in enumerate(assets)
        for row in _registrations(number, _reader_count(number, max_readers, generator), owners, assets)
    ]
    rows_by_model: dict[type[SQLModel], list[Row]] = {
        Team: teams,
        Asset: assets,
        AssetDependency: [_dependency(number, assets) for number in range(1, len(assets)) if has_change_sets],
        Contract: contracts,
        ChangeSet: change_sets if has_change_sets else [],
        Proposal: proposals,
        Acknowledgment: [
            _open_acknowledgment(number, proposal, team)
            for number, proposal in enumerate(proposals)
            for team in generator.sample(owners, ASKED_TEAMS if has_change_sets else 1)
        ],
        Registration: registrations,
    }
    await load_rows(url, {model: rows for model, rows in rows_by_model.items() if rows})
    figures = (len(rows) for rows in (assets, contracts, registrations, proposals))
    return Catalog(*figures, sample_fqn=assets[len(assets) // 2]["fqn"], sample_team=teams[0]["name"])


async def load_rows(url: str, rows_by_model: Mapping[type[SQLModel], Sequence[Row]]) -> None:
    """Insert rows directly, build the documents of the search, and let the planner know the sizes."""
    database = Database(url)
    try:
        if database.dialect == "postgresql":
            await _copy(url, rows_by_model)
        else:
            async with database.write() as session:
                for model, rows in rows_by_model.items():
                    await _insert(session, model, rows)
        await migration.reindex(url)
        async with database.write() as session:
            await session.execute(text("ANALYZE"))
    finally:
        await database.dispose()


async def _insert(session: Session, model: type[SQLModel], rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), BATCH_SIZE):
        await session.execute(insert(table(model)), rows[start : start + BATCH_SIZE])


async def _copy(url: str, tables: Mapping[type[SQLModel], Sequence[Row]]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for model, rows in tables.items():
            records = [[_to_copy_value(value) for value in row.values()] for row in rows]
            target = {"schema_name": table(model).schema, "columns": list(rows[0])}
            await connection.copy_records_to_table(table(model).name, records=records, **target)
    finally:
        await connection.close()


def _to_copy_value(value: Any) -> Any:
    """Convert a value for COPY, which takes JSON as text."""
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _team(number: int) -> Row:
    name = f"team-{number:03d}"
    return {"id": new_id(), "name": name, "name_key": name, "meta": {}, "row_version": 1, "created_at": START}


def fqn(number: int) -> str:
    return f"analytics.mart_{number // 100:03d}.table_{number:05d}"


def _asset(number: int, owner: UUID) -> Row:
    return {
        "id": new_id(),
        "fqn": fqn(number),
        "fqn_key": fqn(number),
        "owner_team_id": owner,
        "resource_type": "TABLE",
        "description": f"The table number {number} of the warehouse.",
        "compatibility_mode": "BACKWARD",
        "meta": {"tier": number % 3},
        "row_version": 1,
        "created_at": START,
    }


def _versions(number: int, asset: Row, generator: random.Random) -> list[Row]:
    count = 0 if number % 10 == 9 else generator.randint(1, 3)
    return [_contract(asset, minor, is_last=minor == count - 1, generator=generator) for minor in range(count)]


def _contract(asset: Row, minor: int, *, is_last: bool, generator: random.Random) -> Row:
    return {
        "id": new_id(),
        "asset_id": asset["id"],
        "version": f"1.{minor}.0",
        "schema_def": schema(generator.randint(5, 30)),
        "guarantees": {"freshness": {"max_hours": 24}},
        "compatibility_mode": "BACKWARD",
        "status": "ACTIVE" if is_last else "DEPRECATED",
        "change_type": "MINOR" if minor else "INITIAL",
        "schema_hash": f"{minor:064d}",
        "published_by": asset["owner_team_id"],
        "published_at": START + timedelta(days=minor),
        "meta": {},
        "created_at": START,
    }


def schema(columns: int) -> Row:
    """Return the JSON Schema of a table with so many columns."""
    properties = {
        f"column_{number:02d}": {"type": TYPES[number % 4], "description": f"What column {number} is."}
        for number in range(columns)
    }
    return {"type": "object", "properties": properties, "required": ["column_00"]}


def _reader_count(number: int, max_readers: int, generator: random.Random) -> int:
    if number % 1_000 == 13:
        return max_readers
    match generator.random():
        case low if low < 0.10:
            return 0
        case low if low < 0.32:
            return generator.randint(1, 9)
        case low if low < 0.96:
            return 10
        case _:
            return generator.randint(11, 60)


def _registrations(number: int, count: int, teams: list[UUID], assets: list[Row]) -> list[Row]:
    """Return registrations: first each team without a consumer asset, then each with one."""
    return [
        {
            "id": new_id(),
            "asset_id": assets[number]["id"],
            "consumer_team_id": teams[(number * 7 + position) % len(teams)],
            "consumer_asset_id": assets[position]["id"] if position >= len(teams) else None,
            "fields": None if position % 3 else ["column_00"],
            "pinned_version": None,
            "status": "MIGRATING" if position % 9 == 8 else "ACTIVE",
            "evidence": "DECLARED",
            "purpose": "A report.",
            "registered_at": START + timedelta(minutes=position),
            "acknowledged_at": None,
            "meta": {},
            "row_version": 1,
            "created_at": START,
        }
        for position in range(count)
    ]


def _dependency(number: int, assets: list[Row]) -> Row:
    return {
        "id": new_id(),
        "dependent_asset_id": assets[number]["id"],
        "dependency_asset_id": assets[(number - 1) // DEPENDENTS]["id"],
        "dependency_type": "TRANSFORMS",
        "evidence": "DECLARED",
        "created_at": START,
    }


def _change_set(number: int, team: UUID) -> Row:
    return {
        "id": new_id(),
        "key": CHANGE_SET_KEY.format(number),
        "title": f"Drop columns that no report needs, part {number}",
        "url": f"https://github.com/company/warehouse/pull/{number}",
        "status": "OPEN",
        "opened_by": team,
        "opened_at": START,
        "row_version": 1,
        "created_at": START,
    }


def _proposal(base: Row, change_set_id: UUID | None) -> Row:
    change = {
        "kind": "PROPERTY_REMOVED",
        "pointer": "/properties/column_01",
        "path": "column_01",
        "fields": ["column_01"],
        "before": {"type": "string"},
        "after": None,
        "breaks": ["BACKWARD", "CONSUMER", "FULL"],
        "certainty": "UNPROVEN",
        "message": "The field column_01 is gone.",
        "hint": None,
        "hint_modes": [],
        "fingerprint": FINGERPRINT,
    }
    return {
        "id": new_id(),
        "asset_id": base["asset_id"],
        "base_contract_id": base["id"],
        "change_set_id": change_set_id,
        "contract_id": None,
        "proposed_schema": base["schema_def"],
        "proposed_version": "2.0.0",
        "guarantees": None,
        "compatibility_mode": "BACKWARD",
        "change_type": "MAJOR",
        "breaking_changes": [change],
        "fingerprint": FINGERPRINT,
        "status": "PENDING",
        "reason": "Nobody reads it.",
        "publish_when_approved": False,
        "proposed_by": base["published_by"],
        "proposed_at": START,
        "expires_at": START + timedelta(days=36_500),
        "resolved_at": None,
        "meta": {},
        "row_version": 1,
        "created_at": START,
    }


def _open_acknowledgment(number: int, proposal: Row, team: UUID) -> Row:
    """Return an awaited team: a proposal without one would be approved at once."""
    return {
        "id": new_id(),
        "proposal_id": proposal["id"],
        "consumer_team_id": team,
        "change_fingerprints": [FINGERPRINT],
        "response": None,
        "migration_deadline": None,
        "notes": None,
        "responded_at": None,
        "released_at": None,
        "asked_at": START,
        "due_at": START + timedelta(days=36_000, minutes=number),
        "created_at": START,
    }
