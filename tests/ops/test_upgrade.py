"""A database of the first release, full of data and in use, is upgraded without lost or refused writes."""

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from tessera_gql.store import audit, events, migration
from tessera_gql.store.database import Database
from tessera_gql.store.engine import is_sqlite, sqlite_path
from tessera_gql.store.tables import new_id
from tests.ops.postgres import Postgres, sql

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}
COUNTS = {
    "core.teams": 20,
    "core.assets": 100,
    "core.asset_dependencies": 99,
    "core.contracts": 100,
    "workflow.registrations": 100,
    "workflow.proposals": 20,
    "workflow.acknowledgments": 20,
    "workflow.idempotency_keys": 20,
    "audit.events": 100,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def first_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database at the first revision."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if request.param == "postgresql":
        cluster: Postgres = request.getfixturevalue("cluster")
        asyncio.run(sql(cluster.url(), "DROP DATABASE IF EXISTS old", "CREATE DATABASE old"))
        url = cluster.url("old")
    asyncio.run(migration.upgrade(url, "0001"))
    return url


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows as the first release wrote them: table and columns."""
    base = {"created_at": NOW, "meta": {}, "row_version": 1}
    teams = [new_id() for _ in range(20)]
    assets = [new_id() for _ in range(100)]
    for number, team in enumerate(teams):
        yield "core.teams", {**base, "id": team, "name": f"Team {number}", "name_key": f"team {number}"}
    for number, asset in enumerate(assets):
        fields = {"fqn": f"old.core.t{number}", "fqn_key": f"old.core.t{number}", "owner_team_id": teams[number % 20]}
        yield "core.assets", {**base, **fields, "id": asset, "resource_type": "TABLE", "compatibility_mode": "BACKWARD"}
    for downstream, upstream in zip(assets[1:], assets, strict=False):
        ends = {"id": new_id(), "dependent_asset_id": downstream, "dependency_asset_id": upstream, "created_at": NOW}
        yield "core.asset_dependencies", {**ends, "dependency_type": "CONSUMES", "evidence": "DECLARED"}
    contracts = [new_id() for _ in assets]
    for number, asset in enumerate(assets):
        yield "core.contracts", _contract(contracts[number], asset, teams[number % 20])
        read = {**base, "id": new_id(), "asset_id": asset, "consumer_team_id": teams[(number + 1) % 20]}
        yield "workflow.registrations", {**read, "status": "ACTIVE", "evidence": "DECLARED", "registered_at": NOW}
    for number in range(20):
        proposal = new_id()
        yield "workflow.proposals", {**base, **_proposal(proposal, assets[number], contracts[number], teams[number])}
        asked = {"id": new_id(), "proposal_id": proposal, "consumer_team_id": teams[(number + 1) % 20]}
        yield "workflow.acknowledgments", {**asked, "because": ["0" * 64], "created_at": NOW}
        idempotency = {"actor": "open", "key": f"key {number}", "operation": "create_team", "input_hash": "0" * 64}
        yield "workflow.idempotency_keys", {**idempotency, "answer": {}, "created_at": NOW}
    chain = events.GENESIS
    for number, asset in enumerate(assets):
        row = _event(number + 1, asset, teams[number % 20])
        chain = events.compute_hash(chain, row)
        yield "audit.events", {**row, "hash": chain}


def _contract(identity: UUID, asset: UUID, team: UUID) -> dict[str, Any]:
    return {
        "id": identity,
        "asset_id": asset,
        "version": "1.0.0",
        "schema_def": SCHEMA,
        "compatibility_mode": "BACKWARD",
        "status": "ACTIVE",
        "change_type": "INITIAL",
        "schema_hash": "0" * 64,
        "published_by": team,
        "published_at": NOW,
        "meta": {},
        "created_at": NOW,
    }


def _proposal(identity: UUID, asset: UUID, base: UUID, team: UUID) -> dict[str, Any]:
    return {
        "id": identity,
        "asset_id": asset,
        "base_contract_id": base,
        "proposed_schema": {"type": "object"},
        "proposed_version": "2.0.0",
        "compatibility_mode": "BACKWARD",
        "change_type": "MAJOR",
        "breaking_changes": [],
        "fingerprint": "0" * 64,
        "status": "PENDING",
        "publish_when_approved": False,
        "proposed_by": team,
        "proposed_at": NOW,
        "expires_at": NOW + timedelta(days=36_500),
    }


def _event(sequence: int, asset: UUID, team: UUID) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "id": new_id(),
        "kind": "ASSET_CREATED",
        "entity_type": "Asset",
        "entity_id": asset,
        "asset_id": asset,
        "proposal_id": None,
        "teams": [str(team)],
        "actor": "open",
        "payload": {"fqn": f"old.core.t{sequence - 1}"},
        "occurred_at": NOW,
    }


def statements(tables: Iterable[tuple[str, dict[str, Any]]], *, sqlite: bool) -> Iterator[str]:
    def literal(value: object) -> str:
        match value:
            case None:
                return "NULL"
            case bool() | int():
                return str(value)
            case UUID():
                return f"'{value.hex}'"
            case datetime():
                return f"'{value:%Y-%m-%d %H:%M:%S.%f}{'' if sqlite else '+00'}'"
            case dict() | list():
                return f"'{orjson.dumps(value).decode()}'"
            case _:
                return f"'{value}'"

    for table, row in tables:
        table_name = table.partition(".")[2] if sqlite else table
        yield f"INSERT INTO {table_name} ({', '.join(row)}) VALUES ({', '.join(map(literal, row.values()))});"


async def fill(url: str) -> None:
    script = "\n".join(statements(rows(), sqlite=is_sqlite(url)))
    if (file := sqlite_path(url)) is not None:
        connection = sqlite3.connect(file)
        connection.executescript(f"BEGIN; {script} COMMIT;")
        connection.close()
        return
    postgres = await asyncpg.connect(url)
    await postgres.execute(script)
    await postgres.close()


async def counted(url: str) -> dict[str, int]:
    if (file := sqlite_path(url)) is not None:
        connection = sqlite3.connect(file)
        names = {table: table.partition(".")[2] for table in COUNTS}
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for table, name in names.items()
        }
        connection.close()
        return counts
    return {table: (await sql(url, f"SELECT count(*) FROM {table}"))[0][0] for table in COUNTS}


async def writing(url: str, ended: asyncio.Event) -> list[str]:
    """The teams that a writer of the first release has written until the end, by the columns that it knows."""
    names = list[str]()
    while not ended.is_set():
        name = f"written {len(names)}"
        row = {"id": new_id(), "name": name, "name_key": name, "meta": {}, "row_version": 1, "created_at": NOW}
        await asyncio.to_thread(insert_team, url, row)
        names.append(name)
        await asyncio.sleep(0.01)
    return names


def insert_team(url: str, row: dict[str, Any]) -> None:
    (statement,) = statements([("core.teams", row)], sqlite=is_sqlite(url))
    if (file := sqlite_path(url)) is None:
        asyncio.run(sql(url, statement))
        return
    with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        connection.execute(statement)


async def test_a_full_database_of_the_first_revision_is_upgraded_while_a_server_writes_to_it(first_url: str) -> None:
    await fill(first_url)
    assert await counted(first_url) == COUNTS
    ended = asyncio.Event()
    writer = asyncio.create_task(writing(first_url, ended))
    await asyncio.sleep(0.3)
    await migration.upgrade(first_url)
    assert not writer.done()
    await asyncio.sleep(0.3)
    ended.set()
    names = await writer
    assert len(names) > 5
    assert await migration.find_differences(first_url) == []
    assert await counted(first_url) == {**COUNTS, "core.teams": COUNTS["core.teams"] + len(names)}
    database = Database(first_url)
    assert (await audit.verify_log(database)).sequence == COUNTS["audit.events"]
    await database.dispose()
