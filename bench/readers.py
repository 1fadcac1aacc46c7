"""Measure who reads what: the readers of each of 2,000 columns, and whom a change of 5,000 columns hurts.

`--db pg|sqlite`, `--rounds`. Each column of a table with 5,000 is renamed, and 10,000 registrations read it. The
targets are for the time without waits for a processor that other work on the machine holds; see `_processors`.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench import _servers
from bench._figures import Figure
from bench._holds import LoopHolds
from bench._processors import Duration, Stopwatch
from bench._results import report
from tessera_gql.auth import Identity
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.diff import Change, Mode, compare
from tessera_gql.graphql.slices import Cursors
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.http import execute
from tessera_gql.store import assets as stored_assets
from tessera_gql.store import migration, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.pagination import MAX_SIZE
from tessera_gql.store.tables import Team, new_id, table
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets, teams
from tessera_gql.workflows.affected_teams import load_affected_teams
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest, publish_contract

WIDE, WIDE_COLUMNS, WIDE_READERS = "bench.marts.wide", 2_000, 40
READ, READ_COLUMNS, REGISTRATIONS = "bench.marts.read", 5_000, 10_000
FIELDS = 10
"""Columns that a registration names."""
COUNTS_MS, HURT_MS = 50, 300
START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench readers", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with _servers.temporary_folder() as folder, _servers.start_storage(options.db, folder) as storage:
        holds = LoopHolds()
        times = asyncio.run(_measure(storage.database("readers"), options.rounds, storage.pid, holds))
        about = (
            f"{storage.version}; {WIDE_COLUMNS:,} columns with {WIDE_READERS} readers;"
            f" {READ_COLUMNS:,} columns with {REGISTRATIONS:,} registrations."
        )
        limits = {"readerCount of all columns": COUNTS_MS, "whom renaming all columns hurts": HURT_MS}
        figures: list[Figure] = []
        for name, durations in times.items():
            figures += [
                Figure(name, [item.unhindered for item in durations], "ms", at_most=limits[name]),
                Figure(f"{name}, by the clock", [item.clock for item in durations], "ms"),
            ]
        return report(f"Readers, {storage.version.split()[0]}", about, [*figures, holds.figure()])


async def _measure(url: str, rounds: int, server: int | None, holds: LoopHolds) -> dict[str, list[Duration]]:
    await migration.upgrade(url)
    components = create_components(Settings(database_url=url, rate_limit_cost="off"))  # type: ignore[arg-type] # parsed
    try:
        breaking = await _build(components.database)
        works: dict[str, Callable[[], Awaitable[object]]] = {
            "readerCount of all columns": lambda: _count_readers(components),
            "whom renaming all columns hurts": lambda: _find_hurt(components.database, breaking),
        }
        for work in works.values():
            await work()
        tune_runtime()
        async with holds.watch():
            return {name: await _repeat(work, rounds, server) for name, work in works.items()}
    finally:
        await components.database.dispose()


async def _build(database: Database) -> list[Change]:
    """Publish both tables with their readers; return the changes that rename each column of the second one."""
    wide, read = _schema(WIDE_COLUMNS), _schema(READ_COLUMNS)
    async with database.write("bench") as session:
        owner = await teams.create(session, ANONYMOUS, name="owner")
        for fqn, schema in ((WIDE, wide), (READ, read)):
            await assets.create(session, ANONYMOUS, fqn=fqn, details=AssetDetails(owner=TeamRef(id=owner.id)))
            await publish_contract(session, ANONYMOUS, AssetRef(fqn=fqn), PublishRequest(schema=schema))
        readers = [_team(number) for number in range(REGISTRATIONS)]
        await session.append(table(Team), readers)
        wide_row, read_row = sorted(await stored_assets.by_fqns(session, [WIDE, READ]), key=lambda row: row.fqn != WIDE)
        rows = [_registration(wide_row.id, readers[n]["id"], n, WIDE_COLUMNS) for n in range(WIDE_READERS)]
        rows += [_registration(read_row.id, readers[n]["id"], n, READ_COLUMNS) for n in range(REGISTRATIONS)]
        await session.append(registrations.TABLE, rows)
        await session.execute(text("ANALYZE"))
    changes = compare(read, _schema(READ_COLUMNS, "renamed")).changes
    return [change for change in changes if Mode.BACKWARD in change.breaks]


def _schema(columns: int, prefix: str = "column") -> dict[str, Any]:
    shapes = {f"{prefix}_{number}": {"type": "string", "description": f"Value {number}."} for number in range(columns)}
    return {"type": "object", "properties": shapes}


def _team(number: int) -> dict[str, Any]:
    name = f"reader-{number}"
    unset = dict.fromkeys(("delegate_team_id", "delegate_until", "escalation_team_id", "archived_at"))
    moments = {"created_at": START, "updated_at": START}
    return {"id": new_id(), "name": name, "name_key": name, "meta": {}, "row_version": 1, **unset, **moments}


def _registration(asset: UUID, team: UUID, number: int, columns: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "asset_id": asset,
        "consumer_team_id": team,
        "fields": [f"column_{(number * 7 + index * 13) % columns}" for index in range(FIELDS)],
        "status": "ACTIVE",
        "evidence": "DECLARED",
        "registered_at": START,
        "meta": {},
        "row_version": 1,
        "created_at": START,
    }


async def _count_readers(components: Components) -> int:
    """Count the readers of each column, in one operation with all pages of the columns."""
    cursors = Cursors("field", [f"column_{number}" for number in range(WIDE_COLUMNS)])
    starts = [None, *cursors[MAX_SIZE - 1 : -1 : MAX_SIZE]]
    pages = [
        f"p{number}: fields(first: {MAX_SIZE}, after: {json.dumps(cursor)}) {{ nodes {{ readerCount }} }}"
        for number, cursor in enumerate(starts)
    ]
    query = f'{{ asset(by: {{ fqn: "{WIDE}" }}) {{ {" ".join(pages)} }} }}'
    reply = await execute(components.transport, query=query, identity=Identity(ANONYMOUS))
    assert "errors" not in reply, reply
    counts = [node["readerCount"] for page in reply["data"]["asset"].values() for node in page["nodes"]]
    assert len(counts) == WIDE_COLUMNS, len(counts)
    assert sum(counts) == WIDE_READERS * FIELDS, sum(counts)
    return len(counts)


async def _find_hurt(database: Database, breaking: Sequence[Change]) -> None:
    async with database.read() as session:
        (asset,) = await stored_assets.by_fqns(session, [READ])
        affected = await load_affected_teams(session, asset, breaking)
    assert len(affected.asked) == REGISTRATIONS, len(affected.asked)


async def _repeat(work: Callable[[], Awaitable[object]], rounds: int, server: int | None) -> list[Duration]:
    durations: list[Duration] = []
    for _ in range(rounds):
        with Stopwatch(server) as stopwatch:
            await work()
        durations.append(stopwatch.duration)
    return durations
