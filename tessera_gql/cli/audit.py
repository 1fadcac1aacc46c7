"""`tessera audit`: proof that the event log is as it was written, and a copy of it. See docs/auditing.md."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from tessera_gql.cli.start import open_database
from tessera_gql.cli.terminal import err, fail, out, settings, told
from tessera_gql.store import audit
from tessera_gql.store.audit import Broken, Place

app = typer.Typer(help="The event log: append-only, each row's hash covering the row before.", no_args_is_help=True)

EXPECT_HELP = "SEQUENCE:HASH as an earlier run said it: proves also that the log up to there was not written anew."


@app.command()
def verify(expect: str | None = typer.Option(None, "--expect", help=EXPECT_HELP)) -> None:
    """Compute every hash again: exit 0, or 1 naming the first row that is not as it was written."""
    known = _place(expect) if expect else None
    with told():
        try:
            last = asyncio.run(_verify(known))
        except Broken as error:
            raise fail(str(error), code=1) from None
    out.print(f"{last.sequence} events, each as it was written. The last is {last.sequence}:{last.hash}")


@app.command()
def export(
    after: int = typer.Option(0, min=0, help="Go on behind this sequence: the last one of an earlier export."),
    output: Annotated[Path | None, typer.Option(help="A file to append to, instead of standard output.")] = None,
) -> None:
    """Write events as JSON lines, oldest first."""
    with told():
        try:
            with output.open("ab") if output else contextlib.nullcontext(sys.stdout.buffer) as target:
                last = asyncio.run(_export(target, after))
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(1) from None
        except OSError as error:
            raise fail(f"{output or 'Standard output'} can't be written: {error.strerror}.") from None
    err.print(f"Exported up to sequence {last}. Go on with --after {last}.", style="dim")


def _place(text: str) -> Place:
    sequence, _, digest = text.partition(":")
    if not sequence.isdecimal() or len(digest) != 64:
        raise fail(f"--expect {text[:100]!r} is not SEQUENCE:HASH, as `tessera audit verify` prints it.")
    return Place(int(sequence), digest)


async def _verify(known: Place | None) -> Place:
    async with open_database(settings()) as database:
        return await audit.verify(database, known)


async def _export(target: BinaryIO, after: int) -> int:
    async with open_database(settings()) as database:
        async for page in audit.pages(database, after):
            for row in page:
                line: dict[str, Any] = {name: getattr(row, name) for name in audit.COLUMNS}
                target.write(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))
            after = page[-1].sequence
        target.flush()
    return after
