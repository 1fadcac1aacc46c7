"""Import a log of reads into a database and print what it took, as a process that `bench usage` measures."""

import asyncio
import json
import sys
import time
from pathlib import Path

from tessera_gql.cli.server_process import tune_runtime
from tessera_gql.formats.raw_json import RawJson
from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.graphql.context import Context, Resources
from tessera_gql.graphql.refs import UsageSourceRefInput
from tessera_gql.graphql.scalars import JSON
from tessera_gql.graphql.usage_import import ImportUsageInput, import_usage
from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.database import Database

SOURCE = "bench"


async def import_log(url: str, content: bytes, format_: UsageFormat) -> dict[str, float]:
    """Import a log as an upload worker does: its content in memory, everything else as a stream."""
    database = Database(url)
    arguments = ImportUsageInput(
        source=UsageSourceRefInput(name=SOURCE), document=JSON(RawJson(content)), format=format_
    )
    start_time = time.perf_counter()
    async with Context(database, ANONYMOUS, Resources(usage_retention_days=400)) as context:
        payload = await import_usage(context, arguments)
    seconds = time.perf_counter() - start_time
    await database.dispose()
    assert payload.report is not None
    return {"seconds": seconds, "rows": payload.report.rows, "days": payload.report.days_changed}


def main() -> None:
    tune_runtime()
    url, file, format_ = sys.argv[1:]
    print(json.dumps(asyncio.run(import_log(url, Path(file).read_bytes(), UsageFormat(format_)))))


if __name__ == "__main__":
    main()
