"""Measure queries for a page of the catalog and for one asset, against alternative servers in the same run.

`--db pg|sqlite`, `--peers` for PostGraphile from npm, `--scale` for a smaller catalog, `--rounds`, `--quick`.
"""

import argparse
import asyncio
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from bench import _catalog, _servers, peers
from bench._load import Load, LoadGenerator, start_generator
from bench._measure import Measurement, measure, untargeted_figures
from bench._results import Figure, report
from bench._servers import Server, Storage
from tessera_gql.auth import Identity
from tessera_gql.components import create_components
from tessera_gql.config import Executor, Settings
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.http import execute
from tessera_gql.store import migration

PAGE_QUERY = """{
  assets(first: 50) {
    nodes {
      fqn
      owner { name }
      currentContract { version registrations(first: 10) { nodes { consumerTeam { name } status } } }
      openProposal { status proposedVersion }
    }
  }
}"""
TINY_QUERY = "query ($fqn: String!) { asset(by: { fqn: $fqn }) { fqn description } }"
CONNECTIONS = (1, 8, 32)

Measurements = dict[tuple[str, str, int], list[Measurement]]
"""The measurement of each round, by server, query and number of connections."""


@dataclass(frozen=True)
class Variant:
    """A server with its queries, and their number per round at each number of connections."""

    server: Server
    page: str
    page_count: int
    tiny: str | None = None
    tiny_count: int = 0
    connections: Sequence[int] = (8,)

    def loads(self) -> Iterator[tuple[str, Load]]:
        for connections in self.connections:
            yield "page", Load(self.server.port, connections, self.page_count, [self.page])
        if self.tiny:
            yield "tiny", Load(self.server.port, 8, self.tiny_count, [self.tiny])


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
        about = f"{storage.version}; {catalog}; {options.rounds} interleaved rounds. Ours has EXECUTOR=pushdown."
        figures = [*_target_figures(measurements), *_untargeted_figures(measurements)]
        return report(f"Reads, {storage.version.split()[0]}", about, figures)


async def _create_catalog(url: str, scale: float) -> _catalog.Catalog:
    await migration.upgrade(url)
    return await _catalog.build(url, scale)


def _variants(url: str, folder: Path, catalog: _catalog.Catalog, *, with_peer: bool) -> list[Variant]:
    page = json.dumps({"query": PAGE_QUERY})
    tiny = json.dumps({"query": TINY_QUERY, "variables": {"fqn": catalog.sample_fqn}})
    variants = [
        Variant(_servers.our_server(url, folder, EXECUTOR="pushdown"), page, 300, tiny, 1_500, CONNECTIONS),
        Variant(_servers.our_server(_copy_file(url), folder, "planned", EXECUTOR="planned"), page, 150, tiny, 1_500),
        Variant(_servers.reference_server("json_agg", url, folder), page, 500, connections=CONNECTIONS),
        Variant(_servers.reference_server("plain", url, folder), page, 80, tiny, 1_500),
        Variant(_servers.reference_server("idiomatic", url, folder), page, 40, tiny, 500),
    ]
    if with_peer:
        server, page, tiny = peers.postgraphile(url, folder, catalog.sample_fqn)
        variants.append(Variant(server, page, 300, tiny, 1_500, CONNECTIONS))
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
    """Assert that all servers return the same data."""
    for query in ("page", "tiny"):
        answers: dict[str, Any] = {}
        for variant in variants:
            if body := getattr(variant, query):
                reply = httpx.post(variant.server.url, content=body, headers={"Content-Type": "application/json"})
                answers[variant.server.name] = reply.json()
        first = answers["ours"]
        assert "errors" not in first, first
        for name, answer in answers.items():
            assert answer["data"] == first["data"], f"{name} answers something else: {str(answer)[:2000]}"


async def _assert_planned(url: str, catalog: _catalog.Catalog) -> None:
    """Assert that the planned executor runs both queries without a fallback."""
    parts = create_components(Settings(database_url=url, executor=Executor.PUSHDOWN))
    try:
        for query, variables in ((PAGE_QUERY, {}), (TINY_QUERY, {"fqn": catalog.sample_fqn})):
            reply = await execute(parts.transport, query=query, variables=variables, identity=Identity(ANONYMOUS))
            assert "errors" not in reply, reply
        counts = parts.transport.executor_counts
        assert not counts.fallbacks, "graphql-core answered instead of the plan"
        assert counts.pushed_down == 1, "the page was not pushed down"
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

    yield Figure("page, CPU against EXECUTOR=planned, c = 8", cpu("page", "planned"), "x", at_most=0.6)
    yield Figure("page, CPU against idiomatic Strawberry, c = 8", cpu("page", "idiomatic"), "x", at_most=0.025)
    yield Figure("page, req/s against one json_agg statement, c = 8", rates("page", "json_agg", 8), "x", at_least=1)
    yield Figure("page, req/s against plain graphql-core, c = 8", rates("page", "plain", 8), "x", at_least=4)
    if ("postgraphile", "page", 8) in measurements:
        for connections in CONNECTIONS:
            ratios = rates("page", "postgraphile", connections)
            yield Figure(f"page, req/s against PostGraphile, c = {connections}", ratios, "x", at_least=2)
        yield Figure("tiny, req/s against PostGraphile, c = 8", rates("tiny", "postgraphile", 8), "x", at_least=0.5)


def _untargeted_figures(measurements: Measurements) -> Iterator[Figure]:
    for (name, query, connections), rounds in measurements.items():
        yield from untargeted_figures(f"{query}, {name}, c = {connections}", rounds)
