"""Ask or sync in several short transactions, between which other writers get their turn.

SQLite has one writer, and a waiting one sleeps up to 0.1 s before it tries again: a transaction that follows at once
would nearly always be first. On PostgreSQL only those wait who change the same tables.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, Self, TypeVar

from tessera_gql.compute import run_deferrable
from tessera_gql.formats.dbt import Manifest
from tessera_gql.graphql.context import Context
from tessera_gql.store.session import Session
from tessera_gql.workflows.dbt.ask import AskProgress, ask_batch, needs_transaction
from tessera_gql.workflows.dbt.batches import BatchRules, PlanOutdated
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.options import Purpose, SyncOptions
from tessera_gql.workflows.dbt.owner_teams import create_teams
from tessera_gql.workflows.dbt.plan import ManifestPlan
from tessera_gql.workflows.dbt.state import ManifestCache
from tessera_gql.workflows.dbt.sync_progress import SyncProgress

T = TypeVar("T")

BATCH_SECONDS = {"sqlite": 0.3, "postgresql": 0.6}
"""The time after which a transaction ends with the step that it is at, by database."""
PAUSE_SECONDS = 0.12
"""The time between two transactions on SQLite: longer than a waiting writer sleeps before it tries again."""
MAX_OUTDATED_PLANS = 3
"""Plans in a row that may be outdated before they are used; the next one is made under the lock."""


class Progress(Protocol):
    """What an ask or a sync has done so far."""

    @property
    def plan(self) -> ManifestPlan: ...

    @property
    def is_complete(self) -> bool: ...

    def with_plan(self, plan: ManifestPlan) -> Self: ...


P = TypeVar("P", bound=Progress)


async def ask(context: Context, manifest: Manifest, options: SyncOptions) -> ManifestPlan:
    """Ask the readers of what a manifest breaks, and return the plan as it is afterwards."""

    async def run_batch(progress: AskProgress, batch: BatchRules) -> AskProgress:
        return await _write(
            context, lambda session: ask_batch(session, manifest, progress, context.report_progress, batch)
        )

    draft = await _plan(context, manifest, options, Purpose.ASK)
    if not needs_transaction(draft):
        return draft
    progress = await _run_batches(context, manifest, AskProgress(draft), run_batch)
    plan = await _plan(context, manifest, options, Purpose.ASK, progress.plan.cache)
    return plan.with_refusals(progress.refusals)


async def sync(
    context: Context,
    manifest: Manifest,
    options: SyncOptions,
    run_batch: Callable[[SyncProgress, BatchRules], Awaitable[SyncProgress]],
) -> None:
    """Sync a manifest by calling `run_batch` until the sync is complete; missing teams are created first."""
    draft = await _plan(context, manifest, options, Purpose.RELEASE)
    progress = SyncProgress(draft)
    if options.create_teams and draft.new_teams and not options.atomic:
        number = await _write(context, lambda session: create_teams(session, manifest, draft))
        progress = SyncProgress(await _plan(context, manifest, options, Purpose.RELEASE, draft.cache))
        progress = replace(progress, counts=replace(progress.counts, teams_created=number))
    await _run_batches(context, manifest, progress, run_batch)


async def _run_batches(
    context: Context, manifest: Manifest, progress: P, run_batch: Callable[[P, BatchRules], Awaitable[P]]
) -> P:
    """Run transactions until the work is complete, and plan again when a plan is outdated.

    With `atomic` there is only one.
    """
    options, outdated_plans = progress.plan.options, 0
    seconds = BATCH_SECONDS[context.database.dialect]
    while not progress.is_complete:
        batch = BatchRules(None if options.atomic else seconds, may_plan=outdated_plans == MAX_OUTDATED_PLANS)
        try:
            progress = await run_batch(progress, batch)
        except PlanOutdated:
            outdated_plans += 1
            plan = progress.plan
            progress = progress.with_plan(await _plan(context, manifest, options, plan.purpose, plan.cache))
        else:
            outdated_plans = 0
            if not progress.is_complete and context.database.dialect == "sqlite":
                await asyncio.sleep(PAUSE_SECONDS)
    return progress


async def _plan(
    context: Context, manifest: Manifest, options: SyncOptions, purpose: Purpose, cache: ManifestCache | None = None
) -> ManifestPlan:
    """Plan without a write lock, on the primary."""
    async with context.database.read() as session:
        session.computer = context.computer
        return await plan_manifest(session, context.actor, manifest, options, purpose, cache)


async def _write(context: Context, execute: Callable[[Session], Awaitable[T]]) -> T:
    """Execute in one write transaction, again if a long comparison was deferred."""

    async def attempt(may_defer: bool) -> T:  # noqa: FBT001 - as `run_deferrable` calls it
        async with context.write(may_defer=may_defer) as session:
            return await execute(session)

    return await run_deferrable(context.computer, attempt)
