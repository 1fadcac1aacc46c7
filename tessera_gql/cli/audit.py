"""`tessera audit`: proof that the event log is as it was written, and a copy of it. See docs/auditing.md."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from tessera_gql.cli.database_access import run_on_database
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail, print_json_text, print_line, print_note
from tessera_gql.store import audit
from tessera_gql.store.audit import Broken, Place
from tessera_gql.store.database import Database
from tessera_gql.store.tables import EventRow

app = typer.Typer(help="The event log: append-only, each row's hash covering the row before.", no_args_is_help=True)

EXPECT_HELP = "SEQUENCE:HASH as an earlier run said it: proves also that the log up to there was not written anew."


@app.command()
def verify(expect: str | None = typer.Option(None, "--expect", help=EXPECT_HELP)) -> None:
    """Compute every hash again: exit 0, or 1 naming the first row that is not as it was written."""
    known = _place(expect) if expect else None
    try:
        last = run_on_database(lambda database: audit.verify(database, known))
    except Broken as error:
        raise fail(str(error), ExitCode.NEGATIVE) from None
    print_line(f"{last.sequence} events, each as it was written. The last is {last.sequence}:{last.hash}")


@app.command()
def export(
    after: int = typer.Option(0, min=0, help="Go on behind this sequence: the last one of an earlier export."),
    output: Annotated[Path | None, typer.Option(help="A file to append to, instead of standard output.")] = None,
) -> None:
    """Write events as JSON lines, oldest first."""

    async def work(database: Database) -> int:
        with output.open("ab") if output else nullcontext() as file:
            last = after
            async for page in audit.pages(database, after):
                lines = b"".join(map(_json_line, page))
                if file:
                    file.write(lines)
                else:
                    print_json_text(lines.decode().removesuffix("\n"))
                last = page[-1].sequence
        return last

    last = run_on_database(work)
    print_note((f"Exported up to sequence {last}. Go on with --after {last}.", "dim"))


def _json_line(row: EventRow) -> bytes:
    line: dict[str, Any] = {name: getattr(row, name) for name in audit.COLUMNS}
    return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _place(text: str) -> Place:
    sequence, _, digest = text.partition(":")
    if not sequence.isdecimal() or len(digest) != 64:
        raise fail(f"--expect {text[:100]!r} is not SEQUENCE:HASH, as `tessera audit verify` prints it.")
    return Place(int(sequence), digest)
