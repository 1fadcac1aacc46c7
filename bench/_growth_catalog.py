"""Load catalogs of up to a million assets, with ten columns, ten registrations and two events each.

Names are those of `_warehouse`. There is a team for each 50 assets, so that what one team owns and answers is alike at
every size. One asset in 20 has an open proposal in a change set of its own, and one awaited team. On PostgreSQL rows
are loaded by COPY without a check of foreign keys, and the indexes that serve no constraint are built at the end; the
planner gets its statistics.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import insert, text
from sqlmodel import SQLModel

from bench import _warehouse
from bench._catalog import FINGERPRINT
from bench._warehouse import Row, Table
from tessera_gql.policy.search_documents import EMPTY, columns_of, columns_of_contract
from tessera_gql.policy.search_terms import list_variants
from tessera_gql.store import migration
from tessera_gql.store.database import Database
from tessera_gql.store.search_index import list_document_terms
from tessera_gql.store.tables import (
    Acknowledgment,
    Asset,
    AssetColumn,
    ChangeSet,
    Contract,
    EventRow,
    Proposal,
    Registration,
    SearchDocument,
    SearchVariant,
    Team,
    new_id,
    table,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
READERS = 10
ASSETS_PER_TEAM = 50
ASSETS_PER_PROPOSAL = 20
BATCH = 10_000
GENESIS = "0" * 64
INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace::regnamespace::text IN ('core', 'workflow', 'audit') AND relkind = 'r' AND NOT relispartition
AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)
"""
STATISTICS_TARGETS = """
SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', oid::regclass, attnum, attstattarget) AS definition
FROM pg_class JOIN pg_attribute ON attrelid = oid WHERE relkind = 'i' AND attstattarget IS NOT NULL
"""


@dataclass(frozen=True)
class Sample:
    """Names and ids that the operations of the benchmark use."""

    fqn: str
    rare_column: str
    team: str
    publishable: tuple[str, ...]
    """Assets without a proposal, one for each publish."""


class Loader:
    """Inserts rows of a model: by COPY, or on SQLite by the statement of many rows."""

    def __init__(self, database: Database, connection: "asyncpg.Connection | None") -> None:
        self._database = database
        self._connection = connection

    async def insert(self, model: type[SQLModel], rows: Iterable[Row]) -> None:
        remaining = iter(rows)
        while batch := [*islice(remaining, BATCH)]:
            if self._connection is None:
                async with self._database.write() as session:
                    await session.execute(insert(table(model)), batch)
            else:
                records = (tuple(row.values()) for row in batch)
                target = {"schema_name": table(model).schema, "columns": list(batch[0])}
                await self._connection.copy_records_to_table(table(model).name, records=records, **target)


async def _connect(url: str) -> "asyncpg.Connection":
    """Connect for copies: values of JSON columns are encoded, and foreign keys are not checked."""
    connection = await asyncpg.connect(url)
    for name, version in (("json", b""), ("jsonb", b"\1")):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=partial(_encode_json, version), decoder=bytes, format="binary"
        )
    await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
    return connection


def _encode_json(version: bytes, value: Any) -> bytes:
    return version + orjson.dumps(value)


async def load(url: str, count: int) -> Sample:
    """Fill an empty database with so many assets."""
    await migration.upgrade(url)
    database = Database(url)
    connection = None if database.dialect == "sqlite" else await _connect(url)
    try:
        return await _fill(Loader(database, connection), connection, count)
    finally:
        if connection is not None:
            await connection.close()
        await _analyze(database)
        await database.dispose()


