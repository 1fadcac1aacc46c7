"""Measure how the cost of each operation grows from 10,000 assets to 100,000 and a million.

`--db pg|sqlite`, `--assets 10000,100000`, `--rounds`, `--only` a part of a label. Each operation runs as GraphQL in
this process. Its cost is the processor time of this process and the database, because other work on the machine adds
to the time by the clock; on PostgreSQL the buffers that it reads are counted as well.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy import func, select, text
from strawberry.types import get_object_definition

from bench import _growth_catalog, _servers
from bench._growth_catalog import Sample
from bench._holds import LoopHolds
from bench._processors import Stopwatch
from bench._read_shapes import PAGE_QUERY
from bench._results import Figure, report
from bench._servers import Storage
from tessera_gql.auth import Identity
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.graphql.connections import Listing
from tessera_gql.graphql.events import encode_cursor as encode_event_cursor
from tessera_gql.graphql.schema import schema
from tessera_gql.policy.access import Actor, Scope
from tessera_gql.server.http import execute
from tessera_gql.store.cursors import encode_cursor

ADMINISTRATOR = Actor("benchmark", scopes=frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN}))
MAX_GROWTH = 1.5
MAX_LOAD_SECONDS = 900.0
"""The time by the clock in which the largest catalog is to be loaded, with its indexes and statistics."""
WARM_UPS = 8
"""Executions before the measurement; PostgreSQL decides about the plan of a statement after five."""
REPEATS = 12
ONE_ASSET = """query ($fqn: String!) { asset(by: { fqn: $fqn }) {
  fqn description tier owner { name } currentContract { version schema } openProposal { status }
  contracts(first: 5) { nodes { version } } registrations(first: 20) { nodes { consumerTeam { name } status } }
  consumers(first: 5) { nodes { name } } proposals(first: 5) { nodes { status } } events(last: 10) { nodes { kind } }
} }"""
SEARCH = "query ($text: String!) { search(text: $text, first: 20) { totalCount nodes { ... on Asset { fqn } } } }"
ASSETS = "query ($filter: AssetFilter) { assets(first: 50, filter: $filter) { nodes { fqn } } }"
COUNTED = "query ($filter: AssetFilter) { assets(first: 0, filter: $filter) { totalCount } }"
INBOX = """query ($team: String!) { team(by: { name: $team }) {
  inboxGroups(first: 20) { totalCount nodes { dueAt acknowledgments { proposal { asset { fqn } } } } }
} }"""
IMPACT = """query ($fqn: String!, $field: String!) { impact(asset: { fqn: $fqn }, withoutFields: [$field]) {
  bump asked { team { name } }
} }"""
PUBLISH = "mutation ($input: PublishContractInput!) { publishContract(input: $input) { outcome errors { message } } }"
SCHEMA_QUERY = "query ($fqn: String!) { asset(by: { fqn: $fqn }) { currentContract { schema } } }"


@dataclass(frozen=True)
class Operation:
    """A query with its variables, or a publish, which takes another asset each time."""

    label: str
    query: str
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    edit: str = ""
    """How a publish edits the schema: `add` or `drop` a column."""


@dataclass(frozen=True)
class Loaded:
    """The sample of a catalog, and the seconds by the clock and of processors that its loading took."""

    sample: Sample
    seconds: float
    processor_seconds: float

    def figure(self, size: int) -> Figure:
        about = f"loading of {size:,} assets ({self.processor_seconds:,.0f} s of processors)"
        return Figure(about, [self.seconds], "s", at_most=MAX_LOAD_SECONDS)


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processors, and buffers of PostgreSQL, for one execution."""

    cpu: float
    buffers: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench growth", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--assets", default="10000,100000", help="the sizes, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measure the operations whose label contains this text")
    options = parser.parse_args()
    sizes = [int(size) for size in options.assets.split(",")]
    with _servers.temporary_folder() as folder, _servers.start_storage(options.db, folder) as storage:
        catalogs = [(size, storage.database(f"assets_{size}")) for size in sizes]
        loaded = [_load(storage, size, url) for size, url in catalogs]
        holds = LoopHolds()
        costs = asyncio.run(_measure(storage, catalogs, loaded, options.rounds, options.only, holds))
        about = f"{storage.version}; {' to '.join(f'{size:,}' for size in sizes)} assets, {options.rounds} rounds."
        figures = [loaded[-1].figure(sizes[-1]), *_figures(costs), holds.figure()]
        return report(f"Growth, {storage.version.split()[0]}", about, figures)


