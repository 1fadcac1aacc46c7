"""`tessera audit`: the state of the event log over the API; verify and export it in the database.

See docs/auditing.md.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from tessera_gql.cli.api import connect
from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.exit_codes import ExitCode
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
from tessera_gql.store import audit, log_verifications
from tessera_gql.store.audit import BrokenEventLog, LogPosition
from tessera_gql.store.database import Database
from tessera_gql.store.faults import FAULTS, driver_error
from tessera_gql.store.tables import EventRow

app = typer.Typer(help="Verify and export the event log.", no_args_is_help=True)

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
        print_properties(last=f"{log.last_sequence}:{log.head}", state=_describe_state(log), verified=log.verified_at)
    if log.is_intact is False:
        raise typer.Exit(ExitCode.NEGATIVE)


def _describe_state(log: EventLog) -> str:
    if log.is_intact is None:
        return "not verified yet; `tessera audit verify` does so on the server's database"
    if log.is_intact:
        return f"each event up to {log.verified_sequence} is as it was written"
    return f"altered at event {log.broken_sequence or 'unknown'}: {log.fault or 'no reason is known'}"


@app.command()
def verify(expect: str | None = typer.Option(None, "--expect", help=EXPECT_HELP)) -> None:
    """Verify the hash chain of the event log. Exit 0 if intact, 1 naming the first altered row."""
    expected = _parse_position(expect) if expect else None
    try:
        last = run_on_database(lambda database: _verify(database, expected))
    except BrokenEventLog as error:
        raise fail(str(error), ExitCode.NEGATIVE) from None
    print_line(f"{last.sequence} events, each as it was written. The last is {last.sequence}:{last.hash}")


async def _verify(database: Database, expected: LogPosition | None) -> LogPosition:
    """Verify the whole log and record the result for the API; raise BrokenEventLog if it was changed."""
    try:
        last = await audit.verify_log(database, expected)
    except BrokenEventLog as error:
        await _record(database, error.intact, error)
        raise
    await _record(database, last)
    return last


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


def _json_line(row: EventRow, *, stored: bool) -> bytes:
    line: dict[str, Any] = {name: getattr(row, name) for name in audit.COLUMNS}
    if not stored:
        line |= encode_event_ids(row)
    return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _parse_position(text: str) -> LogPosition:
    sequence, _, digest = text.partition(":")
    if not sequence.isdecimal() or len(digest) != 64:
        raise fail(f"--expect {text[:100]!r} is not SEQUENCE:HASH, as `tessera audit verify` prints it.")
    return LogPosition(int(sequence), digest)
