"""`tessera audit archive`: move old events to files, in steps that can be repeated after an interruption."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tessera_gql.errors import NotFound
from tessera_gql.store import audit, event_anchors, event_archive, log_verifications
from tessera_gql.store.audit import LogPosition
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventAnchor
from tessera_gql.workflows import log_archive
from tessera_gql.workflows.log_archive import ArchivePlan

Report = Callable[[str], None]


async def archive_events(
    database: Database, folder: Path, before: datetime, archived_by: str, report: Report
) -> ArchivePlan:
    """Archive the events before a moment to an existing folder, and return what was archived.

    An earlier archive that was interrupted is completed first. Raises a Refusal, and BrokenEventLog if the log was
    changed; then nothing is deleted.
    """
    async with database.read() as session:
        await log_archive.require_permission(session)
    await _complete(database, folder, report)
    last = await audit.verify_log(database)
    async with database.write("tessera audit") as session:
        await log_verifications.record(session, last)
        plan = await log_archive.plan_archive(session, before)
    if plan.count:
        pages = audit.read_pages(database, plan.start.sequence, plan.end.sequence)
        await event_archive.write_file(folder / plan.file, pages, plan.start, plan.end)
        async with database.write("tessera audit") as session:
            await log_archive.record_anchor(session, plan, archived_by)
        await _complete(database, folder, report)
    return plan


async def _complete(database: Database, folder: Path, report: Report) -> None:
    """Delete the events of the last archive that are left, after verifying its file again."""
    async with database.read() as session:
        anchor = await log_archive.find_undeleted(session)
        anchors = await event_anchors.list_all(session)
    if anchor is None:
        return
    _verify_file(folder, anchor, anchors)
    report(f"Deleting the events up to {anchor.sequence}, which {folder / anchor.file} holds …")
    deleted = 1
    while deleted:
        async with database.write("tessera audit") as session:
            deleted = await log_archive.delete_batch(session, anchor)
    await database.erase_overwritten()


def _verify_file(folder: Path, anchor: EventAnchor, anchors: list[EventAnchor]) -> None:
    file = folder / anchor.file
    if not file.is_file():
        raise NotFound(
            f"There is no file {file}. An archive was interrupted before it deleted the events up to {anchor.sequence}:"
            " give its folder, so that the file is verified first."
        )
    start = next((LogPosition(item.sequence, item.hash) for item in reversed(anchors[:-1])), LogPosition())
    event_archive.verify_file(file, start, LogPosition(anchor.sequence, anchor.hash))