def _figures(costs: Mapping[str, Sequence[Sequence[Cost]]]) -> Iterator[Figure]:
    for label, by_size in costs.items():
        cpu_times = [min(cost.cpu for cost in rounds) for rounds in by_size]
        sizes = " → ".join(f"{cpu:.3g}" for cpu in cpu_times)
        buffers = " → ".join(f"{min(cost.buffers for cost in rounds):,.0f}" for rounds in by_size)
        about = f"{label} ({sizes} ms; {buffers} buffers)" if by_size[0][0].buffers else f"{label} ({sizes} ms)"
        yield Figure(about, [cpu_times[-1] / cpu_times[0]], "x", at_most=MAX_GROWTH)


async def _measure(
    storage: Storage,
    catalogs: Sequence[tuple[int, str]],
    loaded: Sequence[Loaded],
    rounds: int,
    only: str,
    holds: LoopHolds,
) -> dict[str, list[list[Cost]]]:
    """Return the costs of the rounds by operation and size. The sizes take turns, so that other work slows all."""
    samples = [item.sample for item in loaded]
    tune_runtime()  # as a server does when it has started
    parts = [create_components(Settings(database_url=url, database_pool=2)) for _, url in catalogs]
    assets = [iter(sample.publishable) for sample in samples]
    costs = dict[str, list[list[Cost]]]()
    try:
        listed = [[item async for item in _list_operations(*pair)] for pair in zip(parts, samples, strict=True)]
        for operations in zip(*listed, strict=True):
            if only not in operations[0].label:
                continue
            by_size = costs[operations[0].label] = [list[Cost]() for _ in catalogs]
            for number in range(rounds + 1):
                repeats = REPEATS if number else WARM_UPS
                for index, operation in enumerate(operations):
                    url = catalogs[index][1]
                    async with holds.watch():
                        cost = await _repeat(storage, url, parts[index], operation, assets[index], repeats)
                    by_size[index] += [cost] if number else []
    finally:
        for item in parts:
            await item.database.dispose()
    return costs


def _load(storage: Storage, size: int, url: str) -> Loaded:
    start, processor_start = time.monotonic(), time.process_time() + storage.cpu
    sample = asyncio.run(_growth_catalog.load(url, size))
    loaded = Loaded(sample, time.monotonic() - start, time.process_time() + storage.cpu - processor_start)
    print(f"{size:,} assets are loaded in {loaded.seconds:,.0f} s.", flush=True)
    return loaded


async def _repeat(
    storage: Storage, url: str, parts: Components, operation: Operation, assets: Iterator[str], repeats: int
) -> Cost:
    variables = [await _prepare(parts, operation, assets) for _ in range(repeats)]
    before = await _count_buffers(parts, url)
    with Stopwatch(storage.pid) as stopwatch:
        for values in variables:
            await _run(parts, operation.query, values)
    buffers = await _count_buffers(parts, url) - before
    return Cost(stopwatch.duration.processor / repeats, buffers / repeats)


async def _prepare(parts: Components, operation: Operation, assets: Iterator[str]) -> Mapping[str, Any]:
    """Return the variables of one execution; those of a publish have an edited schema of another asset."""
    if not operation.edit:
        return operation.variables
    while True:
        fqn = next(assets)
        data = await _run(parts, SCHEMA_QUERY, {"fqn": fqn})
        properties: dict[str, Any] = data["asset"]["currentContract"]["schema"]["properties"]
        if operation.edit == "add":
            properties = {**properties, "added": {"type": "string"}}
        elif "customer_id" not in properties:
            continue
        else:
            properties = {name: part for name, part in properties.items() if name != "customer_id"}
        return {"input": {"asset": {"fqn": fqn}, "schema": {"type": "object", "properties": properties}}}


async def _run(parts: Components, query: str, variables: Mapping[str, Any]) -> Any:
    reply = await execute(parts.transport, query=query, variables=dict(variables), identity=Identity(ADMINISTRATOR))
    assert "errors" not in reply, reply
    return reply["data"]


async def _count_buffers(parts: Components, url: str) -> int:
    """Return the buffers that all statements in the database have read; 0 on SQLite."""
    if parts.database.dialect == "sqlite":
        return 0
    async with parts.database.read() as first, parts.database.read() as second:  # both connections of the pool
        for session in (first, second):
            await session.execute(text("SELECT pg_stat_force_next_flush()"))
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval(
                "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
            )
        )
    finally:
        await connection.close()


