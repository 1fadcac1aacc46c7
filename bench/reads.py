"""Measure queries for pages and for one asset, against alternative servers and the loaders in the same run.

`--db pg|sqlite`, `--peers` for PostGraphile from npm, `--scale` for a smaller catalog, `--rounds`, `--quick`.
"""

import argparse
import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from bench import _catalog, _servers, peers
from bench._figures import Figure
from bench._holds import hold_figure, read_longest_hold
from bench._load import Load, LoadGenerator, start_generator
from bench._measure import Measurement, measure, untargeted_figures
from bench._read_shapes import OWN_SHAPES, encode_operations, list_operations
from bench._results import report
from bench._servers import Server, Storage
from tessera_gql.auth import Identity
from tessera_gql.components import create_components
from tessera_gql.config import Executor, Settings
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.http import execute
from tessera_gql.store import migration

CONNECTIONS = (1, 8, 32)

Measurements = dict[tuple[str, str, int], list[Measurement]]
"""The measurement of each round, by server, query and number of connections."""


@dataclass(frozen=True)
class Variant:
    """A server with its queries, and their number per round at each number of connections."""

    server: Server
    bodies: Mapping[str, str]
    counts: Mapping[str, int]
    """Requests of each shape in a round."""
    connections: Sequence[int] = (8,)
    """Numbers of connections for the page; the other shapes have eight."""

    def loads(self) -> Iterator[tuple[str, Load]]:
        for shape, count in self.counts.items():
            for connections in self.connections if shape == "page" else (8,):
                yield shape, Load(self.server.port, connections, count, [self.bodies[shape]])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench reads", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--peers", action="store_true", help="PostGraphile as well (needs npm)")
    parser.add_argument("--scale", type=float, default=1.0, help="of 20,000 assets")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, to see that all of it works")
    options = parser.parse_args()
    if options.peers and options.db == "sqlite":
        parser.error("PostGraphile reads PostgreSQL only: leave out --peers, or ask for --db pg")
    with _servers.temporary_folder() as folder, _servers.start_storage(options.db, folder) as storage:
        url = storage.database("catalog")
        catalog = asyncio.run(_create_catalog(url, options.scale))
        variants = _variants(url, folder, catalog, with_peer=options.peers)
        with _servers.run_servers([variant.server for variant in variants]), start_generator() as load:
            _assert_alike(variants)
            asyncio.run(_assert_planned(url, catalog))
            measurements = _rounds(variants, storage, load, options.rounds, 10 if options.quick else 1)
            holds = [read_longest_hold(variant.server.url) for variant in variants[:2]]
        about = f"{storage.version}; {catalog}; {options.rounds} interleaved rounds. Ours has EXECUTOR=pushdown."
        figures = [*_target_figures(measurements), hold_figure(*holds), *_untargeted_figures(measurements)]
        return report(f"Reads, {storage.version.split()[0]}", about, figures)


async def _create_catalog(url: str, scale: float) -> _catalog.Catalog:
    await migration.upgrade(url)
    return await _catalog.build(url, scale, has_change_sets=True)


def _variants(url: str, folder: Path, catalog: _catalog.Catalog, *, with_peer: bool) -> list[Variant]:
    bodies = encode_operations(catalog)
    own = dict.fromkeys(OWN_SHAPES, 300)
    ours = _servers.our_server(url, folder)
    planned = _servers.our_server(_copy_file(url), folder, "planned", EXECUTOR="planned")
    variants = [
        Variant(ours, bodies, {"page": 300, "tiny": 1_500, **own}, CONNECTIONS),
        Variant(planned, bodies, {"page": 150, "tiny": 1_500, **own}),
        Variant(_servers.reference_server("json_agg", url, folder), bodies, {"page": 500}, CONNECTIONS),
        Variant(_servers.reference_server("plain", url, folder), bodies, {"page": 80, "tiny": 1_500}),
        Variant(_servers.reference_server("idiomatic", url, folder), bodies, {"page": 40, "tiny": 500}),
    ]
    if with_peer:
        server, page, tiny = peers.postgraphile(url, folder, catalog.sample_fqn)
        variants.append(Variant(server, {"page": page, "tiny": tiny}, {"page": 300, "tiny": 1_500}, CONNECTIONS))
    return variants


