"""The files of archived events: JSON lines with every column, from which all hashes can be computed again."""

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from tessera_gql.errors import Conflict, NotFound
from tessera_gql.store import audit
from tessera_gql.store.audit import BrokenEventLog, LogPosition
from tessera_gql.store.tables import EventAnchor, EventRow


def name_file(first_sequence: int, last_sequence: int) -> str:
    """Name the file of a range of events, so that names sort like events."""
    return f"events-{first_sequence:012}-{last_sequence:012}.jsonl"


async def write_file(file: Path, pages: AsyncIterator[list[EventRow]], start: LogPosition, end: LogPosition) -> None:
    """Write the events after `start` up to `end` to a file that survives a power failure, and verify it.

    A file of the same name that an interrupted archive has left is verified as well, and kept. Raises Conflict if it
    holds anything else, and BrokenEventLog if the events do not fit the positions; then no file is left.
    """
    if _is_complete(file, start, end):
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as stream:
            async for page in pages:
                stream.writelines(map(audit.to_json_line, page))
            stream.flush()
            os.fsync(stream.fileno())
        verify_file(draft, start, end)
        draft.replace(file)
        _sync_folder(file.parent)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _is_complete(file: Path, start: LogPosition, end: LogPosition) -> bool:
    if not file.exists():
        return False
    try:
        verify_file(file, start, end)
    except BrokenEventLog as error:
        raise Conflict(
            f"{file} exists and does not hold the events {start.sequence + 1} to {end.sequence}: {error}"
            " Move it away, or give another folder."
        ) from None
    return True


def verify_file(file: Path, start: LogPosition, end: LogPosition, expected: LogPosition | None = None) -> None:
    """Verify that a file holds exactly the events after `start` up to `end`; raise BrokenEventLog if not."""
    position = start
    checkpoints = {item.sequence: item.hash for item in (expected, end) if item}
    for page in _read_pages(file, start):
        position = audit.verify_rows(page, position, checkpoints)
    if position != end:
        reason = f"{file.name} ends at event {position.sequence} instead of {end.sequence}"
        raise BrokenEventLog(position.sequence + 1, reason, position)


def verify_archives(folder: Path, anchors: Iterable[EventAnchor], expected: LogPosition | None = None) -> None:
    """Verify the files of all anchors, from the first event on; raise BrokenEventLog if one was changed."""
    position = LogPosition()
    for anchor in anchors:
        file = folder / anchor.file
        if not file.is_file():
            raise NotFound(f"There is no file {file}, which holds the events up to {anchor.sequence}.")
        end = LogPosition(anchor.sequence, anchor.hash)
        verify_file(file, position, end, expected)
        position = end


def _read_pages(file: Path, start: LogPosition) -> Iterator[list[EventRow]]:
    """Read the events after `start` from a file, in pages; raise BrokenEventLog for a line that is no event."""
    with file.open("rb") as stream:
        sequence = start.sequence
        while lines := [*islice(stream, audit.PAGE_SIZE)]:
            yield [_parse_line(file, sequence + index, line) for index, line in enumerate(lines, 1)]
            sequence += len(lines)


def _parse_line(file: Path, sequence: int, line: bytes) -> EventRow:
    with suppress(ValueError, TypeError, KeyError):
        values: dict[str, Any] = orjson.loads(line)
        values["occurred_at"] = datetime.fromisoformat(values["occurred_at"])
        if values.keys() == {*audit.COLUMNS}:
            return EventRow(**values)
    raise BrokenEventLog(sequence, f"{file.name} has a line there that is no event")


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
