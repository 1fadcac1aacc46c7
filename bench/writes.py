"""Measure `publishContract` at eight connections, against the same workflow with ORM entities in the same run.

`--db pg|sqlite`, `--rounds`. Each server has its own database; at the end both must have the same content.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence

from sqlalchemy import func, select

from bench import _catalog, _servers
from bench._figures import Figure
from bench._holds import hold_figure, read_longest_hold
from bench._load import Load, LoadGenerator, start_generator
from bench._measure import Measurement, measure, untargeted_figures
from bench._results import report
from bench._servers import Server, Storage
from tessera_gql.store import audit, contracts, field_changes, migration
from tessera_gql.store.database import Database

PUBLISH = """mutation ($input: PublishContractInput!) {
  publishContract(input: $input) { outcome contract { version } }
}"""
SCALE = 0.05
REQUESTS_PER_ROUND = 300
CONNECTIONS = 8


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench writes", description=__doc__)
    parser.add_argument("--db", choices=("pg", "sqlite"), default="pg")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with _servers.temporary_folder() as folder, _servers.start_storage(options.db, folder) as storage:
        urls = [asyncio.run(_create_catalog(storage.database(name))) for name in ("ours", "orm")]
        servers = [_servers.our_server(urls[0], folder), _servers.reference_server("orm_publish", urls[1], folder)]
        with _servers.run_servers(servers), start_generator() as load:
            rounds = list(_rounds(servers, storage, load, options.rounds))
            hold = hold_figure(read_longest_hold(servers[0].url))
        asyncio.run(_assert_alike(urls, REQUESTS_PER_ROUND * (options.rounds + 1)))
        about = f"{storage.version}; publishContract, c = {CONNECTIONS}, {options.rounds} interleaved rounds."
        return report(f"Writes, {storage.version.split()[0]}", about, [*_lines(rounds, options.db), hold])


async def _create_catalog(url: str) -> str:
    await migration.upgrade(url)
    await _catalog.build(url, SCALE)
    return url


def _bodies(number: int) -> list[str]:
    """Return publishes with one column more than in the round before: compatible, never unchanged."""
    schema = _catalog.schema(31 + number)
    numbers = [index for index in range(10_000) if index % 10 in range(1, 9)][:REQUESTS_PER_ROUND]
    inputs = [{"asset": {"fqn": _catalog.fqn(index)}, "schema": schema} for index in numbers]
    return [json.dumps({"query": PUBLISH, "variables": {"input": variables}}) for variables in inputs]


def _rounds(
    servers: Sequence[Server], storage: Storage, load: LoadGenerator, count: int
) -> Iterator[tuple[Measurement, ...]]:
    """Run the rounds; the first is a warm-up."""
    for number in range(count + 1):
        bodies = _bodies(number)
        measurements = tuple(
            measure(server, storage, load, Load(server.port, CONNECTIONS, len(bodies), bodies)) for server in servers
        )
        if number:
            yield measurements


async def _assert_alike(urls: Sequence[str], published: int) -> None:
    """Assert that both databases have the same contracts of each kind, and valid event logs."""
    counts = [await _count_contracts(url, published) for url in urls]
    assert counts[0] == counts[1], counts


async def _count_contracts(url: str, published: int) -> dict[tuple[str, ...], int]:
    """Count contracts of each kind, changed fields and columns."""
    database = Database(url)
    try:
        last = await audit.verify_log(database)
        assert last.sequence == published, last
        async with database.read() as session:
            kinds = (contracts.TABLE.c.status, contracts.TABLE.c.change_type)
            rows = await session.rows(select(*kinds, func.count()).group_by(*kinds))
            counts: dict[tuple[str, ...], int] = {(row[0], row[1]): row[2] for row in rows}
            for table in (field_changes.TABLE, field_changes.COLUMNS):
                counts[table.name,] = await session.value(select(func.count()).select_from(table))
            return counts
    finally:
        await database.dispose()


def _lines(rounds: Sequence[tuple[Measurement, ...]], kind: str) -> Iterator[Figure]:
    rates = [ours.rate / orm.rate for ours, orm in rounds]
    yield Figure("publish, req/s against the ORM version", rates, "x", at_least=2.5 if kind == "pg" else None)
    yield Figure("publish, CPU against the ORM version", [ours.cpu / orm.cpu for ours, orm in rounds], "x")
    for position, name in enumerate(("ours", "ORM")):
        yield from untargeted_figures(f"publish, {name}", [measurement[position] for measurement in rounds])