async def _fill(loader: Loader, connection: "asyncpg.Connection | None", count: int) -> Sample:
    tables = _warehouse.generate_tables(count)
    teams = [_team(number) for number in range(max(1, count // ASSETS_PER_TEAM))]
    await loader.insert(Team, teams)
    definitions = []
    if connection is not None:
        definitions = await _drop_indexes(connection)
    terms = set[str]()
    await loader.insert(SearchDocument, _note_terms((_document("Team", row) for row in teams), terms))
    for start in range(0, count, BATCH):
        await _insert_batch(loader, tables, teams, start, terms)
    variants = ({"variant": variant, "term": term} for term in sorted(terms) for variant in list_variants(term))
    await loader.insert(SearchVariant, variants)
    for definition in definitions:
        assert connection is not None
        await connection.execute(definition)
    return _choose_sample(tables)


def _choose_sample(tables: Sequence[Table]) -> Sample:
    """Choose the same assets at every size, since a smaller warehouse is a part of a larger one."""
    asset, *others = (item for number, item in enumerate(tables[:10_000]) if number % ASSETS_PER_PROPOSAL)
    return Sample(asset.fqn, asset.rare_column, _team_name(0), tuple(item.fqn for item in others))


async def _drop_indexes(connection: asyncpg.Connection) -> list[str]:
    """Drop the indexes that serve no constraint, which are built faster at the end; return their definitions."""
    indexes = await connection.fetch(INDEXES)
    targets = await connection.fetch(STATISTICS_TARGETS)
    for row in indexes:
        await connection.execute(f"DROP INDEX {row['name']}")
    return [row["definition"] for row in (*indexes, *targets)]


async def _analyze(database: Database) -> None:
    if database.dialect == "postgresql":
        connection = await asyncpg.connect(database.url)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
    else:
        async with database.write() as session:
            await session.execute(text("ANALYZE"))


async def _insert_batch(loader: Loader, tables: Sequence[Table], teams: list[Row], start: int, terms: set[str]) -> None:
    generator, numbers = random.Random(start), range(start, min(start + BATCH, len(tables)))
    team_ids = [row["id"] for row in teams]
    assets = [_asset(tables[number], number, team_ids) for number in numbers]
    contracts = [
        _contract(item, number, tables[number], generator) for number, item in zip(numbers, assets, strict=True)
    ]
    await loader.insert(Asset, assets)
    await loader.insert(Contract, contracts)
    await loader.insert(AssetColumn, _columns(contracts))
    await loader.insert(Registration, _registrations(numbers, assets, team_ids))
    pairs = zip(assets, contracts, strict=True)
    documents = (_document("Asset", asset, columns_of_contract(contract)) for asset, contract in pairs)
    await loader.insert(SearchDocument, _note_terms(documents, terms))
    pairs = zip(assets, contracts, strict=True)
    asked = [
        _proposal(*pair, number)
        for number, pair in zip(numbers, pairs, strict=True)
        if not number % ASSETS_PER_PROPOSAL
    ]
    await loader.insert(ChangeSet, (change_set for change_set, _, _ in asked))
    await loader.insert(Proposal, (proposal for _, proposal, _ in asked))
    waiting = ((proposal, team_ids[number * 7 % len(team_ids)]) for number, (_, proposal, _) in enumerate(asked, start))
    await loader.insert(Acknowledgment, (_acknowledgment(proposal, team) for proposal, team in waiting))
    fqns = {asset["id"]: asset["fqn"] for asset in assets}
    documents = (_document("Proposal", proposal, _names(fqns[proposal["asset_id"]])) for _, proposal, _ in asked)
    await loader.insert(SearchDocument, _note_terms(documents, terms))
    await loader.insert(EventRow, _events(numbers, assets, contracts))


def _time(number: int) -> datetime:
    return START + timedelta(seconds=number)


def _team_name(number: int) -> str:
    return f"{_warehouse.DOMAINS[number % 30]}-{number:05d}"


def _team(number: int) -> Row:
    name = _team_name(number)
    times = {"created_at": _time(number), "updated_at": _time(number * 7_919 % 1_000_003)}
    return {"id": new_id(), "name": name, "name_key": name, "meta": {}, "row_version": 1, "archived_at": None, **times}


def _asset(item: Table, number: int, team_ids: Sequence[UUID]) -> Row:
    return {
        "id": item.id,
        "fqn": item.fqn,
        "fqn_key": item.fqn,
        "owner_team_id": team_ids[number % len(team_ids)],
        "resource_type": "TABLE",
        "description": item.description,
        "compatibility_mode": "BACKWARD",
        "meta": {},
        "tier": ("LOW", "NORMAL", "NORMAL", "HIGH")[number % 4],
        "is_tier_confirmed": False,
        "archived_at": None,
        "row_version": 1,
        "created_at": _time(number),
        "updated_at": _time(number * 7_919 % 1_000_003),
    }


def _contract(asset: Row, number: int, item: Table, generator: random.Random) -> Row:
    times = {"published_at": _time(number), "created_at": _time(number)}
    return {**_warehouse.create_contract(item.rare_column, asset, generator), **times}


def _columns(contracts: Iterable[Row]) -> Iterator[Row]:
    for contract in contracts:
        names = contract["schema_def"]["properties"]
        yield from ({"asset_id": contract["asset_id"], "name_key": name} for name in names)


def _registrations(numbers: Iterable[int], assets: Iterable[Row], team_ids: Sequence[UUID]) -> Iterator[Row]:
    """Yield ten readers of each asset, or as many as there are other teams."""
    for number, asset in zip(numbers, assets, strict=True):
        for position in range(min(READERS, len(team_ids) - 1)):
            registered_at = _time(number * READERS + position)
            yield {
                "id": new_id(),
                "asset_id": asset["id"],
                "consumer_team_id": team_ids[(number + 1 + position) % len(team_ids)],
                "consumer_asset_id": None,
                "fields": None if position % 3 else ["customer_id"],
                "status": "MIGRATING" if position == 9 else "ACTIVE",
                "evidence": "DECLARED",
                "purpose": "A report.",
                "registered_at": registered_at,
                "meta": {},
                "row_version": 1,
                "created_at": registered_at,
                "updated_at": _time((number * READERS + position) * 7_919 % 10_000_019),
            }


def _proposal(asset: Row, contract: Row, number: int) -> tuple[Row, Row, UUID]:
    set_id, name = new_id(), "order_id"
    change = {
        "kind": "PROPERTY_REMOVED",
        "pointer": f"/properties/{name}",
        "path": name,
        "fields": [name],
        "before": {"type": "string"},
        "after": None,
        "breaks": ["BACKWARD", "CONSUMER", "FULL"],
        "certainty": "UNPROVEN",
        "message": f"The field {name} is gone.",
        "hint": None,
        "hint_modes": [],
        "fingerprint": FINGERPRINT,
    }
    times = {"created_at": _time(number), "updated_at": _time(number * 7_919 % 1_000_003)}
    change_set = {
        "id": set_id,
        "key": f"org/warehouse#{number}",
        "title": None,
        "status": "OPEN",
        "opened_by": asset["owner_team_id"],
        "opened_at": _time(number),
        "row_version": 1,
        **times,
    }
    proposal = {
        "id": new_id(),
        "asset_id": asset["id"],
        "base_contract_id": contract["id"],
        "change_set_id": set_id,
        "proposed_schema": contract["schema_def"],
        "proposed_version": "2.0.0",
        "compatibility_mode": "BACKWARD",
        "change_type": "MAJOR",
        "breaking_changes": [change],
        "fingerprint": FINGERPRINT,
        "status": "PENDING",
        "reason": "It is read by few.",
        "publish_when_approved": False,
        "proposed_by": asset["owner_team_id"],
        "proposed_at": _time(number),
        "expires_at": START + timedelta(days=36_500, seconds=number * 7_919 % 1_000_003),
        "meta": {},
        "row_version": 1,
        **times,
    }
    return change_set, proposal, set_id


def _acknowledgment(proposal: Row, team_id: UUID) -> Row:
    return {
        "id": new_id(),
        "proposal_id": proposal["id"],
        "consumer_team_id": team_id,
        "change_fingerprints": [FINGERPRINT],
        "due_at": proposal["expires_at"],
        "asked_at": proposal["created_at"],
        "notified_at": proposal["created_at"],
        "created_at": proposal["created_at"],
    }


def _events(numbers: Sequence[int], assets: Iterable[Row], contracts: Iterable[Row]) -> Iterator[Row]:
    """Yield the events of each asset and contract. Their hashes form no chain, since no operation checks it."""
    for number, asset, contract in zip(numbers, assets, contracts, strict=True):
        common = {"asset_id": asset["id"], "proposal_id": None, "teams": [str(asset["owner_team_id"])]}
        common |= {"actor": f"key tk_{number % 500:06d}", "occurred_at": _time(number), "hash": GENESIS}
        about_asset = {"kind": "ASSET_CREATED", "entity_type": "asset", "entity_id": asset["id"]}
        about_contract = {"kind": "CONTRACT_PUBLISHED", "entity_type": "contract", "entity_id": contract["id"]}
        yield {"sequence": number * 2 + 1, "id": new_id(), "payload": {}, **about_asset, **common}
        yield {"sequence": number * 2 + 2, "id": new_id(), "payload": {}, **about_contract, **common}


def _names(fqn: str) -> Row:
    columns = columns_of("Asset", {"fqn": fqn})
    return {name: columns[name] for name in ("title", "leaf", "names")}


def _document(type_name: str, row: Row, columns: Row | None = None) -> Row:
    identity = {"type": type_name, "entity_id": row["id"], "asset_id": row.get("asset_id"), "is_current": True}
    fresh = {"title": "", "leaf": "", "owner_team_id": None, "tier": None, **EMPTY}
    document = identity | fresh | columns_of(type_name, row) | (columns or {})
    return {name: document[name] for name in (*identity, *fresh)}


def _note_terms(documents: Iterable[Row], terms: set[str]) -> Iterator[Row]:
    for document in documents:
        terms |= list_document_terms([document])
        yield document
