"""Every command of the command line, as the program lists them, and one way to run them."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tessera_gql.cli import build_app
from tessera_gql.cli.commands import COMMANDS, load_command

UNSET = ("TESSERA_URL", "TESSERA_API_KEY", "TESSERA_TRACEBACK", "XDG_CONFIG_HOME", "FORCE_COLOR", "DATABASE_URL")


def every_command() -> dict[tuple[str, ...], Any]:
    """The name of each executable command, and the command itself."""
    return {path: command for name in COMMANDS for path, command in _leaves((name,), load_command(name))}


def _leaves(arguments: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield arguments, command
        return
    for name, child in children.items():
        yield from _leaves((*arguments, name), child)


@dataclass(frozen=True)
class CommandResult:
    """What a command printed, and how it ended."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def printed(self) -> str:
        return f"{self.stdout}\n{self.stderr}"


def run(home: Path, arguments: Sequence[object], *, stdin: str = "", **environment: str) -> CommandResult:
    """Run a command in this process with only these settings; an uncaught exception fails the test."""
    texts = tuple(map(str, arguments))
    defaults = {"HOME": str(home), "COLUMNS": "400", "NO_COLOR": "1", "TESSERA_RETRY_SECONDS": "0"}
    variables = dict.fromkeys(UNSET) | defaults | environment
    result = CliRunner().invoke(build_app(), texts, stdin, env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit), (texts, result.exc_info)
    return CommandResult(texts, result.exit_code, result.stdout, result.stderr)


def print_counts(title: str, cells: Counter[tuple[str, str]]) -> None:
    """Print a table with a row for each command and a column for each format or circumstance."""
    rows, columns = sorted({row for row, _ in cells}), sorted({column for _, column in cells})
    lines = [f"{title}: {sum(cells.values())} cells, {len(rows)} commands, {len(columns)} columns"]
    lines += [f"{'':22}" + "".join(f"{column[:16]:>17}" for column in columns)]
    for row in rows:
        lines += [f"{row:22}" + "".join(f"{cells[row, column] or '-':>17}" for column in columns)]
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
