"""Generate a company of teams, tables and columns, and say by brute force which teams a change of columns hurts.

The generator knows from which columns each column is made, also where the database does not: one table in twenty has
unknown lineage.
"""

import random
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import SQLModel

from tessera_gql.policy.compatibility import validate_schema
from tessera_gql.store import ask_policies
from tessera_gql.store.database import Database
from tessera_gql.store.tables import Asset, AssetDependency, ColumnEdge, Contract, Registration, Team, new_id, table

COLUMNS = ("id", "a", "b", "c", "d", "e", "f")
UPSTREAM = 3
UNKNOWN_SHARE = 0.05
NEIGHBOURS = 60
"""A table is made from three of so many tables before it, of which most belong to the same team."""
BATCH_SIZE = 2_000
POLICIES = {"LOW": (14, "APPROVE"), "HIGH": (21, "EXTEND"), "CRITICAL": (30, "BLOCK")}
"""Days to answer and the meaning of silence by tier; the others have the default policy."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How many teams, tables and dashboards there are."""

    teams: int
    tables: int
    dashboards: int


@dataclass
class Reader:
    """A live registration, and the columns that are truly read; `is_known` False means registered for everything."""

    team: int
    asset: int
    table: int | None
    columns: set[str]
    is_known: bool
    identity: UUID = field(default_factory=new_id)


@dataclass
class Company:
    """Tables by number with their owner and columns; `made_from` has the true columns of each pair of tables."""

    owners: list[int]
    columns: list[dict[str, str]]
    is_known: list[bool]
    team_ids: list[UUID]
    asset_ids: list[UUID]
    made_from: dict[int, dict[int, set[tuple[str, str]]]]
    readers: dict[int, list[Reader]]

    def schema(self, asset: int, change: "dict[str, str | None] | None" = None) -> Row:
        """The schema of a table; `change` has other types of columns, None for those that go."""
        columns = self.columns[asset] | (change or {})
        properties = {name: {"type": kind} for name, kind in columns.items() if kind is not None}
        return {"type": "object", "properties": properties}

    def find_hurt(self, asset: int, columns: Collection[str]) -> set[int]:
        """Follow the columns through the tables of the owner to the first other teams, one column at a time."""
        owner, hurt = self.owners[asset], set[int]()
        reached = {(asset, column) for column in columns}
        waiting = [*reached]
        while waiting:
            source, column = waiting.pop()
            hurt |= {row.team for row in self.readers[source] if column in row.columns}
            for target, pairs in self.made_from[source].items():
                targets_made = {into for name, into in pairs if name == column}
                if self.owners[target] != owner:
                    hurt |= {self.owners[target]} if targets_made else set()
                    continue
                names = COLUMNS if "" in targets_made else targets_made
                new = {(target, name) for name in names if name in self.columns[target]} - reached
                reached |= new
                waiting += new
        return hurt - {owner}

    def find_registered(self, asset: int, columns: Collection[str]) -> set[int]:
        """The teams that are registered for the columns of the table itself, as far as was asked before."""
        rows = self.readers[asset]
        return {row.team for row in rows if not row.is_known or row.columns & set(columns)} - {self.owners[asset]}

    def list_affected_readers(self, team: int, asset: int, columns: Collection[str]) -> list[tuple[Reader, set[str]]]:
        """The registrations by which a change reaches a team, with the columns of each."""
        owner, affected = self.owners[asset], list[tuple[Reader, set[str]]]()
        waiting, visited = [(asset, set(columns))], {asset}
        while waiting:
            source, changed = waiting.pop()
            affected += [(row, row.columns & changed) for row in self.readers[source] if row.team == team]
            for target, pairs in self.made_from[source].items():
                targets_made = {into for name, into in pairs if name in changed}
                if targets_made and self.owners[target] == owner and target not in visited:
                    visited.add(target)
                    waiting.append((target, set(COLUMNS) if "" in targets_made else targets_made))
        return [(row, read) for row, read in affected if read]

    def remove_columns(self, asset: int, columns: Collection[str]) -> None:
        """Take columns out of a table, and the edges from and to them."""
        for column in columns:
            self.columns[asset].pop(column, None)
        for pairs in self.made_from[asset].values():
            pairs -= {pair for pair in pairs if pair[0] in columns}
        for targets in self.made_from.values():
            if asset in targets:
                targets[asset] -= {pair for pair in targets[asset] if pair[1] in columns}
        for row in self.readers[asset]:
            row.columns -= set(columns)


def generate(size: Size, dice: random.Random) -> Company:
    """Create the company: teams own blocks of tables, in which most tables are made from each other."""
    owners = [
        number * size.teams // size.tables if dice.random() < 0.7 else dice.randrange(size.teams)
        for number in range(size.tables)
    ]
    company = Company(
        owners,
        [{name: dice.choice(["string", "integer"]) for name in COLUMNS} for _ in owners],
        [dice.random() >= UNKNOWN_SHARE for _ in owners],
        [new_id() for _ in range(size.teams)],
        [new_id() for _ in owners],
        defaultdict(dict),
        defaultdict(list),
    )
    for number in range(1, size.tables):
        _make_table(company, number, dice)
    for _ in range(size.dashboards):
        asset, team = dice.randrange(size.tables), dice.randrange(size.teams)
        is_free = all(row.team != team for row in company.readers[asset])
        if team != owners[asset] and is_free:
            read = set(dice.sample(COLUMNS, dice.randint(1, 3)))
            company.readers[asset].append(Reader(team, asset, None, read, is_known=True))
    return company