def _copy_file(url: str) -> str:
    """Copy an SQLite file for a second server, because one serves it at a time; another database is shared."""
    if not url.startswith("sqlite"):
        return url
    path = url.removeprefix("sqlite:///")
    copy = path.replace(".db", "-planned.db")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return f"sqlite:///{copy}"


def _assert_alike(variants: Iterable[Variant]) -> None:
    """Assert that all servers return the same data, which is not empty."""
    answers: dict[str, Any] = {}
    for variant in variants:
        for shape in variant.counts:
            headers = {"Content-Type": "application/json"}
            reply = httpx.post(variant.server.url, content=variant.bodies[shape], headers=headers).json()
            assert "errors" not in reply, reply
            first = answers.setdefault(shape, reply["data"])
            assert reply["data"] == first, f"{variant.server.name} answers something else: {str(reply)[:2000]}"
    assert answers["pull request"]["changeSet"]["proposals"]["totalCount"] == _catalog.PROPOSALS_OF_CHANGE_SET
    assert answers["inbox"]["team"]["inbox"]["totalCount"] > 0
    assert answers["lineage"]["asset"]["downstream"]["totalCount"] > 0


async def _assert_planned(url: str, catalog: _catalog.Catalog) -> None:
    """Assert that the planned executor runs all queries without a fallback, and pushes down all but the small one."""
    parts = create_components(Settings(database_url=url, executor=Executor.PUSHDOWN))
    counts = parts.transport.executor_counts
    try:
        for shape, operation in list_operations(catalog).items():
            pushed_before = counts.pushed_down
            reply = await execute(parts.transport, **operation, identity=Identity(ANONYMOUS))
            assert "errors" not in reply, reply
            assert not counts.fallbacks, f"graphql-core answered the {shape} instead of the plan"
            assert (counts.pushed_down > pushed_before) == (shape != "tiny"), f"what is pushed down of the {shape}"
    finally:
        await parts.database.dispose()


def _rounds(
    variants: Sequence[Variant], storage: Storage, load: LoadGenerator, count: int, divisor: int
) -> Measurements:
    """Run every load of every server in turn; the first round is a warm-up."""
    measurements: Measurements = {}
    for number in range(count + 1):
        for variant in variants:
            for query, requests in variant.loads():
                scaled_requests = replace(requests, count=requests.count // divisor // (1 if number else 4))
                measurement = measure(variant.server, storage, load, scaled_requests)
                if number:
                    measurements.setdefault((variant.server.name, query, requests.connections), []).append(measurement)
    return measurements


def _target_figures(measurements: Measurements) -> Iterator[Figure]:
    def rates(query: str, other: str, connections: int) -> list[float]:
        pairs = zip(measurements["ours", query, connections], measurements[other, query, connections], strict=True)
        return [ours.rate / theirs.rate for ours, theirs in pairs]

    def cpu(query: str, other: str) -> list[float]:
        pairs = zip(measurements["ours", query, 8], measurements[other, query, 8], strict=True)
        return [ours.cpu / theirs.cpu for ours, theirs in pairs]

    for shape in ("page", *OWN_SHAPES):
        yield Figure(f"{shape}, CPU against EXECUTOR=planned, c = 8", cpu(shape, "planned"), "x", at_most=0.6)
    yield Figure("page, CPU against idiomatic Strawberry, c = 8", cpu("page", "idiomatic"), "x", at_most=0.025)
    yield Figure("page, req/s against one json_agg statement, c = 8", rates("page", "json_agg", 8), "x", at_least=1)
    yield Figure("page, req/s against plain graphql-core, c = 8", rates("page", "plain", 8), "x", at_least=4)
    yield Figure("tiny, req/s against plain graphql-core, c = 8", rates("tiny", "plain", 8), "x", at_least=1.2)
    if ("postgraphile", "page", 8) in measurements:
        for connections in CONNECTIONS:
            ratios = rates("page", "postgraphile", connections)
            yield Figure(f"page, req/s against PostGraphile, c = {connections}", ratios, "x", at_least=2)
        yield Figure("tiny, req/s against PostGraphile, c = 8", rates("tiny", "postgraphile", 8), "x", at_least=0.7)


def _untargeted_figures(measurements: Measurements) -> Iterator[Figure]:
    for (name, query, connections), rounds in measurements.items():
        yield from untargeted_figures(f"{query}, {name}, c = {connections}", rounds)
