"""Carry out a plan in several transactions, so that other writers of SQLite get their turn in between.

The plan is made without locks. Each transaction checks that nothing it rests on was written since, and works until its
time is up. What it has finished, the next one leaves out.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from tessera_gql.formats.dbt import Manifest
from tessera_gql.store import assets, events
from tessera_gql.store.session import Session
from tessera_gql.workflows.dbt.compare import plan_manifest
from tessera_gql.workflows.dbt.plan import ManifestPlan


class PlanOutdated(Exception):  # noqa: N818 - the caller plans again
    """Something that the plan rests on was written since it was made; nothing was done yet."""


@dataclass(frozen=True)
class BatchRules:
    """The rules of one transaction: how long it works, and whether it may plan again under its locks.

    Without `seconds` it does everything.
    """

    seconds: float | None = None
    may_plan: bool = True


WHOLE = BatchRules()


async def confirm_plan(session: Session, manifest: Manifest, draft: ManifestPlan, batch: BatchRules) -> ManifestPlan:
    """Lock what a plan names, and return it, or a new plan if something that it rests on was written since.

    Raises PlanOutdated instead if the batch may not plan.
    """
    await assets.lock_by_ids(session, draft.list_assets_to_lock())
    later = await events.list_subjects_after(session, draft.sequence or 0)
    if not any(draft.rests_on(event.kind, event.asset_id) for event in later):
        return replace(draft, sequence=later[-1].sequence) if later else draft
    if not batch.may_plan:
        raise PlanOutdated
    plan = await plan_manifest(session, draft.actor, manifest, draft.options, draft.purpose, draft.cache)
    return replace(plan, finished=draft.finished)


async def run_steps(steps: AsyncGenerator[None], batch: BatchRules) -> bool:
    """Run steps until the time of the batch is up, but at least one; return whether all have run."""
    started_at = time.monotonic()
    async with aclosing(steps):
        async for _ in steps:
            if batch.seconds is not None and time.monotonic() - started_at >= batch.seconds:
                return False
    return True
