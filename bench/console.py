"""Measure the server time of each page of the console, with 5,000 assets and a table of 2,000 columns.

`--db pg|sqlite`, `--requests` of each page. A team that owes answers is signed in; the pages are requested in this
process, so that the time is that of the server alone. The target is for the time without waits for a processor that
other work on the machine holds, as the kernel counts them (`_processors`); the time by the clock stands beside it.
"""

import argparse
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import uvloop
from sqlalchemy import text

from bench import _catalog, _servers
from bench._figures import Figure
from bench._holds import LoopHolds
from bench._processors import Duration, Stopwatch
from bench._results import report
from tessera_gql.app import create_app
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.policy.access import ANONYMOUS, Scope
from tessera_gql.policy.enums import DependencyType
from tessera_gql.policy.global_ids import encode_global_id
from tessera_gql.store import assets as stored_assets
from tessera_gql.store import migration
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import assets, change_sets, dependencies, keys, registrations, teams, usage_sources
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.change_sets import ChangeSetRequest
from tessera_gql.workflows.keys import KeyRequest
from tessera_gql.workflows.publishing import PublishRequest, publish_contract
from tessera_gql.workflows.registrations import RegistrationDetails
from tessera_gql.workflows.usage_import import create_partitions, finish_import, import_batch, plan_import
from tessera_gql.workflows.usage_log import UsageDocument, collect_reads

SCALE = 0.25
"""Of the 20,000 assets of the catalog."""
COLUMNS, REMOVED, RENAMED = 2_000, 60, 12
"""The proposal removes the first columns and renames those that follow."""
READERS, ASKED = 60, 40
"""Teams with registrations; so many of them read columns that the proposal breaks."""
FIELDS_OF_READER = 40
NEIGHBOURS = 40
WIDE, OWNER, READER = "wide.marts.everything", "wide-owner", "wide-reader-0"
ADMIN_KEY = "an-administrators-key-for-this-benchmark"
TARGET_MS = 100


@dataclass(frozen=True)
class Scene:
    """What the pages show: ids of the wide table's proposal, its change set, the signed-in team and an owner of many
    tables, and the key of the team."""

    proposal: UUID
    change_set: UUID
    team: UUID
    owner: UUID
    token: str

    def paths(self) -> Mapping[str, str]:
        asset = f"/assets/{WIDE}"
        return {
            "inbox": "/",
            "inbox, answered": "/?show=answered",
            "proposal": f"/proposals/{_encode('Proposal', self.proposal)}",
            "change set": f"/change-sets/{_encode('ChangeSet', self.change_set)}",
            "catalog": "/catalog",
            "search": "/catalog?q=column",
            "asset": asset,
            "asset, filtered": f"{asset}?search=column_1",
            "versions": f"{asset}/versions",
            "readers": f"{asset}/readers",
            "lineage": f"{asset}/lineage",
            "what if": f"{asset}/what-if",
            "teams": "/teams",
            "team": f"/teams/{_encode('Team', self.team)}",
            "team with tables": f"/teams/{_encode('Team', self.owner)}",
            "audit": "/audit",
        }


def _encode(type_name: str, identity: UUID) -> str:
    return quote(encode_global_id(type_name, identity), safe="")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench console", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--requests", type=int, default=60)
    options = parser.parse_args()
    with _servers.temporary_folder() as folder, _servers.start_storage(options.db, folder) as storage:
        url = storage.database("console")
        holds = LoopHolds()
        catalog, times = uvloop.run(_measure(url, options.requests, storage.pid, holds))
        about = (
            f"{storage.version}; {catalog}; a table of {COLUMNS:,} columns, of which a proposal removes {REMOVED} and"
            f" renames {RENAMED}; {options.requests} requests of a page. 95th percentiles."
        )
        return report(f"Console, {storage.version.split()[0]}", about, [*_figures(times), holds.figure()])


def _figures(times: Mapping[str, Sequence[Duration]]) -> Iterator[Figure]:
    for name, durations in times.items():
        yield Figure(name, [_percentile([item.unhindered for item in durations])], "ms", at_most=TARGET_MS)
        yield Figure(f"{name}, by the clock", [_percentile([item.clock for item in durations])], "ms")
        yield Figure(f"{name}, processor", [_percentile([item.processor for item in durations])], "ms")


def _percentile(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def _measure(
    url: str, count: int, server: int | None, holds: LoopHolds
) -> tuple[_catalog.Catalog, dict[str, list[Duration]]]:
    await migration.upgrade(url)
    catalog = await _catalog.build(url, SCALE)
    components = create_components(Settings(database_url=url, admin_key=ADMIN_KEY, rate_limit_cost="off"))  # type: ignore[arg-type] # parsed
    try:
        scene = await _build_scene(components)
        transport = httpx.ASGITransport(create_app(components))
        async with httpx.AsyncClient(transport=transport, base_url="http://console.bench") as client:
            await _sign_in(client, scene.token)
            for path in scene.paths().values():
                await _request(client, path)  # parses the document and starts the processes that read large schemas
            tune_runtime()  # as a server does when it has started
            async with holds.watch():
                times = {
                    name: [await _time(client, path, server) for _ in range(count)]
                    for name, path in scene.paths().items()
                }
    finally:
        await components.database.dispose()
    return catalog, times


async def _sign_in(client: httpx.AsyncClient, token: str) -> None:
    form = (await client.get("/sign-in")).text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))
    reply = await client.post("/sign-in", data={**fields, "key": token})
    assert reply.status_code == 303, reply.text