def _make_table(company: Company, number: int, dice: random.Random) -> None:
    """Make a table from three others: it joins them by their ids, and copies or computes most of its columns."""
    before = range(max(0, number - NEIGHBOURS), number)
    own = [source for source in before if company.owners[source] == company.owners[number]]
    sources = {dice.choice(own if own and dice.random() < 0.6 else before) for _ in range(UPSTREAM)}
    sources |= set(dice.sample(before, min(UPSTREAM - len(sources), len(before))))
    for source in sources:
        company.made_from[source][number] = {("id", "")}
    for column in COLUMNS[1:]:
        if dice.random() < 0.8:
            company.made_from[dice.choice([*sources])][number].add((dice.choice(COLUMNS[1:]), column))
    for source in sources:
        if company.owners[source] != company.owners[number]:
            read = {name for name, _ in company.made_from[source][number]}
            is_known = company.is_known[number]
            company.readers[source].append(Reader(company.owners[number], source, number, read, is_known=is_known))


async def insert_company(database: Database, company: Company) -> None:
    """Write the company into the tables directly, as a year of syncs has left it."""
    now = database.clock()
    rows: dict[type[SQLModel], list[Row]] = {
        Team: [_team(identity, number, now) for number, identity in enumerate(company.team_ids)],
        Asset: [_asset(company, number, now) for number in range(len(company.owners))],
        Contract: [_contract(company, number, now) for number in range(len(company.owners))],
        Registration: [_registration(company, row, now) for rows in company.readers.values() for row in rows],
        AssetDependency: [
            {
                "id": new_id(),
                "dependent_asset_id": company.asset_ids[target],
                "dependency_asset_id": company.asset_ids[source],
                "dependency_type": "TRANSFORMS",
                "evidence": "DBT_MANIFEST",
                "created_at": now,
            }
            for source, targets in company.made_from.items()
            for target in targets
        ],
        ColumnEdge: [
            {
                "source_asset_id": company.asset_ids[source],
                "target_asset_id": company.asset_ids[target],
                "source_column": name,
                "target_column": into,
                "kind": "DERIVED" if into else "FILTER",
                "created_at": now,
            }
            for source, targets in company.made_from.items()
            for target, pairs in targets.items()
            if company.is_known[target]
            for name, into in sorted(pairs)
        ],
    }
    async with database.write() as session:
        for model, values in rows.items():
            for start in range(0, len(values), BATCH_SIZE):
                await session.execute(insert(table(model)), values[start : start + BATCH_SIZE])


async def insert_policies(database: Database, company: Company, dice: random.Random) -> None:
    """Set the policies of the tiers, and the tiers of a third of the tables."""
    async with database.write() as session:
        for tier, (days, silence) in POLICIES.items():
            values = {
                "tier": tier,
                "due_days": days,
                "remind_days_before": [3, 1],
                "escalate_after_days": None,
                "on_silence": silence,
                "row_version": 1,
                "updated_at": session.now,
            }
            await session.execute(insert(ask_policies.TABLE), [values])
            chosen = dice.sample(company.asset_ids, len(company.asset_ids) // 9)
            is_chosen = session.in_values(table(Asset).c.id, chosen)
            await session.update(Asset, is_chosen, tier=tier, is_tier_confirmed=True)


def _team(identity: UUID, number: int, now: datetime) -> Row:
    name = f"team-{number:03d}"
    return {"id": identity, "name": name, "name_key": name, "meta": {}, "row_version": 1, "created_at": now}


def _asset(company: Company, number: int, now: datetime) -> Row:
    fqn = f"analytics.mart_{company.owners[number]:03d}.table_{number:05d}"
    return {
        "id": company.asset_ids[number],
        "fqn": fqn,
        "fqn_key": fqn,
        "owner_team_id": company.team_ids[company.owners[number]],
        "resource_type": "TABLE",
        "compatibility_mode": "BACKWARD",
        "meta": {},
        "row_version": 1,
        "created_at": now,
    }


def _contract(company: Company, number: int, now: datetime) -> Row:
    schema = company.schema(number)
    return {
        "id": new_id(),
        "asset_id": company.asset_ids[number],
        "version": "1.0.0",
        "schema_def": schema,
        "guarantees": None,
        "compatibility_mode": "BACKWARD",
        "status": "ACTIVE",
        "change_type": "INITIAL",
        "schema_hash": validate_schema(schema),
        "published_by": company.team_ids[company.owners[number]],
        "published_at": now,
        "meta": {},
        "created_at": now,
    }


def _registration(company: Company, row: Reader, now: datetime) -> Row:
    return {
        "id": row.identity,
        "asset_id": company.asset_ids[row.asset],
        "consumer_team_id": company.team_ids[row.team],
        "consumer_asset_id": None if row.table is None else company.asset_ids[row.table],
        "fields": sorted(row.columns) if row.is_known else None,
        "status": "ACTIVE",
        "evidence": "DECLARED" if row.table is None else "DBT_MANIFEST",
        "registered_at": now,
        "meta": {},
        "row_version": 1,
        "created_at": now,
    }
