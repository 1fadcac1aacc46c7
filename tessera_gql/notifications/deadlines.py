"""Apply deadlines to proposals: expiry, silence, overdue or proven migrations and reminders, each in a transaction.

Proposals that wait for coverage are let go once it is there, and held again when a reader without a team appears.

Teams get one reminder for each change set, the notification of a change set whose ask was interrupted, and reminders of
sunsets. A change set whose last proposals were published at once is closed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from tessera_gql.compute import Computer, Pool, run_deferrable
from tessera_gql.errors import Refusal, Unavailable
from tessera_gql.store import change_set_asks, change_sets, deprecations, proposals
from tessera_gql.store.database import Database
from tessera_gql.store.session import Session
from tessera_gql.store.tables import Proposal
from tessera_gql.workflows.change_set_notifications import (
    INTERRUPTED_AFTER,
    complete_notifications,
    send_change_set_reminders,
)
from tessera_gql.workflows.change_set_status import close_unclosed
from tessera_gql.workflows.change_sets import apply_change_set_deadlines
from tessera_gql.workflows.coverage_holds import find_changed_holds
from tessera_gql.workflows.deprecations import send_reminder
from tessera_gql.workflows.proposals import apply_deadlines, send_reminders
from tessera_gql.workflows.usage_import import find_quiet_proposals, release_quiet

INTERVAL_SECONDS = 15.0
GATHERING_TIME = timedelta(minutes=2)
"""Time within which asks of one change set that become due are dealt with together: an ask may take several minutes."""
MAX_PROPOSALS = 500
"""Proposals of a change set to which one transaction applies deadlines."""

log = logging.getLogger(__name__)


async def run_deadlines(
    database: Database, *, interval_seconds: float = INTERVAL_SECONDS, pool: Pool | None = None
) -> None:
    """Apply deadlines at an interval, until cancelled."""
    while True:
        try:
            await apply_due_deadlines(database, pool)
        except Unavailable as error:
            log.warning("Deadlines are not looked at for now. %s", error)
        except Exception:
            log.exception("Deadlines could not be looked at; another attempt is made")
        await asyncio.sleep(interval_seconds)


async def apply_due_deadlines(database: Database, pool: Pool | None = None) -> int:
    """Apply what is due; returns the number of proposals looked at. Safe in many processes: it locks the asset."""
    async with database.read() as session:
        due = await proposals.list_due(session, session.now)
        reminding = await proposals.list_reminding(session, session.now)
        reminding_sets = await change_set_asks.list_reminding(session, session.now)
        interrupted_sets = await change_set_asks.list_interrupted(session, session.now - INTERRUPTED_AFTER)
        deprecated = await deprecations.list_due_reminders(session, session.now)
        unclosed_sets = await change_sets.list_unclosed(session)
    for identity in interrupted_sets:  # before silence counts, or lets a proposal expire
        await _run_command(database, pool, identity, complete_notifications, "change set")
    for identity in [row.id for row in due if row.change_set_id is None]:
        await _run_command(database, pool, identity, apply_deadlines)
    await _apply_to_change_sets(database, pool, due)
    for identity in reminding:
        await _run_command(database, pool, identity, send_reminders)
    for identity in reminding_sets:
        await _run_command(database, pool, identity, send_change_set_reminders, "change set")
    for identity in unclosed_sets:
        await _run_command(database, pool, identity, close_unclosed, "change set")
    for identity in deprecated:
        await _run_command(database, pool, identity, send_reminder, "deprecation")
    await _run_pages(database, pool, find_quiet_proposals, release_quiet)
    await _run_pages(database, pool, find_changed_holds, apply_deadlines)
    return len(due)


async def _apply_to_change_sets(database: Database, pool: Pool | None, due: Sequence[Proposal]) -> None:
    """Apply what is due to the proposals of each change set in one transaction, which notifies each team once.

    A change set in which more becomes due in a moment is left to a later run. If one proposal prevents the transaction,
    each of them has its own.
    """
    by_change_set: dict[UUID, list[UUID]] = {}
    for row in due:
        if row.change_set_id is not None:
            by_change_set.setdefault(row.change_set_id, []).append(row.id)
    if not by_change_set:
        return
    async with database.read() as session:
        until = session.now + GATHERING_TIME
        gathering = await change_set_asks.find_gathering(session, [*by_change_set], until)
    for change_set_id, proposal_ids in by_change_set.items():
        for start in range(0, 0 if change_set_id in gathering else len(proposal_ids), MAX_PROPOSALS):
            step = proposal_ids[start : start + MAX_PROPOSALS]
            command = partial(apply_change_set_deadlines, proposal_ids=step)
            if not await _run_command(database, pool, change_set_id, command, "change set"):
                for identity in step:
                    await _run_command(database, pool, identity, apply_deadlines)


async def _run_pages(
    database: Database,
    pool: Pool | None,
    find: Callable[[Session, UUID | None], Awaitable[tuple[list[UUID], UUID | None]]],
    command: Callable[[Session, UUID], Awaitable[object]],
) -> None:
    """Run a command for the proposals that need it, page by page: for what observed reads prove or cover."""
    last: UUID | None = None
    while True:
        async with database.read() as session:
            page, last = await find(session, last)
        for identity in page:
            await _run_command(database, pool, identity, command)
        if last is None:
            return


async def _run_command(
    database: Database,
    pool: Pool | None,
    row_id: UUID,
    command: Callable[[Session, UUID], Awaitable[object]],
    noun: str = "proposal",
) -> bool:
    """Run a command for one row, described by the noun; return whether it succeeded.

    Its failure is logged and must not prevent the others.
    """
    computer = Computer(pool, "clock")

    async def attempt(may_defer: bool) -> None:  # noqa: FBT001 - as `run_deferrable` calls it
        async with database.write("clock") as session:
            session.computer, session.may_defer = computer, may_defer
            await command(session, row_id)

    try:
        await run_deferrable(computer, attempt)
    except Unavailable:
        raise
    except Refusal as error:
        log.warning("The %s %s could not be brought up to date: %s", noun, row_id, error)
    except Exception:
        log.exception("The %s %s could not be brought up to date", noun, row_id)
    else:
        return True
    return False