async def _time(client: httpx.AsyncClient, path: str, server: int | None) -> Duration:
    with Stopwatch(server) as stopwatch:
        await _request(client, path)
    return stopwatch.duration


async def _request(client: httpx.AsyncClient, path: str) -> None:
    reply = await client.get(path)
    assert reply.status_code == 200, (path, reply.text[:2_000])


def _wide_schema(removed: int = 0, renamed: int = 0) -> dict[str, Any]:
    columns = {
        f"column_{number}" if number >= removed + renamed else f"renamed_{number}": {
            "type": "string",
            "description": f"The value of the column {number}.",
        }
        for number in range(removed, COLUMNS)
    }
    return {"type": "object", "properties": columns}


def _fields_of_reader(number: int) -> list[str]:
    """List the fields of a reader: half of those who are asked read many changed columns, the others one."""
    broken = REMOVED + RENAMED
    start = number * 3 % broken if number < ASKED // 2 else broken - 1 if number < ASKED else broken + number * 7
    return [f"column_{start + index}" for index in range(FIELDS_OF_READER)]


async def _build_scene(components: Components) -> Scene:
    database = components.database
    async with database.write("bench") as session:
        owner = await teams.create(session, ANONYMOUS, name=OWNER)
        readers = [await teams.create(session, ANONYMOUS, name=f"wide-reader-{number}") for number in range(READERS)]
        await assets.create(session, ANONYMOUS, fqn=WIDE, details=AssetDetails(owner=TeamRef(id=owner.id)))
        wide = AssetRef(fqn=WIDE)
        await publish_contract(session, ANONYMOUS, wide, PublishRequest(schema=_wide_schema()))
        for number, reader in enumerate(readers):
            details = RegistrationDetails(fields=_fields_of_reader(number), purpose="A report.")
            await registrations.register(session, ANONYMOUS, wide, team=TeamRef(id=reader.id), details=details)
        for number in range(2 * NEIGHBOURS):
            peer = AssetRef(fqn=_catalog.fqn(number))
            dependent, dependency = (wide, peer) if number < NEIGHBOURS else (peer, wide)
            await dependencies.add(
                session, ANONYMOUS, dependent=dependent, dependency=dependency, type_=DependencyType.CONSUMES
            )
        await usage_sources.create_source(session, ANONYMOUS, name="warehouse")
        await usage_sources.map_principal(session, ANONYMOUS, pattern="reader_*", team=TeamRef(name=READER))
        key = await keys.create(session, ANONYMOUS, KeyRequest("ines", (Scope.WRITE,), TeamRef(id=readers[0].id)))
    await _import_reads(database)
    async with database.write("bench") as session:
        request = ChangeSetRequest("bench#1", title="Fewer columns", url="https://example.com/pull/1")
        change_set = await change_sets.open_change_set(session, ANONYMOUS, request)
        removal = PublishRequest(
            schema=_wide_schema(REMOVED, RENAMED), reason="Nobody fills them.", change_set_id=change_set.id
        )
        proposal = (await publish_contract(session, ANONYMOUS, wide, removal)).proposal
        assert proposal is not None
        await session.execute(text("ANALYZE"))  # as PostgreSQL does by itself after a while
        (peer,) = await stored_assets.by_fqns(session, [_catalog.fqn(0)])
    return Scene(proposal.id, change_set.id, readers[0].id, peer.owner_team_id, key.token)


async def _import_reads(database: Database) -> None:
    """Import a log of thirty days, with principals of a team and of none."""
    now = database.clock()
    text = "\n".join(["principal,asset,field,read_at", *_write_log(now), ""])
    log = collect_reads(UsageDocument(text.encode(), UsageFormat.CSV), now)
    async with database.read() as session:
        covers = (now - timedelta(days=30), now)
        plan = await plan_import(session, ANONYMOUS, UsageSourceRef(name="warehouse"), log, covers)
    if plan.months:
        async with database.write("bench") as session:
            plan = await create_partitions(session, plan)
    while plan.batches:
        async with database.write("bench") as session:
            plan = await import_batch(session, ANONYMOUS, plan)
    async with database.write("bench") as session:
        await finish_import(session, ANONYMOUS, plan)


def _write_log(now: datetime) -> list[str]:
    return [
        f"{principal}_{number % 20},{WIDE},column_{number * 3},{(now - timedelta(days=day, hours=1)).isoformat()}"
        for number in range(300)
        for day in range(1, 30, 7)
        for principal in ("reader", "notebook")
    ]
