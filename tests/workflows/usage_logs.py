"""Usage sources and imports of reads, as the mutations run them."""

from collections.abc import Iterable
from datetime import datetime

from tessera_gql.formats.usage_formats import UsageFormat
from tessera_gql.policy.access import ANONYMOUS, Actor
from tessera_gql.store.tables import Team, UsageSource
from tessera_gql.store.teams import TeamRef
from tessera_gql.store.usage import UsageSourceRef
from tessera_gql.workflows import usage_sources
from tessera_gql.workflows.usage_import import (
    ImportPlan,
    create_partitions,
    finish_import,
    import_batch,
    plan_import,
    plan_part,
)
from tessera_gql.workflows.usage_log import UsageDocument, collect_reads
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
    format_: UsageFormat = UsageFormat.CSV,
    retention_days: int | None = None,
) -> ImportPlan:
    """Import a log in the transactions that the mutation would take."""
    text = content if isinstance(content, str | bytes) else "\n".join(content)
    document = UsageDocument(text.encode() if isinstance(text, str) else text, format_, retention_days)
    now = world.database.clock()
    log = collect_reads(document, now)
    async with world.database.read() as session:
        plan = await plan_import(session, actor, UsageSourceRef(name=source), log, covers)
    plan = await store_batches(world, actor, plan)
    for part in document.collect_parts(log, now):
        async with world.database.read() as session:
            plan = await plan_part(session, plan, part)
        plan = await store_batches(world, actor, plan)
    async with world.database.write() as session:
        return await finish_import(session, actor, plan)


async def store_batches(world: World, actor: Actor, plan: ImportPlan) -> ImportPlan:
    if plan.months:
        async with world.database.write() as session:
            plan = await create_partitions(session, plan)
    while plan.batches:
        async with world.database.write() as session:
            plan = await import_batch(session, actor, plan)
    return plan
