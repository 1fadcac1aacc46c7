"""Error handling of all commands: an exception becomes one line on stderr and an exit code."""

import os
import re
import sys
from functools import partial
from typing import Any

from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from tessera_gql.cli.api_terms import to_command_terms
from tessera_gql.cli.exit_codes import ExitCode
from tessera_gql.cli.terminal import fail
from tessera_gql.errors import Refusal, Unavailable

TRACEBACK_VARIABLE = "TESSERA_TRACEBACK"
"""Environment variable: if set, a defect prints its traceback."""

DATE_PATTERN = re.compile(r"Input should be a valid datetime or date\b.*")
"""What the parser of options says about a text that is no date."""


class RootGroup(TyperGroup):
    """Root command group, which reports exceptions."""

    def main(self, *args: Any, **options: Any) -> Any:
        run = partial(super().main, *args, **{**options, "standalone_mode": False})
        if not options.get("standalone_mode", True):
            return run()
        try:
            code = run()
        except Exception as error:  # noqa: BLE001 - the last place where it can be reported
            code = report_error(error)
        sys.exit(code or 0)


def report_error(error: Exception) -> int:
    """Print an error on one line and return the exit code."""
    message, code = describe_error(error)
    if code is ExitCode.DEFECT and os.environ.get(TRACEBACK_VARIABLE):
        raise error
    if message:
        fail(message, code)
    return code


def describe_error(error: Exception) -> tuple[str, ExitCode]:
    match error:
        case TyperException():
            return _describe_usage_error(error), ExitCode.REFUSED
        case Abort():
            return "Nothing was entered.", ExitCode.INTERRUPTED
        case Refusal():
            return to_command_terms(error.message), ExitCode.REFUSED
        case Unavailable():
            return error.message, ExitCode.UNAVAILABLE
        case OSError():
            reason = f"can't be read or written: {error.strerror or error}."
            return f"{error.filename or 'A file'} {reason}", ExitCode.REFUSED
        case _:
            defect = (
                f"This is a defect of tessera: {type(error).__name__}: {error}."
                f" Run it again with {TRACEBACK_VARIABLE}=1 to see where, and report that."
            )
            return _describe_client_error(error) or (defect, ExitCode.DEFECT)


def _describe_usage_error(error: TyperException) -> str:
    """Describe a usage error; empty if the help was printed instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = getattr(error, "ctx", None)
    hint = f" `{context.command_path} --help` explains it." if context else ""
    message = " ".join(error.format_message().split()).replace(": Value error, ", ": ")
    message = DATE_PATTERN.sub("it is no date, such as 2031-01-01", message)
    return f"{message.rstrip('.')}.{hint}"


def _describe_client_error(error: Exception) -> tuple[str, ExitCode] | None:
    from tessera_gql.client import errors  # noqa: PLC0415 - commands on the database load no client until they fail

    match error:
        case errors.Unavailable():
            return error.message, ExitCode.UNAVAILABLE
        case errors.ServerFault():
            reference = f" Its log has more under {error.reference}." if error.reference else ""
            return f"{error.message}{reference}", ExitCode.UNAVAILABLE
        case errors.Unauthenticated():
            return f"{error.message} `tessera login` keeps a key.", ExitCode.REFUSED
        case errors.Refusal():
            return to_command_terms(error.message, error.field), ExitCode.REFUSED
        case errors.TesseraError():
            return to_command_terms(error.message), ExitCode.REFUSED
        case _:
            return None
