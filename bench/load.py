"""A large company's graph: whom one dropped column hurts, with everything ten steps down the stream, and an inbox.

Each asset is made from three of the five hundred before it, so that most have a thousand and more downstream, of which
an answer tells the nearest thousand. `python -m bench.load [--database pg|sqlite]`: through the whole server, one
request after the other.
"""

import argparse
import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx

from bench import _servers
from bench._graph import Graph, build, schema
from bench._results import Line, tell
from tessera_gql import app
from tessera_gql.config import Settings
from tessera_gql.graphql.http import execute
from tessera_gql.policy.access import Actor
from tessera_gql.store import migration

ASKED = 200
P95_MILLISECONDS = 150.0
STATEMENTS = 6.0

IMPACT = """query($asset: AssetRef!, $schema: JSON!) { impact(asset: $asset, schema: $schema) {
  outcome version breaking { message path } asked { team { name } because { path } } informed { name }
  downstream(first: 20) { totalCount edges { degree node { fqn owner { name } } } } } }"""

INBOX = """{ viewer { team { name } inbox(first: 50) { totalCount nodes {
  because { message path }
  proposal { id status reason expiresAt asset { fqn owner { name } } proposedBy { name } breakingChanges { message } }
} } } }"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--database", choices=("pg", "sqlite"), default="pg")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tessera-load-"))
    folder.chmod(0o755)
    try:
        with _servers.storage(asked.database, folder) as storage:
            return _measured(storage, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(storage: _servers.Storage, folder: Path) -> int:
    url = storage.database("load")
    asyncio.run(migration.upgrade(url))
    graph = asyncio.run(build(url))
    server = _servers.ours(url, folder)
    with _servers.running([server]):
        waits = _impacts(server, graph)
    statements = asyncio.run(_inbox(url, graph))
    cut = quantiles(waits, n=100)
    return tell(
        f"Load on {storage.version.split()[0]}",
        f"{graph}. {ASKED} dropped columns.",
        [
            Line("whom one dropped column hurts, p95", [cut[94]], "ms", at_most=P95_MILLISECONDS),
            Line("the same, median", [cut[49]], "ms"),
            Line("an inbox page of 50, statements", [float(statements)], at_most=STATEMENTS),
        ],
    )


def _impacts(server: _servers.Server, graph: Graph) -> Sequence[float]:
    """Milliseconds each; of the first tenth of the stream, which has the most below it."""
    chance = random.Random(11)
    waits: list[float] = []
    reached: list[int] = []
    dropped = schema(without=["column_05"])
    with httpx.Client(trust_env=False, timeout=60) as client:
        for turn in range(ASKED + 10):
            fqn = graph.fqns[chance.randrange(len(graph.fqns) // 10)]
            body = {"query": IMPACT, "variables": {"asset": {"fqn": fqn}, "schema": dropped}}
            started = time.perf_counter()
            reply: dict[str, Any] = client.post(server.url, json=body).json()
            if turn >= 10:  # the first ones fill caches
                waits.append((time.perf_counter() - started) * 1000)
            found = reply["data"]["impact"]
            assert found["breaking"], reply
            reached.append(found["downstream"]["totalCount"])
    assert median(reached) > 900, reached
    return waits


async def _inbox(url: str, graph: Graph) -> int:
    """How many statements a page takes."""
    parts = app.assemble(Settings(database_url=url))
    seen: list[str] = []

    parts.database.watch(lambda statement, _seconds: seen.append(statement))
    try:
        identity = app.Identity(Actor("reader", team_id=graph.team))
        reply = await execute(parts.transport, query=INBOX, identity=identity)
        assert reply["data"], reply
        assert len(reply["data"]["viewer"]["inbox"]["nodes"]) == 50, reply
        return len(seen)
    finally:
        await parts.database.dispose()


if __name__ == "__main__":
    raise SystemExit(main())
