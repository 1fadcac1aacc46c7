"""Measure the search: 200 queries with a known hit over 10,000 and 100,000 assets, and over single common words.

`--db pg|sqlite`, `--assets`, `--rounds`. Each query runs as a GraphQL operation in this process. The growth is that of
the CPU time in this process and the database, because other work on the machine adds to the time by the clock.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import _catalog, _servers, _warehouse
from bench._figures import Figure
from bench._holds import LoopHolds
from bench._results import report
from bench._servers import Storage
from bench._warehouse import DOMAINS, ENTITIES, LAYERS, PREFIXES, Query
from tessera_gql.auth import Identity
from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.components import Components, create_components
from tessera_gql.config import Settings
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.server.http import execute
from tessera_gql.store import migration
from tessera_gql.store.tables import Asset, Contract, Team

QUERIES = 200
SEARCH = """query($text: String!) {
  search(text: $text, first: 3) {
    totalCount edges { matched highlights { part text } node { ... on Asset { fqn } ... on Team { name } } }
  }
}"""


@dataclass(frozen=True)
class Result:
    """Milliseconds of each query, of CPU for one of them, and those whose expected hit is not among the first three."""

    times: list[float]
    common: list[float]
    cpu: float
    missed: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench search", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--assets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sizes = (options.assets // 10, options.assets)
    with _servers.temporary_folder() as folder, _servers.start_storage(options.db, folder) as storage:
        urls = [storage.database(f"assets_{size}") for size in sizes]
        holds = LoopHolds()
        results = [
            asyncio.run(_measure(storage, url, size, options.rounds, holds))
            for url, size in zip(urls, sizes, strict=True)
        ]
        for text in results[1].missed:
            print("missed:", text)
        about = (
            f"{storage.version}; {QUERIES} queries over {sizes[0]:,} and {sizes[1]:,} assets,"
            " the fastest of the rounds, since other work on the machine only adds."
        )
        return report(f"Search, {storage.version.split()[0]}", about, [*_figures(*results), holds.figure()])


def _figures(small: Result, large: Result) -> Sequence[Figure]:
    return (
        Figure("expected hit not among the first three", [len(large.missed)], "of 200", at_most=0),
        Figure("a query, 95th percentile", [_p95(large.times)], "ms", at_most=30),
        Figure("a common word, 95th percentile", [_p95(large.common)], "ms", at_most=30),
        Figure("a query, mean of the tenth of the assets", [statistics.mean(small.times)], "ms"),
        Figure("a query, mean", [statistics.mean(large.times)], "ms"),
        Figure("CPU of a query, mean of the tenth of the assets", [small.cpu], "ms"),
        Figure("CPU of a query, mean", [large.cpu], "ms"),
        Figure("growth of the CPU with ten times as many assets", [large.cpu / small.cpu], "x", at_most=1.3),
    )


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


async def _measure(storage: Storage, url: str, size: int, rounds: int, holds: LoopHolds) -> Result:
    tables = _warehouse.generate_tables(size)
    await migration.upgrade(url)
    await _catalog.load_rows(url, dict(zip((Team, Asset, Contract), _warehouse.generate_rows(tables), strict=True)))
    queries = [*_warehouse.generate_queries(tables, QUERIES)]
    common_queries = [
        Query("common", name, frozenset()) for name in (*PREFIXES, *LAYERS, *DOMAINS[:10], *ENTITIES[:10], "prod")
    ]
    parts = create_components(Settings(database_url=url))
    try:
        await _run(parts, queries[0])  # takes the sample of how frequent terms are
        timed, cpu = [], []
        tune_runtime()  # as a server does when it has started
        async with holds.watch():
            for _ in range(rounds):
                start = _cpu(storage)
                timed.append([await _run(parts, query) for query in queries])
                cpu.append((_cpu(storage) - start) * 1_000 / len(queries))
            common = [[(await _run(parts, query))[0] for query in common_queries] for _ in range(rounds)]
    finally:
        await parts.database.dispose()
    hits = zip(queries, timed[0], strict=True)
    missed = [f"{query.kind}: {query.text} {names}" for query, (_, names) in hits if not query.expected & {*names}]
    times = [min(times) for times in zip(*([time for time, _ in results] for results in timed), strict=True)]
    return Result(times, [min(times) for times in zip(*common, strict=True)], min(cpu), missed)


def _cpu(storage: Storage) -> float:
    return time.process_time() + storage.cpu


async def _run(parts: Components, query: Query) -> tuple[float, list[str]]:
    """Return the milliseconds of a query, and the names of the first three hits."""
    start = time.perf_counter()
    variables = {"text": query.text}
    reply = await execute(parts.transport, query=SEARCH, variables=variables, identity=Identity(ANONYMOUS))
    milliseconds = (time.perf_counter() - start) * 1_000
    assert "errors" not in reply, reply
    nodes = [edge["node"] for edge in reply["data"]["search"]["edges"]]
    return milliseconds, [node.get("fqn", "") for node in nodes]
