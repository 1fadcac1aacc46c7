"""Measure the import of logs of millions of reads: time, memory, and how long another client waits for its writes.

The import runs in a process of its own, as in an upload worker. Importing the same log again must change nothing.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench._figures import Figure
from bench._holds import LoopHolds
from bench._memory import resident
from bench._results import report
from bench._servers import start_storage, temporary_folder
from bench._usage_import import SOURCE
from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store import migration
from tessera_gql.store.assets import AssetRef
from tessera_gql.store.database import Database
from tessera_gql.store.teams import TeamRef
from tessera_gql.workflows import assets, teams, usage_sources
from tessera_gql.workflows.assets import AssetDetails
from tessera_gql.workflows.publishing import PublishRequest, publish_contract

ROWS = 5_000_000
ASSETS = 300
COLUMNS = 30
ROWS_OF_PRINCIPAL = 25_000
DAYS = 7
ROWS_PER_MINUTE = 1_000_000
LONGEST_WAIT = 2.0
MEMORY = 2_048.0
"""MiB beside the file itself."""
SAMPLE_SECONDS = 0.2


def write_log(file: Path, rows: int, format_: UsageFormat) -> None:
    """Write a log of rows of one field each; a principal reads a few assets, again and again."""
    generator = random.Random(7)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    with file.open("w") as stream:
        if format_ is UsageFormat.CSV:
            stream.write("principal,asset,field,read_at\n")
        for line in _iterate_lines(generator, rows, end, format_):
            stream.write(line)


def _iterate_lines(generator: random.Random, rows: int, end: datetime, format_: UsageFormat) -> Iterator[str]:
    principals = max(1, rows // ROWS_OF_PRINCIPAL)
    for number in range(rows):
        principal = int(principals * generator.random())
        asset = (principal * 7 + int(12 * generator.random())) % ASSETS
        column = int(COLUMNS * generator.random() ** 3)
        moment = (end - timedelta(seconds=int(DAYS * 86_400 * generator.random()))).isoformat()
        if format_ is UsageFormat.CSV:
            yield f"svc_{principal},analytics.core.table_{asset},column_{column},{moment}\n"
        else:
            item = (
                f'{{"objectDomain": "Table", "objectName": "ANALYTICS.CORE.TABLE_{asset}",'
                f' "columns": [{{"columnId": {column}, "columnName": "COLUMN_{column}"}}]}}'
            )
            yield (
                f'{{"QUERY_ID": "01b{number:020}", "QUERY_START_TIME": "{moment}", "USER_NAME": "SVC_{principal}",'
                f' "DIRECT_OBJECTS_ACCESSED": [{item}], "BASE_OBJECTS_ACCESSED": [{item}],'
                ' "OBJECTS_MODIFIED": []}\n'
            )


async def create_catalog(database: Database) -> None:
    schema = {"type": "object", "properties": {f"column_{number}": {"type": "string"} for number in range(COLUMNS)}}
    async with database.write() as session:
        team = await teams.create(session, ANONYMOUS, name="owner")
        await usage_sources.create_source(session, ANONYMOUS, name=SOURCE)
        for number in range(ASSETS):
            fqn = f"analytics.core.table_{number}"
            details = AssetDetails(owner=TeamRef(id=team.id))
            await assets.create(session, ANONYMOUS, fqn=fqn, details=details)
            await publish_contract(session, ANONYMOUS, AssetRef(fqn=fqn), PublishRequest(schema=schema))


async def measure_import(database: Database, file: Path, format_: UsageFormat) -> tuple[dict[str, float], float, float]:
    """Import a file in another process. Returns what it reports, its peak memory, and the longest wait of a write."""
    command = [sys.executable, "-m", "bench._usage_import", database.url, str(file), format_.value]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    finished = asyncio.create_task(process.communicate())
    peak = longest = 0.0
    number = 0
    while not finished.done():
        peak = max(peak, _measure_memory(process.pid))
        start_time = time.perf_counter()
        number += 1
        async with database.write() as session:
            await teams.create(session, ANONYMOUS, name=f"{file.name}-{process.pid}-{number}")
        longest = max(longest, time.perf_counter() - start_time)
        await asyncio.sleep(SAMPLE_SECONDS)
    output, _ = await finished
    assert process.returncode == 0
    return json.loads(output), peak, longest


def _measure_memory(pid: int) -> float:
    try:
        return resident([pid])
    except (OSError, IndexError):  # it has ended
        return 0.0


async def measure(kind: str, url: str, file: Path, format_: UsageFormat) -> int:
    """Import a file twice into an empty database, and report the figures."""
    await migration.upgrade(url)
    database = Database(url)
    await create_catalog(database)
    holds = LoopHolds()
    async with holds.watch():
        first, peak, wait = await measure_import(database, file, format_)
        again, _, wait_again = await measure_import(database, file, format_)
    await database.dispose()
    size = await asyncio.to_thread(lambda: file.stat().st_size / 2**20)
    figures = [
        Figure("rows a minute", [first["rows"] / first["seconds"] * 60], at_least=ROWS_PER_MINUTE),
        Figure("rows a minute, again", [again["rows"] / again["seconds"] * 60], at_least=ROWS_PER_MINUTE),
        Figure("seconds", [first["seconds"]], "s"),
        Figure("days of readers that changed", [first["days"]]),
        Figure("days of readers that changed, again", [again["days"]], at_most=0),
        Figure("longest wait of another write", [max(wait, wait_again)], "s", at_most=LONGEST_WAIT),
        Figure("memory beside the file", [peak - size], "MiB", at_most=MEMORY),
        Figure("size of the file", [size], "MiB"),
        holds.figure(),
    ]
    title = f"Usage, {format_.lower()}, {kind}"
    return report(title, f"{first['rows']:,.0f} rows; their import runs in a process of its own.", figures)


def main() -> int:
    """Import CSV with all rows and a log of Snowflake with a fifth. Returns 0 if every target is met."""
    parser = argparse.ArgumentParser(prog="python -m bench usage", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the log")
    parser.add_argument("--db", choices=("sqlite", "pg"), help="only this database")
    options = parser.parse_args()
    missed = 0
    for format_, rows in ((UsageFormat.CSV, options.rows), (UsageFormat.SNOWFLAKE, options.rows // 5)):
        with temporary_folder() as folder:
            file = folder / f"log-{format_.lower()}"
            write_log(file, rows, format_)
            for kind in ("sqlite", "pg"):
                if options.db in (None, kind):
                    with start_storage(kind, folder) as storage:
                        url = f"sqlite:///{folder}/usage.db" if kind == "sqlite" else storage.location
                        missed += asyncio.run(measure(kind, url, file, format_))
    print("FAIL" if missed else "PASS")
    return int(bool(missed))
