"""Usage sources and imports of reads, as the mutations run them."""

from collections.abc import Iterable
from datetime import datetime

from tessera_gql.policy.access import ANONYMOUS, Actor
from tessera_gql.store.tables import Team, UsageSource
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import usage_sources
from tessera_gql.workflows.usage_import import ImportPlan, finish_import, import_batch, plan_import
from tessera_gql.workflows.usage_log import collect_reads
from tests.world import World

HEADER = "principal,asset,field,read_at"
FQN = "analytics.core.orders"


def log_of(*reads: tuple[str, str, datetime], asset: str = FQN) -> str:
    """A log with reads by a principal of a field at a time."""
    return "\n".join([HEADER, *(f"{who},{asset},{path},{at.isoformat()}" for who, path, at in reads), ""])


async def usage_source(world: World, name: str = "snowflake") -> UsageSource:
    async with world.database.write() as session:
        return await usage_sources.create_source(session, ANONYMOUS, name=name)


async def map_principal(world: World, pattern: str, team: Team) -> int:
    async with world.database.write() as session:
        return (
            await usage_sources.map_principal(session, ANONYMOUS, pattern=pattern, team=TeamRef(id=team.id))
        ).principals


async def unmap_principal(world: World, pattern: str) -> int:
    async with world.database.write() as session:
        return (await usage_sources.unmap_principal(session, ANONYMOUS, pattern=pattern)).principals


async def import_log(
    world: World,
    content: str | bytes | Iterable[str],
    *,
    source: str = "snowflake",
    covers: tuple[datetime | None, datetime | None] = (None, None),
    actor: Actor = ANONYMOUS,
) -> ImportPlan:
    """Import a log in the transactions that the mutation would take."""
    text = content if isinstance(content, str | bytes) else "\n".join(content)
    log = collect_reads(text, world.database.clock())
    async with world.database.read() as session:
        plan = await plan_import(session, actor, UsageSourceRef(name=source), log, covers)
    while plan.batches:
        async with world.database.write() as session:
            plan = await import_batch(session, actor, plan)
    async with world.database.write() as session:
        return await finish_import(session, actor, plan)
