"""Push a database to a folder and pull it back, each in its own transaction."""

from pathlib import Path
from typing import Any

from tessera_gql.policy.access import ANONYMOUS
from tessera_gql.store.database import Database
from tessera_gql.workflows.git import sync as git_verbs
from tessera_gql.workflows.git.folder import PushResult
from tessera_gql.workflows.git.state import PullResult

ORDERS_FILE = "assets/analytics.core.orders.yaml"


async def push(database: Database, folder: Path | None, **options: Any) -> PushResult:
    async with database.read() as session:
        return await git_verbs.push(session, ANONYMOUS, folder, **options)


async def pull(database: Database, folder: Path) -> PullResult:
    files = await git_verbs.read_files(ANONYMOUS, folder)
    async with database.write() as session:
        return await git_verbs.pull(session, ANONYMOUS, files)