async def _list_operations(parts: Components, sample: Sample) -> AsyncIterator[Operation]:
    fqn = {"fqn": sample.fqn}
    yield Operation("page of assets", PAGE_QUERY)
    yield Operation("one asset by its fqn", ONE_ASSET, fqn)
    yield Operation("search of a rare word", SEARCH, {"text": sample.rare_column.replace("_", " ")})
    yield Operation("search of a common word", SEARCH, {"text": "orders"})
    yield Operation("search of three common words", SEARCH, {"text": "marts orders stripe"})
    leaf = sample.fqn.rpartition(".")[2]
    for name, filters in {
        "fqn contains a rare text": {"fqn": {"contains": sample.fqn[8:]}},
        "fqn contains a common text": {"fqn": {"contains": "orders_da"}},
        "fqn contains a text that no asset has": {"fqn": {"contains": "orders_qx"}},
        "description contains a rare text": {"description": {"contains": leaf.replace("_", " ")}},
        "description contains a common text": {"description": {"contains": "maintained for"}},
        "fqn starts with a rare text": {"fqn": {"startsWith": sample.fqn[:-3]}},
        "fqn starts with a common text": {"fqn": {"startsWith": "prod.marts_"}},
        "rare column": {"column": {"eq": sample.rare_column}},
        "common column": {"column": {"eq": "customer_id"}},
        "column starts with a common text": {"column": {"startsWith": "c"}},
        "open proposal": {"hasOpenProposal": {"eq": True}},
        "tier": {"tier": {"eq": "HIGH"}},
    }.items():
        yield Operation(f"assets: {name}", ASSETS, {"filter": filters})
    for name, filters in {
        "all": {},
        "tier": {"tier": {"eq": "HIGH"}},
        "fqn starts with a common text": {"fqn": {"startsWith": "prod."}},
        "rare column": {"column": {"eq": sample.rare_column}},
        "common column": {"column": {"eq": "customer_id"}},
        "fqn contains a common text": {"fqn": {"contains": "orders"}},
    }.items():
        yield Operation(f"count of assets: {name}", COUNTED, {"filter": filters})
    for name in ("registrations", "contracts", "events"):
        yield Operation(f"count of {name}: all", f"{{ {name}(first: 0) {{ totalCount }} }}")
    async for operation in _list_orders(parts):
        yield operation
    yield Operation("inbox of a team", INBOX, {"team": sample.team})
    yield Operation("impact of a dropped column", IMPACT, {**fqn, "field": sample.rare_column})
    yield Operation("publish without a break", PUBLISH, edit="add")
    yield Operation("publish with a break", PUBLISH, edit="drop")


async def _list_orders(parts: Components) -> AsyncIterator[Operation]:
    """Yield the first page, and one from the middle, of each list of the schema that has rows, in each order."""
    for item in get_object_definition(schema.query, strict=True).fields:
        listing: Listing | None = item.metadata.get("listing")
        name = schema.config.name_converter.get_graphql_name(item)
        if listing is None or not await _has_rows(parts, listing):
            continue
        type_name = f"{listing.type_name}Order"
        query = f"query ($after: String, $order: {type_name}) {{ {name}(first: 50, after: $after, orderBy: $order) {{"
        query += " edges { cursor node { id } } pageInfo { hasNextPage } } }"
        for order in listing.order.__annotations__["field"]:
            cursor = await _middle_cursor(parts, listing, order.value)
            for direction in ("ASC", "DESC"):
                variables = {"order": {"field": order.name, "direction": direction}}
                label = f"{name} by {order.name} {direction}"
                yield Operation(f"{label}: first page", query, variables)
                yield Operation(f"{label}: from the middle", query, variables | {"after": cursor})


async def _has_rows(parts: Components, listing: Listing) -> bool:
    async with parts.database.read() as session:
        return bool(await session.rows(select(listing.source.c.id).limit(1)))


async def _middle_cursor(parts: Components, listing: Listing, order_by: str) -> str:
    """Return the cursor of the row in the middle of a list."""
    source = listing.source
    async with parts.database.read() as session:
        number = int(await session.value(select(func.count()).select_from(source)))
        middle = select(source).order_by(source.c[order_by], source.c.id).offset(number // 2).limit(1)
        (row,) = await session.rows(middle)
    return encode_event_cursor(row.sequence) if order_by == "sequence" else encode_cursor(row, order_by)
