"""publishContract at eight connections: our server against the same workflow with ORM entities, in the same run.

`--db pg|sqlite`, `--rounds`. Each server has a database of its own; in the end both must hold the same.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import func, select

from bench import _servers, _world
from bench._load import Generator, Load, generator
from bench._measure import Measured, measured, told
from bench._results import Line, tell
from bench._servers import Server, Storage
from tessera_gql.store import audit, contracts, migration
from tessera_gql.store.database import Database

PUBLISH = """mutation ($input: PublishContractInput!) {
  publishContract(input: $input) { outcome contract { version } }
}"""
SCALE = 0.05
EACH_ROUND = 300
CONNECTIONS = 8


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench writes", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tessera-writes-"))
    folder.chmod(0o755)
    try:
        with _servers.storage(asked.db, folder) as stored:
            urls = [asyncio.run(_filled(stored.database(name))) for name in ("ours", "orm")]
            servers = [_servers.ours(urls[0], folder), _servers.reference("orm_publish", urls[1], folder)]
            with _servers.running(servers), generator() as load:
                rounds = list(_rounds(servers, stored, load, asked.rounds))
            asyncio.run(_assert_alike(urls, EACH_ROUND * (asked.rounds + 1)))
            about = f"{stored.version}; publishContract, c = {CONNECTIONS}, {asked.rounds} interleaved rounds."
            return tell(f"Writes, {stored.version.split()[0]}", about, [*_lines(rounds, asked.db)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _filled(url: str) -> str:
    await migration.upgrade(url)
    await _world.build(url, SCALE)
    return url


def _bodies(number: int) -> list[str]:
    """For so many assets the same schema with one column more than in the round before: compatible, never unchanged."""
    schema = _world.schema(31 + number)
    named = [each for each in range(10_000) if each % 10 in range(1, 9)][:EACH_ROUND]
    wanted = [{"asset": {"fqn": _world.fqn(each)}, "schema": schema} for each in named]
    return [json.dumps({"query": PUBLISH, "variables": {"input": one}}) for one in wanted]


def _rounds(servers: Sequence[Server], stored: Storage, load: Generator, count: int) -> Iterator[tuple[Measured, ...]]:
    """The first only warms up."""
    for number in range(count + 1):
        bodies = _bodies(number)
        found = tuple(measured(one, stored, load, Load(one.port, CONNECTIONS, len(bodies), bodies)) for one in servers)
        if number:
            yield found


async def _assert_alike(urls: Sequence[str], published: int) -> None:
    """Everything was published, in both as many contracts of each kind, and each chain of events holds."""
    found = [await _kept(url, published) for url in urls]
    assert found[0] == found[1], found


async def _kept(url: str, published: int) -> dict[tuple[str, str], int]:
    database = Database(url)
    try:
        last = await audit.verify(database)
        assert last.sequence == published, last
        async with database.read() as session:
            kinds = (contracts.rows.c.status, contracts.rows.c.change_type)
            counted = await session.rows(select(*kinds, func.count()).group_by(*kinds))
            return {(row[0], row[1]): row[2] for row in counted}
    finally:
        await database.dispose()


def _lines(rounds: Sequence[tuple[Measured, ...]], kind: str) -> Iterator[Line]:
    rates = [ours.rate / orm.rate for ours, orm in rounds]
    yield Line("publish, req/s against the ORM version", rates, "x", at_least=1.4 if kind == "pg" else None)
    yield Line("publish, CPU against the ORM version", [ours.cpu / orm.cpu for ours, orm in rounds], "x")
    for place, name in enumerate(("ours", "ORM")):
        yield from told(f"publish, {name}", [one[place] for one in rounds])
