"""How every command ends: whatever is raised becomes one line on stderr and an exit code, in one place for all."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail
from tessera_gql.errors import Refusal, Unavailable

TRACEBACK = "TESSERA_TRACEBACK"
"""Set to anything, it lets a defect end the program with its traceback."""


class Program(TyperGroup):
    """The top of the command line."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        run = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        try:
            code = run()
        except Exception as error:  # noqa: BLE001 - the last place where it can be reported
            code = report(error)
        sys.exit(code or 0)


def report(error: Exception) -> int:
    """Print what went wrong on one line; the exit code."""
    message, code = describe(error)
    if code is ExitCode.DEFECT and os.environ.get(TRACEBACK):
        raise error
    if message:
        fail(message, code)
    return code


def describe(error: Exception) -> tuple[str, ExitCode]:
    match error:
        case TyperException():
            return _usage(error), ExitCode.REFUSED
        case Abort():
            return "Nothing was entered.", ExitCode.INTERRUPTED
        case Refusal():
            return error.message, ExitCode.REFUSED
        case Unavailable():
            return error.message, ExitCode.UNAVAILABLE
        case OSError():
            return (
                f"{error.filename or 'A file'} can't be read or written: {error.strerror or error}.",
                ExitCode.REFUSED,
            )
        case _:
            return _of_client(error) or (_defect(error), ExitCode.DEFECT)


def _usage(error: TyperException) -> str:
    """Empty if the help was printed instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    hint = f" `{context.command_path} --help` explains it." if context else ""
    return f"{' '.join(error.format_message().split()).rstrip('.')}.{hint}"


def _of_client(error: Exception) -> tuple[str, ExitCode] | None:
    from tessera_gql.client import errors  # noqa: PLC0415 - commands on the database load no client until they fail

    match error:
        case errors.Unavailable():
            return error.message, ExitCode.UNAVAILABLE
        case errors.ServerFault():
            reference = f" Its log has more under {error.reference}." if error.reference else ""
            return f"{error.message}{reference}", ExitCode.UNAVAILABLE
        case errors.Unauthenticated():
            return f"{error.message} `tessera login` keeps a key.", ExitCode.REFUSED
        case errors.TesseraError():
            return error.message, ExitCode.REFUSED
        case _:
            return None


def _defect(error: Exception) -> str:
    return (
        f"This is a defect of tessera: {type(error).__name__}: {error}."
        f" Run it again with {TRACEBACK}=1 to see where, and report that."
    )
