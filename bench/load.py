"""Measure the impact of a dropped column, and an inbox, in the graph of a large company.

Each asset depends on three of the five hundred before it, so that most have a thousand or more downstream, of which a
response has the nearest thousand. `python -m bench.load [--database pg|sqlite]` sends sequential requests to a server.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from bench import _servers
from bench._figures import Figure
from bench._graph import IMPACT, Graph, build, schema
from bench._holds import hold_figure, read_longest_hold
from bench._results import report
from tessera_gql import app
from tessera_gql.components import create_components
from tessera_gql.config import Settings
from tessera_gql.policy.access import Actor
from tessera_gql.server.http import execute
from tessera_gql.store import migration

REQUESTS = 200
P95_MILLISECONDS = 150.0
STATEMENTS = 6.0

INBOX = """{ viewer { team { name } inbox(first: 50) { totalCount nodes {
  because { message path }
  proposal { id status reason expiresAt asset { fqn owner { name } } proposedBy { name } breakingChanges { message } }
} } } }"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--database", choices=("pg", "sqlite"), default="pg")
    options = parser.parse_args()
    with _servers.temporary_folder() as folder, _servers.start_storage(options.database, folder) as storage:
        return _measure(storage, folder)


def _measure(storage: _servers.Storage, folder: Path) -> int:
    url = storage.database("load")
    asyncio.run(migration.upgrade(url))
    graph = asyncio.run(build(url))
    server = _servers.our_server(url, folder)
    with _servers.run_servers([server]):
        waits = _measure_impacts(server, graph)
        hold = hold_figure(read_longest_hold(server.url))
    statements = asyncio.run(_count_inbox_statements(url, graph))
    cut = quantiles(waits, n=100)
    return report(
        f"Load on {storage.version.split()[0]}",
        f"{graph}. {REQUESTS} dropped columns.",
        [
            Figure("whom one dropped column hurts, p95", [cut[94]], "ms", at_most=P95_MILLISECONDS),
            Figure("the same, median", [cut[49]], "ms"),
            Figure("an inbox page of 50, statements", [float(statements)], at_most=STATEMENTS),
            hold,
        ],
    )


def _measure_impacts(server: _servers.Server, graph: Graph) -> Sequence[float]:
    """Return the milliseconds of each request, for assets in the first tenth, which have the most downstream."""
    generator = random.Random(11)
    waits: list[float] = []
    downstream_counts: list[int] = []
    dropped_schema = schema(removed=["column_05"])
    with httpx.Client(trust_env=False, timeout=60) as client:
        for number in range(REQUESTS + 10):
            fqn = graph.fqns[generator.randrange(len(graph.fqns) // 10)]
            body = {"query": IMPACT, "variables": {"asset": {"fqn": fqn}, "schema": dropped_schema}}
            started = time.perf_counter()
            reply: dict[str, Any] = client.post(server.url, json=body).json()
            if number >= 10:  # the first requests fill the caches
                waits.append((time.perf_counter() - started) * 1000)
            impact = reply["data"]["impact"]
            assert impact["breaking"], reply
            downstream_counts.append(impact["downstream"]["totalCount"])
    assert median(downstream_counts) > 900, downstream_counts
    return waits


async def _count_inbox_statements(url: str, graph: Graph) -> int:
    """Return the number of SQL statements for a page."""
    parts = create_components(Settings(database_url=url))
    statements: list[str] = []

    parts.database.observe_statements(lambda statement, _seconds: statements.append(statement))
    try:
        identity = app.Identity(Actor("reader", team_id=graph.team))
        reply = await execute(parts.transport, query=INBOX, identity=identity)
        assert reply["data"], reply
        assert len(reply["data"]["viewer"]["inbox"]["nodes"]) == 50, reply
        return len(statements)
    finally:
        await parts.database.dispose()


if __name__ == "__main__":
    raise SystemExit(main())
