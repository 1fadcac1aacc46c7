"""`tessera audit`: the state of the event log over the API; verify, export and archive it in the database.

See docs/auditing.md.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated

import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.log_archive import archive_events
from tessera_gql.cli.terminal import (
    JsonOption,
    fail,
    print_json,
    print_json_text,
    print_line,
    print_note,
    print_properties,
)
from tessera_gql.client import EventLog
from tessera_gql.errors import Refusal
from tessera_gql.policy.global_ids import encode_event_ids
from tessera_gql.store import audit, event_anchors, event_archive, log_verifications
from tessera_gql.store.audit import BrokenEventLog, LogPosition
from tessera_gql.store.database import Database
from tessera_gql.store.faults import FAULTS, driver_error
from tessera_gql.store.tables import EventAnchor, EventRow

app = typer.Typer(help="Verify, export and archive the event log.", no_args_is_help=True)

EXPECT_HELP = "SEQUENCE:HASH of an earlier run. Also proves that the log up to there was not rewritten."


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Print how far the server has verified the event log. Exit 1 if it found it altered.

    Example: tessera audit status
    """
    with connect() as client:
        log = client.event_log()
    if as_json:
        print_json(log)
    else:
        archived = f"up to {log.archived_sequence}, before {log.archived_before}" if log.archived_sequence else None
        print_properties(
            last=f"{log.last_sequence}:{log.head}",
            state=_describe_state(log),
            verified=log.verified_at,
            archived=archived,
        )
    if log.is_intact is False:
        raise typer.Exit(ExitCode.NEGATIVE)


def _describe_state(log: EventLog) -> str:
    if log.is_intact is None:
        return "not verified yet; `tessera audit verify` does so on the server's database"
    if log.is_intact:
        return f"each event up to {log.verified_sequence} is as it was written"
    return f"altered at event {log.broken_sequence or 'unknown'}: {log.fault or 'no reason is known'}"


@app.command()
def verify(
    expect: str | None = typer.Option(None, "--expect", help=EXPECT_HELP),
    archive_folder: Annotated[
        Path | None, typer.Option("--archive", help="Folder of the archived events, whose files are verified as well.")
    ] = None,
) -> None:
    """Verify the hash chain of the event log. Exit 0 if intact, 1 naming the first altered row.

    Example: tessera audit verify --archive /backup/events
    """
    expected = _parse_position(expect) if expect else None
    try:
        result = run_on_database(lambda database: _verify(database, expected, archive_folder))
    except BrokenEventLog as error:
        raise fail(str(error), ExitCode.NEGATIVE) from None
    _print_result(result, archive_folder)


@dataclass(frozen=True)
class VerificationResult:
    """The last event of an intact log, its last anchor, and whether the signatures of anchors were verified."""

    last: LogPosition
    anchor: EventAnchor | None
    has_key: bool


def _print_result(result: VerificationResult, archive_folder: Path | None) -> None:
    end = f"The last is {result.last.sequence}:{result.last.hash}"
    if (anchor := result.anchor) is None:
        print_line(f"{result.last.sequence} events, each as it was written. {end}")
        return
    state = "as they were written too" if archive_folder else "not verified without --archive"
    print_line(
        f"The events {anchor.sequence + 1} to {result.last.sequence} are each as it was written. Those before are"
        f" archived since {anchor.archived_at:%Y-%m-%d} by {anchor.archived_by}, and {state}. {end}"
    )
    if not result.has_key:
        print_note("The signature of the archive is not verified: SECRETS_KEY is not set.")


async def _verify(database: Database, expected: LogPosition | None, archive_folder: Path | None) -> VerificationResult:
    """Verify archives and log, and record the result of the log for the API; raise BrokenEventLog after a change."""
    async with database.read() as session:
        anchors = await event_anchors.list_all(session)
        has_key = bool(session.keyring.keys)
    if archive_folder is not None and anchors:
        event_archive.verify_archives(archive_folder, anchors, expected)
        is_archived = expected is not None and expected.sequence < anchors[-1].sequence
        expected = None if is_archived else expected
    try:
        last = await audit.verify_log(database, expected)
    except BrokenEventLog as error:
        await _record(database, error.intact, error)
        raise
    await _record(database, last)
    return VerificationResult(last, anchors[-1] if anchors else None, has_key)


async def _record(database: Database, position: LogPosition, broken: BrokenEventLog | None = None) -> None:
    """Record the result, as far as the role of DATABASE_URL may write it."""
    try:
        async with database.write("tessera audit") as session:
            await log_verifications.record(session, position, broken)
    except (*FAULTS, Refusal) as error:
        print_note(f"The result is not recorded for the API: {driver_error(error)}.")


@app.command()
def export(
    after: int = typer.Option(0, min=0, help="Start after this sequence, the last one of an earlier export."),
    output: Annotated[Path | None, typer.Option(help="Append to this file instead of writing to stdout.")] = None,
    stored: Annotated[
        bool, typer.Option("--stored", help="Print the UUIDs of the database, from which hashes are computed.")
    ] = False,
) -> None:
    """Export events as JSON lines, oldest first, with ids as in the API."""

    async def write_events(database: Database) -> int:
        with output.open("ab") if output else nullcontext() as file:
            last = after
            async for page in audit.read_pages(database, after):
                lines = b"".join(_json_line(row, stored=stored) for row in page)
                if file:
                    file.write(lines)
                else:
                    print_json_text(lines.decode().removesuffix("\n"))
                last = page[-1].sequence
        return last

    last = run_on_database(write_events)
    print_note((f"Exported up to sequence {last}. Go on with --after {last}.", "dim"))


@app.command()
def archive(
    before: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Archive the events before this day, in UTC.")],
    to: Annotated[Path, typer.Option(help="Folder for the file of the events.")],
) -> None:
    """Move old events to a file: write and verify it, sign its end, then delete the events. Can be repeated.

    Example: tessera audit archive --before 2026-01-01 --to /backup/events
    """
    if not to.is_dir():
        raise fail(f"There is no folder {to}. Create it, or mount it.")
    moment = before.replace(tzinfo=UTC)
    try:
        plan = run_on_database(
            lambda database: archive_events(database, to, moment, getuser(), lambda line: print_note((line, "dim")))
        )
    except BrokenEventLog as error:
        raise fail(f"{error} Nothing was deleted.", ExitCode.NEGATIVE) from None
    if plan.count:
        print_line(
            f"Archived {plan.count} events in {to / plan.file}. Note the last one outside of the database:"
            f" {plan.end.sequence}:{plan.end.hash}"
        )
    else:
        print_line(f"No events before {before:%Y-%m-%d} are left to archive.")
    if plan.held_by:
        print_note(f"Events after {plan.end.sequence} are kept: {plan.held_by}.")


def _json_line(row: EventRow, *, stored: bool) -> bytes:
    return audit.to_json_line(row) if stored else audit.to_json_line(row, **encode_event_ids(row))


def _parse_position(text: str) -> LogPosition:
    sequence, _, digest = text.partition(":")
    if not sequence.isdecimal() or len(digest) != 64:
        raise fail(f"--expect {text[:100]!r} is not SEQUENCE:HASH, as `tessera audit verify` prints it.")
    return LogPosition(int(sequence), digest)
