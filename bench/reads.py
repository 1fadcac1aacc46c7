"""A page of a catalog and one asset, asked of our server and of what one could have instead, in the same run.

`--db pg|sqlite`, `--peers` for PostGraphile from npm, `--scale` for a smaller catalog, `--rounds`, `--quick`.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from bench import _servers, _world, peers
from bench._load import Generator, Load, generator
from bench._measure import Measured, measured, told
from bench._results import Line, tell
from bench._servers import Server, Storage
from tessera_gql import app
from tessera_gql.auth import Identity
from tessera_gql.config import Settings
from tessera_gql.graphql.http import execute
from tessera_gql.policy.access import OPEN_ACTOR
from tessera_gql.store import migration

PAGE = """{
  assets(first: 50) {
    nodes {
      fqn
      owner { name }
      currentContract { version registrations(first: 10) { nodes { consumerTeam { name } status } } }
      openProposal { status proposedVersion }
    }
  }
}"""
TINY = "query ($fqn: String!) { asset(by: { fqn: $fqn }) { fqn description } }"
EVERYWHERE = (1, 8, 32)

Figures = dict[tuple[str, str, int], list[Measured]]
"""By server, query and number of connections; one for each round."""


@dataclass(frozen=True)
class Variant:
    """A server, what it is asked, and how often a round at each number of connections."""

    server: Server
    page: str
    pages: int
    tiny: str | None = None
    tinies: int = 0
    connections: Sequence[int] = (8,)

    def slices(self) -> Iterator[tuple[str, Load]]:
        for connections in self.connections:
            yield "page", Load(self.server.port, connections, self.pages, [self.page])
        if self.tiny:
            yield "tiny", Load(self.server.port, 8, self.tinies, [self.tiny])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench reads", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--peers", action="store_true", help="PostGraphile as well (needs npm)")
    parser.add_argument("--scale", type=float, default=1.0, help="of 20,000 assets")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, to see that all of it works")
    asked = parser.parse_args()
    if asked.peers and asked.db == "sqlite":
        parser.error("PostGraphile reads PostgreSQL only: leave out --peers, or ask for --db pg")
    folder = Path(tempfile.mkdtemp(prefix="tessera-reads-"))
    folder.chmod(0o755)
    try:
        with _servers.storage(asked.db, folder) as stored:
            url = stored.database("catalog")
            world = asyncio.run(_filled(url, asked.scale))
            variants = _variants(url, folder, world, peer=asked.peers)
            with _servers.running([one.server for one in variants]), generator() as load:
                _assert_alike(variants)
                asyncio.run(_assert_planned(url, world))
                figures = _rounds(variants, stored, load, asked.rounds, 10 if asked.quick else 1)
            about = f"{stored.version}; {world}; {asked.rounds} interleaved rounds."
            return tell(f"Reads, {stored.version.split()[0]}", about, [*_demands(figures), *_told(figures)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _filled(url: str, scale: float) -> _world.World:
    await migration.upgrade(url)
    return await _world.build(url, scale)


def _variants(url: str, folder: Path, world: _world.World, *, peer: bool) -> list[Variant]:
    page, tiny = json.dumps({"query": PAGE}), json.dumps({"query": TINY, "variables": {"fqn": world.an_fqn}})
    found = [
        Variant(_servers.ours(url, folder), page, 300, tiny, 1_500, EVERYWHERE),
        Variant(_servers.reference("json_agg", url, folder), page, 500, connections=EVERYWHERE),
        Variant(_servers.reference("plain", url, folder), page, 80, tiny, 1_500),
        Variant(_servers.reference("idiomatic", url, folder), page, 40, tiny, 500),
    ]
    if peer:
        server, page, tiny = peers.postgraphile(url, folder, world.an_fqn)
        found.append(Variant(server, page, 300, tiny, 1_500, EVERYWHERE))
    return found


def _assert_alike(variants: Iterable[Variant]) -> None:
    """All answer the same, whatever their words for it."""
    for query in ("page", "tiny"):
        answers: dict[str, Any] = {}
        for one in variants:
            if body := getattr(one, query):
                reply = httpx.post(one.server.url, content=body, headers={"Content-Type": "application/json"})
                answers[one.server.name] = reply.json()
        first = answers["ours"]
        assert "errors" not in first, first
        for name, answer in answers.items():
            assert answer["data"] == first["data"], f"{name} answers something else: {str(answer)[:2000]}"


async def _assert_planned(url: str, world: _world.World) -> None:
    """Our executor answers both by itself."""
    parts = app.assemble(Settings(database_url=url))
    try:
        for query, variables in ((PAGE, {}), (TINY, {"fqn": world.an_fqn})):
            reply = await execute(parts.transport, query=query, variables=variables, identity=Identity(OPEN_ACTOR))
            assert "errors" not in reply, reply
        assert not parts.transport.tally.fallbacks, "graphql-core answered instead of the plan"
    finally:
        await parts.database.dispose()


def _rounds(variants: Sequence[Variant], stored: Storage, load: Generator, count: int, part: int) -> Figures:
    """Every slice of every server in turn; the first time only warms up."""
    found: Figures = {}
    for number in range(count + 1):
        for one in variants:
            for query, asked in one.slices():
                fewer = replace(asked, count=asked.count // part // (1 if number else 4))
                seen = measured(one.server, stored, load, fewer)
                if number:
                    found.setdefault((one.server.name, query, asked.connections), []).append(seen)
    return found


def _demands(figures: Figures) -> Iterator[Line]:
    def rates(query: str, other: str, connections: int) -> list[float]:
        pairs = zip(figures["ours", query, connections], figures[other, query, connections], strict=True)
        return [ours.rate / theirs.rate for ours, theirs in pairs]

    pairs = zip(figures["ours", "page", 8], figures["idiomatic", "page", 8], strict=True)
    cpu = [ours.cpu / theirs.cpu for ours, theirs in pairs]
    yield Line("page, CPU against idiomatic Strawberry, c = 8", cpu, "x", at_most=0.125)
    yield Line("page, req/s against one json_agg statement, c = 8", rates("page", "json_agg", 8), "x", at_least=0.35)
    yield Line("page, req/s against plain graphql-core, c = 8", rates("page", "plain", 8), "x", at_least=4)
    if ("postgraphile", "page", 8) in figures:
        for connections in EVERYWHERE:
            ratios = rates("page", "postgraphile", connections)
            yield Line(f"page, req/s against PostGraphile, c = {connections}", ratios, "x", at_least=1)
        yield Line("tiny, req/s against PostGraphile, c = 8", rates("tiny", "postgraphile", 8), "x", at_least=0.5)


def _told(figures: Figures) -> Iterator[Line]:
    for (name, query, connections), rounds in figures.items():
        yield from told(f"{query}, {name}, c = {connections}", rounds)
